"""What `dvc exp show` shows of an experiment, noted where DVC notes it once it has read a commit.

DVC takes 0.14 s to read an experiment for the first time, which is half a minute after a sweep of 200. All that differs
from what the sweep started from is known when an experiment is made.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from dvckit.core.layout import PARAMS
from dvckit.repository import dvc_internals
from dvckit.repository.programs import git
from dvckit.sweep.base import Base
from dvckit.sweep.pipeline import Entry
from dvckit.sweep.trial import Result


class Notes:
    """DVC's notes of the experiments of one sweep."""

    def __init__(self, base: Base) -> None:
        self.root = base.root
        shutil.copyfile(base.folder / PARAMS, base.copy / PARAMS)  # it may have those of a trial
        with dvc_internals.Repo(str(base.copy)) as repo:
            self.start = dvc_internals.SerializableExp.from_repo(repo, rev="start")
            deps = [
                (stage, {os.path.relpath(dep.fs_path, base.copy) for dep in stage.deps}) for stage in repo.index.stages
            ]
        pipeline = str(base.copy / "dvc.yaml")
        self.deps = {stage.name: paths for stage, paths in deps if stage.path == pipeline}
        # of a dep that another pipeline reads, too, DVC shows what that was last run with, which no trial changes
        self.kept = {path for stage, paths in deps if stage.path != pipeline for path in paths}
        self.folders = {stage.name: stage.folder for stage in base.stages(())}
        self.top = Path("/", git(base.root, "rev-parse", "--show-prefix").strip())
        with dvc_internals.Repo(str(base.root)) as repo:
            self.cache = dvc_internals.ExpCache(repo)

    def put(self, commit: str, result: Result) -> None:
        """Note an experiment that a trial gave."""
        seconds = int(git(self.root, "show", "--no-patch", "--format=%ct", commit))
        exp = replace(
            self.start,
            rev=commit,
            timestamp=datetime.fromtimestamp(seconds),  # noqa: DTZ006 - DVC's, in local time
            params=self.start.params | _read(result, self.start.params, lambda params, _: params),
            metrics=self.start.metrics | _read(result, self.start.metrics, dvc_internals._extract_metrics),  # noqa: SLF001
            deps=self._deps(result.ran),
            outs=self.start.outs | dict(self._outs(result.ran)),
        )
        if not exp.contains_error:
            self.cache.put(exp)

    def _deps(self, ran: dict[str, Entry]) -> dict[str, Any]:
        kept = self.kept.union(*(paths for name, paths in self.deps.items() if name not in ran))
        new = {
            path: dvc_internals.ExpDep(entry["md5"], entry["size"], entry.get("nfiles"))
            for path, entry in self._entries(ran, "deps")
            if path not in self.kept
        }
        return {self._shown(path): dep for path, dep in self.start.deps.items() if path in kept} | new

    def _outs(self, ran: dict[str, Entry]) -> Iterator[tuple[str, Any]]:
        for path, entry in self._entries(ran, "outs"):
            if known := self.start.outs.get(path):  # metrics and plots are not among them
                yield path, replace(known, hash=entry["md5"], size=entry["size"])

    def _entries(self, ran: dict[str, Entry], kind: str) -> Iterator[tuple[str, Entry]]:
        """Yield the deps or outs of stages as dvc.lock has them, with their paths in the project."""
        for name, stage in ran.items():
            for entry in stage.get(kind, ()):
                yield self._shown(os.path.join(self.folders[name], entry["path"])), entry  # noqa: PTH118 - text, no place

    def _shown(self, path: str) -> str:
        """Return how DVC shows a path in a commit, where nothing is above the repository: `../mine` is `mine`."""
        return os.path.relpath(os.path.normpath(self.top / path), self.top)


def _read(result: Result, paths: Iterable[str], shown: Callable[[Any, str], Any]) -> dict[str, Any]:
    """Return what DVC would show of those of these files that a trial wrote."""
    return {
        path: {"data": shown(dvc_internals.PARSERS[Path(path).suffix](result.files[path].decode(), path), path)}
        for path in paths
        if path in result.files
    }
