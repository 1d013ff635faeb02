"""Trials by `dvc exp run` itself, each in a clone of its own: stages in any language, with whatever outputs.

DVC runs in the worker's process, which saves its start.
"""

import errno
import os
import shutil
from pathlib import Path
from typing import NamedTuple

from dvckit.core.errors import UserError, one_line
from dvckit.repository import dvc_internals
from dvckit.sweep.copies import Origin, Untracked
from dvckit.sweep.pipeline import link
from dvckit.sweep.trial import FROM_OUTSIDE, Experiment, Outcome, Trial

# how a stage ends that somebody, or the machine, killed, itself or in a shell
KILLED = tuple(f" exited with {code}" for signal in FROM_OUTSIDE for code in (-signal, 128 + signal))
OF_MACHINE = tuple(map(os.strerror, (errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EROFS)))


class Anything(NamedTuple):
    """What trials start from: the project, what of it git does not have, and the folder whose dvc.yaml is run."""

    origin: Origin
    untracked: Untracked
    here: Path

    def trials(self, folder: Path) -> "Experiments":
        """Return what runs trials in a folder."""
        return Experiments(self, folder)


class Experiments:
    """The trials of one worker."""

    def __init__(self, start: Anything, folder: Path) -> None:
        """Run them in `folder`, where the current folder then is."""
        self.start, self.folder, self.path = start, folder, os.environ.get("PYTHONPATH", "")

    def run(self, trial: Trial) -> Experiment | Outcome:
        """Run a trial; an outcome says why it gave no experiment."""
        try:
            copy = self._clone(trial)
            with dvc_internals.Repo(str(copy)) as repo:
                (commit,) = repo.experiments.run(name=trial.name, params=list(trial.configuration))
                outs = [out for stage in repo.index.stages if not stage.is_data_source for out in stage.outs]
                objects = [out.hash_info.value for out in outs if out.use_cache and out.hash_info.name == "md5"]
                return Experiment(repo.scm.root_dir, commit, objects)
        except (UserError, dvc_internals.DvcException, OSError) as error:
            return self._outcome(trial, error)

    def _clone(self, trial: Trial) -> Path:
        os.chdir(self.folder)
        clone, (origin, untracked, here) = self.folder / "clone", self.start
        shutil.rmtree(clone, ignore_errors=True)
        copy = origin.clone(clone)
        untracked.put(origin.top, clone)
        for stage in trial.stages:
            link(copy, stage.links, clone)
        # what Python imports from the project, such as src, is the clone's
        paths = [path.replace(str(origin.root), str(copy)) for path in self.path.split(os.pathsep)]
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
        os.chdir(copy / here)
        return copy

    def _outcome(self, trial: Trial, error: BaseException) -> Outcome:
        """Return what a failure means for this trial, and for others: the last line of its stage, or what DVC says."""
        while (cause := error.__cause__) and not isinstance(cause, ModuleNotFoundError):  # DVC says what to install
            error = cause
        reason = one_line(error).replace(f"{self.folder}/clone", "")
        if isinstance(error, dvc_internals.StageCmdFailedError):
            if reason.endswith(KILLED):
                return trial.killed(reason)
            lines = (self.folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            reason = ": ".join([reason, *lines[-1:]])
        return trial.stopped(reason) if any(text in reason for text in OF_MACHINE) else trial.failed(reason)
