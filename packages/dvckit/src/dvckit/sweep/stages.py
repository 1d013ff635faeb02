"""The stages that a trial's configuration touches, run in a private folder through their own `main()`.

That is for a pipeline of which each stage is `python -m dvckit.stage MODULE`; `exp_run.py` is for any other. As with DVC, a stage runs where its command, a dep or a parameter differs from dvc.lock. A worker lives in a copy of the
project and writes nowhere else; the files of a trial are returned.
"""

import importlib
import inspect
import shutil
from collections import OrderedDict
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, NamedTuple

from dvckit.core.errors import UserError, is_short_of_memory, one_line
from dvckit.core.layout import PARAMS
from dvckit.repository.dvc_internals import LOADERS, dict_sha256, dumps_yaml, parse_yaml_for_update
from dvckit.repository.locks import LOCK
from dvckit.repository.objects import file_md5
from dvckit.sweep.configurations import apply, files_of
from dvckit.sweep.pipeline import IN_PROCESS, Entry, Out, Stage, link
from dvckit.sweep.trial import BelowThreshold, Outcome, Result, Trial, Watcher

REMEMBERED = 32  # runs of stages, for trials that share them


class File(NamedTuple):
    """An out as dvc.lock describes it, and a file with its content."""

    entry: Entry
    source: Path


class Start(NamedTuple):
    """What trials start from: dvc.lock's stages whose outs are at hand, and these outs by path.

    `imports`: folders in the project that Python imports from, such as `src`.
    """

    lock: dict[str, Entry]
    files: dict[str, File]
    imports: list[str]

    def trials(self, folder: Path) -> "Trials":
        """Return what runs trials in the current folder, a copy of the project."""
        return Trials(self, folder)


