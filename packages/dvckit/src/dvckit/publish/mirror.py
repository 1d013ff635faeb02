"""What a tracker gets of a revision, from git and DVC alone: the same whichever tracker it is."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dvckit.core.errors import UserError
from dvckit.core.layout import METRICS, PLOTS
from dvckit.core.mappings import leaves
from dvckit.repository.locks import fresh_stages
from dvckit.repository.programs import git, readable
from dvckit.repository.revision import Revision, resolve


class Mirror(Revision):
    """A commit as a tracker gets it. Of stages whose entry in dvc.lock is of an earlier run, it gets the names only."""

    commit: str

    def __init__(self, root: Path, name: str, commit: str, *, with_data: bool) -> None:
        """Describe a commit; UserError where its dvc.lock has no finished run of the first pipeline."""
        # HEAD is another commit tomorrow
        super().__init__(root, commit[:7] if name.startswith(("HEAD", "@")) else name, commit)
        self.with_data = with_data
        every = self.stages
        self.stages = fresh_stages(every)
        for path in (self.model.path, self.model.card, METRICS.as_posix()):
            if path not in self.md5s:
                raise UserError(
                    f"{self} has no finished run: {path} is missing or of an earlier run; run `dvc repro` there"
                )
        time, self.subject = (
            readable(git(root, "show", "--no-patch", "--format=%ct%n%s", commit)).rstrip("\n").split("\n", 1)
        )
        self.time = int(time)  # of the commit, in seconds since 1970
        self.stale = [name for name in every if name not in self.stages]
        self.project = str(self.about.get("name", root.name))
        self.metrics: dict[str, float] = dict(leaves(self.json(METRICS.as_posix())))
        self.card: dict[str, Any] = self.json(self.model.card)

    @property
    def data(self) -> dict[str, str]:
        """The md5 of every table, from the raw to the processed ones, by path."""
        model = (self.model.path, self.model.card)
        return {path: md5 for path, md5 in self.md5s.items() if path.startswith("data/") and path not in model}

    @property
    def attached(self) -> list[str]:
        """The outputs that a tracker gets as files: metrics, intervals, plots, the report; tables if asked for."""
        return [path for path in self.md5s if path.startswith("reports/") or (self.with_data and path in self.data)]

    @property
    def plots(self) -> dict[str, dict[str, Any]]:
        """The CSV files with data of plots; each with its settings in dvc.yaml, such as its template."""
        entries = [entry for entry in self.yaml("dvc.yaml").get("plots") or () if isinstance(entry, dict)]
        settings = {path: values for entry in entries for path, values in entry.items()}
        csv = [path for path in self.attached if Path(path).parent == PLOTS and path.endswith(".csv")]
        return {path: settings.get(path) or {} for path in csv}

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
            "revision": self.name,
            "commit": self.commit,
            "repository": self.repository or "",
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
        target.write_bytes(self.read(path))
        return target


def collect(root: Path, revs: Sequence[str], *, all_experiments: bool = False, with_data: bool = False) -> list[Mirror]:
    """Return the mirrors of revisions and, if asked for, of every DVC experiment, whichever commit it was run on.

    UserError for an unknown revision, one without a finished run, and where nothing is named.
    """
    commits = [*((rev, resolve(root, rev)) for rev in revs), *(experiments(root) if all_experiments else ())]
    if not commits:
        none = "there is no experiment; `dvc exp run` makes one" if all_experiments else "name a revision to publish"
        raise UserError(none)
    return [Mirror(root, name, commit, with_data=with_data) for name, commit in commits]


def experiments(root: Path) -> list[tuple[str, str]]:
    """Return name and commit of every DVC experiment, the oldest first."""
    # beside refs/exps/ab/cdef…/NAME, DVC has refs of its own there
    place, form = f"refs/exps/??/{'?' * 38}/*", "--format=%(refname:lstrip=4) %(objectname)"
    listed = git(root, "for-each-ref", "--sort=committerdate", form, place).splitlines()
    return [(name, commit) for name, _, commit in (line.rpartition(" ") for line in listed)]
