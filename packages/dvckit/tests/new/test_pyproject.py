import tomllib
from pathlib import Path

import pytest

from dvckit.core.errors import UserError
from dvckit.new.library import Library, wheel
from dvckit.new.pyproject import render_pyproject, with_library
from dvckit.new.shared import Answers, write
from dvckit.new.uv import lock, sync, uv_program
from dvckit.testing import Repository

VENDORED = Library("vendor/dvckit-0.1.0-py3-none-any.whl", source={"path": "vendor/dvckit-0.1.0-py3-none-any.whl"})
INDEXED = Library("dvckit==0.2.0", "==0.2.0")
OF_GIT = Library("git+https://example.org/d@v1", source={"git": "https://example.org/d", "rev": "v1"})
LIBRARIES = [VENDORED, INDEXED, OF_GIT]
each = pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name.split("/")[0])


def answers(library: Library, title: str = 'Flowers: "iris" \\ é') -> Answers:
    return Answers("my-flowers", "my_flowers", title, "multiclass", predict=False, library=library.name)


@each
def test_a_project_answers_as_it_was_asked(tmp_path, library):
    (tmp_path / "pyproject.toml").write_text(render_pyproject(answers(library), library))

    assert Answers.read(tmp_path) == answers(library)


@each
def test_the_dependencies_are_those_of_the_example(source, library):
    """With the same bounds, as the two are tried together."""
    example = tomllib.loads((source / "pyproject.toml").read_text())
    made = tomllib.loads(render_pyproject(answers(library), library))

    bounds = set(example["project"]["dependencies"]) - {"dvc-gdrive>=3.0.1", "dvckit[gdrive,project,search]"}
    assert set(made["project"]["dependencies"]) == bounds | {f"dvckit[project,search]{library.specifier}"}
    assert set(made["dependency-groups"]["dev"]) <= {"pytest>=9", *example["dependency-groups"]["dev"]}
    for key in ("required-version", "default-groups", "environments", "compile-bytecode", "constraint-dependencies"):
        assert made["tool"]["uv"][key] == example["tool"]["uv"][key]
    assert made["build-system"] == example["build-system"]
    assert made["project"]["requires-python"] == example["project"]["requires-python"]


@each
def test_the_library_is_named_where_uv_looks_for_it(library):
    made = tomllib.loads(render_pyproject(answers(library), library))

    assert made["tool"]["uv"].get("sources", {}).get("dvckit", {}) == library.source


@pytest.mark.parametrize("old", LIBRARIES)
@pytest.mark.parametrize("new", LIBRARIES)
def test_another_library_changes_nothing_else(old, new):
    own = '\n[project.urls]  # mine\nhome = "https://example.org/#1"\n'

    changed = with_library(render_pyproject(answers(old), old) + own, new)

    assert tomllib.loads(changed) == tomllib.loads(render_pyproject(answers(new), new) + own)
    assert changed.endswith(own)
    assert changed.count("#") == (render_pyproject(answers(old), old) + own).count("#")


def test_a_newer_wheel_changes_two_lines():
    before = render_pyproject(answers(VENDORED), VENDORED)
    name = "vendor/dvckit-0.2.0-py3-none-any.whl"

    after = with_library(before, Library(name, source={"path": name}))

    assert after == before.replace(VENDORED.name, name)


@pytest.mark.parametrize("missing", ['"dvckit[project,search]",', "[tool.uv]", "[tool.dvckit]"])
def test_a_pyproject_that_is_no_longer_such_is_refused(missing):
    text = render_pyproject(answers(VENDORED), VENDORED).replace(missing, "[x]" if missing[0] == "[" else "")
    text = text.replace("[tool.uv.sources]", "[y]").replace("[tool.uv.build-backend]", "[z]")

    with pytest.raises(UserError, match=r"^pyproject\.toml has no"):
        with_library(text, INDEXED)


@pytest.fixture
def minimal(tmp_path) -> Repository:
    """A project without data and code, with the library that runs, locked."""
    project = Repository(tmp_path / "project")
    project.root.mkdir()
    name = f"vendor/{wheel(project.root / 'vendor').name}"
    library = Library(name, source={"path": name})
    write(project.root, answers(library))
    (project.root / "pyproject.toml").write_text(render_pyproject(answers(library), library))
    (project.root / "my_flowers").mkdir()
    (project.root / "my_flowers/__init__.py").touch()
    lock(project.root)
    project.ok("git", "init", "--quiet", "--initial-branch", "main")
    project.commit("a project")
    return project


@pytest.mark.faults
def test_a_project_is_installed_and_from_a_clone_without_a_network(minimal, tmp_path):
    locked = tomllib.loads((minimal.root / "uv.lock").read_text())
    (library,) = [entry for entry in locked["package"] if entry["name"] == "dvckit"]
    assert library["wheels"][0]["hash"].startswith("sha256:")

    sync(minimal.root, "--group", "dev")

    python = str(minimal.root / ".venv/bin/python")
    assert "Usage: dvckit" in minimal.ok(str(minimal.root / ".venv/bin/dvckit"), "--help")
    minimal.ok(python, "-c", "import my_flowers, dvckit.testing, sklearn, optuna, dvckit.new.shared, dvckit.project")
    assert Path(minimal.ok(python, "-c", "import dvckit; print(dvckit.__file__)")).is_relative_to(minimal.root)
    code = "from pathlib import Path; from dvckit.new.library import wheel; wheel(Path('again'))"
    minimal.ok(python, "-c", code)
    (packed,) = (minimal.root / "again").iterdir()
    assert packed.read_bytes() == (minimal.root / "vendor" / packed.name).read_bytes()

    clone = minimal.clone(tmp_path / "clone")
    sync(clone.root, "--offline", "--no-compile-bytecode")  # which takes 15 s

    assert "Usage: dvckit" in clone.ok(str(clone.root / ".venv/bin/dvckit"), "--help")
    assert clone.ok("git", "status", "--porcelain") == ""
    clone.ok(*uv_program(), "lock", "--check", "--offline", HOME=str(Path.home()))
