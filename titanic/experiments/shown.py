"""What `dvc exp show` tells of an experiment, noted where DVC notes it once it has read a commit.

DVC takes 0.14 s to read an experiment for the first time, which is half a minute after a sweep of 200. All that differs
from what the sweep started from is known when an experiment is made.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from dvc.repo import Repo
from dvc.repo.experiments.cache import ExpCache
from dvc.repo.experiments.serialize import ExpDep, ExpOut, SerializableExp
from dvc.utils.serialize import parse_yaml

from titanic.config import METRICS, PARAMS
from titanic.experiments.snapshot import git
from titanic.experiments.trial import Result


class Shown:
    """DVC's notes of the experiments of one sweep."""

    def __init__(self, root: Path, tree: Path) -> None:
        """Take the repository, and a copy of the project as the sweep starts from it."""
        with Repo(str(tree)) as repo:
            self.base = SerializableExp.from_repo(repo, rev="base")
            others = [stage for stage in repo.index.stages if stage.path != str(tree / "dvc.yaml")]
            # of a dep that two pipelines read DVC shows what the second was last run with, which no trial changes
            self.kept = {os.path.relpath(dep.fs_path, tree) for stage in others for dep in stage.deps}
        with Repo(str(root)) as repo:
            self.cache = ExpCache(repo)
        self.root = root

    def put(self, commit: str, result: Result) -> None:
        """Note an experiment that a trial made."""
        seconds = int(git(self.root, "show", "--no-patch", "--format=%ct", commit))
        exp = replace(
            self.base,
            rev=commit,
            timestamp=datetime.fromtimestamp(seconds),  # noqa: DTZ006 - DVC's, in local time
            params=self.base.params | _read(result, PARAMS, _parsed),
            metrics=self.base.metrics | _read(result, METRICS, json.loads),
            deps=self.base.deps | dict(self._deps(result)),
            outs=self.base.outs | dict(self._outs(result)),
        )
        self.cache.put(exp)

    def _deps(self, result: Result) -> Iterator[tuple[str, ExpDep]]:
        for entry in (dep for stage in result.ran.values() for dep in stage.get("deps", ())):
            if entry["path"] not in self.kept:
                yield entry["path"], ExpDep(entry["md5"], entry["size"], entry.get("nfiles"))

    def _outs(self, result: Result) -> Iterator[tuple[str, ExpOut]]:
        for entry in (out for stage in result.ran.values() for out in stage["outs"]):
            if known := self.base.outs.get(entry["path"]):  # metrics and plots are not among them
                yield entry["path"], replace(known, hash=entry["md5"], size=entry["size"])


def _read(result: Result, path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    content = result.files.get(str(path))
    return {} if content is None else {str(path): {"data": parse(content.decode())}}


def _parsed(params: str) -> Any:
    return parse_yaml(params, str(PARAMS))
