"""What a revision has to tell a tracker, from git and DVC alone: the same whichever tracker is told."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from titanic.config import METRICS, MODEL, MODEL_CARD, leaves
from titanic.experiments.server import without_password
from titanic.stage import UserError
from titanic.versions.repository import fresh_stages, git, locked_stages, params_of
from titanic.versions.tables import read_output, resolve

PROJECT = "titanic"
MODEL_NAME = "survival"  # as in dvc.yaml, `artifacts`


@dataclass(frozen=True)
class Facts:
    """A revision. What its dvc.lock still tells of an earlier run is left out, but for the names of those stages."""

    root: Path
    name: str
    commit: str
    subject: str  # of the commit
    time: int  # of the commit, in seconds since 1970
    repository: str  # URL, or nothing
    stages: dict[str, Any]  # command, deps, params and outs of each, as dvc.lock has them
    stale: list[str]
    with_data: bool = False

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The md5 of every output, by path."""
        return {out["path"]: out["md5"] for stage in self.stages.values() for out in stage.get("outs", ())}

    @property
    def data(self) -> dict[str, str]:
        """The md5 of every table, from the raw to the processed ones, by path."""
        model = (MODEL.as_posix(), MODEL_CARD.as_posix())
        return {path: md5 for path, md5 in self.outputs.items() if path.startswith("data/") and path not in model}

    @property
    def files(self) -> list[str]:
        """The paths of the outputs that a tracker gets whole: metrics, intervals, plots, the report; data if asked for."""
        return [path for path in self.outputs if path.startswith("reports/") or (self.with_data and path in self.data)]

    @property
    def params(self) -> dict[str, Any]:
        """Every parameter, by dotted key."""
        return params_of(self.stages)

    @cached_property
    def metrics(self) -> dict[str, float]:
        """Every metric, by dotted key."""
        return dict(leaves(json.loads(self.read(METRICS.as_posix()))))

    @cached_property
    def card(self) -> dict[str, Any]:
        """What model.json tells: the model's sha256, input columns with their types, libraries."""
        card: dict[str, Any] = json.loads(self.read(MODEL_CARD.as_posix()))
        return card

    @property
    def note(self) -> str:
        """What a reader is told first."""
        stale = f"\n\nLeft out, as they are of an earlier run: {', '.join(self.stale)}" if self.stale else ""
        return self.subject + stale

    @property
    def origin(self) -> dict[str, str]:
        """Where this comes from, and how much of it a tracker has: what it is found again by."""
        return {
            "revision": self.name,
            "commit": self.commit,
            "repository": self.repository,
            "dirty": "no",
            "content": self.digest,
            "data": "files" if self.with_data else "references",
        }

    def held(self, origin: dict[str, str]) -> bool:
        """Whether what a tracker has under this `origin` is all that is to be published; with data is more than without."""
        files = origin.get("data") == "files" or not self.with_data
        return origin.get("content") == self.digest and files

    @property
    def digest(self) -> str:
        """One hash of what each stage read, ran and made; the same from every clone."""
        told = json.dumps([self.commit, self.stages], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    def read(self, path: str) -> bytes:
        """Return an output's bytes, held to their md5; UserError where they are in no place."""
        return read_output(self.root, path, self.commit)

    def write(self, path: str, folder: Path) -> Path:
        """Write an output under its name into a folder."""
        target = folder / Path(path).name
        target.write_bytes(self.read(path))
        return target

    def __str__(self) -> str:
        return self.name if self.commit.startswith(self.name) else f"{self.name} ({self.commit[:7]})"


def collect(root: Path, revs: Sequence[str], *, all_experiments: bool = False, with_data: bool = False) -> list[Facts]:
    """Return the facts of revisions and, where asked for, of every DVC experiment, whichever commit it was run on.

    UserError for an unknown revision, one without a finished run, and where nothing is named.
    """
    pairs = [*((rev, resolve(root, rev)) for rev in revs), *(experiments(root) if all_experiments else ())]
    if not pairs:
        none = "there is no experiment; `dvc exp run` makes one" if all_experiments else "name a revision to publish"
        raise UserError(none)
    # HEAD is another commit tomorrow
    named = [(commit[:7] if name.startswith(("HEAD", "@")) else name, commit) for name, commit in pairs]
    return [replace(facts(root, name, commit), with_data=with_data) for name, commit in named]


def experiments(root: Path) -> list[tuple[str, str]]:
    """Return name and commit of every DVC experiment, the oldest first."""
    form = "--format=%(refname) %(objectname)"
    listed = git(root, "for-each-ref", "--sort=committerdate", form, "refs/exps/*/*/*").splitlines()
    # beside refs/exps/ab/cdef…/NAME, DVC has refs of its own there
    parts = [line.removeprefix("refs/exps/").split("/", 2) for line in listed]
    return [tuple(part[2].rsplit(" ", 1)) for part in parts if len(part[0] + part[1]) == 40]  # type: ignore[misc]


def facts(root: Path, name: str, commit: str) -> Facts:
    """Return the facts of one commit; UserError where its dvc.lock has no finished run of the first pipeline."""
    locked = locked_stages(root, commit)
    fresh = fresh_stages(locked)
    subject, time = git(root, "show", "--no-patch", "--format=%s%n%ct", commit).splitlines()
    stale = [stage for stage in locked if stage not in fresh]
    found = Facts(root, name, commit, subject, int(time), _repository(root), fresh, stale)
    missing = [path for path in (MODEL, MODEL_CARD, METRICS) if path.as_posix() not in found.outputs]
    if missing:
        raise UserError(
            f"{found} has no finished run, {missing[0]} is missing or of an earlier one; run `dvc repro` there"
        )
    return found


def _repository(root: Path) -> str:
    """Return the URL of the repository that this is a clone of, without a user's name or password."""
    with suppress(UserError):
        return without_password(git(root, "config", "--get", "remote.origin.url").strip())
    return ""
