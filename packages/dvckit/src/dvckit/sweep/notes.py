"""What `dvc exp show` shows of an experiment, noted where DVC notes it once it has read a commit.

DVC takes 0.14 s to read an experiment for the first time, which is half a minute after a sweep of 200. Nearly all of that
is spent on dvc.yaml and dvc.lock, and what a trial changed in them is known when an experiment is made.
"""

import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

from dvckit.repository import dvc_internals
from dvckit.repository.programs import git
from dvckit.sweep.base import Base
from dvckit.sweep.trial import Result, Trial


class Notes:
    """DVC's notes of the experiments of one sweep, made by DVC in a copy of the project that has their files."""

    def __init__(self, base: Base) -> None:
        self.root, self.lock = base.root, base.start.lock
        self.copy = base.copied(base.folder / "notes")
        self.top = Path("/", git(base.root, "rev-parse", "--show-prefix").strip())
        with dvc_internals.Repo(str(base.root)) as repo:
            self.cache = dvc_internals.ExpCache(repo)
        self._repos: dict[int, Any] = {}  # DVC's view of the copy, for each way to resolve its stages
        self._busy = Lock()

    def put(self, commit: str, trial: Trial, result: Result) -> None:
        """Note an experiment that a trial gave."""
        seconds = int(git(self.root, "show", "--no-patch", "--format=%ct", commit))
        when = datetime.fromtimestamp(seconds)  # noqa: DTZ006 - DVC's, in local time
        with self._busy:
            exp = dvc_internals.SerializableExp.from_repo(self._repo(trial, result), rev=commit, timestamp=when)
        # in a commit nothing is above the repository: DVC shows `../mine` as `mine`
        shown = {os.path.relpath(os.path.normpath(self.top / path), self.top): dep for path, dep in exp.deps.items()}
        if not exp.contains_error:
            self.cache.put(replace(exp, deps=shown))

    def _repo(self, trial: Trial, result: Result) -> Any:
        """Write the files of a trial that git has, and let DVC know its dvc.lock."""
        for path in result.files.keys() - result.cached:
            place = self.copy / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(result.files[path])
        # parameters can change the paths in dvc.yaml, and so the stages
        if id(trial.stages) not in self._repos:
            self._repos[id(trial.stages)] = dvc_internals.Repo(str(self.copy))
        repo = self._repos[id(trial.stages)]
        for stage in repo.index.stages:
            if stage.path == str(self.copy / "dvc.yaml"):
                dvc_internals.StageLoader.fill_from_lock(stage, (self.lock | result.ran).get(stage.name))
        return repo
