"""What a version was made of and how good it is, from its commit alone: dvc.lock, metrics, uv.lock, and its tag.

No object of DVC's is read, so that it works in a clone that pulled nothing.
"""

import json
import re
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from dvckit.core.errors import UserError
from dvckit.core.grid import Grid, terminal
from dvckit.core.layout import DATA_QUALITY, DIAGNOSTICS, EVALUATION, METRICS, PARAMS, PROCESSED, RAW, TEST, TRAIN
from dvckit.core.mappings import leaves
from dvckit.registry.tags import Version
from dvckit.repository.objects import listing, md5_of
from dvckit.repository.programs import git, git_files
from dvckit.repository.revision import Revision

WIDE = 1000  # a path or a hash is never cut
NUMBERS = ("rows", "value", "low", "high")


def required(revision: Revision) -> tuple[str, ...]:
    """Return the outputs that describe a version; its pipelines must make each of them."""
    reports = (METRICS, EVALUATION, DIAGNOSTICS, DATA_QUALITY)
    return (revision.model.path, revision.model.card, *(path.as_posix() for path in reports))


def differing(revision: Revision) -> list[str]:
    """Return the files and parameters of a commit that are not those that its locks name.

    So: code, data or a parameter that was changed and committed without a run, a result that was edited, and a file that
    a run has read and nobody has committed.
    """
    read = [dep for stage in revision.stages.values() for dep in stage.get("deps", ())]
    made = revision.md5s
    named = sorted({*((dep["path"], dep.get("md5")) for dep in read), *made.items()}, key=str)
    blobs = git_files(revision.root, [(str(revision.commit), path) for path, _ in named])
    found = {
        path
        for (path, md5), blob in zip(named, blobs, strict=True)
        if made.get(path, md5) != md5 or (blob is not None and md5_of(blob) != md5)
    }
    committed = revision.files()
    found |= {dep["path"] for dep in read if dep.get("md5", "").endswith(".dir") and _differs(revision, dep, committed)}
    found |= {dep["path"] for dep in read if dep["path"] not in made and not _is_kept(dep, committed)}
    params = dict(leaves(revision.yaml(PARAMS.as_posix())))
    return sorted(found) + sorted(key for key, value in revision.params.items() if params.get(key) != value)


def _differs(revision: Revision, folder: dict[str, Any], committed: set[str]) -> bool:
    """Tell whether a folder that a stage read has other files in git now; one that git does not have is DVC's."""
    names = [name for name in committed if name.startswith(f"{folder['path']}/")]
    blobs = git_files(revision.root, [(str(revision.commit), name) for name in names])
    md5s = {
        name.removeprefix(f"{folder['path']}/"): md5_of(blob or b"") for name, blob in zip(names, blobs, strict=True)
    }
    return bool(names) and f"{md5_of(listing(md5s))}.dir" != folder["md5"]


def _is_kept(dep: dict[str, Any], committed: set[str]) -> bool:
    """Tell whether git, or DVC with a .dvc file, has what a stage read; of a folder of git's, the count is compared."""
    path = PurePosixPath(dep["path"])
    if str(path) in committed or any(f"{part}.dvc" in committed for part in (path, *path.parents)):
        return True
    return sum(name.startswith(f"{path}/") for name in committed) == dep.get("nfiles")


def facts(version: Version, root: Path) -> dict[str, Any]:
    """Return everything that is known of a version, for JSON; UserError where its commit lacks a result."""
    revision = version.revision(root)
    results = {path: _result(revision, version, path) for path in required(revision)[1:]}
    card, evaluation = results[revision.model.card], results[EVALUATION.as_posix()]
    differs = differing(revision)
    return {
        "name": version.name,
        "version": version.version,
        "tag": version.tag,
        "stages": list(version.stages),
        "description": revision.model.description,
        "license": _licence(revision),
        "registered": {"by": version.author, "when": version.when, "message": version.message},
        "code": {"commit": version.commit, "repository": repository(root), "clean": not differs, "differing": differs},
        "data": {"source": _source(revision), "files": _files(revision, results)},
        "model": {**_outputs(revision)[revision.model.path], "sha256": card["sha256"], "input": card["input"]},
        "target": revision.target,
        "parameters": dict(sorted(revision.params.items())),
        "metrics": results[METRICS.as_posix()],
        "intervals": {part: evaluation[part] for part in ("holdout", "cv")},
        "slices": results[DIAGNOSTICS.as_posix()]["slices"],
        "packages": {"main": card["libraries"], "all": revision.packages.needed()},
        "pipeline": {name: _stage(stage) for name, stage in revision.stages.items()},
    }


def _result(revision: Revision, version: Version, path: str) -> Any:
    try:
        return json.loads(revision.file(path) or b"")
    except ValueError:
        raise UserError(
            f"{version.tag} is incomplete: its commit has no {path}; register one that `dvc repro -P` made"
        ) from None


