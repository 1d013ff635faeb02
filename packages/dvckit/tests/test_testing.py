"""What tests of a project are made of: `dvckit.testing`."""

import sys

import pytest

from dvckit.testing import forks

PROCESS = (sys.executable, "-m", "dvc")


@pytest.mark.parametrize(
    "arguments", [("--version",), ("status",), ("stage", "list"), ("repro", "nothing"), ("nothing",)]
)
def test_a_command_in_a_fork_answers_as_a_process_does(toy, arguments):
    assert forks.run(arguments, toy.root, toy.environment) == toy.run(*PROCESS, *arguments)


def test_a_command_in_a_fork_sees_the_home_of_the_test(toy):
    (toy.root.parent / "home/.gitconfig").write_text("[user]\n    name = somebody\n    email = somebody@localhost\n")
    environment = {name: value for name, value in toy.environment.items() if not name.startswith("GIT_")}
    (toy.root / "params.yaml").write_text("features:\n  bands: 20\n")

    code, _ = forks.run(("exp", "run", "--name", "twenty"), toy.root, environment)

    assert code == 0
    assert toy.ok("git", "log", "-1", "--format=%an", "--all", "--author=somebody").strip() == "somebody"


@pytest.mark.parametrize("changed", [{"LANG": "C"}, {"PYTHONHASHSEED": "1"}, {"PATH": "/usr/bin"}])
def test_what_only_a_process_can_do_is_no_fork(toy, changed):
    assert forks.run(("status",), toy.root, {**toy.environment, **changed}) is None


@pytest.mark.parametrize("option", ["core.analytics", "core.check_update"])
def test_dvc_asks_nothing_of_the_network(toy, option):
    assert toy.ok("dvc", "config", option).strip() == "false"