class Trials:
    """The trials of one worker, whose current folder is a copy of the project."""

    def __init__(self, start: Start, folder: Path) -> None:
        """Start from the current folder, in `folder`, which also gets what runs of stages wrote."""
        self.start, self.folder, self.memory = start, folder, folder / "memory"
        self.originals: dict[str, bytes] = {}  # the files of parameters that a trial has changed, as they were
        self.lock = parse_yaml_for_update(Path(LOCK).read_text(encoding="utf-8") if Path(LOCK).exists() else "", LOCK)
        self.runs: OrderedDict[str, dict[str, File]] = OrderedDict()
        self.places: dict[str, Path] = {}  # the file of which each path in the copy has the content

    def run(self, trial: Trial) -> Result | Outcome:
        """Run a trial; an outcome says why there is no result."""
        self.watcher = Watcher(trial)
        try:
            return self._result(trial)
        except BelowThreshold:
            return trial.pruned_after(tuple(self.watcher.means))
        except UserError as error:
            return trial.failed(str(error))
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            return trial.stopped(reason)
        except Exception as error:  # noqa: BLE001 - a model may refuse its parameters with anything
            if is_short_of_memory(error):
                return trial.killed("there was not enough memory")
            return trial.failed(f"{type(error).__name__}: {one_line(error)}")

    def _result(self, trial: Trial) -> Result:
        changed = files_of(trial.configuration)
        self.originals |= {file: Path(file).read_bytes() for file in changed if file not in self.originals}
        for file, content in self.originals.items():
            Path(file).write_bytes(content)
        apply(Path(), trial.configuration)
        names = {file for stage in trial.stages for file in stage.params}
        params = {name: LOADERS[Path(name).suffix.lower()](name) for name in names}
        files: dict[str, File] = {}  # by path
        ran: dict[str, Entry] = {}
        written: list[Out] = []
        for stage in trial.stages:
            entry, old = _entry(stage, params, files), self.start.lock.get(stage.name)
            if old and _is_unchanged(old, entry, stage):
                outs = {out.path: self.start.files[out.path] for out in stage.outs}
            else:
                outs = self._outs(stage, entry, files)
                ran[stage.name] = entry | {"outs": [out.entry for out in outs.values()]}
            files |= outs
            # of a stage that did not run what git has and DVC shows
            written += [out for out in stage.outs if stage.name in ran or out.metric or not out.cached]
        contents = {out.path: files[out.path].source.read_bytes() for out in written}
        contents |= {file: Path(file).read_bytes() for file in changed} | {LOCK: self._dumped(ran)}
        return Result(contents, [out.path for out in written if out.cached], ran)

    def _outs(self, stage: Stage, entry: Entry, files: dict[str, File]) -> dict[str, File]:
        """Return the outs of a stage for its deps and parameters, from memory or from a run."""
        key = dict_sha256({stage.name: entry})
        if key not in self.runs:
            self._run(stage, files)
            self.runs[key] = self._remember(stage, self.memory / key)
            if len(self.runs) > REMEMBERED:
                shutil.rmtree(self.memory / self.runs.popitem(last=False)[0])
        self.runs.move_to_end(key)
        return self.runs[key]

    def _run(self, stage: Stage, files: dict[str, File]) -> None:
        link(Path.cwd(), stage.links, self.folder)
        for path in stage.deps.values():
            if path in files and self.places.get(path) != files[path].source:
                self.places[path] = files[path].source
                _copy(files[path].source, Path(path))  # a link would let a stage write into DVC's cache
        for out in stage.outs:
            self.places.pop(out.path, None)
            Path(out.path).parent.mkdir(parents=True, exist_ok=True)
            Path(out.path).unlink(missing_ok=True)  # a link in its place must not be written through
        _call(stage, self.watcher)

    def _remember(self, stage: Stage, folder: Path) -> dict[str, File]:
        """Copy the outs of a run, in the order of dvc.lock; UserError where the stage did not write one."""
        outs = {}
        for place, out in enumerate(sorted(stage.outs)):
            if not Path(out.path).is_file():
                raise UserError(f"the stage {stage.name} wrote no file {out.path}")
            self.places[out.path] = source = folder / str(place)
            _copy(Path(out.path), source)
            entry = {"path": out.name, "hash": "md5", "md5": file_md5(source), "size": source.stat().st_size}
            outs[out.path] = File(entry, source)
        return outs

    def _dumped(self, ran: dict[str, Entry]) -> bytes:
        """Return dvc.lock with the stages that ran, as DVC writes it."""
        if not ran:
            return Path(LOCK).read_bytes()
        lock = self.lock or {"schema": "2.0", "stages": {}}
        text: str = dumps_yaml({**lock, "stages": {**lock["stages"], **ran}})
        return text.encode()


def _entry(stage: Stage, params: dict[str, Any], files: dict[str, File]) -> Entry:
    """Return what dvc.lock has of a stage before it runs: its command, and deps and parameters, each in order."""
    deps = {name: files[path].entry | {"path": name} for name, path in stage.deps.items() if path in files}
    entry: Entry = {"cmd": stage.cmd}
    if stage.deps:
        entry["deps"] = [dep for _, dep in sorted((stage.leaves | deps).items())]
    if stage.params:
        order = sorted(stage.params, key=lambda file: (file != str(PARAMS), file))
        entry["params"] = {
            file: {key: reduce(getitem, key.split("."), params[file]) for key in stage.params[file]} for file in order
        }
    return entry


def _is_unchanged(old: Entry, entry: Entry, stage: Stage) -> bool:
    was, is_now = (
        (of["cmd"], of.get("params"), {dep["path"]: dep["md5"] for dep in of.get("deps", ())}) for of in (old, entry)
    )
    return was == is_now and {out["path"] for out in old.get("outs", ())} == {out.name for out in stage.outs}


def _call(stage: Stage, watcher: Watcher) -> None:
    """Run a stage: a module with a `main()` in this process, whose folds the watcher sees if it lets it."""
    main = importlib.import_module(str(stage.cmd).removeprefix(IN_PROCESS)).main
    watched = watcher.threshold and "watcher" in inspect.signature(main).parameters
    main(**({"watcher": watcher} if watched else {}))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # as above
    shutil.copyfile(source, target)
