"""dvc.lock: what each stage ran, read and wrote."""

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dvckit.core.errors import UserError, one_line
from dvckit.core.layout import LIBRARIES
from dvckit.core.mappings import leaves

LOCK = "dvc.lock"
PIPELINE = ("dvc.yaml", LOCK)
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")

Stages = dict[str, Any]  # what a lock has of each stage, by DVC's name for it


class Output(NamedTuple):
    """An output of a stage, or data that `dvc add` tracks; `path` is relative to the project's root.

    `stage` is DVC's name for the stage, or the path of the .dvc file.
    """

    stage: str
    path: str
    md5: str


@lru_cache(maxsize=64)
def parse(content: bytes) -> Any:
    """Return what a YAML file has, which several objects ask for: nobody may change it. UserError if it is not YAML."""
    try:
        return YAML(typ="safe", pure=True).load(content)
    except YAMLError as error:
        raise UserError(one_line(error)) from None


def read_lock(lock: str, content: bytes, definitions: Mapping[str, Any]) -> Stages:
    """Return the stages of a dvc.lock, with paths relative to the root; UserError with the reason if it is not a lock.

    `definitions` has the stages of the dvc.yaml beside it, of which the working folders count.
    """
    prefix = "" if lock == LOCK else f"{pipeline_of(lock)}:"
    try:
        stages = {prefix + name: dict(entry) for name, entry in parse(content)["stages"].items()}
        for name, stage in stages.items():
            definition = definitions.get(name_in_pipeline(name), {})
            for kind in {"deps", "outs"} & stage.keys():
                stage[kind] = [{**item, "path": in_project(lock, definition, item["path"])} for item in stage[kind]]
        outputs_of(stages)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError("it is not what DVC writes") from None
    return stages


def pipeline_of(lock: str) -> str:
    """Return the dvc.yaml that a lock belongs to."""
    return lock.removesuffix("lock") + "yaml"


def name_in_pipeline(stage: str) -> str:
    """Return what a dvc.yaml calls a stage that DVC calls `FOLDER/dvc.yaml:NAME@ITEM`."""
    return stage.rpartition(":")[2].partition("@")[0]


def in_project(lock: str, definition: Mapping[str, Any], path: str) -> str:
    """Return a path of a stage, which is relative to its working folder, relative to the root; a URL as it is."""
    return path if "://" in path else os.path.normpath(Path(lock).parent / definition.get("wdir", ".") / path)


def outputs_of(stages: Stages) -> list[Output]:
    """Return the outputs of stages, in their order."""
    return [Output(name, out["path"], out["md5"]) for name, stage in stages.items() for out in stage.get("outs", ())]


def params_of(stages: Stages) -> dict[str, Any]:
    """Return the parameters that stages were run with, versions of libraries aside, by dotted key, each from the first stage that reads it.

    The stages of reports/ come last, and an experiment leaves them as they were.
    """
    return {
        key: value
        for stage in reversed(stages.values())
        for file, sections in stage.get("params", {}).items()
        if Path(file).name != LIBRARIES.name
        for section, values in sections.items()
        for key, value in leaves({section: values})
    }


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


def read_added(name: str, content: bytes) -> list[Output]:
    """Return the data that a .dvc file names; UserError with the reason where it cannot be read."""
    try:
        outs = parse(content)["outs"]
        return [Output(name, (Path(name).parent / out["path"]).as_posix(), out["md5"]) for out in outs]
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(one_line(error)) from None
