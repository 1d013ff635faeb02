import os
import re
import subprocess
import sys

import pytest

from dvckit.doctor.clone import Clone
from dvckit.doctor.environment import hooks, identity, installed, libraries, params, python


def wrong(look, project):
    return [str(finding) for finding in look(Clone(project.root)) if finding.level == "WRONG"]


def test_the_packages_of_this_environment_are_those_of_the_lock(fresh):
    assert wrong(python, fresh) == []


def test_a_package_of_another_version_is_reported(fresh):
    fresh.edit("uv.lock", (f'name = "numpy"\nversion = "{installed()["numpy"]}"', 'name = "numpy"\nversion = "0.1"'))

    line = f"WRONG   packages differ from uv.lock: numpy {installed()['numpy']}, not 0.1; run `uv sync`"
    assert wrong(python, fresh) == [line]


def test_a_missing_package_is_reported_and_a_missing_tool_is_not(fresh):
    names = re.compile(r'name = "(skops|pytest)"')
    lock = fresh.root / "uv.lock"
    lock.write_text(names.sub(r'name = "\1-of-another-name"', lock.read_text()))

    assert wrong(python, fresh) == ["WRONG   packages are not installed: skops-of-another-name; run `uv sync`"]


def test_the_lock_of_another_environment_is_not_compared(fresh):
    lock = fresh.root / "uv.lock"
    lock.write_text(re.sub(r'name = "(skops|dvckit)"', r'name = "\1-of-another-name"', lock.read_text()))

    assert list(python(Clone(fresh.root))) == []


def test_another_python_is_reported(fresh):
    fresh.edit("uv.lock", ('requires-python = "==3.11.*"', 'requires-python = "==3.1.*"'))

    assert "uv.lock is for ==3.1.*" in wrong(python, fresh)[0]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("dataset:  ", "datasets: ", "WRONG   params.yaml: unknown key datasets; did you mean dataset?; run `git"),
        ("dataset:  ", "sede: 1\ndataset:  ", "advice  params.yaml: unknown key sede; no stage reads it; run `git"),
        ("rows: 1309", "rows: 0o12", "WRONG   params.yaml: dataset.rows means 10 to DVC and '0o12' to YAML 1.1; "),
        ("rows: 1309", "rows: [", "WRONG   params.yaml is not valid YAML: "),
    ],
)
def test_params_that_dvc_never_reads_are_reported(fresh, write_params, old, new, line):
    write_params(fresh.root, (old, new))

    (finding,) = params(Clone(fresh.root))

    assert str(finding).startswith(line)


def test_a_committed_key_is_in_no_diff(fresh):
    fresh.edit("params.yaml", ("dataset:  ", "sede: 1\nabel: 2\ndataset:  "))
    fresh.commit("unknown keys")
    fresh.edit("params.yaml", ("sede: 1", "sede: 1\nnovel: 3"))

    assert [str(finding) for finding in params(Clone(fresh.root))] == [
        "advice  params.yaml: unknown key novel; no stage reads it; run `git diff HEAD -- params.yaml`",
        "advice  params.yaml: unknown keys abel, sede; no stage reads them: remove them, or name them under `params` of a stage",
    ]
    assert "novel" in fresh.ok("git", "diff", "HEAD", "--", "params.yaml")
    fresh.edit("params.yaml", ("sede: 1\nnovel: 3\nabel: 2\n", ""))
    assert [finding.level for finding in params(Clone(fresh.root))] == ["ok"]


@pytest.mark.parametrize("key", ["dataset: [", "datasets: "])
def test_committed_errors_are_in_no_diff(fresh, write_params, key):
    write_params(fresh.root, ("dataset:  ", key))
    fresh.commit("a wrong file")

    (finding,) = params(Clone(fresh.root))

    assert (finding.level, finding.command) == ("WRONG", "")


def test_a_section_that_dvc_yaml_itself_reads_is_known(fresh, write_params):
    write_params(fresh.root, ("dataset:  ", "sizes: {big: 1}\ndataset:  "))
    fresh.edit("dvc.yaml", ("metrics:\n", "  later:\n    cmd: echo ${sizes.big}\nmetrics:\n"))

    assert [finding.level for finding in params(Clone(fresh.root))] == ["ok"]


def test_without_the_libraries_of_a_project_params_are_still_read(fresh, write_params, monkeypatch):
    monkeypatch.setitem(sys.modules, "dvckit.core.params", None)
    write_params(fresh.root, ("rows: 1309", "rows: ["))

    assert wrong(params, fresh)[0].startswith("WRONG   params.yaml cannot be read in the workspace: ")


def test_a_git_without_a_user_is_reported(fresh, monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    fresh.ok("git", "config", "user.email", "me@localhost")

    (line,) = wrong(identity, fresh)

    assert line == (
        "WRONG   git does not know your name: commits, tags and experiments fail; "
        'run `git config --global user.name "Your Name"`'
    )
    fresh.ok("git", "config", "user.name", "Me")
    assert wrong(identity, fresh) == []


def test_missing_hooks_are_advice(fresh):
    (before,) = hooks(Clone(fresh.root))
    fresh.ok("dvc", "install")
    (of_dvc,) = hooks(Clone(fresh.root))

    assert (before.level, before.command) == (of_dvc.level, of_dvc.command) == ("advice", "dvckit hooks")
    assert "objects are not committed" in of_dvc.what


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_user_without_a_name_is_reported():
    code = "import os, sys; from dvckit.doctor.environment import user; os.setuid(54321); print(*user(None))"
    environment = {name: value for name, value in os.environ.items() if name not in ("USER", "LOGNAME", "USERNAME")}

    process = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert process.stdout == "WRONG   user id 54321 has no name, and DVC needs one; run `export USER=$(id -u)`\n"


def test_versions_that_are_not_those_of_uv_lock_are_reported(fresh):
    fresh.edit("libraries.json", ('"numpy": "', '"numpy": "9'))

    (line,) = wrong(libraries, fresh)

    assert line == "WRONG   libraries.json does not have the versions of uv.lock; run `dvckit libraries`"
