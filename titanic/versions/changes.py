"""What changed between two revisions besides their scores, by what dvc.lock, the lists, model.json and uv.lock tell."""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

from titanic.config import MODEL_CARD, RAW, TEST, TRAIN
from titanic.stage import UserError
from titanic.versions.contenders import raw_rows
from titanic.versions.repository import git, git_file, locked_params, locked_stages
from titanic.versions.tables import read_output

PACKAGES = "uv.lock"

Pair = dict[str, Any]  # {"old": ..., "new": ...}; what one side lacks is not in it


def changes(root: Path, old: str | None, new: str | None) -> dict[str, dict[str, Any]]:
    """Return what changed from one commit (None: the workspace) to another, by kind and name; only what changed.

    `code` has the files that stages depend on, with the lines that git tells: they are those of the commits and of the
    work tree, while the list is that of the locks.
    """
    sides = (old, new)
    return {
        "params": _pairs(*(locked_params(root, rev) for rev in sides)),
        "data": _pairs(*(_lists(root, rev) for rev in sides)),
        "features": _pairs(*(_input(root, rev) for rev in sides)),
        "code": _lines(root, old, new, sorted(_pairs(*(_code(root, rev) for rev in sides)))),
        "packages": _pairs(*(_packages(root, rev) for rev in sides)),
    }


def _pairs(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Pair]:
    """Return the items that are not the same on both sides."""
    sides = {"old": old, "new": new}
    return {
        name: {side: values[name] for side, values in sides.items() if name in values}
        for name in {**old, **new}
        if name not in old or name not in new or old[name] != new[name]
    }


def _lists(root: Path, rev: str | None) -> dict[str, Any]:
    paths = [f"{RAW}/{name}.csv" for name in (TRAIN, TEST)]
    contents = {path: read_output(root, path, rev) for path in paths}
    return {
        path: {"rows": len(raw_rows(content)), "md5": hashlib.md5(content).hexdigest()}  # noqa: S324 - DVC's
        for path, content in contents.items()
    }


def _input(root: Path, rev: str | None) -> dict[str, str]:
    columns: dict[str, str] = json.loads(read_output(root, MODEL_CARD.as_posix(), rev))["input"]
    return columns


def _code(root: Path, rev: str | None) -> dict[str, str]:
    """Return the md5 of every Python file that the stages depended on when they ran, the first stage to do so."""
    deps = [dep for stage in reversed(locked_stages(root, rev).values()) for dep in stage.get("deps", ())]
    return {dep["path"]: dep.get("md5", "") for dep in deps if dep["path"].endswith(".py")}


def _lines(root: Path, old: str | None, new: str | None, paths: list[str]) -> dict[str, Any]:
    """Return the lines that were added to and removed from each file."""
    if not paths:
        return {}
    # without a second commit git compares with the work tree
    range_ = [old, *filter(None, [new])] if old else ["-R", str(new)]
    listed = git(root, "diff", "--numstat", "--no-renames", *map(str, range_), "--", *paths).splitlines()
    counted = {path: (added, removed) for added, removed, path in (line.split("\t") for line in listed)}
    return {path: dict(zip(("added", "removed"), map(int, counted.get(path, (0, 0))), strict=True)) for path in paths}


def _packages(root: Path, rev: str | None) -> dict[str, str]:
    """Return the version of every package in uv.lock; a package may have several."""
    file = root / PACKAGES
    content = git_file(root, rev, PACKAGES) if rev else file.read_bytes() if file.is_file() else None
    try:
        told = tomllib.loads((content or b"").decode())
    except ValueError as error:  # tomllib's own is one
        raise UserError(f"{PACKAGES} cannot be read{f' at {rev}' if rev else ''}: {error}") from None
    versions: dict[str, list[str]] = {}
    for package in told.get("package", ()):
        versions.setdefault(package["name"], []).append(package.get("version", "of this project"))
    return {name: ", ".join(sorted(found)) for name, found in versions.items()}
