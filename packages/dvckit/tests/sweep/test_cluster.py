"""A sweep on a Dask cluster of two workers on this machine."""

import os
import signal
import subprocess
import time
from contextlib import ExitStack

import pytest
from typer.testing import CliRunner

from dvckit.cli import app
from dvckit.core.errors import UserError
from dvckit.sweep import cluster

PORT = 18786


# DVC's own, of the library with which it looks at .dvcignore
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")


@pytest.fixture
def dask(small):
    """The address of a scheduler, and its two workers."""
    address = f"tcp://127.0.0.1:{PORT}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    folder = small.root.parent
    local = ["--host", "127.0.0.1", "--no-dashboard"]
    with ExitStack() as stack:

        def start(*command):
            process = subprocess.Popen(["dask", *command], cwd=folder, env=small.environment, **quiet)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        start("scheduler", *local, "--port", str(PORT))
        one = ["--nthreads", "1", "--no-nanny", "--local-directory", str(folder / "dask")]
        yield address, [start("worker", address, *local, *one) for _ in range(2)]


def experiments(project):
    listed = project.ok("git", "for-each-ref", "--format=%(refname:lstrip=4) %(objectname)", "refs/exps/*/*/*")
    return dict(line.split() for line in listed.splitlines())


def trees(project):
    return {name: project.ok("git", "rev-parse", f"{rev}^{{tree}}") for name, rev in experiments(project).items()}


def wait_for_workers(project, address):
    code = "import sys, distributed; distributed.Client(sys.argv[1]).wait_for_workers(2, timeout=60)"
    project.ok("python", "-c", code, address)


@pytest.mark.system
def test_a_worker_that_dies_has_its_trial_run_again_with_the_same_bytes(small, dask, tmp_path):
    address, workers = dask
    arguments = ["-S", "train.n_estimators=3,4", "-S", "dataset.seed=1,2,3"]
    alone = small.clone(tmp_path / "alone")
    alone.ok("dvckit", "sweep", *arguments)
    wait_for_workers(small, address)

    with small.start("dvckit", "sweep", *arguments, "--scheduler", address) as sweep:
        first = sweep.stdout.readline()
        time.sleep(0.3)
        os.kill(workers[0].pid, signal.SIGKILL)
        output = first + sweep.stdout.read()

    assert sweep.returncode == 0, output
    assert "6 trials: 6 new, 0 already done, 0 failed" in output
    assert trees(small) == trees(alone)


def test_a_scheduler_that_does_not_answer_is_an_error(small, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT", 1)
    monkeypatch.chdir(small.root)
    for name, value in small.environment.items():
        monkeypatch.setenv(name, value)

    result = CliRunner().invoke(app, ["sweep", "-S", "train.seed=2", "--scheduler", "tcp://127.0.0.1:1"])

    assert isinstance(result.exception, UserError)
    assert "--scheduler tcp://127.0.0.1:1: " in str(result.exception)
    assert experiments(small) == {}
