"""What a worker's process is given in tests: code that it runs when it starts, or when it is to run a trial."""

from pathlib import Path
from typing import NamedTuple

from dvckit.sweep.trial import Outcome, Trial


class Deeds(NamedTuple):
    """The code of each worker in turn, the last for all others; `starts`: it runs before the worker is ready."""

    codes: tuple[str, ...]
    starts: bool = False

    def trials(self, folder: Path) -> "Running":
        code = self.codes[min(int(folder.name), len(self.codes)) - 1]
        if self.starts:
            exec(code, {})
        return Running("" if self.starts else code)


class Running(NamedTuple):
    code: str

    def run(self, trial: Trial) -> Outcome:
        exec(self.code, {})
        return trial.failed("it ran")
