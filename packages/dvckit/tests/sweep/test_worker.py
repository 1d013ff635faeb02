"""A worker that is killed: its trial is run again, and is not taken for one that failed."""

from pathlib import Path

import pytest

from dvckit.sweep.exp_run import Experiments
from dvckit.sweep.trial import FROM_OUTSIDE, Trial
from dvckit.sweep.worker import ATTEMPTS, Worker, Workers

TRIAL = Trial(("train.max_depth=3",), name="sweep-1")
KILL, ABORT = "import os; os.kill(os.getpid(), 9)", "import os; os.abort()"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a trial by workers that do something to themselves; return the outcome, and how many there were."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    from deeds import Deeds

    def run(*codes, starts=False):
        def start(folder):
            folder.mkdir()
            return Worker(folder, folder, Deeds(codes, starts=starts))

        workers = Workers(tmp_path, start)
        outcome = workers.run(TRIAL)
        workers.end()
        return outcome, len(list(tmp_path.iterdir()))

    return run


@pytest.mark.parametrize("starts", [False, True])
def test_a_killed_worker_is_replaced_and_its_trial_run_again(run, starts):
    outcome, started = run(KILL, "pass", starts=starts)

    assert (outcome.reason, started) == ("failed: it ran", 2)


def test_a_trial_whose_workers_are_all_killed_has_not_failed(run):
    outcome, started = run(KILL)

    assert (outcome.state, started) == ("killed", ATTEMPTS)
    assert outcome.reason == "its worker was killed (SIGKILL); if memory ran out, use fewer with -j"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (ABORT, "ended with SIGABRT: no output"),
        ("import os; os.kill(os.getpid(), 11)", "ended with SIGSEGV: no output"),
        ("print('no disk', flush=True); import os; os._exit(3)", "ended with code 3: no disk"),
    ],
)
def test_what_ends_by_itself_has_failed_and_is_not_repeated(run, code, reason):
    outcome, started = run(code)

    assert (outcome.state, outcome.reason, started) == ("failed", f"failed: the worker {reason}", 1)


def test_where_no_worker_can_start_the_sweep_ends(run):
    outcome, started = run("raise ImportError('no module')", starts=True)

    assert (outcome.state, started) == ("stopped", 1)
    assert outcome.reason == "no worker can start; it ended with code 1: ImportError: no module"


@pytest.mark.parametrize("number", sorted(FROM_OUTSIDE))
def test_a_stage_that_is_killed_has_not_failed(number, tmp_path):
    from dvc.stage.exceptions import StageCmdFailedError

    (tmp_path / "log").write_text("")
    trials = Experiments(None, tmp_path)

    for status in (-number, 128 + number):
        assert trials._outcome(TRIAL, StageCmdFailedError("train", status)).state == "killed"


@pytest.mark.parametrize("text", ["", "OSError: [Errno 28] No space left on device: 'x'"])
def test_a_stage_that_fails_on_a_full_disk_ends_the_sweep(text, tmp_path):
    from dvc.stage.exceptions import StageCmdFailedError

    (tmp_path / "log").write_text(text)

    outcome = Experiments(None, tmp_path)._outcome(TRIAL, StageCmdFailedError("train", 1))

    assert outcome.state == ("stopped" if text else "failed")
