"""What tests of a project are made of: `dvckit.testing`."""

import shutil
import sys
from pathlib import Path

import pytest

from dvckit.testing import Repository, forks

PROCESS = (sys.executable, "-m", "dvc")


@pytest.mark.parametrize(
    "arguments", [("--version",), ("status",), ("stage", "list"), ("repro", "nothing"), ("nothing",)]
)
def test_a_command_in_a_fork_answers_as_a_process_does(toy, arguments):
    assert forks.run(("dvc", *arguments), toy.root, toy.environment) == toy.run(*PROCESS, *arguments)


@pytest.mark.parametrize("arguments", [("--help",), ("nothing",), ("doctor",), ("models", "list"), ("check",)])
def test_our_command_in_a_fork_answers_as_a_process_does(toy, arguments):
    command = (str(Path(sys.executable).with_name("dvckit")), *arguments)

    assert forks.run(("dvckit", *arguments), toy.root, toy.environment) == toy.run(*command)


@pytest.mark.faults
@pytest.mark.parametrize("seed", ["1", "nothing"])
def test_a_stage_in_a_fork_does_what_a_process_does(small, seed, tmp_path):
    small.edit("params.yaml", ("seed: 1 ", f"seed: {seed} "))
    shutil.copytree(small.root, tmp_path / "process/titanic", symlinks=True)
    process = Repository(tmp_path / "process/titanic")
    command = ("dvc", "repro", "--force", "--all-pipelines")

    forked = forks.run(command, small.root, small.environment)

    assert forked == process.run(*command, PYTHONHASHSEED="0")
    assert small.outputs() == process.outputs()


def test_a_command_in_a_fork_sees_the_home_of_the_test(toy):
    (toy.root.parent / "home/.gitconfig").write_text("[user]\n    name = somebody\n    email = somebody@localhost\n")
    environment = {name: value for name, value in toy.environment.items() if not name.startswith("GIT_")}
    (toy.root / "params.yaml").write_text("features:\n  bands: 20\n")

    code, _ = forks.run(("dvc", "exp", "run", "--name", "twenty"), toy.root, environment)

    assert code == 0
    assert toy.ok("git", "log", "-1", "--format=%an", "--all", "--author=somebody").strip() == "somebody"


@pytest.mark.parametrize(
    "changed", [{"LANG": "C"}, {"PYTHONHASHSEED": "1"}, {"OMP_NUM_THREADS": "7"}, {"PATH": "/usr/bin"}]
)
def test_what_only_a_process_can_do_is_no_fork(toy, changed):
    assert forks.run(("dvc", "status"), toy.root, {**toy.environment, **changed}) is None


@pytest.mark.parametrize("option", ["core.analytics", "core.check_update"])
def test_dvc_asks_nothing_of_the_network(toy, option):
    assert toy.ok("dvc", "config", option).strip() == "false"
