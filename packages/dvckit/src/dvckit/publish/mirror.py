"""What a tracker gets of a revision, from git and DVC alone: the same whichever tracker it is."""

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from dvckit.core.errors import UserError
from dvckit.core.mappings import plain
from dvckit.repository import shapes
from dvckit.repository.locks import fresh_stages, outputs_of
from dvckit.repository.pipelines import expanded
from dvckit.repository.programs import git, readable
from dvckit.repository.revision import Model, Revision, resolve
from dvckit.repository.values import numbers

PAGES = (".html", ".md", ".svg", ".png", ".jpg", ".jpeg", ".gif")


class Mirror(Revision):
    """A commit as a tracker gets it. Of stages whose entry in dvc.lock is of an earlier run, it gets the names only."""

    commit: str

    def __init__(self, root: Path, name: str, commit: str, *, with_data: bool) -> None:
        """Describe a commit; UserError where it has no finished run: no dvc.lock, or one without the model's stages."""
        # HEAD is another commit tomorrow
        super().__init__(root, commit[:7] if name.startswith(("HEAD", "@")) else name, commit)
        self.with_data = with_data
        every = self.stages
        self.stages = fresh_stages(every)
        if not self.stages:
            raise UserError(f"{self} has no finished run: no dvc.lock names a stage; run `dvc repro` and commit it")
        self._of_earlier = {output.path for output in outputs_of(every) if output.stage not in self.stages}
        for path in [*([self.stored_model.path] if self.stored_model else []), *self.metric_files]:
            if path in self._of_earlier:
                raise UserError(f"{self} has no finished run: {path} is of an earlier run; run `dvc repro` there")
        time, self.subject = (
            readable(git(root, "show", "--no-patch", "--format=%ct%n%s", commit)).rstrip("\n").split("\n", 1)
        )
        self.time = int(time)  # of the commit, in seconds since 1970
        self.stale = [name for name in every if name not in self.stages]
        self.project = str(self.about.get("name", root.name))
        self._lacks: list[str] = []
        found = {path: self._or_lacks(path, self.values) for path in self.metric_files}
        self.scores = numbers({path: values for path, values in found.items() if values is not None})

    @cached_property
    def stored_model(self) -> Model | None:
        """The model that dvc.yaml names; None where it names none."""
        return self.model if any(about.get("type") == "model" for about in self.artifacts.values()) else None

    @property
    def project_model(self) -> Model | None:
        """The model, where dvc.yaml names the project whose code loads it."""
        return self.stored_model if self.stored_model and self.stored_model.project else None

    @cached_property
    def card(self) -> dict[str, Any]:
        """What the project says of its model; empty where dvc.yaml names no project."""
        if not self.project_model:
            return {}
        content = self.json(self.project_model.card)
        with self.reading(self.project_model.card):
            return dict(shapes.fit(shapes.CARD, content))

    def _or_lacks(self, path: str, read: Callable[[str], Any]) -> Any:
        """Return what `read` gives of a file, or None, and then note why."""
        try:
            return read(path)
        except UserError as error:
            self._lacks.append(str(error))
            return None

    @property
    def lacks(self) -> list[str]:
        """Why a file is not published, for each."""
        return list(dict.fromkeys(self._lacks)) if self.attached else self._lacks

    @cached_property
    def _reports(self) -> set[str]:
        """The outputs for readers: those that git keeps, pages and pictures."""
        in_git = self.files()
        return {path for path in self.md5s if path in in_git or Path(path).suffix in PAGES}

    @cached_property
    def _of_model(self) -> set[str]:
        return {self.stored_model.path, self.stored_model.card} if self.stored_model else set()

    @property
    def data(self) -> dict[str, str]:
        """The md5 of every other output and of what was added, by path: data at any step."""
        others = {*self.metric_files, *self.plots, *self._reports, *self._of_model}
        return {path: md5 for path, md5 in self.all_md5s.items() if path not in others}

    @cached_property
    def attached(self) -> dict[str, bytes]:
        """The files that a tracker gets, by path: metrics, plots and what is for readers; tables if asked for."""
        tables = expanded(self.data, self.members_here) if self.with_data else []
        paths = dict.fromkeys([*self.metric_files, *self.plots, *sorted(self._reports - self._of_model), *tables])
        contents = {path: self._or_lacks(path, self._bytes) for path in paths if path not in self._of_earlier}
        return {path: content for path, content in contents.items() if content is not None}

    def _bytes(self, path: str) -> bytes:
        return self.read(path) if path in self.md5s else self.file(path) or self.read(path)

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
        content = json.dumps(plain([self.commit, self.stages]), sort_keys=True)
        return {
            "revision": self.name,
            "commit": self.commit,
            "repository": self.repository or "",
            "dirty": "no",
            "content": hashlib.sha256(content.encode()).hexdigest(),
            "data": "files" if self.with_data else "references",
            "lacks": str(len(self.lacks)),
        }

    def is_complete(self, origin: dict[str, str]) -> bool:
        """Whether a tracker has all that is to be published under this `origin`; with tables is more than without."""
        files = origin.get("data") == "files" or not self.with_data
        files = files and int(origin.get("lacks") or 0) <= len(self.lacks)
        return files and origin.get("content") == self.origin["content"]

    def write(self, path: str, folder: Path) -> Path:
        """Write an output under its name into a folder."""
        target = folder / Path(path).name
        target.write_bytes(self.attached[path] if path in self.attached else self.read(path))
        return target


def collect(root: Path, revs: Sequence[str], *, all_experiments: bool = False, with_data: bool = False) -> list[Mirror]:
    """Return the mirrors of revisions and, if asked for, of every DVC experiment, whichever commit it was run on.

    UserError for an unknown revision, one without a finished run, and where nothing is named. An experiment that cannot be
    read, or has no finished run, is named on stderr, and left out.
    """
    mirrors = [Mirror(root, rev, resolve(root, rev), with_data=with_data) for rev in revs]
    for name, commit in experiments(root) if all_experiments else ():
        try:
            mirrors.append(Mirror(root, name, commit, with_data=with_data))
        except UserError as error:
            print(f"left out: {error}", file=sys.stderr)
    if not mirrors:
        none = "there is no experiment; `dvc exp run` makes one"
        raise UserError(none if all_experiments else "name a revision to publish")
    return mirrors


def experiments(root: Path) -> list[tuple[str, str]]:
    """Return name and commit of every DVC experiment, the oldest first."""
    # beside refs/exps/ab/cdef…/NAME, DVC has refs of its own there
    place, form = f"refs/exps/??/{'?' * 38}/*", "--format=%(refname:lstrip=4) %(objectname)"
    listed = git(root, "for-each-ref", "--sort=committerdate", form, place).splitlines()
    return [(name, commit) for name, _, commit in (line.rpartition(" ") for line in listed)]
