import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dvckit.core.errors import UserError
from dvckit.new import uv
from dvckit.new.library import _packed
from dvckit.new.uv import environment_of, lock, sync, uv_program
from dvckit.repository.packages import PackageLock


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with no uv at all."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(uv.importlib.util, "find_spec", {}.get)
    return tmp_path


@pytest.fixture
def project(tmp_path):
    """A project with an index of its own, which has versions 1 and 2 of `alpha`."""
    for version in (1, 2):
        files = {
            f"alpha-{version}.dist-info/{name}": text.encode()
            for name, text in {
                "METADATA": f"Metadata-Version: 2.1\nName: alpha\nVersion: {version}\n",
                "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            }.items()
        }
        (tmp_path / "index").mkdir(exist_ok=True)
        (tmp_path / f"index/alpha-{version}-py3-none-any.whl").write_bytes(_packed(files))

    def project(*dependencies):
        (tmp_path / "pyproject.toml").write_text(
            f"""[project]
name = "p"
version = "0"
requires-python = ">=3.11,<3.12"
dependencies = {list(dependencies)}
[[tool.uv.index]]
url = "./index"
format = "flat"
default = true
"""
        )
        return tmp_path

    return project


def locked(root: Path) -> dict[str, str]:
    return PackageLock((root / "uv.lock").read_bytes()).versions


def running(monkeypatch, **versions: str) -> None:
    """Let this environment have other packages."""
    files = {"text": None}
    packages = [SimpleNamespace(name=name, version=one, read_text=files.get) for name, one in versions.items()]
    monkeypatch.setattr(uv, "distributions", lambda: packages)


def test_uv_is_that_of_path_then_of_make_then_a_module(machine, monkeypatch):
    monkeypatch.setattr(uv.importlib.util, "find_spec", {"uv": "a module"}.get)
    monkeypatch.setattr(uv.sys, "executable", program(machine / "python", "echo uv 0.9.1").as_posix())
    assert uv_program() == [str(machine / "python"), "-m", "uv"]

    of_make = program(machine / f"cache/dvckit/uv-{uv.UV_VERSION}/bin/uv", "echo 'uv 0.13.8 (abc 2026-01-01)'")
    assert uv_program() == [str(of_make)]

    on_path = program(machine / "bin/uv", "echo uv 0.8.0")
    assert uv_program() == [str(on_path)]


def test_without_uv_there_is_an_error(machine):
    with pytest.raises(UserError, match=r"^uv is not installed; install it with `pip install uv`"):
        uv_program()


@pytest.mark.parametrize("shown", ["uv 0.7.22", "uv 0.4", "no such option"])
def test_an_old_uv_is_refused(machine, shown):
    program(machine / "bin/uv", f"echo {shown}")

    with pytest.raises(UserError, match=r"bin/uv is too old; install uv 0\.8 or newer with `pip install --upgrade uv`"):
        uv_program()


def test_nothing_of_the_surrounding_project_reaches_the_new_one(tmp_path, monkeypatch):
    for name in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "PYTHONPATH", "PYTHONHOME", "UV_EXCLUDE_NEWER", "UV_FROZEN"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://example.org/simple")
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.prefix) / "bin"), "/usr/bin"]))

    environment = environment_of(tmp_path / "new")

    assert str(tmp_path) not in {value for name, value in environment.items() if name != "PATH"}
    assert environment["PATH"] == os.pathsep.join([str(tmp_path / "new/.venv/bin"), "/usr/bin"])
    assert environment["UV_DEFAULT_INDEX"] == "https://example.org/simple"


def test_a_failure_is_one_sentence_of_uv_and_leaves_no_lock(project):
    root = project("alpha<2", "alpha>=2")

    with pytest.raises(UserError, match=r"^`uv lock` failed: No solution found.*: Because .* unsatisfiable") as error:
        lock(root)

    assert "\n" not in str(error.value)
    assert not (root / "uv.lock").exists()


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            "warning: slow\nerror: Request failed after 3 retries\n  cause: Failed to fetch: x\n  cause: refused (os error 111)\n",
            "Request failed after 3 retries: refused (os error 111)",
        ),
        (
            "  \N{MULTIPLICATION SIGN} No solution found when resolving dependencies:\n  ╰─▶ Because a needs b and\n      there is no b, no.\n\nhint: ask\n",
            "No solution found when resolving dependencies: Because a needs b and there is no b, no.",
        ),
        (
            "error: failed to write `x`\n  Caused by: No space left on device (os error 28)\n",
            "failed to write `x`: No space left on device (os error 28)",
        ),
        ("killed\n", "killed"),
        ("", "it says nothing"),
    ],
)
def test_the_reason_is_the_error_and_its_last_cause(output, reason):
    assert uv._reason(output) == reason


def test_a_lock_that_was_there_stays_where_it_fails(project):
    lock(project("alpha"))
    root = project("alpha", "beta")
    before = (root / "uv.lock").read_text()

    with pytest.raises(UserError, match=r"^`uv lock` failed: .*beta was not found"):
        lock(root)

    assert (root / "uv.lock").read_text() == before


def test_without_a_network_the_sentence_says_so(project, tmp_path, monkeypatch):
    root = project("alpha")
    pyproject = root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().split("[[")[0])
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_OFFLINE", "1")

    with pytest.raises(UserError, match=r"^`uv lock` failed: No solution found.*alpha was not found in the cache"):
        lock(root)


def test_a_first_lock_prefers_the_versions_that_run_now(project, monkeypatch):
    running(monkeypatch, Alpha="1", beta="3", odd="of my own")

    lock(project("alpha"))

    assert locked(project("alpha")) == {"alpha": "1", "p": "0"}


def test_a_version_that_does_not_fit_is_not_preferred(project, monkeypatch):
    running(monkeypatch, alpha="1")
    root = project("alpha>1")

    lock(root)

    assert locked(root) == {"alpha": "2", "p": "0"}


def test_a_package_that_is_not_from_an_index_is_not_preferred(project, monkeypatch):
    package = SimpleNamespace(name="alpha", version="1", read_text=lambda _name: "{}")
    monkeypatch.setattr(uv, "distributions", lambda: [package])
    root = project("alpha")

    lock(root)

    assert locked(root) == {"alpha": "2", "p": "0"}


def test_packages_are_installed_into_the_project_with_this_python(project):
    root = project("alpha")
    lock(root)

    sync(root)

    assert list((root / ".venv").glob("lib/python3.11/site-packages/alpha-2.dist-info"))
    home = re.search("^home = (.+)$", (root / ".venv/pyvenv.cfg").read_text(), flags=re.MULTILINE)[1]
    assert Path(home).resolve() == Path(sys.executable).resolve().parent
