"""What a tracker gets of a revision, from git and DVC alone: the same whichever tracker it is."""

import hashlib
import json
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dvckit.core.errors import UserError
from dvckit.core.layout import METRICS, PLOTS
from dvckit.core.mappings import leaves
from dvckit.publish.server import without_password
from dvckit.repository.locks import Stages, fresh_stages, outputs_of, params_of
from dvckit.repository.programs import git
from dvckit.repository.revision import Revision, resolve


@dataclass(frozen=True)
class Mirror:
    """What a tracker gets of a commit. Of stages whose entry in dvc.lock is of an earlier run, it gets the names only."""

    revision: Revision
    commit: str
    subject: str  # of the commit
    time: int  # of the commit, in seconds since 1970
    with_data: bool

    @cached_property
    def project(self) -> str:
        """The name of the project: the package's in pyproject.toml, or the folder's."""
        with suppress(ValueError, KeyError):
            return str(tomllib.loads((self.revision.file("pyproject.toml") or b"").decode())["project"]["name"])
        return self.revision.root.name

    @cached_property
    def repository(self) -> str:
        """The URL of the repository that this is a clone of, without user name and password; or nothing."""
        with suppress(UserError):
            return without_password(git(self.revision.root, "config", "--get", "remote.origin.url").strip())
        return ""

    @cached_property
    def stages(self) -> Stages:
        """Command, deps, params and outs of each stage, as dvc.lock has them."""
        return fresh_stages(self.revision.stages)

    @property
    def stale(self) -> list[str]:
        """The names of the stages that are left out."""
        return [name for name in self.revision.stages if name not in self.stages]

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The md5 of every output, by path."""
        return {output.path: output.md5 for output in outputs_of(self.stages)}

    @property
    def data(self) -> dict[str, str]:
        """The md5 of every table, from the raw to the processed ones, by path."""
        model = (self.revision.model.path, self.revision.model.card)
        return {path: md5 for path, md5 in self.outputs.items() if path.startswith("data/") and path not in model}

    @property
    def files(self) -> list[str]:
        """The outputs that a tracker gets as files: metrics, intervals, plots, the report; tables if asked for."""
        return [path for path in self.outputs if path.startswith("reports/") or (self.with_data and path in self.data)]

    @cached_property
    def plots(self) -> dict[str, dict[str, Any]]:
        """The CSV files with data of plots; each with its settings in dvc.yaml, such as its template."""
        entries = [entry for entry in self.revision.yaml("dvc.yaml").get("plots") or () if isinstance(entry, dict)]
        settings = {path: values for entry in entries for path, values in entry.items()}
        csv = [path for path in self.files if Path(path).parent == PLOTS and path.endswith(".csv")]
        return {path: settings.get(path) or {} for path in csv}

    @property
    def params(self) -> dict[str, Any]:
        """Every parameter, by dotted key."""
        return params_of(self.stages)

    @cached_property
    def metrics(self) -> dict[str, float]:
        """Every metric, by dotted key."""
        return dict(leaves(self.revision.json(METRICS.as_posix())))

    @cached_property
    def card(self) -> dict[str, Any]:
        """What model.json has: the model's sha256, input columns with their types, libraries."""
        return dict(self.revision.json(self.revision.model.card))

    @property
    def note(self) -> str:
        """What a reader sees first."""
        stale = f"\n\nLeft out, because an earlier run made them: {', '.join(self.stale)}" if self.stale else ""
        return self.subject + stale

    @property
    def origin(self) -> dict[str, str]:
        """Where this comes from, and how much of it a tracker has. It is found again by this.

        `content` is one hash of what each stage read, ran and wrote, the same from every clone.
        """
        content = json.dumps([self.commit, self.stages], sort_keys=True)
        return {
            "revision": self.revision.name,
            "commit": self.commit,
            "repository": self.repository,
            "dirty": "no",
            "content": hashlib.sha256(content.encode()).hexdigest(),
            "data": "files" if self.with_data else "references",
        }

    def is_complete(self, origin: dict[str, str]) -> bool:
        """Whether a tracker has all that is to be published under this `origin`; with tables is more than without."""
        files = origin.get("data") == "files" or not self.with_data
        return files and origin.get("content") == self.origin["content"]

    def write(self, path: str, folder: Path) -> Path:
        """Write an output under its name into a folder."""
        target = folder / Path(path).name
        target.write_bytes(self.revision.read(path))
        return target

    def __str__(self) -> str:
        return str(self.revision)


def collect(root: Path, revs: Sequence[str], *, all_experiments: bool = False, with_data: bool = False) -> list[Mirror]:
    """Return the mirrors of revisions and, if asked for, of every DVC experiment, whichever commit it was run on.

    UserError for an unknown revision, one without a finished run, and where nothing is named.
    """
    commits = [*((rev, resolve(root, rev)) for rev in revs), *(experiments(root) if all_experiments else ())]
    if not commits:
        none = "there is no experiment; `dvc exp run` makes one" if all_experiments else "name a revision to publish"
        raise UserError(none)
    return [_mirror(root, name, commit, with_data=with_data) for name, commit in commits]


def experiments(root: Path) -> list[tuple[str, str]]:
    """Return name and commit of every DVC experiment, the oldest first."""
    form = "--format=%(refname) %(objectname)"
    listed = git(root, "for-each-ref", "--sort=committerdate", form, "refs/exps/*/*/*").splitlines()
    # beside refs/exps/ab/cdef…/NAME, DVC has refs of its own there
    parts = [line.removeprefix("refs/exps/").split("/", 2) for line in listed]
    return [tuple(part[2].rsplit(" ", 1)) for part in parts if len(part[0] + part[1]) == 40]  # type: ignore[misc]


def _mirror(root: Path, name: str, commit: str, *, with_data: bool) -> Mirror:
    """Return the mirror of a commit; UserError where its dvc.lock has no finished run of the first pipeline."""
    revision = Revision(root, commit)
    revision.name = commit[:7] if name.startswith(("HEAD", "@")) else name  # HEAD is another commit tomorrow
    subject, time = git(root, "show", "--no-patch", "--format=%s%n%ct", commit).splitlines()
    mirror = Mirror(revision, commit, subject, int(time), with_data)
    needed = (revision.model.path, revision.model.card, METRICS.as_posix())
    if missing := [path for path in needed if path not in mirror.outputs]:
        raise UserError(
            f"{mirror} has no finished run: {missing[0]} is missing or of an earlier run; run `dvc repro` there"
        )
    return mirror
