"""A process that runs trials in a copy of the project: `python -m dvckit.sweep.worker`, started in that copy.

It imports the stages from the copy, as the experiments will hold them, and not from where the user goes on editing: the
current folder comes first on Python's path, then the copies of the project's folders that are on the parent's, such as
`src`, before any editable install. A library that lives in the same repository so is the copy's, too; any other is the
installed one, as with `dvc exp run`. Parent and worker send pickles over stdin and stdout.
"""

import importlib
import os
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from dvckit.stage import ARITHMETIC
from dvckit.sweep.trial import Answer, Failed, Start, Trial, Trials


class Worker:
    """The parent's end of a worker process."""

    def __init__(self, copy: Path, folder: Path, start: Start) -> None:
        """Start it in a copy of the project, with a folder of its own beside that."""
        self.log = folder / "log"
        imports = [*(str(copy / path) for path in start.imports), *filter(None, [os.environ.get("PYTHONPATH")])]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dvckit.sweep.worker", str(folder / "memory")],
                cwd=copy,
                env={**os.environ, **ARITHMETIC, "PYTHONPATH": os.pathsep.join(imports)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is the parent's
            )
        assert self.process.stdin
        assert self.process.stdout
        self.requests: IO[bytes] = self.process.stdin
        self.answers: IO[bytes] = self.process.stdout
        with suppress(BrokenPipeError):  # `run` reports it
            _send(self.requests, start)

    def run(self, trial: Trial) -> Answer:
        """Return what the trial wrote, or why it wrote nothing."""
        try:
            _send(self.requests, trial)
            result: Answer = pickle.load(self.answers)  # noqa: S301 - our own process
        except (EOFError, ValueError, BrokenPipeError, pickle.UnpicklingError):
            code = self.process.wait()
            self.end()
            last = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no output"]
            return Failed(f"the worker ended with code {code}: {last[-1]}")
        return result

    def alive(self) -> bool:
        """Tell whether it can run another trial."""
        return self.process.poll() is None

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()
        for stream in (self.requests, self.answers):
            with suppress(BrokenPipeError):  # what it has not read
                stream.close()


def _send(stream: IO[bytes], content: Any) -> None:
    pickle.dump(content, stream)
    stream.flush()


def main() -> None:
    """Run trials until stdin ends, which it does with the parent."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what stages print is no answer
    trials = Trials(pickle.load(requests), Path(sys.argv[1]))  # noqa: S301 - our parent
    with suppress(EOFError, BrokenPipeError):
        while True:
            _send(answers, trials.run(pickle.load(requests)))  # noqa: S301


if __name__ == "__main__":
    # As the module that others import, not as `__main__`: pickles name its classes.
    importlib.import_module("dvckit.sweep.worker").main()
