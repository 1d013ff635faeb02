import hashlib
import os
import re
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dvckit.core.errors import UserError
from dvckit.new import library
from dvckit.new.library import Library, wheel
from dvckit.new.pyproject import render_pyproject
from dvckit.new.shared import Answers, write
from dvckit.new.upgrade import Changes, _renew, upgrade
from dvckit.new.uv import lock, sync, uv_program
from dvckit.testing import Repository, replaced

ANSWERS = Answers("flowers", "flowers", "Flowers", "multiclass", predict=False, library="vendor/dvckit-0.1.0.whl")

# Two stages of the person's own, which know the library.
PIPELINE = """vars:
  - library: {library}
stages:
  versions:
    cmd: python -c "import dvckit.new.shared as s; open('versions.txt', 'w').write(s.UV_VERSION)"
    deps: ["${{library}}"]
    outs: [versions.txt]
  length:
    cmd: wc -l < versions.txt > length.txt
    deps: [versions.txt]
    outs: [length.txt]
"""


def refused(root: Path, source: str = "0.2.0") -> str:
    with pytest.raises(UserError) as error:
        upgrade(root, source, print)
    return str(error.value)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Repository:
    """A committed project without code, whose dvckit seems to run."""
    project = Repository(tmp_path / "project")
    name = "vendor/dvckit-0.1.0-py3-none-any.whl"
    answers = replace(ANSWERS, library=name)
    write(project.root, answers)
    (project.root / "pyproject.toml").write_text(render_pyproject(answers, Library(name, source={"path": name})))
    (project.root / "vendor").mkdir()
    (project.root / name).write_text("the old library")
    project.ok("git", "init", "--quiet", "--initial-branch", "main")
    project.commit("a project")
    monkeypatch.setattr(sys, "prefix", str(project.root / ".venv"))
    return project


def test_a_repository_that_new_did_not_make_is_refused(toy):
    assert "pyproject.toml" in refused(toy.root)

    (toy.root / "pyproject.toml").write_text("[project]\n")
    assert refused(toy.root) == "pyproject.toml has no table [tool.dvckit], which `dvckit new` writes"


def test_the_repository_of_the_library_is_refused(source):
    assert refused(source).startswith("the library is developed in this repository, in packages/dvckit/src/dvckit")


def test_another_environment_is_refused(project, monkeypatch):
    monkeypatch.setattr(sys, "prefix", "/usr")

    assert refused(project.root) == "this is not the dvckit of the project; run `uv run dvckit upgrade`"


def test_uncommitted_changes_are_refused_and_files_of_no_commit_are_not(project):
    (project.root / "notes.txt").write_text("mine")
    assert "no source of the library" in refused(project.root, "nothing")

    project.edit("Makefile", ("help", "HELP"))

    sentence = "there are uncommitted changes, of Makefile for one; commit or stash them first"
    assert refused(project.root) == sentence


def test_what_is_no_library_is_refused_and_changes_nothing(project):
    (project.root / "other.whl").write_text("text")

    assert "other.whl is not a wheel" in refused(project.root, str(project.root / "other.whl"))
    assert "is no source of the library" in refused(project.root, "numpy==2")
    assert project.ok("git", "status", "--porcelain", "--untracked-files=no") == ""


def test_files_are_put_back_with_their_modes(project):
    changes = Changes(project.root)
    changes.write(".ci/run", b"#!/bin/sh\nother\n")
    changes.write(".ci/run", b"#!/bin/sh\nanother\n")
    changes.write("Makefile", None)
    changes.write("docs/new.md", b"new\n")
    assert project.ok("git", "diff", "--name-status", "HEAD") == "M\t.ci/run\nD\tMakefile\n"

    changes.undo(print)

    assert project.ok("git", "status", "--porcelain") == ""


