"""What changed in data and model since their last versions, and which part of the number that raises."""

from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from dvckit.core.errors import UserError
from dvckit.core.formats import read_json
from dvckit.core.grid import first
from dvckit.core.layout import TEST, TRAIN
from dvckit.registry.tags import Bump, Version, in_tag, next_version, versions
from dvckit.repository import shapes
from dvckit.repository.locks import params_of, upstream
from dvckit.repository.programs import git
from dvckit.repository.revision import Revision

FEW = 8  # names in a sentence


def tags_due(root: Path, commit: str, bump: Bump | None) -> dict[str, str]:
    """Return the tags of the versions that a commit is due, each with what changed since the last one.

    The datasets and models among the `artifacts` of dvc.yaml have versions. `bump` overrules the part of the number that
    follows from the change.
    """
    new, tags = Revision(root, commit), {}
    for name, about in new.artifacts.items():
        if about.get("type") not in ("dataset", "model"):
            continue
        last = _last(root, name, commit)
        if last and _files(last.revision, about) == _files(new, about):
            continue
        part, why = _change(last, new, about)
        tags[f"{in_tag(name)}@{next_version(root, name, bump or part)}"] = why
    return tags


def _last(root: Path, name: str, commit: str) -> Version | None:
    """Return the highest version that a commit descends from, or is itself."""
    below = git(root, "tag", "--merged", commit, "--list", f"{in_tag(name)}@*").split()
    return next((version for version in versions(root, name) if version.tag in below), None)


def _files(revision: Revision, about: dict[str, Any]) -> dict[str, str]:
    """Return the md5 of each file of an artifact: a model's own, all of the folder that a dataset is in."""
    place = Path(about["path"]) if about["type"] == "model" else Path(about["path"]).parent
    return {path: md5 for path, md5 in revision.md5s.items() if Path(path).is_relative_to(place)}


def _change(last: Version | None, new: Revision, about: dict[str, Any]) -> tuple[Bump, str]:
    """Return major where what users rely on changed, minor where params did, patch where only code or inputs did."""
    if last is None:
        return "major", "the first version here"
    old = last.revision
    if names := _differing(_interface(old, about), _interface(new, about)):
        return "major", f"other columns ({first(names, FEW)}) since {last.version}"
    if names := _differing(_params(old, about), _params(new, about)):
        return "minor", f"other params ({first(names, FEW)}) since {last.version}"
    return "patch", f"same columns and params, other content since {last.version}"


def _differing(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [name for name in old | new if name not in old or name not in new or old[name] != new[name]]


def _interface(revision: Revision, about: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that users rely on: a model's input; type and nullability in the clean tables of a dataset."""
    if about["type"] == "model":
        return _input(revision, about)
    return {
        f"{part}: {name}": (column.get("dtype"), column.get("nullable"))
        for part in (TRAIN, TEST)
        for name, column in revision.columns(part).items()
    }


def _input(revision: Revision, about: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that a model's card names, a JSON file beside it; none without one."""
    with suppress(UserError):  # any file may have this name
        content = revision.file(PurePosixPath(about["path"]).with_suffix(".json").as_posix())
        return dict(shapes.fit(shapes.INPUT, read_json(content or b"{}"))["input"])
    return {}


def _params(revision: Revision, about: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that an artifact is made with: of its stage and those before, up to the dataset's for a model."""
    stages = upstream(revision.stages, about["path"])
    if about["type"] == "model":
        datasets = [other["path"] for other in revision.artifacts.values() if other.get("type") == "dataset"]
        before = {name for path in datasets for name in upstream(revision.stages, path)}
        stages = {name: stage for name, stage in stages.items() if name not in before}
    return params_of(stages)
