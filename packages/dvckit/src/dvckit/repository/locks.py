"""dvc.lock: what each stage ran, read and wrote."""

import os
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from dvckit.core.errors import UserError
from dvckit.core.formats import read_texts, read_yaml
from dvckit.core.layout import LIBRARIES
from dvckit.core.mappings import leaves
from dvckit.repository import shapes
from dvckit.repository.objects import listing, md5_of

LOCK = "dvc.lock"
PIPELINE = ("dvc.yaml", LOCK)
MD5 = shapes.MD5

Stages = dict[str, Any]  # what a lock has of each stage, by DVC's name for it


class Output(NamedTuple):
    """An output of a stage, or data that `dvc add` tracks; `path` is relative to the project's root.

    `stage` is DVC's name for the stage, or the path of the .dvc file. `legacy`: hashed by DVC 1 or 2, which takes the ends
    of lines in text for those of Unix.
    """

    stage: str
    path: str
    md5: str
    legacy: bool = False


@lru_cache(maxsize=64)
def parse(content: bytes) -> Any:
    """Return what a YAML file has, which several objects ask for: nobody may change it. UserError if it is not YAML."""
    return read_yaml(content)


def read_lock(lock: str, content: bytes, definitions: Mapping[str, Any]) -> Stages:
    """Return the stages of a dvc.lock, with paths relative to the root; UserError with the reason if it is not a lock.

    `definitions` has the stages of the dvc.yaml beside it, of which the working folders count.
    """
    prefix = "" if lock == LOCK else f"{pipeline_of(lock)}:"
    parsed = parse(content)
    if not isinstance(parsed, dict):
        raise UserError("it is not what DVC writes")
    try:
        locked = shapes.fit(shapes.LOCKED, parsed if is_old(parsed) else parsed.get("stages", {}))
        stages = {prefix + name: dict(entry) for name, entry in locked.items()}
        for name, stage in stages.items():
            definition = definition_of(definitions, name)
            for kind in {"deps", "outs"} & stage.keys():
                stage[kind] = [_entry(item, in_project(lock, definition, item["path"])) for item in stage[kind]]
        outputs_of(stages)
    except UserError as error:
        raise UserError(f"{error}: it is not what DVC writes") from None
    return stages


def is_old(parsed: Any) -> bool:
    """Whether a lock is one of DVC 1, whose stages are not under a key of their own."""
    return isinstance(parsed, dict) and bool(parsed) and "schema" not in parsed and "stages" not in parsed


def is_of_dvc_0(file: Mapping[str, Any]) -> bool:
    """Whether a .dvc file is a stage, or data with `metric`: DVC 3 refuses it, and with it nearly every command."""
    return "cmd" in file or any("metric" in out for out in file.get("outs") or ())


