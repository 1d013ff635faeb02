"""What changed between two revisions besides their scores: by dvc.lock, the reports, model.json and uv.lock."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from dvckit.core.addresses import address
from dvckit.core.errors import UserError
from dvckit.core.formats import read_json
from dvckit.core.grid import first
from dvckit.core.layout import DATA_QUALITY
from dvckit.repository import shapes
from dvckit.repository.locks import paths_of
from dvckit.repository.programs import git, in_repository, names_in
from dvckit.repository.revision import Revision

Pair = dict[str, Any]  # {"old": ..., "new": ...}; without the side that has no value


def changes(old: Revision, new: Revision) -> dict[str, dict[str, Any]]:
    """Return what changed from one revision to another, by kind and name.

    `code` has the files that stages depend on, with the numbers of lines that git gives for commits and work tree.
    """
    return {
        "params": _pairs(old.params, new.params),
        "data": _pairs(dict(_data(old)), dict(_data(new))),
        "features": _pairs(_inputs(old), _inputs(new)),
        "code": _lines(old, new, sorted(_pairs(_code(old), _code(new)))),
        "packages": _pairs(old.packages.versions, new.packages.versions),
    }


def data_source(revision: Revision) -> str:
    """Return the source of a revision's data, by its parameters, or else the hash of the data."""
    path = revision.params.get("dataset.path")
    source = revision.params.get("dataset.source", "files" if path else None)
    if source is not None:
        return f"files in {path}" if source == "files" else str(source)
    return first([f"{path} ({about['md5'][:7]})" for path, about in _data(revision)]) or "unknown"


def _pairs(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Pair]:
    """Return the items that differ."""
    sides = {"old": old, "new": new}
    return {
        name: {side: values[name] for side, values in sides.items() if name in values}
        for name in {**old, **new}
        if name not in old or name not in new or old[name] != new[name]
    }


def _data(revision: Revision) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what the pipelines start from with its md5, and the number of its rows if a report has it.

    So: what `dvc add` tracks, the outputs of stages that read no other's, and what they read of folders for data.
    """
    report = _mapping(revision, DATA_QUALITY.as_posix())
    stages, outs = revision.stages, revision.md5s.keys()
    first_ones = {name for name, stage in stages.items() if not paths_of({name: stage}, "deps") & outs}
    files = {output.path: output.md5 for output in revision.outputs if output.stage in first_ones}
    files |= {path: md5 for path, md5 in _read(revision).items() if _is_data(path)}
    for path, md5 in sorted((files | {output.path: output.md5 for output in revision.added}).items()):
        rows = _rows(report, PurePosixPath(path).stem)
        yield path, {"md5": md5, **({} if rows is None else {"rows": rows})}


def _read(revision: Revision) -> dict[str, str]:
    """Return the md5 of the files and folders that stages read and no stage writes."""
    outs = revision.md5s
    deps = [dep for stage in reversed(revision.stages.values()) for dep in stage.get("deps", ())]
    return {address(dep["path"]): dep.get("md5", "") for dep in deps if dep["path"] not in outs}


def _is_data(path: str) -> bool:
    return "data" in PurePosixPath(path).parts or PurePosixPath(path).suffix in (".csv", ".tsv", ".parquet")


def _mapping(revision: Revision, path: str) -> dict[str, Any]:
    """Return a JSON file of git's as a mapping; empty where it is not there, or something else."""
    with suppress(UserError):
        content = read_json(revision.file(path) or b"{}")
        return content if isinstance(content, dict) else {}
    return {}


def _rows(report: dict[str, Any], table: str) -> Any:
    """Return how many rows of a table were read; None where the report does not say."""
    with suppress(UserError):
        return shapes.fit(shapes.ROWS, report.get(table))["rows"]["read"]
    return None


def _inputs(revision: Revision) -> dict[str, str]:
    """Return the columns that the model was trained on, with their types."""
    inputs = _mapping(revision, revision.model.card).get("input")
    return inputs if isinstance(inputs, dict) else {}


def _code(revision: Revision) -> dict[str, str]:
    """Return the md5 of the files and folders of code that the stages depended on when they ran."""
    added = {output.path for output in revision.added}
    return {path: md5 for path, md5 in _read(revision).items() if path not in added and not _is_data(path)}


def _lines(old: Revision, new: Revision, paths: list[str]) -> dict[str, Any]:
    """Return the lines that were added to and removed from each file; of a folder, from each of its files."""
    if not (paths := in_repository(old.root, paths)):
        return {}
    # without a second commit, git compares with the work tree
    between = [old.commit, *filter(None, [new.commit])] if old.commit else ["-R", str(new.commit)]
    options = ("--numstat", "--no-renames", "--relative", "-z")
    listed = names_in(git(old.root, "diff", *options, *map(str, between), "--", *paths))
    counts = [line.split("\t") for line in listed]
    unseen = [["0", "0", path] for path in paths if not any(name.startswith(path) for _, _, name in counts)]
    return {
        path: {"added": int(added), "removed": int(removed)}
        for added, removed, path in sorted([*counts, *unseen], key=lambda count: count[2])
        if added.isdigit()
    }
