"""Every command in the README and the docs is run, as it stands there."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from dvckit.testing import Repository

ROOT = Path(__file__).parents[1]
NEW = "docs/docs/new.md"  # its commands make projects, and need no clone
PAGES = ["README.md", *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs/docs").glob("*.md")))]
PAGES.remove(NEW)
# run elsewhere: this very suite, and the container in tests/image
ELSEWHERE = ("make test", "docker ", "mkdir -p out")


def blocks(page, language):
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    return [code for name, code in fenced if name == language]


def commands(page):
    lines = [line for block in blocks(page, "bash") for line in block.splitlines() if line]
    return [line for line in lines if not line.startswith(ELSEWHERE)]


def with_uv(repository):
    """Let uv find the packages that this environment came from."""
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    uv = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_"))}
    repository.environment |= uv | {"XDG_CACHE_HOME": cache}
    return repository


@pytest.fixture
def reader(small, tmp_path):
    """A clone of someone who has downloaded the list."""
    clone = small.clone(tmp_path / "clone")
    downloads = Path(clone.environment["HOME"]) / "Downloads"
    downloads.mkdir()
    for name in ("train.csv", "test.csv"):
        shutil.copy(small.root / "data/raw" / name, downloads)
    return with_uv(clone)


def is_plain(line):
    """Whether a line is a command of DVC's or ours in which a shell has nothing to do."""
    command = line.partition(" #")[0]
    return command.startswith(("dvc ", "dvckit ")) and not set(command) & set("$~|<>&;*`\\")


def run_in_order(reader, lines):
    """Run lines as one shell would: what they do to its folder and its variables is there for the next. Return the output."""
    left, outputs = reader.root.parent / "left", []
    for line in lines:
        if is_plain(line):
            outputs.append(reader.ok(*shlex.split(line, comments=True)))
            continue
        outputs.append(reader.ok("bash", "-euxc", f"{line}\nenv -0 > {shlex.quote(str(left))}"))
        variables = dict(variable.split("=", 1) for variable in left.read_text().split("\0")[:-1])
        reader.root = Path(variables.pop("PWD"))
        reader.environment = {name: value for name, value in variables.items() if name not in {"OLDPWD", "SHLVL", "_"}}
    assert "ERROR" not in "".join(outputs)
    return "".join(outputs)


@pytest.mark.faults
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_the_commands_of_a_page_run_in_order(reader, page):
    run_in_order(reader, commands(page))


@pytest.mark.faults
def test_the_walk_from_a_csv_file_to_a_project(tmp_path):
    (tmp_path / "tables").mkdir()
    newcomer = with_uv(Repository(tmp_path / "tables"))
    newcomer.environment["COLUMNS"] = "80"
    code = "".join(blocks(NEW, "python"))
    newcomer.ok("python", "-c", code)

    output = run_in_order(newcomer, commands(NEW))

    run_in_order(newcomer, commands(newcomer.root / "README.md"))
    assert [line for line in blocks(NEW, "")[0].splitlines() if "/home/you" not in line and line not in output] == []
    tags = set(newcomer.ok("git", "-C", "../iris", "tag").split())
    assert tags == {"data@v1.0.0", "data@v1.0.1", "iris@v1.0.0", "iris@v1.1.0", "iris@v1.1.1", "iris#prod#1"}


def test_the_readme_shows_the_example_of_the_docs():
    (example,) = blocks("README.md", "console")
    command, output = example.removeprefix("$ ").split("\n", 1)

    assert command in commands(NEW)
    assert output in blocks(NEW, "")


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")])
def test_the_python_of_a_page_runs(small, page):
    small.ok("python", "-c", "".join(blocks(page, "python")))


def test_the_readme_names_the_two_commands():
    assert "make reproduce\nmake test\n" in (ROOT / "README.md").read_text()


def test_every_path_in_the_tree_of_the_readme_is_there():
    tree = re.search(r"## What is where\n\n```\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL).group(1)
    parent = ""
    for line in tree.splitlines():
        name = line.split()[0]
        path = parent + name if line.startswith(" ") else name
        parent = parent if line.startswith(" ") else name
        assert (ROOT / path).exists(), path


@pytest.mark.faults
def test_the_pages_can_be_built(tmp_path):
    command = ["mkdocs", "build", "--quiet", "--strict", "-f", str(ROOT / "docs/mkdocs.yml"), "-d", str(tmp_path)]

    subprocess.run(command, check=True)

    assert "Two pipelines" in (tmp_path / "architecture/index.html").read_text()
