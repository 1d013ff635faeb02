"""One point, run: the stages that it touches, in a private folder, through their own `main()`.

What DVC would do: a stage runs where its command, a dep or a parameter is other than dvc.lock has it. A worker lives in a
folder with the project's files and writes to nothing but that folder; what a trial made is returned.
"""

import hashlib
import importlib
import os
import shlex
import shutil
import subprocess
from collections import OrderedDict
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from dvc.utils import dict_sha256
from dvc.utils.serialize import dumps_yaml, load_yaml, parse_yaml_for_update

from titanic.config import PARAMS
from titanic.experiments.pipeline import Entry, Stage, link
from titanic.experiments.points import Point, apply
from titanic.stage import UserError

LOCK = Path("dvc.lock")
IN_PROCESS = ["python", "-m", "titanic.stage"]
WATCHED = "modeling.evaluate"  # the stage whose main() lets a watcher see each fold
ROUNDED = 1e-6  # by how much means may differ that are made of stored scores and of those in memory
REMEMBERED = 32  # runs of stages, for points that share them


class Start(NamedTuple):
    """What trials start from: dvc.lock's stages whose outs are at hand, and the file that holds each of these outs."""

    lock: dict[str, Entry]
    sources: dict[str, str]


class Result(NamedTuple):
    """What a trial made: files by path, params.yaml and dvc.lock among them; those for the cache; the stages that ran."""

    files: dict[str, bytes]
    cached: list[str]
    ran: dict[str, Entry]


class Failed(NamedTuple):
    """Why a trial gave no result; where the machine is at fault no other will."""

    reason: str
    fatal: bool = False


class Floor(NamedTuple):
    """What a trial's mean score must reach after each fold, from the first on, to be run to its end."""

    metric: str  # as the folds name it: roc_auc
    minimised: bool
    means: tuple[float, ...]


class Pruned(NamedTuple):
    """A trial that was ended below the floor, with its mean score after each fold that was run."""

    means: tuple[float, ...]


class _Hopeless(Exception):  # noqa: N818 - no error
    """Ends a trial in the midst of its folds."""


class Made(NamedTuple):
    """An out as dvc.lock tells of it, and a file with its content."""

    entry: Entry
    source: Path


class Trials:
    """The trials of one worker, whose current folder is a copy of the project."""

    def __init__(self, start: Start, memory: Path) -> None:
        """Take what to start from, and a folder to remember in."""
        self.start = start
        self.memory = memory
        self.params = PARAMS.read_bytes()
        self.lock = parse_yaml_for_update(LOCK.read_text(encoding="utf-8") if LOCK.exists() else "", str(LOCK))
        self.places: dict[str, str] = {}  # the md5 of each file that trials have put in place
        self.runs: OrderedDict[str, dict[str, Made]] = OrderedDict()

    def run(self, point: Point, stages: list[Stage], floor: Floor | None) -> Result | Pruned:
        """Run a point, unless its folds stay below the floor; what a stage raises is raised."""
        self.watch = _Watch(floor)
        try:
            return self._result(point, stages)
        except _Hopeless:
            return Pruned(tuple(self.watch.means))

    def _result(self, point: Point, stages: list[Stage]) -> Result:
        PARAMS.write_bytes(self.params)
        apply(PARAMS, point)
        params = load_yaml(PARAMS)
        made: dict[str, Made] = {}  # by path
        ran: dict[str, Entry] = {}
        for stage in stages:
            entry = _entry(stage, params, made)
            if _unchanged(self.start.lock.get(stage.name), entry, stage):
                made |= self._kept(stage)
                continue
            outs = self._outs(stage, entry, made)
            made |= outs
            ran[stage.name] = entry | {"outs": [out.entry for out in outs.values()]}
        written = [out for stage in stages if stage.name in ran for out in stage.outs]
        files = {out.path: made[out.path].source.read_bytes() for out in written}
        files |= {str(PARAMS): PARAMS.read_bytes(), str(LOCK): self._dumped(ran)}
        return Result(files, [out.path for out in written if out.cached], ran)

    def _kept(self, stage: Stage) -> dict[str, Made]:
        entries = {entry["path"]: entry for entry in self.start.lock[stage.name].get("outs", ())}
        return {out.path: Made(entries[out.name], Path(self.start.sources[out.path])) for out in stage.outs}

    def _outs(self, stage: Stage, entry: Entry, made: dict[str, Made]) -> dict[str, Made]:
        """Return the outs of a stage for its deps and parameters, from memory or from a run."""
        key = dict_sha256({stage.name: entry})
        if key not in self.runs:
            self._run(stage, made)
            self.runs[key] = self._remember(stage, self.memory / key)
            if len(self.runs) > REMEMBERED:
                shutil.rmtree(self.memory / self.runs.popitem(last=False)[0])
        self.runs.move_to_end(key)
        return self.runs[key]

    def _run(self, stage: Stage, made: dict[str, Made]) -> None:
        link(Path.cwd(), stage.links)
        for path in stage.deps.values():
            if path in made and self.places.get(path) != made[path].entry["md5"]:
                _copy(made[path].source, Path(path))
                self.places[path] = made[path].entry["md5"]
        for out in stage.outs:
            self.places.pop(out.path, None)
            Path(out.path).parent.mkdir(parents=True, exist_ok=True)
            if not out.persist:
                Path(out.path).unlink(missing_ok=True)
        _call(stage, self.watch)

    def _remember(self, stage: Stage, folder: Path) -> dict[str, Made]:
        """Copy the outs of a run, in the order of dvc.lock; UserError where the stage did not write one."""
        remembered = {}
        for place, out in enumerate(sorted(stage.outs)):
            if not Path(out.path).is_file():
                raise UserError(f"the stage {stage.name} wrote no file {out.path}")
            source = folder / str(place)
            _copy(Path(out.path), source)
            self.places[out.path] = md5 = md5_of(source.read_bytes())
            entry = {"path": out.name, "hash": "md5", "md5": md5, "size": source.stat().st_size}
            remembered[out.path] = Made(entry, source)
        return remembered

    def _dumped(self, ran: dict[str, Entry]) -> bytes:
        """Return dvc.lock with the stages that ran, in DVC's words."""
        lock = self.lock or {"schema": "2.0", "stages": {}}
        before = dict(lock["stages"])
        lock["stages"].update(ran)
        text: str = dumps_yaml(lock) if ran else LOCK.read_text(encoding="utf-8")
        lock["stages"].clear()
        lock["stages"].update(before)
        return text.encode()


