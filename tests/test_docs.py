"""Every command in the README and the docs is run, as it stands there."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs/docs").glob("*.md")))]
# run elsewhere: this very suite, and the container in tests/image
ELSEWHERE = ("make test", "docker ", "mkdir -p out")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)


def commands(page):
    lines = [line for block in blocks(page, "bash") for line in block.splitlines() if line]
    return [line for line in lines if not line.startswith(ELSEWHERE)]


@pytest.fixture
def reader(small, tmp_path):
    """A clone of someone who has downloaded the list; uv finds the packages that this environment came from."""
    clone = small.clone(tmp_path / "clone")
    downloads = Path(clone.environment["HOME"]) / "Downloads"
    downloads.mkdir()
    for name in ("train.csv", "test.csv"):
        shutil.copy(small.root / "data/raw" / name, downloads)
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    uv = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_"))}
    clone.environment |= uv | {"XDG_CACHE_HOME": cache}
    return clone


@pytest.mark.faults
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_the_commands_of_a_page_run_in_order(reader, page):
    script = "\n".join(["set -eux", *commands(page)])

    output = reader.ok("bash", "-c", script)

    assert output.count("\n+ ") + output.startswith("+ ") >= len(commands(page))
    assert "ERROR" not in output


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
