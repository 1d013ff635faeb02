import os
import re
import subprocess
import sys

import pytest

from titanic.versions.health.clone import Clone
from titanic.versions.health.environment import hooks, identity, installed, needed, params, python


def wrong(look, project):
    return [str(finding) for finding in look(Clone(project.root)) if finding.level == "WRONG"]


def test_the_packages_of_this_environment_are_those_of_the_lock(fresh):
    assert wrong(python, fresh) == []


def test_a_package_of_another_version_is_told(fresh):
    fresh.edit("uv.lock", (f'name = "numpy"\nversion = "{installed()["numpy"]}"', 'name = "numpy"\nversion = "0.1"'))

    found = f"WRONG   packages differ from uv.lock: numpy {installed()['numpy']} for 0.1; run `uv sync`"
    assert wrong(python, fresh) == [found]


def test_a_package_that_is_not_there_is_told_and_a_tool_is_not(fresh):
    names = re.compile(r'name = "(skops|pytest)"')
    lock = fresh.root / "uv.lock"
    lock.write_text(names.sub(r'name = "\1-of-another-name"', lock.read_text()))

    assert wrong(python, fresh) == ["WRONG   packages are not installed: skops-of-another-name; run `uv sync`"]


def test_what_a_package_needs_under_its_extra_is_needed():
    titanic = {
        "name": "titanic",
        "dependencies": [{"name": "a", "extra": ["x"]}, {"name": "b", "marker": "os_name == ''"}],
    }
    a = {
        "name": "a",
        "dependencies": [{"name": "c"}],
        "optional-dependencies": {"x": [{"name": "d"}], "y": [{"name": "e"}]},
    }

    assert needed([titanic, a]) == {"a", "c", "d"}


def test_another_python_is_told(fresh):
    fresh.edit("uv.lock", ('requires-python = "==3.11.*"', 'requires-python = "==3.1.*"'))

    assert "uv.lock is for ==3.1.*" in wrong(python, fresh)[0]


def test_a_top_level_key_that_dvc_never_looks_at_is_told(fresh):
    fresh.edit("params.yaml", ("dataset:  ", "sede: 1\ndataset:  "))

    assert wrong(params, fresh)[0].startswith("WRONG   params.yaml: unknown key sede; ")


def test_a_git_that_does_not_know_its_user_is_told(fresh, monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    fresh.ok("git", "config", "user.email", "me@localhost")

    (found,) = wrong(identity, fresh)

    assert found == (
        "WRONG   git does not know your name: commits, tags and experiments fail; "
        'run `git config --global user.name "Your Name"`'
    )
    fresh.ok("git", "config", "user.name", "Me")
    assert wrong(identity, fresh) == []


def test_missing_hooks_are_advice(fresh):
    (before,) = hooks(Clone(fresh.root))
    fresh.ok("dvc", "install")
    (after,) = hooks(Clone(fresh.root))

    assert (before.level, before.cure, after.level) == ("advice", "make hooks", "ok")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_user_without_a_name_is_told():
    code = "import os, sys; from titanic.versions.health.environment import user; os.setuid(54321); print(*user(None))"
    environment = {name: value for name, value in os.environ.items() if name not in ("USER", "LOGNAME", "USERNAME")}

    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "WRONG   user id 54321 has no name, and DVC needs one; run `export USER=$(id -u)`\n"
