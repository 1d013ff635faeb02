"""dvc.lock: what each stage ran, read and wrote."""

import os
import re
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dvckit.core.errors import UserError, one_line
from dvckit.core.mappings import leaves
from dvckit.repository.dvc_internals import check_lock
from dvckit.repository.programs import tracked

LOCK = "dvc.lock"
_PIPELINE = ("dvc.yaml", LOCK)
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")

Stages = dict[str, Any]  # what a lock has of each stage, by DVC's name for it


class Output(NamedTuple):
    """An output of a stage, or data that `dvc add` tracks; `path` is relative to the project's root.

    `stage` is DVC's name for the stage, or the path of the .dvc file.
    """

    stage: str
    path: str
    md5: str


def lock_files(root: Path) -> list[str]:
    """Return the lock of each pipeline in the work tree, beside its dvc.yaml; one of the two may be missing."""
    names = tracked(
        root, "--cached", "--others", "--exclude-standard", "--", *(f":(glob)**/{name}" for name in _PIPELINE)
    )
    names += [name for name in _PIPELINE if os.path.lexists(root / name)]  # also where git does not work
    return sorted({PurePosixPath(name).with_suffix(".lock").as_posix() for name in names})


def read_lock(lock: str, text: str, where: str = "") -> Stages:
    """Return the stages of a dvc.lock from its text; UserError where it is not a lock. `where` goes into the message."""
    prefix = "" if lock == LOCK else f"{Path(lock).parent}/dvc.yaml:"
    try:
        stages = {prefix + name: dict(entry) for name, entry in _parsed(text)["stages"].items()}
        outputs_of(stages)
    except YAMLError as error:
        raise UserError(f"{lock} cannot be read{where}: {one_line(error)}") from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(f"{lock} cannot be read{where}: it is not what DVC writes") from None
    return stages


def read_whole_lock(lock: str, text: str) -> Stages:
    """Return the stages of a dvc.lock; UserError also where DVC would refuse it, and where a kill has cut it off."""
    stages = read_lock(lock, text)
    try:
        check_lock(text, lock)
    except UserError as error:
        raise UserError(f"{lock} cannot be read: DVC refuses it: {error}") from None
    hashes = re.findall(r"^ *(?:- )?md5:(.*)$", text, flags=re.MULTILINE)
    if not text.endswith("\n") or not all(MD5.fullmatch(md5.strip()) for md5 in hashes):
        raise UserError(f"{lock} cannot be read: it is cut off")
    return stages


@lru_cache(maxsize=64)
def _parsed(text: str) -> Any:
    """Return the content of a lock, which several objects ask for; nobody may change it."""
    return YAML(typ="safe", pure=True).load(text)


def outputs_of(stages: Stages) -> list[Output]:
    """Return the outputs of stages, in their order."""
    return [Output(name, out["path"], out["md5"]) for name, stage in stages.items() for out in stage.get("outs", ())]


def params_of(stages: Stages) -> dict[str, Any]:
    """Return the parameters that stages were run with, by dotted key, each from the first stage that reads it.

    The stages of reports/ come last, and an experiment leaves them as they were.
    """
    return {
        key: value
        for stage in reversed(stages.values())
        for file in stage.get("params", {}).values()
        for section, values in file.items()
        for key, value in leaves({section: values})
    }


def paths_of(stages: Stages, *kinds: str) -> set[str]:
    """Return the paths of all `deps` or `outs` of stages."""
    return {item["path"] for stage in stages.values() for kind in kinds for item in stage.get(kind, ())}


def upstream(stages: Stages, path: str) -> Stages:
    """Return the stage that makes a file, and those that make what it reads."""
    makers = {output.path: output.stage for output in outputs_of(stages)}
    waiting, found = [path], set[str]()
    while waiting:
        name = makers.get(waiting.pop())
        if name and name not in found:
            found.add(name)
            waiting += paths_of({name: stages[name]}, "deps")
    return {name: stage for name, stage in stages.items() if name in found}


def fresh_stages(stages: Stages) -> Stages:
    """Return the stages that read what the others made last.

    After an experiment the second pipeline's lock still belongs to the run before: another model, other parameters.
    """
    made = {output.path: output for output in outputs_of(stages)}
    stale: set[str] = set()
    while True:
        found = {
            name
            for name, stage in stages.items()
            for dep in stage.get("deps", ())
            if (source := made.get(dep["path"])) and (source.md5 != dep.get("md5") or source.stage in stale)
        }
        if found == stale:
            return {name: stage for name, stage in stages.items() if name not in stale}
        stale = found


def read_added(name: str, text: str) -> list[Output]:
    """Return the data that a .dvc file names; UserError where it cannot be read."""
    try:
        outs = YAML(typ="safe", pure=True).load(text)["outs"]
        return [Output(name, (Path(name).parent / out["path"]).as_posix(), out["md5"]) for out in outs]
    except (YAMLError, KeyError, TypeError, AttributeError) as error:
        raise UserError(one_line(error)) from None
