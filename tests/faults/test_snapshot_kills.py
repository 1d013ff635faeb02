"""SIGTERM, Ctrl-C, and kill -9 in the commit of a snapshot: afterwards the same command makes the same version, whole.

bench_kills.py, which test_kills.py runs, kills snapshots at any moment.
"""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress

import pytest

pytestmark = pytest.mark.faults

WHY = ("dvckit", "snapshot", "--message", "why")


CHANGE = ("repeats: 1 ", "repeats: 2 ")  # something to do for the last stages


@pytest.fixture
def changed(small):
    small.edit("params.yaml", CHANGE)
    return small


@pytest.fixture(scope="module")
def undisturbed(_small, tmp_path_factory):
    """What the version is, and how many seconds it takes, where nothing comes between."""
    root = tmp_path_factory.mktemp("whole") / _small.root.name
    shutil.copytree(_small.root, root, symlinks=True)
    whole = type(_small)(root)
    whole.edit("params.yaml", CHANGE)
    started = time.monotonic()
    whole.ok(*WHY)
    return tree(whole), time.monotonic() - started


def tree(project):
    return project.ok("git", "rev-parse", "HEAD^{tree}")


def completes(project, expected):
    project.ok(*WHY)
    assert tree(project) == expected
    assert project.ok("git", "tag", "--points-at", "HEAD").split() == ["data@v1.0.0", "survival@v1.0.0"]
    assert project.ok("git", "status", "--porcelain") == ""
    assert project.ok("git", "rev-list", "--count", "HEAD").strip() == "3"


def signalled(project, number, delay, *, group=True):
    """Send a signal to all processes of a snapshot, or to the first alone; return its exit code and what it printed."""
    with project.start(*WHY) as process:
        with suppress(subprocess.TimeoutExpired):
            process.wait(delay)
        if process.returncode is None:
            (os.killpg if group else os.kill)(process.pid, number)
        output = process.stdout.read()
    return process.returncode, output


def test_kills_in_the_midst_of_the_commit_do_no_harm(changed, undisturbed):
    expected, _ = undisturbed
    steps = {"pre-commit": "", "commit-msg": ".git/COMMIT_EDITMSG", "reference-transaction": "prepared"}

    for hook, step in steps.items():
        file = changed.root / ".git/hooks" / hook
        file.write_text(f'#!/bin/sh\ncase "$1" in *{step}) kill -9 0;; esac\n')
        file.chmod(0o755)

        code, _ = signalled(changed, signal.SIGKILL, 600)

        assert code == -signal.SIGKILL
        assert (changed.root / ".git/refs/tags/data@v1.0.0.lock").exists() == (step == "prepared")
        file.unlink()
        changed.ok("dvckit", "doctor", "--fix")
    completes(changed, expected)


@pytest.mark.parametrize(
    ("number", "share"),
    [(signal.SIGINT, 0.3), (signal.SIGTERM, 0.6), (signal.SIGINT, 0.9)],
)
def test_an_interrupted_snapshot_says_so_and_completes(changed, undisturbed, number, share):
    expected, seconds = undisturbed

    code, output = signalled(changed, number, share * seconds, group=number == signal.SIGINT)

    assert code in (0, 130)
    assert "Traceback" not in output
    assert code == 0 or output.splitlines()[-1] == "interrupted"
    completes(changed, expected)