def test_shared_files_are_renewed_unless_the_person_changed_them(tmp_path):
    old = {name: f"{name} of v1.whl\nsame\n".encode() for name in ("kept", "edited", "equal", "gone", "dropped")}
    new = {name: f"{name} of v2.whl\nsame\nmore\n".encode() for name in ("kept", "edited", "gone", "added", "taken")}
    new["equal"] = b"equal of v2.whl\nsame\n"
    for name in ("kept", "dropped"):
        (tmp_path / name).write_bytes(old[name])
    for name in ("edited", "equal"):
        (tmp_path / name).write_bytes(old[name] + b"mine\n")
    (tmp_path / "taken").write_text("mine\n")

    diffs = _renew(Changes(tmp_path), old, new, ("v1.whl", "v2.whl"))

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "kept": "kept of v2.whl\nsame\nmore\n",
        "added": "added of v2.whl\nsame\nmore\n",
        "edited": "edited of v2.whl\nsame\nmine\n",
        "equal": "equal of v2.whl\nsame\nmine\n",
        "taken": "mine\n",
    }
    assert [diff.split()[0] for diff in diffs] == ["edited", "gone", "taken"]
    assert diffs[0] == (
        "edited stays, as you changed it; the library changes it so:\n"
        "--- old edited\n+++ new edited\n@@ -1,2 +1,3 @@\n edited of v2.whl\n same\n+more"
    )


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> dict[str, Path]:
    """The wheel of the library that runs, and of others made of its source."""
    folder = tmp_path_factory.mktemp("wheels")
    source = library._editable(library.distribution("dvckit"))

    def build(version: str, *edits: tuple[str, str, str]) -> Path:
        copy = shutil.copytree(source, tmp_path_factory.mktemp("source") / "dvckit")
        for name, old, new in (("pyproject.toml", 'version = "0.1.0"', f'version = "{version}"'), *edits):
            (copy / name).write_text(replaced(copy / name, (old, new)))
        files = library._built(copy)
        path = copy.parent / library._wheel_name(files)
        path.write_bytes(library._packed(files))
        return path

    templates = "src/dvckit/new/templates/shared"
    makefile = (f"{templates}/Makefile.jinja", "verify: env ##", "renewed: env\n\nverify: env ##")
    dockerfile = (f"{templates}/Dockerfile.jinja", "WORKDIR /src", "WORKDIR /renewed")
    uv = ("src/dvckit/new/shared.py", 'UV_VERSION = "', 'UV_VERSION = "1')
    return {
        "old": wheel(folder),
        "new": build("0.2.0", makefile, dockerfile),
        "other outputs": build("0.3.0", makefile, dockerfile, uv),
        "same version": build("0.1.0", dockerfile),
        "broken": build("0.4.0", (f"{templates}/Makefile.jinja", "verify: env ##", "{{ unknown }}: env ##")),
        "needs more": build("0.5.0", ("pyproject.toml", '"numpy>=2.3"', '"numpy>=1000"')),
    }


@pytest.fixture
def installed(tmp_path, wheels) -> Repository:
    """A project with an environment of its own, whose Makefile and pipelines the person changed, run and committed."""
    project = Repository(tmp_path / "project")
    # uv is that of the machine, with its cache and its network
    project.environment = {**os.environ, **project.environment, "HOME": str(Path.home())}
    name = f"vendor/{wheels['old'].name}"
    answers = replace(ANSWERS, library=name)
    write(project.root, answers)
    (project.root / "reports/dvc.yaml").unlink()
    (project.root / "dvc.yaml").write_text(PIPELINE.format(library=name))
    project.edit("Makefile", ("help:", "mine:\n\ttrue\n\nhelp:"))
    (project.root / "pyproject.toml").write_text(render_pyproject(answers, Library(name, source={"path": name})))
    project.edit("pyproject.toml", ("compile-bytecode = true", "compile-bytecode = false"))  # it takes 15 s
    (project.root / "flowers").mkdir()
    (project.root / "flowers/__init__.py").touch()
    (project.root / "vendor").mkdir()
    shutil.copyfile(wheels["old"], project.root / name)
    lock(project.root)
    sync(project.root)
    project.ok("git", "init", "--quiet", "--initial-branch", "main")
    project.ok("dvc", "init", "--quiet")
    project.ok(str(project.root / ".venv/bin/python"), "-m", "dvc", "repro", "--quiet", PATH=path_of(project))
    project.commit("run")
    return project


def path_of(project: Repository) -> str:
    return f"{project.root}/.venv/bin:{project.environment['PATH']}"


