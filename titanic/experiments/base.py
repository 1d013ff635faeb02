"""What all points of a sweep share, made once: the snapshot, private copies of the project, the stages, what is at hand."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.utils import dict_sha256
from dvc.utils.serialize import load_yaml

from titanic.config import PARAMS
from titanic.experiments.pipeline import Stage, configure, interpolated, resolve
from titanic.experiments.points import Point, Values, apply
from titanic.experiments.record import object_path
from titanic.experiments.snapshot import checkout, take
from titanic.experiments.trial import LOCK, Start, md5_of
from titanic.stage import UserError


class Base:
    """A project at one moment. Nothing here changes while the user goes on editing."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Take the project's root, and an empty folder; UserError where DVC is busy or refuses the pipeline."""
        self.root = root
        self.folder = folder
        with _unlocked(root) as repo:
            self.cache = Path(repo.cache.local.path).parents[1]
            self.snapshot = take(root, folder)
        self.tree = checkout(root, self.snapshot.tree, folder / "base")
        configure(self.tree, self.cache)
        shutil.copyfile(self.tree / PARAMS, folder / PARAMS)
        self.values = Values(folder / PARAMS, folder / "base")
        self._keys = interpolated(self.tree)
        self._stages: dict[str, tuple[list[Stage], str]] = {}
        self.start = self._start()

    def worker(self, number: int) -> Path:
        """Make a copy of the project for a worker."""
        return checkout(self.root, self.snapshot.tree, self.folder / str(number))

    def stages(self, point: Point) -> list[Stage]:
        """Return the stages as a point's parameters resolve them."""
        return self._resolved(point)[0]

    def name(self, point: Point) -> str:
        """Return the experiment's name: the same for the same parameters, code and data on one commit."""
        return f"sweep-{dict_sha256({'params': self.values.of(point), 'stages': self._resolved(point)[1]})[:12]}"

    def _resolved(self, point: Point) -> tuple[list[Stage], str]:
        """Return the stages, and a hash of them and of what they read from outside of the pipeline."""
        values = self.values.of(point)
        key = repr([values.get(name) for name in self._keys])
        if key not in self._stages:
            shutil.copyfile(self.folder / PARAMS, self.tree / PARAMS)
            apply(self.tree / PARAMS, point)
            stages = resolve(self.root, self.tree)
            told = {"stages": [stage._replace(links={})._asdict() for stage in stages]}
            self._stages[key] = stages, dict_sha256(told)
        return self._stages[key]

    def carried(self) -> list[str]:
        """Return the files with uncommitted changes that stages read."""
        read = {path for stage in self.stages(()) for path in stage.deps.values()} | {str(PARAMS), "dvc.yaml"}
        outs = {out.path for stage in self.stages(()) for out in stage.outs}
        return [path for path in self.snapshot.changed if path in read - outs]

    def _start(self) -> Start:
        """Keep those of dvc.lock's stages whose outs are in the cache or in git."""
        lock: dict[str, Any] = load_yaml(self.tree / LOCK).get("stages", {}) if (self.tree / LOCK).is_file() else {}
        sources: dict[str, str] = {}
        kept = {}
        for stage in self.stages(()):
            entries = {entry["path"]: entry for entry in lock.get(stage.name, {}).get("outs", ())}
            found = {out.path: self._source(out.path, entries.get(out.name)) for out in stage.outs}
            if all(found.values()):
                kept[stage.name] = lock[stage.name]
                sources |= {path: str(source) for path, source in found.items()}
        return Start(kept, sources)

    def _source(self, path: str, entry: dict[str, Any] | None) -> Path | None:
        """Return a file with the content that dvc.lock names."""
        if entry is None or "md5" not in entry:
            return None
        held = object_path(self.cache, entry["md5"])
        if held.is_file() and held.stat().st_size == entry["size"]:
            return held
        own = self.tree / path
        return own if own.is_file() and md5_of(own.read_bytes()) == entry["md5"] else None


@contextmanager
def _unlocked(root: Path) -> Iterator[Repo]:
    """Open the repository and hold DVC's lock, so that no stage is writing; UserError where another DVC holds it."""
    try:
        with Repo(str(root)) as repo, repo.lock:
            yield repo
    except LockError:
        raise UserError("another DVC command is at work in this repository; run the sweep when it has ended") from None
    except DvcException as error:
        raise UserError(f"DVC: {' '.join(str(error).split())}") from None


@contextmanager
def private_folder(root: Path) -> Iterator[Path]:
    """Give an empty folder inside .dvc/tmp, removed at the end; those that killed sweeps have left are removed first."""
    parent = root / ".dvc/tmp/sweep"
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob("at-work-*"):
        with (left / "lock").open("a") as lock:
            if _locked(lock):
                shutil.rmtree(left, ignore_errors=True)
    folder = Path(mkdtemp(prefix="at-work-", dir=parent))
    with (folder / "lock").open("a") as lock:
        _locked(lock)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _locked(file: Any) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