class _Watch:
    """Sees the scores of each fold, and ends the trial where their mean is worse than the floor."""

    def __init__(self, floor: Floor | None) -> None:
        self.floor = floor
        self.means: list[float] = []

    def __call__(self, scores: list[dict[str, float]]) -> None:
        if self.floor is None or len(scores) > len(self.floor.means):
            return
        self.means.append(fmean(fold[self.floor.metric] for fold in scores))
        above = self.means[-1] - self.floor.means[len(scores) - 1]
        if (-above if self.floor.minimised else above) < -ROUNDED:
            raise _Hopeless


def _entry(stage: Stage, params: dict[str, Any], made: dict[str, Made]) -> Entry:
    """Return what dvc.lock tells of a stage before it runs: its command, and deps and parameters, each in order."""
    deps = {name: made[path].entry | {"path": name} for name, path in stage.deps.items() if path in made}
    entry: Entry = {"cmd": stage.cmd}
    if stage.deps:
        entry["deps"] = [dep for _, dep in sorted((stage.leaves | deps).items())]
    if stage.params:
        entry["params"] = {str(PARAMS): {key: _value(params, key) for key in stage.params}}
    return entry


def _value(params: Any, key: str) -> Any:
    for part in key.split("."):
        params = params[part]
    return params


def _unchanged(known: Entry | None, entry: Entry, stage: Stage) -> bool:
    return (
        known is not None
        and all(known.get(part) == entry.get(part) for part in ("cmd", "params"))
        and _hashes(known) == _hashes(entry)
        and {out["path"] for out in known.get("outs", ())} == {out.name for out in stage.outs}
    )


def _hashes(entry: Entry) -> dict[str, str]:
    return {dep["path"]: dep["md5"] for dep in entry.get("deps", ())}


def _call(stage: Stage, watch: _Watch) -> None:
    """Run a stage: one of ours in this process, another as DVC would."""
    *start, module = shlex.split(stage.cmd)
    if start == IN_PROCESS and stage.folder == os.curdir:
        run = importlib.import_module(f"titanic.{module}").main
        run(watch) if module == WATCHED and watch.floor else run()
        return
    done = subprocess.run(stage.cmd, shell=True, cwd=stage.folder, capture_output=True, text=True, check=False)  # noqa: S602 - as DVC does
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines() or ["no word"]
        raise UserError(f"the stage {stage.name} ended with exit code {done.returncode}: {last[-1]}")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # a link in its place must not be written through
    shutil.copyfile(source, target)


def md5_of(content: bytes) -> str:
    """Return DVC's name for a content."""
    return hashlib.md5(content).hexdigest()  # noqa: S324 - DVC's
