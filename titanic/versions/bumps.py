"""What changed in the data and in the model since their last versions, and the kind of number that this asks for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from titanic.config import INTERIM, MODEL, MODEL_CARD, RAW
from titanic.versions.health.clone import some
from titanic.versions.repository import git, git_file, locked_outputs, locked_params
from titanic.versions.tags import Bump, Version, next_version, versions


class Artifact(NamedTuple):
    """What has versions of its own: its files, what those who use it rely on, and the params that ask for it."""

    place: Path
    interface: Callable[[Path, str], dict[str, Any]]
    sections: tuple[str, ...]


class Change(NamedTuple):
    """A version that is due; `why` tells what changed since the last one."""

    name: str
    version: str
    why: str


def changes(root: Path, commit: str, bump: Bump | None) -> list[Change]:
    """Return the versions that a commit is due; `bump` overrules the kind that follows from what changed."""
    found = []
    for name, artifact in ARTIFACTS.items():
        last = _last(root, name, commit)
        if last is None:
            found.append(Change(name, next_version(root, name, bump or "major"), "the first version here"))
        elif _files(root, artifact, commit) != _files(root, artifact, last.commit):
            kind, why = _kind(root, artifact, last.commit, commit)
            found.append(Change(name, next_version(root, name, bump or kind), f"{why} since {last.version}"))
    return found


def _last(root: Path, name: str, commit: str) -> Version | None:
    """Return the highest version that a commit descends from, or is itself."""
    below = git(root, "tag", "--merged", commit, "--list", f"{name}@*").split()
    return next((version for version in versions(root, name) if version.tag in below), None)


def _files(root: Path, artifact: Artifact, commit: str) -> dict[str, str]:
    """Return the md5 of each file of an artifact, by path."""
    outputs = locked_outputs(root, commit)
    return {output.path: output.md5 for output in outputs if Path(output.path).is_relative_to(artifact.place)}


def _kind(root: Path, artifact: Artifact, old: str, new: str) -> tuple[Bump, str]:
    """Return major where what users rely on changed, minor where params did, patch where only code or inputs did."""
    if names := _differing(artifact.interface(root, old), artifact.interface(root, new)):
        return "major", f"other columns ({some(names)})"
    if names := _differing(_asked(root, artifact, old), _asked(root, artifact, new)):
        return "minor", f"other params ({some(names)})"
    return "patch", "same columns and params, other content"


def _differing(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [name for name in old | new if name not in old or name not in new or old[name] != new[name]]


def _asked(root: Path, artifact: Artifact, commit: str) -> dict[str, Any]:
    params = locked_params(root, commit)
    return {key: value for key, value in params.items() if key.partition(".")[0] in artifact.sections}


def _columns(root: Path, commit: str) -> dict[str, Any]:
    """Return the type of each column of the clean lists, and whether a cell may be missing."""
    found: dict[str, Any] = {}
    for part in ("train", "test"):
        text = git_file(root, commit, (INTERIM / f"{part}_metadata.yaml").as_posix()) or b"columns: {}"
        columns = YAML(typ="safe", pure=True).load(text)["columns"]
        found |= {f"{part}: {name}": (told["dtype"], told.get("nullable")) for name, told in columns.items()}
    return found


def _signature(root: Path, commit: str) -> dict[str, Any]:
    """Return the type of each column that the model takes."""
    card = json.loads(git_file(root, commit, MODEL_CARD.as_posix()) or b"{}")
    return dict(card.get("input", {}))


ARTIFACTS = {
    "data": Artifact(RAW, _columns, ("dataset",)),
    "survival": Artifact(MODEL, _signature, ("features", "train")),
}
