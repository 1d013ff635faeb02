"""Ctrl-C, SIGTERM and kill in every stage: outputs are whole or absent, and the next run completes with the same bytes."""

import fcntl
import os
import shutil
import signal
import time
from contextlib import contextmanager

import pytest

pytestmark = pytest.mark.faults

STAGES = ["ingest", "validate", "featurize", "split", "train", "evaluate", "diagnose", "report"]


def full_name(stage):
    return f"reports/dvc.yaml:{stage}" if stage in ("diagnose", "report") else stage


@contextmanager
def under_way(project, stage):
    """Run a stage with DVC in a group of processes of its own; give it when the stage has been started."""
    command = ["dvc", "repro", "--single-item", "--force", "--no-run-cache", full_name(stage)]
    with project.start(*command) as process:
        next(line for line in process.stdout if line.startswith("Running stage"))
        yield process


def signalled_in(project, stage, number, delay=0.4):
    """Send a signal to all processes of a stage that is under way, as a terminal does; return code and words."""
    with under_way(project, stage) as process:
        time.sleep(delay)
        os.killpg(process.pid, number)
        output = process.stdout.read()
    return process.returncode, output


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_next_run_completes_with_the_same_bytes(small, stage, number):
    before = small.outputs()

    code, _ = signalled_in(small, stage, number)

    assert code != 0
    left = small.outputs()
    assert {path: left[path] for path in left} == {path: before[path] for path in left}
    if number == signal.SIGKILL:
        (small.root / ".dvc/tmp/rwlock").unlink(missing_ok=True)  # DVC's, which a kill may leave empty
    small.ok("dvc", "repro", "--all-pipelines")
    assert small.outputs() == before
    assert small.ok("git", "status", "--porcelain") == ""


@pytest.mark.parametrize("stage", ["train", "evaluate", "diagnose"])
def test_ctrl_c_gives_one_message(small, stage):
    _, output = signalled_in(small, stage, signal.SIGINT, delay=0.8)

    assert "interrupted: files already written are whole, the others are as they were" in output
    assert "Traceback" not in output


def test_a_stage_that_runs_elsewhere_gives_an_error_and_is_not_disturbed(small):
    small.edit("params.yaml", ("repeats: 1 ", "repeats: 300 "))
    with under_way(small, "diagnose") as first:
        second = small.run("dvc", "repro", full_name("diagnose"))

        assert second.code != 0
        assert second.output.count("ERROR: ") == 1
        assert "is busy, it is being blocked by" in second.output
        assert "Traceback" not in second.output
        assert first.poll() is None
        os.killpg(first.pid, signal.SIGINT)


def test_an_occupied_lock_gives_an_error(small):
    with (small.root / ".dvc/tmp/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        result = small.run("dvc", "repro")

    assert result.code != 0
    assert "Unable to acquire lock" in result.output
    assert "Traceback" not in result.output
    small.ok("dvc", "repro")


@pytest.mark.parametrize("delay", [0.5, 0.8, 1.1, 1.4, 1.8, 2.4])
def test_data_is_added_completely_or_not_at_all(small, tmp_path, delay):
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("train.csv", "test.csv"):
        shutil.copy(small.root / "data/raw" / name, mine)
    command = ["dvckit", "data", "add", str(mine)]
    whole = {"titanic", "mine", "mine.dvc", ".gitignore"}
    with small.start(*command) as process:
        time.sleep(delay)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        output = process.stdout.read()

    left = {path.name for path in (small.root / "data/external").iterdir()}
    assert left in (whole, {"titanic"})
    assert "Traceback" not in output
    if process.returncode == 0:
        assert left == whole
    elif left != whole:  # else it was done when the signal came
        assert "interrupted" in output
        small.ok(*command)
