"""What the checks of `dvckit doctor` share: findings, and the clone that they look at."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from dvckit.core.errors import UserError
from dvckit.core.grid import first
from dvckit.repository.locks import Output, lock_files, outputs_of, read_whole_lock
from dvckit.repository.objects import STORAGE, is_intact, object_path
from dvckit.repository.programs import tracked
from dvckit.repository.remotes import read_config
from dvckit.repository.revision import Revision

OK, ADVICE, WRONG, FIXED = "ok", "advice", "WRONG", "fixed"


@dataclass(frozen=True)
class Finding:
    """One line: what is so, the command that fixes it, and, where that loses nothing, a function that does.

    `fix` returns what it did.
    """

    level: str
    what: str
    command: str = ""
    fix: Callable[[], str] | None = None

    def __str__(self) -> str:
        return f"{self.level:8}{self.what}" + (f"; run `{self.command}`" if self.command else "")


class Clone:
    """A clone as it was when it was looked at. What cannot be read is empty here: one check reports it."""

    def __init__(self, root: Path, until: float = float("inf")) -> None:
        self.root = root
        self.until = until  # of time.monotonic(): when hashing ends, done or not
        self.workspace = Revision(root)

    @cached_property
    def config(self) -> dict[str, Any]:
        """DVC's configuration, all levels together, with absolute paths."""
        try:
            return read_config(self.root)
        except UserError:
            return {}

    @property
    def default_remote(self) -> tuple[str, dict[str, Any]]:
        """The name of the default remote and its options."""
        name = self.config.get("core", {}).get("remote", "")
        return name, self.config.get("remote", {}).get(name, {})

    @cached_property
    def locks(self) -> list[str]:
        """The lock of each pipeline, beside its dvc.yaml."""
        return lock_files(self.root)

    def definitions(self, lock: str) -> dict[str, dict[str, Any]]:
        """Return the stages of the dvc.yaml beside a lock; UserError where it cannot be read."""
        pipeline = pipeline_of(lock)
        stages = self.workspace.yaml(pipeline).get("stages") or {}
        if not isinstance(stages, dict) or not all(isinstance(stage, dict) for stage in stages.values()):
            raise UserError(f"{pipeline} cannot be read: its stages are not mappings")
        return {name: stage.get("do", stage) for name, stage in stages.items()}

    @cached_property
    def _outputs(self) -> dict[Output, bool]:
        """The outputs of the pipelines that can be read, and whether DVC keeps each."""
        found: dict[Output, bool] = {}
        for lock in self.locks:
            with suppress(UserError, OSError, ValueError, TypeError, AttributeError):
                found |= dict(self._outputs_in(lock))
        return found

    def _outputs_in(self, lock: str) -> Iterator[tuple[Output, bool]]:
        stages = self.definitions(lock)
        for output in outputs_of(read_whole_lock(lock, (self.root / lock).read_text(encoding="utf-8"))):
            if (stage := stages.get(name_in_pipeline(output.stage))) is not None:
                outs = [out for kind in ("outs", "metrics", "plots") for out in stage.get(kind, ())]
                options = [out[output.path] for out in outs if isinstance(out, dict) and output.path in out]
                kept = not any(False in (option.get("cache"), option.get("push")) for option in options)
                yield output._replace(path=in_project(lock, stage, output.path)), kept

    @property
    def outputs(self) -> list[Output]:
        """What the pipelines that can be read have written, as their locks name it."""
        return [*self._outputs]

    @cached_property
    def added(self) -> list[Output]:
        """The data of the .dvc files; `stage` is the file."""
        return self.workspace.added

    @property
    def named(self) -> list[Output]:
        """What the locks and the .dvc files name, and the files of those that are folders."""
        return self._with_members([*self._outputs, *self.added])

    @cached_property
    def kept(self) -> dict[str, Output]:
        """What DVC keeps, by md5: the outputs but those that are git's, what was added, and what is in folders."""
        others = {*tracked(self.root)}
        kept = [output for output, keeps in self._outputs.items() if keeps and output.path not in others]
        return {output.md5: output for output in self._with_members([*kept, *self.added])}

    def _with_members(self, outputs: list[Output]) -> list[Output]:
        folders = [output for output in outputs if output.md5.endswith(".dir")]
        return [*outputs, *(member for folder in folders for member in self._members(folder))]

    def _members(self, folder: Output) -> list[Output]:
        """Return the files of a folder, as its object lists them; none where no store has that."""
        for store in self.stores.values():
            with suppress(OSError):
                content = object_path(store, folder.md5).read_bytes()
                if is_intact(content, folder.md5):
                    items = json.loads(content)
                    return [Output(folder.stage, f"{folder.path}/{item['relpath']}", item["md5"]) for item in items]
        return []

    @property
    def stores(self) -> dict[str, Path]:
        """The folders of this machine that hold objects, by what a line calls them; the cache comes first."""
        urls = {name: remote.get("url", "://") for name, remote in self.config.get("remote", {}).items()}
        local = {name: Path(url) for name, url in urls.items() if "://" not in url}
        embedded = self.root / STORAGE
        named = {f"remote {name}": path for name, path in local.items() if path != embedded}
        cache = Path(self.config.get("cache", {}).get("dir") or self.root / ".dvc/cache")
        return {"cache": cache, STORAGE: embedded} | named

    def committed(self, path: str) -> bytes | None:
        """Return a file of HEAD; None where it has none, or there is no HEAD."""
        with suppress(UserError):
            return Revision(self.root, "HEAD").file(path)
        return None

    def put_aside(self, path: Path) -> Path:
        """Move what is damaged into .dvc/tmp/damaged, under a name that is free there."""
        folder = self.root / ".dvc/tmp/damaged"
        folder.mkdir(parents=True, exist_ok=True)
        names = (folder / (f"{path.name}.{number}" if number else path.name) for number in count())
        free = next(name for name in names if not name.exists())
        shutil.move(path, free)
        return free.relative_to(self.root)


def pipeline_of(lock: str) -> str:
    """Return the dvc.yaml that a lock belongs to."""
    return lock.removesuffix("lock") + "yaml"


def name_in_pipeline(stage: str) -> str:
    """Return what a dvc.yaml calls a stage that DVC calls `FOLDER/dvc.yaml:NAME@ITEM`."""
    return stage.rpartition(":")[2].partition("@")[0]


def in_project(lock: str, stage: dict[str, Any], path: str) -> str:
    """Return a path of a stage's, which is relative to its working folder, relative to the root."""
    working_folder: str = stage.get("wdir", ".")
    return os.path.normpath(Path(lock).parent / working_folder / path)


def some(names: Iterable[str]) -> str:
    """Join names, the first few of many."""
    return first(names, 8)


def paths(outputs: Iterable[Output]) -> str:
    """Join the paths of outputs, the first few of many."""
    return some(output.path for output in outputs)