def upgraded(project: Repository, source: Path):
    return project.run(str(project.root / ".venv/bin/dvckit"), "upgrade", str(source))


def is_as_before(project: Repository) -> bool:
    code = "import importlib.metadata as m, dvckit.verify; print(m.version('dvckit'), m.version('numpy'))"
    shown = project.ok(str(project.root / ".venv/bin/python"), "-c", code)
    left = sorted(path.name for path in (project.root / "vendor").iterdir())
    assert project.ok("git", "status", "--porcelain") == ""
    assert left == ["dvckit-0.1.0-py3-none-any.whl"]
    return shown.startswith("0.1.0 ")


@pytest.mark.faults
def test_the_library_and_the_files_that_are_as_it_wrote_them_are_replaced(installed, wheels):
    result = upgraded(installed, wheels["new"])

    assert result.code == 0, result.output
    new = f"vendor/{wheels['new'].name}"
    assert f"upgraded from vendor/{wheels['old'].name} to {new}\n" in result.output
    assert "all 2 outputs are identical, to the byte\n" in result.output
    assert "Makefile stays, as you changed it; the library changes it so:\n" in result.output
    assert "\n+renewed: env\n" in result.output
    changed = installed.ok("git", "status", "--porcelain").split("\n")
    assert {line[3:] for line in changed if line} == {
        *("Dockerfile", "dvc.lock", "dvc.yaml", "pyproject.toml", "uv.lock"),
        *(f"vendor/{wheels['old'].name}", new),
    }
    assert "WORKDIR /renewed" in (installed.root / "Dockerfile").read_text()
    assert "renewed" not in (installed.root / "Makefile").read_text()
    assert f"library: {new}" in (installed.root / "dvc.yaml").read_text()
    assert Answers.read(installed.root).library == new
    installed.ok(*uv_program(), "lock", "--check")


@pytest.mark.faults
def test_changed_outputs_are_named(installed, wheels):
    result = upgraded(installed, wheels["other outputs"])

    assert result.code == 0, result.output
    assert re.search(r"^1 of 2 outputs changed: versions\.txt; ", result.output, flags=re.MULTILINE)


@pytest.mark.faults
def test_another_build_of_the_same_version_is_another_library(installed, wheels):
    result = upgraded(installed, wheels["same version"])

    assert result.code == 0, result.output
    name = f"vendor/{wheels['old'].name}"
    assert (installed.root / name).read_bytes() == wheels["same version"].read_bytes()
    assert "WORKDIR /renewed" in (installed.root / "Dockerfile").read_text()
    assert hashlib.sha256(wheels["same version"].read_bytes()).hexdigest() in (installed.root / "uv.lock").read_text()
    installed.ok(*uv_program(), "lock", "--check")


@pytest.mark.faults
@pytest.mark.parametrize(
    ("wheel_of", "sentence"),
    [
        ("old", "error: this project already has vendor/dvckit-0.1.0-py3-none-any.whl"),
        ("needs more", "error: `uv lock` failed: No solution found"),
        ("broken", "error: the new library cannot write the shared files of this project: jinja2.exceptions"),
    ],
)
def test_a_failure_leaves_all_as_it_was(installed, wheels, wheel_of, sentence):
    result = upgraded(installed, wheels[wheel_of])

    assert result.code == 1
    assert sentence in result.output
    assert "Traceback" not in result.output
    assert is_as_before(installed)


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_all_as_it_was(installed, wheels, number):
    """While uv resolves, while it installs, and when the new library is there."""
    old, lock_before = installed.root / f"vendor/{wheels['old'].name}", (installed.root / "uv.lock").read_bytes()
    for reached in (
        lambda: not old.exists(),
        lambda: (installed.root / "uv.lock").read_bytes() != lock_before,
        lambda: [*installed.root.glob(".venv/lib/python3.11/site-packages/dvckit-0.2.0.dist-info")],
    ):
        process = installed.start(str(installed.root / ".venv/bin/dvckit"), "upgrade", str(wheels["new"]))
        while not reached():
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(number)
        output = process.communicate(timeout=100)[0]

        assert process.returncode == 130, output
        assert "Traceback" not in output
        assert is_as_before(installed)
