"""A process that runs trials in a copy of the project: `python -m titanic.experiments.worker`, started in that copy.

It imports the stages from the copy, as they will stand in the experiments, and not from where the user goes on editing.
Parent and worker talk in pickles, over stdin and stdout.
"""

import importlib
import os
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from titanic.experiments.pipeline import Stage
from titanic.experiments.points import Point
from titanic.experiments.trial import Failed, Floor, Pruned, Result, Start, Trials
from titanic.stage import ARITHMETIC, UserError


class Worker:
    """The parent's end of a worker process."""

    def __init__(self, tree: Path, folder: Path, start: Start) -> None:
        """Start it in a copy of the project, with a folder of its own beside that."""
        self.said = folder / "said"
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "titanic.experiments.worker", str(folder / "memory")],
                cwd=tree,
                env={**os.environ, **ARITHMETIC},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                start_new_session=True,  # Ctrl-C is the parent's
            )
        assert self.process.stdin
        assert self.process.stdout
        self.questions: IO[bytes] = self.process.stdin
        self.answers: IO[bytes] = self.process.stdout
        with suppress(BrokenPipeError):  # `run` tells of it
            _send(self.questions, start)

    def run(self, point: Point, stages: list[Stage], floor: Floor | None) -> Result | Pruned | Failed:
        """Return what the trial made, or why it made nothing."""
        try:
            _send(self.questions, (point, stages, floor))
            answered: Result | Pruned | Failed = pickle.load(self.answers)  # noqa: S301 - our own process
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            code = self.process.wait()
            last = self.said.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no word"]
            return Failed(f"the worker ended with code {code}: {last[-1]}")
        return answered

    def alive(self) -> bool:
        """Tell whether it can run another trial."""
        return self.process.poll() is None

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()


def _send(stream: IO[bytes], what: Any) -> None:
    pickle.dump(what, stream)
    stream.flush()


def answer(trials: Trials, point: Point, stages: list[Stage], floor: Floor | None) -> Result | Pruned | Failed:
    """Return the result of a trial, or why there is none."""
    try:
        return trials.run(point, stages, floor)
    except UserError as error:
        return Failed(str(error))
    except OSError as error:
        return Failed(f"{error.filename}: {error.strerror}" if error.filename else str(error), fatal=True)
    except Exception as error:  # noqa: BLE001 - a model may refuse its parameters with anything
        return Failed(f"{type(error).__name__}: {' '.join(str(error).split())}")


def main() -> None:
    """Answer points until stdin ends, which it does with the parent."""
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what stages print is no answer
    trials = Trials(pickle.load(questions), Path(sys.argv[1]))  # noqa: S301 - our parent
    with suppress(EOFError, BrokenPipeError):
        while True:
            _send(answers, answer(trials, *pickle.load(questions)))  # noqa: S301


if __name__ == "__main__":
    # As the module that others import, not as `__main__`: pickles name its classes.
    importlib.import_module("titanic.experiments.worker").main()
