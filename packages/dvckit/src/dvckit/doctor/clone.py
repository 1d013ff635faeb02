"""What the checks of `dvckit doctor` share: findings, and the clone that they look at."""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from dvckit.core.errors import UserError
from dvckit.core.grid import first
from dvckit.repository.locks import MD5, Output, in_project, outputs_of
from dvckit.repository.objects import STORAGE, listed, object_paths
from dvckit.repository.patience import PATIENCE
from dvckit.repository.pipelines import outs_of
from dvckit.repository.programs import tracked
from dvckit.repository.remotes import read_config
from dvckit.repository.revision import Revision

OK, ADVICE, WRONG, FIXED = "ok", "advice", "WRONG", "fixed"
FIX = "dvckit doctor --fix"


class Finding(NamedTuple):
    """One line: what is so, the command that fixes it, and, where that loses nothing, a function that does.

    `fix` returns what it did.
    """

    level: str
    what: str
    command: str = ""
    fix: Callable[[], str] | None = None

    def __str__(self) -> str:
        return f"{self.level:8}{self.what}" + (f"; run `{self.command}`" if self.command else "")


class Clone(Revision):
    """The workspace as it was when it was looked at, or a commit. What cannot be read is empty: one check reports it."""

    def __init__(self, root: Path, until: float = float("inf"), name: str | None = None) -> None:
        super().__init__(root, name)
        self.until = until  # of time.monotonic(): when hashing ends, done or not
        # a disk that works answers within a second, however little time is left
        self.patience = min(PATIENCE, max(1.0, (until - time.monotonic()) / 2))

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """DVC's configuration, all levels together, with absolute paths."""
        try:
            return read_config(self.root)
        except UserError:
            return {"core": {}, "cache": {}, "remote": {}}

    def tracked(self, *arguments: str) -> list[str]:
        """Return files as `git ls-files` lists them."""
        with suppress(UserError):
            return tracked(self.root, *arguments)
        return []

    def files(self) -> set[str]:
        """Return the paths of all files that git has or that are new to it."""
        with suppress(UserError):
            return super().files()
        return set()

    def committed(self, path: str) -> bytes | None:
        """Return a file as HEAD has it."""
        with suppress(UserError):
            return super().committed(path)
        return None

    def diff(self, path: str) -> str:
        """Return the command that shows what differs from HEAD in a file; nothing where that is nothing."""
        return f"git diff HEAD -- {path}" if self.committed(path) not in (None, self.file(path)) else ""

    def restore(self, path: str) -> str:
        """Return the command that gives back a file that cannot be read: that of HEAD, unless it is the same."""
        same = self.committed(path) == self.file(path)
        return f"git log --patch -- {path}" if same else f"git checkout HEAD -- {path}"

    @cached_property
    def _pushable(self) -> dict[Output, bool]:
        """The outputs of the pipelines that can be read, and whether DVC keeps each."""
        outputs: dict[Output, bool] = {}
        for lock in self.locks:
            with suppress(UserError, OSError):
                outputs |= dict(self._pushable_in(lock))
        return outputs | dict(self._pushable_of_files())

    def _pushable_in(self, lock: str) -> Iterator[tuple[Output, bool]]:
        for output in outputs_of(self.stages_in(lock)):
            definition = self.definition(output.stage)
            if MD5.fullmatch(output.md5) and self.is_inside(output.path):  # else the lock is cut, which is reported
                outs = outs_of(definition).items()
                options = [about for path, about in outs if in_project(lock, definition, path) == output.path]
                yield output, not any(False in (about.get("cache"), about.get("push")) for about in options)

    def _pushable_of_files(self) -> Iterator[tuple[Output, bool]]:
        """Yield the outputs of the stages that DVC 0 kept in .dvc files."""
        for name, stage in self.dvc_files.items():
            if "cmd" in stage:
                kept = {out["path"]: out.get("cache") != "false" for out in stage.get("outs", ())}
                outputs = [output for output in outputs_of({name: stage}) if self.is_inside(output.path)]
                yield from ((output, kept[output.path]) for output in outputs)

    @property
    def outputs(self) -> list[Output]:
        """What the pipelines that can be read have written, as their locks name it."""
        return [*self._pushable]

    @property
    def added(self) -> list[Output]:
        """The data that `dvc add` tracks, in this repository."""
        return [output for output in super().added if self.is_inside(output.path)]

    @property
    def outside(self) -> list[str]:
        """The paths of what locks and .dvc files name that is not in this repository."""
        stages = [*self.dvc_files.values()]
        for lock in self.locks:
            with suppress(UserError, OSError):
                stages += self.stages_in(lock).values()
        paths = {out["path"] for stage in stages for out in stage.get("outs") or ()}
        return sorted(path for path in paths if "://" not in path and not self.is_inside(path))

    @property
    def named(self) -> list[Output]:
        """What the locks and the .dvc files name, and the files of those that are folders."""
        return self._with_members(self.outputs + self.added)

    @cached_property
    def pushable(self) -> dict[str, Output]:
        """What DVC keeps, by md5: the outputs but those that are git's, what was added, and what is in folders."""
        others = {*self.tracked()} if self.commit is None else self.files()
        outputs = [output for output, keeps in self._pushable.items() if keeps and output.path not in others]
        return {output.md5: output for output in self._with_members(outputs + self.added)}

    def _with_members(self, outputs: list[Output]) -> list[Output]:
        """Add the files of folders, as their objects list them; none where an object is nowhere here."""
        members = [
            Output(folder.stage, f"{folder.path}/{name}", md5, folder.legacy)
            for folder in outputs
            if folder.md5.endswith(".dir")
            for name, md5 in self._members_of(folder).items()
        ]
        return outputs + members

    def _members_of(self, folder: Output) -> dict[str, str]:
        with suppress(UserError):
            in_lock = self._listed.get(folder.path)
            return in_lock or listed(self.stored(folder.md5) or b"[]")
        return {}

    @property
    def is_embedded(self) -> bool:
        """Whether the default remote is a folder that git keeps."""
        return bool(self.default_remote[1].get("url") == str(self.root / STORAGE))

    @property
    def uncommitted(self) -> list[Output]:
        """What DVC keeps and a clone of this commit could not pull: git lacks the object in the embedded remote."""
        if not self.is_embedded:
            return []
        committed = self.files()
        return [output for output in self.pushable.values() if committed.isdisjoint(embedded(output))]

    def put_aside(self, path: Path) -> Path:
        """Move what is damaged into .dvc/tmp/damaged, under a name that is free there."""
        if not self.is_inside(".dvc/tmp/damaged/it"):
            raise UserError(".dvc/tmp leads out of this repository")
        folder = self.root / ".dvc/tmp/damaged"
        folder.mkdir(parents=True, exist_ok=True)
        names = (folder / (f"{path.name}.{number}" if number else path.name) for number in count())
        free = next(name for name in names if not name.exists())
        shutil.move(path, free)
        return free.relative_to(self.root)


def embedded(output: Output) -> tuple[str, ...]:
    """Return where the embedded remote may have the object of an output."""
    return tuple(path.as_posix() for path in object_paths(Path(STORAGE), output.md5))


def some(names: Iterable[object]) -> str:
    """Join names, the first few of many."""
    return first(names, 8)


def paths(outputs: Iterable[Output]) -> str:
    """Join the paths of outputs, the first few of many."""
    return some(output.path for output in outputs)