def _entry(item: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return a dep or out with its path in the project; of a folder whose files are listed, with the md5 of that list."""
    entry = {**item, "path": path}
    if "md5" not in entry and "files" in entry:
        entry["md5"] = f"{md5_of(listing({file['relpath']: file['md5'] for file in entry['files']}))}.dir"
    return entry


def pipeline_of(lock: str) -> str:
    """Return the dvc.yaml that a lock belongs to."""
    return lock.removesuffix("lock") + "yaml"


def pipeline_of_stage(stage: str) -> str:
    """Return the dvc.yaml that a stage is in."""
    return stage[: -len(name_in_pipeline(stage))].removesuffix(":") or PIPELINE[0]


def name_in_pipeline(stage: str) -> str:
    """Return what a dvc.yaml calls a stage that DVC calls `FOLDER/dvc.yaml:NAME`; of several, `NAME@ITEM`."""
    return stage.rpartition(f"{PIPELINE[0]}:")[2]


def definition_of(definitions: Mapping[str, Any], stage: str) -> Mapping[str, Any]:
    """Return the entry of a stage in its dvc.yaml, or of those that it is one of; nothing where there is none."""
    name = name_in_pipeline(stage)
    found: Mapping[str, Any] = definitions.get(name) or definitions.get(name.partition("@")[0]) or {}
    return found


def in_project(lock: str, definition: Mapping[str, Any], path: str) -> str:
    """Return a path of a stage, which is relative to its working folder, relative to the root; a URL as it is."""
    return _below(Path(lock).parent / definition.get("wdir", "."), path)


def _below(folder: Path, path: str) -> str:
    return path if "://" in path else os.path.normpath(folder / path)


def outputs_of(stages: Stages) -> list[Output]:
    """Return the outputs of stages, in their order, but those outside, which have no md5."""
    return [output for name, stage in stages.items() for output in _outputs(name, stage.get("outs", ()))]


def _outputs(stage: str, outs: Any) -> list[Output]:
    kept = [out for out in outs if not {"etag", "checksum"} & out.keys()]
    if lacking := [out["path"] for out in kept if "md5" not in out]:
        raise UserError(f"{lacking[0]} has no md5")
    return [Output(stage, out["path"], out["md5"], "hash" not in out) for out in kept]


def params_of(stages: Stages) -> dict[str, Any]:
    """Return the parameters that stages were run with, by dotted key, each from the first stage that reads it.

    Versions of libraries are none. A key that several files have is `FILE:KEY`. The stages of reports/ come last, and an
    experiment leaves them as they were.
    """
    found = {
        (file, key): value
        for stage in reversed(stages.values())
        for file, sections in stage.get("params", {}).items()
        if Path(file).name != LIBRARIES.name
        for section, values in sections.items()
        for key, value in leaves({section: values})
    }
    return short(found)


def short(found: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
    """Return values by their keys; by `FILE:KEY` where several files have the key."""
    counts = Counter(key for _, key in found)
    return {key if counts[key] == 1 else f"{file}:{key}": value for (file, key), value in found.items()}


def paths_of(stages: Stages, *kinds: str) -> set[str]:
    """Return the paths of all `deps` or `outs` of stages."""
    return {item["path"] for stage in stages.values() for kind in kinds for item in stage.get(kind, ())}


def upstream(stages: Stages, path: str) -> Stages:
    """Return the stage that makes a file, and those that make what it reads."""
    makers = {output.path: output.stage for output in outputs_of(stages)}
    waiting, names = [path], set[str]()
    while waiting:
        name = makers.get(waiting.pop())
        if name and name not in names:
            names.add(name)
            waiting += paths_of({name: stages[name]}, "deps")
    return {name: stage for name, stage in stages.items() if name in names}


def fresh_stages(stages: Stages) -> Stages:
    """Return the stages that read what the others made last.

    After an experiment the second pipeline's lock still belongs to the run before: another model, other parameters.
    """
    sources = {output.path: output for output in outputs_of(stages)}
    stale: set[str] = set()
    while True:
        names = {
            name
            for name, stage in stages.items()
            for dep in stage.get("deps", ())
            if (source := sources.get(dep["path"])) and (source.md5 != dep.get("md5") or source.stage in stale)
        }
        if names == stale:
            return {name: stage for name, stage in stages.items() if name not in stale}
        stale = names


@lru_cache(maxsize=4096)
def _texts(content: bytes) -> Any:
    """Return a YAML file with every value as text: nobody may change it. Most .dvc files are the same in two revisions."""
    return read_texts(content)


def read_file(name: str, content: bytes) -> dict[str, Any]:
    """Return what a .dvc file says, values as text, paths relative to the root; UserError where it cannot be read."""
    stage: dict[str, Any] = dict(shapes.fit(shapes.DVC_FILE, _texts(content)))
    folder = Path(name).parent / (stage.get("wdir") or ".")
    for kind in {"deps", "outs"} & stage.keys():
        stage[kind] = [_entry(item, _below(folder, item["path"])) for item in stage[kind] or ()]
    _outputs(name, stage.get("outs", ()))
    return stage


def read_added(name: str, content: bytes) -> list[Output]:
    """Return the data that a .dvc file names; UserError with the reason where it cannot be read."""
    stage = read_file(name, content)
    if "outs" not in stage:
        raise UserError("it names no output")
    return _outputs(name, stage["outs"])
