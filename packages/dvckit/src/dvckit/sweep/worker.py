"""Processes that run trials in a copy of the project: `python -m dvckit.sweep.worker`, started in that copy.

A process imports the stages from the copy, as the experiments will hold them, and not from where the user goes on editing:
the current folder comes first on Python's path, then the copies of the project's folders that are on the parent's, such as
`src`, before any editable install. A library that lives in the same repository so is the copy's, too; any other is the
installed one, as with `dvc exp run`.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from signal import Signals
from threading import Lock, get_ident

from dvckit.core.arithmetic import ARITHMETIC
from dvckit.repository.programs import environment
from dvckit.sweep.exp_run import Anything
from dvckit.sweep.stages import Start
from dvckit.sweep.trial import FROM_OUTSIDE, Experiment, Outcome, Result, Trial

Answer = Result | Experiment | Outcome

ATTEMPTS = 3  # at a trial whose worker is killed


class Worker:
    """The parent's end of a worker process."""

    def __init__(self, place: Path, folder: Path, start: Start | Anything) -> None:
        """Start it in a copy of the project, or in the folder of its own, where DVC will run."""
        self.log, self.ready = folder / "log", False
        self.connection, theirs = Pipe()
        variables = (
            _simple(place, start) if isinstance(start, Start) else {**environment(), "DVC_EXP_AUTO_PUSH": "false"}
        )
        with self.log.open("wb") as log, theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dvckit.sweep.worker", str(theirs.fileno()), str(folder)],
                cwd=place,
                env=variables,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is the parent's
            )
        with suppress(OSError):  # `run` reports it
            self.connection.send(start)

    def run(self, trial: Trial) -> Answer:
        """Return what the trial wrote, or why it wrote nothing."""
        try:
            if not self.ready:
                self.ready = self.connection.recv()
            self.connection.send(trial)
            answer: Answer = self.connection.recv()
        except (EOFError, OSError):
            return self._ended(trial)
        return answer

    def _ended(self, trial: Trial) -> Outcome:
        """Return the outcome of a trial whose worker is no more."""
        code = self.process.wait()
        self.end()
        if -code in FROM_OUTSIDE:
            return trial.killed(f"its worker was killed ({Signals(-code).name}); if memory ran out, use fewer with -j")
        last = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no output"]
        how = f"ended with {Signals(-code).name}" if code < 0 else f"ended with code {code}"
        if self.ready:
            return trial.failed(f"the worker {how}: {last[-1]}")
        return trial.stopped(f"no worker can start; it {how}: {last[-1]}")

    def end(self) -> None:
        """Kill it, and the programs that its stages have started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _simple(copy: Path, start: Start) -> dict[str, str]:
    """Return the environment of stages that are imported."""
    imports = [*(str(copy / path) for path in start.imports), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**environment(), **ARITHMETIC, "PYTHONPATH": os.pathsep.join(imports)}


class Workers:
    """The workers of this process, one for each thread that runs trials; one that has died is replaced."""

    def __init__(self, folder: Path, start: Callable[[Path], Worker]) -> None:
        """`start` gives a worker in a new folder, which will be inside of this one."""
        self.folder, self._start = folder, start
        self._workers: dict[int, Worker] = {}
        self._started, self._ended = 0, False
        self._lock = Lock()

    def run(self, trial: Trial) -> Answer:
        """Return what the trial wrote, or why it wrote nothing."""
        for _ in range(ATTEMPTS):
            with self._lock:
                if self._ended:
                    return trial.failed("the sweep is ending")
                worker = self._worker()
            answer = worker.run(trial)
            if not (isinstance(answer, Outcome) and answer.state == "killed"):
                break
        return answer

    def _worker(self) -> Worker:
        """Return the worker of this thread."""
        worker = self._workers.get(get_ident())
        if worker is None or worker.process.poll() is not None:
            self._started += 1
            worker = self._workers[get_ident()] = self._start(self.folder / str(self._started))
        return worker

    def end(self) -> None:
        """Kill them all, whatever they do."""
        with self._lock:
            self._ended = True
        for worker in self._workers.values():
            worker.end()


def main() -> None:
    """Run trials until the parent closes its end, or dies."""
    connection = Connection(int(sys.argv[1]))
    trials = connection.recv().trials(Path(sys.argv[2]))
    with suppress(EOFError, OSError):
        connection.send(True)  # noqa: FBT003 - it is ready
        while True:
            connection.send(trials.run(connection.recv()))


if __name__ == "__main__":
    main()