def _outputs(revision: Revision) -> dict[str, dict[str, Any]]:
    outs = [out for stage in revision.stages.values() for out in stage.get("outs", ())]
    return {out["path"]: {"path": out["path"], "md5": out["md5"], "size": out["size"]} for out in outs}


def _source(revision: Revision) -> dict[str, Any]:
    """Return the parameters of the source, and the md5 of what it read, if it is DVC's or git's."""
    params = {key.partition(".")[2]: value for key, value in revision.params.items() if key.startswith("dataset.")}
    read = {dep["path"]: dep.get("md5") for stage in revision.stages.values() for dep in stage.get("deps", ())}
    return {**params, "md5": read.get(params.get("path"))}


def _files(revision: Revision, results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the raw tables and those that the model was trained and scored on; `rows` is None where no report has it."""
    quality, holdout = results[DATA_QUALITY.as_posix()], results[EVALUATION.as_posix()]["holdout"]["rows"]
    labelled, test = (quality[part]["rows"] for part in (TRAIN, TEST))
    rows = {
        RAW / "train.csv": labelled["read"],
        RAW / "test.csv": test["read"],
        PROCESSED / "train.parquet": labelled["accepted"] - holdout,
        PROCESSED / "holdout.parquet": holdout,
        PROCESSED / "test.parquet": test["accepted"],
    }
    outs = [out for path, out in _outputs(revision).items() if Path(path) in rows or Path(path).parent == RAW]
    return [{**out, "rows": rows.get(Path(out["path"]))} for out in outs]


def _stage(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "command": entry["cmd"],
        "inputs": {dep["path"]: dep.get("md5") for dep in entry.get("deps", ())},
        "outputs": {out["path"]: out["md5"] for out in entry.get("outs", ())},
    }


def _licence(revision: Revision) -> str | None:
    """Return the licence as pyproject.toml names it, in SPDX's words."""
    licence = tomllib.loads((revision.file("pyproject.toml") or b"").decode()).get("project", {}).get("license")
    return licence if isinstance(licence, str) else None


def repository(root: Path) -> str | None:
    """Return where the code is fetched from, without a password or token; None without a remote or for a local one."""
    try:
        url = git(root, "remote", "get-url", "origin").strip()
    except UserError:
        return None
    if "://" not in url:
        return url if re.match(r"[\w.-]+@[\w.-]+:", url) else None
    parts = urlsplit(url)
    if parts.scheme == "file":
        return None
    user, _, host = parts.netloc.rpartition("@")
    name = user.partition(":")[0] if parts.scheme == "ssh" else ""
    return parts._replace(netloc=f"{name}@{host}" if name else host).geturl()


def print_facts(version: dict[str, Any]) -> None:
    """Print what `facts` returns for the terminal."""
    console = terminal(WIDE)
    console.print("\n".join(_sentences(version)), soft_wrap=True)
    for title, (header, rows) in _tables(version).items():
        cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
        console.print(f"\n{title}")
        Grid("", header, cells, numeric=NUMBERS).print(console)


def _sentences(version: dict[str, Any]) -> list[str]:
    registered, code, data, model = (version[name] for name in ("registered", "code", "data", "model"))
    differing_from = f"dvc.lock was not made from {', '.join(code['differing'])}"
    stages = f" ({', '.join(version['stages'])})" if version["stages"] else ""
    source = ", ".join(f"{key} {value}" for key, value in data["source"].items() if not isinstance(value, list))
    return [
        f"{version['name']} {version['version']}{stages}: {version['description']}",
        f"registered {registered['when']} by {registered['by']}: {registered['message']}",
        f"code       {code['commit']}, {'clean' if code['clean'] else differing_from}",
        f"repository {code['repository'] or 'none but this clone'}",
        f"source     {source}",
        f"model      {model['path']}, sha256 {model['sha256']}",
        f"input      {', '.join(f'{name} {kind}' for name, kind in model['input'].items())}",
    ]


def _tables(version: dict[str, Any]) -> dict[str, tuple[tuple[str, ...], list[tuple[Any, ...]]]]:
    main = version["packages"]["main"]
    scores = [
        (part, name, value, *_ends(version["intervals"].get(part, {}).get(name)))
        for part, values in version["metrics"].items()
        for name, value in values.items()
    ]
    pipeline = [
        (stage, kind, path, md5)
        for stage, about in version["pipeline"].items()
        for kind in ("inputs", "outputs")
        for path, md5 in about[kind].items()
    ]
    return {
        "Data": (
            ("path", "rows", "md5"),
            [(file["path"], file["rows"], file["md5"]) for file in version["data"]["files"]],
        ),
        "Scores, with 95 % intervals": (("on", "score", "value", "low", "high"), scores),
        "Parameters": (("key", "setting"), list(version["parameters"].items())),
        "Packages that the model depends on": (("package", "version"), list(main.items())),
        "Stages": (("stage", "kind", "path", "md5"), pipeline),
    }


def _ends(interval: dict[str, float] | None) -> tuple[float | None, float | None]:
    return (interval["low"], interval["high"]) if isinstance(interval, dict) else (None, None)
