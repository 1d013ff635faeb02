"""Kill at any moment of a sweep: the user's files as they were, experiments whole, and the same command goes on."""

import os
import random
import signal
import time

import psutil
import pytest

pytestmark = pytest.mark.faults

ARGUMENTS = ["-S", "train.n_estimators=3", "-S", "train.max_depth=range(1,61)"]


def experiments(project):
    listed = project.ok("git", "for-each-ref", "--format=%(refname:lstrip=4) %(objectname)", "refs/exps/*/*/*")
    return dict(line.split() for line in listed.splitlines())


def files(project):
    """What git and DVC hold, and git's own state."""
    state = [
        project.ok("git", *command)
        for command in (["status", "--porcelain"], ["stash", "list"], ["show-ref", "--heads"])
    ]
    return state, project.outputs()


def test_kills_at_any_moment_lose_nothing(small):
    before = files(small)
    draws = random.Random(1)
    commits = {}
    for _ in range(8):
        with small.start("dvckit", "sweep", *ARGUMENTS) as process:
            for _ in range(draws.randrange(4)):  # trials that are done
                process.stdout.readline()
            time.sleep(draws.uniform(0, 3))
            os.kill(process.pid, signal.SIGKILL)

        assert files(small) == before
        assert commits.items() <= experiments(small).items()
        commits = experiments(small)
        small.ok("git", "fsck", "--connectivity-only", *commits.values())
    assert 1 < len(commits) < 60

    output = small.ok("dvckit", "sweep", *ARGUMENTS)

    assert f"60 trials: {60 - len(commits)} new, {len(commits)} already done, 0 failed" in output
    assert files(small) == before
    assert list((small.root / ".dvc/tmp/sweep").glob("running-*")) == []
    small.ok("dvc", "exp", "apply", min(commits))
    assert "Data and pipelines are up to date." in small.ok("dvc", "repro")


def kill_a_worker(process):
    living = [child for child in psutil.Process(process.pid).children() if child.status() != psutil.STATUS_ZOMBIE]
    workers = [child for child in living if "dvckit.sweep.worker" in child.cmdline()]
    for worker in workers[:1]:
        worker.kill()


def test_a_search_whose_workers_are_killed_is_the_same_search(small, tmp_path):
    search = ("dvckit", "sweep", "--trials", "6", "-j", "2", "-S", "train.max_depth=interval(1,30)")
    alone = small.clone(tmp_path / "alone")
    alone.ok(*search)

    with small.start(*search) as process:
        output = ""
        for _ in range(3):
            output += process.stdout.readline()
            kill_a_worker(process)
        output += process.stdout.read()

    assert process.returncode == 0, output
    assert ", 0 failed" in output
    assert "killed" not in output
    assert experiments(small).keys() == experiments(alone).keys()
    assert experiments(small)
