"""What a version was made of and how good it is, told by its commit alone: dvc.lock, metrics, uv.lock, and its tag.

No object of DVC's is read, so that it works in a clone that pulled nothing.
"""

import hashlib
import json
import re
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from ruamel.yaml import YAML

from titanic.config import (
    DATA_QUALITY,
    DIAGNOSTICS,
    EVALUATION,
    METRICS,
    MODEL,
    MODEL_CARD,
    PARAMS,
    PROCESSED,
    RAW,
    leaves,
)
from titanic.stage import UserError
from titanic.versions.repository import git, git_file, git_files, locked_params, locked_stages
from titanic.versions.tags import Version

# What a version is told by; each has to be an output of its pipelines.
REQUIRED = tuple(path.as_posix() for path in (MODEL, MODEL_CARD, METRICS, EVALUATION, DIAGNOSTICS, DATA_QUALITY))
PACKAGES = "uv.lock"

WIDE = 1000  # a path or a hash is never cut
NUMBERS = ("rows", "value", "low", "high")

_Need = tuple[str, tuple[str, ...]]  # a package, with the extras that are asked for


def artifact(root: Path, rev: str = "HEAD") -> tuple[str, dict[str, Any]]:
    """Return the name of the model in the `artifacts` of dvc.yaml, and what stands there; UserError where there is none."""
    told = YAML(typ="safe", pure=True).load(git_file(root, rev, "dvc.yaml") or b"{}")
    for name, about in (told.get("artifacts") or {}).items():
        if about["path"] == MODEL.as_posix():
            return str(name), about
    raise UserError(
        f"dvc.yaml at {rev} names no artifact with the path {MODEL}; add it under `artifacts` and commit it"
    )


def differing(root: Path, commit: str) -> list[str]:
    """Return the files and parameters of a commit that are not those that its locks name.

    So: code, data or a parameter that was changed and committed without a run, a result that was edited, and a file that
    a run has read and nobody has committed.
    """
    stages = locked_stages(root, commit).values()
    made = {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", ())}
    read = [dep for stage in stages for dep in stage.get("deps", ())]
    named = sorted({*((dep["path"], dep.get("md5")) for dep in read), *made.items()})
    blobs = git_files(root, [(commit, path) for path, _ in named])
    found = {
        path
        for (path, md5), blob in zip(named, blobs, strict=True)
        if made.get(path, md5) != md5 or (blob is not None and hashlib.md5(blob).hexdigest() != md5)  # noqa: S324 - DVC's
    }
    listed = git(root, "-c", "core.quotePath=false", "ls-tree", "-r", "--name-only", commit)
    committed = set(listed.splitlines())
    found |= {dep["path"] for dep in read if dep["path"] not in made and not _is_kept(dep, committed)}
    return sorted(found) + _differing_params(root, commit)


def _is_kept(dep: dict[str, Any], committed: set[str]) -> bool:
    """Return whether git, or DVC by a .dvc file, has what a stage has read; of a folder of git's, the count is looked at."""
    path = PurePosixPath(dep["path"])
    if str(path) in committed or any(f"{part}.dvc" in committed for part in (path, *path.parents)):
        return True
    return sum(name.startswith(f"{path}/") for name in committed) == dep.get("nfiles")


def _differing_params(root: Path, commit: str) -> list[str]:
    now = dict(leaves(YAML(typ="safe", pure=True).load(git_file(root, commit, PARAMS.as_posix()) or b"{}")))
    return sorted(key for key, value in locked_params(root, commit).items() if now.get(key) != value)


def facts(root: Path, version: Version) -> dict[str, Any]:
    """Return everything that is known of a version, for JSON; UserError where its commit lacks a result."""
    commit = version.commit
    _, about = artifact(root, commit)
    results = {path: _result(root, version, path) for path in REQUIRED[1:]}
    card, evaluation = results[MODEL_CARD.as_posix()], results[EVALUATION.as_posix()]
    stages, params = locked_stages(root, commit), locked_params(root, commit)
    differs = differing(root, commit)
    return {
        "name": version.name,
        "version": version.version,
        "tag": version.tag,
        "stages": list(version.stages),
        "description": about.get("desc", ""),
        "license": _licence(root, commit),
        "registered": {"by": version.author, "when": version.when, "message": version.message},
        "code": {"commit": commit, "repository": repository(root), "clean": not differs, "differing": differs},
        "data": {"source": _source(stages, params), "files": _files(stages, results)},
        "model": {**_outputs(stages)[MODEL.as_posix()], "sha256": card["sha256"], "input": card["input"]},
        "parameters": dict(sorted(params.items())),
        "metrics": results[METRICS.as_posix()],
        "intervals": {part: evaluation[part] for part in ("holdout", "cv")},
        "slices": results[DIAGNOSTICS.as_posix()]["slices"],
        "packages": {"main": card["libraries"], "all": packages(root, commit)},
        "pipeline": {name: _stage(stage) for name, stage in stages.items()},
    }


def _result(root: Path, version: Version, path: str) -> Any:
    content = git_file(root, version.commit, path)
    try:
        return json.loads(content or b"")
    except ValueError:
        raise UserError(
            f"{version.tag} tells too little: its commit has no {path}; register one that `dvc repro -P` made"
        ) from None


def _outputs(stages: dict[str, Any]) -> dict[str, dict[str, Any]]:
    outs = [out for stage in stages.values() for out in stage.get("outs", ())]
    return {out["path"]: {"path": out["path"], "md5": out["md5"], "size": out["size"]} for out in outs}


def _source(stages: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of the source, and the md5 of what it read, if it is DVC's or git's."""
    told = {key.partition(".")[2]: value for key, value in params.items() if key.startswith("dataset.")}
    read = {dep["path"]: dep.get("md5") for stage in stages.values() for dep in stage.get("deps", ())}
    return {**told, "md5": read.get(told.get("path"))}


def _files(stages: dict[str, Any], results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the raw lists and the tables that were learned from and scored on; `rows` is None where no report has it."""
    quality, holdout = results[DATA_QUALITY.as_posix()], results[EVALUATION.as_posix()]["holdout"]["rows"]
    labelled, test = (quality[part]["rows"] for part in ("train", "test"))
    rows = {
        RAW / "train.csv": labelled["read"],
        RAW / "test.csv": test["read"],
        PROCESSED / "train.parquet": labelled["accepted"] - holdout,
        PROCESSED / "holdout.parquet": holdout,
        PROCESSED / "test.parquet": test["accepted"],
    }
    listed = [out for path, out in _outputs(stages).items() if Path(path) in rows or Path(path).parent == RAW]
    return [{**out, "rows": rows.get(Path(out["path"]))} for out in listed]


def _stage(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "command": told["cmd"],
        "inputs": {dep["path"]: dep.get("md5") for dep in told.get("deps", ())},
        "outputs": {out["path"]: out["md5"] for out in told.get("outs", ())},
    }


def _licence(root: Path, commit: str) -> str | None:
    """Return the licence as pyproject.toml names it in SPDX's words."""
    told = tomllib.loads((git_file(root, commit, "pyproject.toml") or b"").decode()).get("project", {}).get("license")
    return told if isinstance(told, str) else None


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


def packages(root: Path, commit: str) -> dict[str, str]:
    """Return the version of each package that the project runs with, by uv.lock: not those of its extras and tests."""
    listed = tomllib.loads((git_file(root, commit, PACKAGES) or b"").decode()).get("package", [])
    known = {package["name"]: package for package in listed}
    reached: set[_Need] = set()
    waiting: set[_Need] = {(name, ()) for name, package in known.items() if "editable" in package["source"]}
    while waiting:
        reached |= waiting
        waiting = {need for name, extras in waiting for need in _needs(known[name], extras)} - reached
    return {
        name: known[name]["version"] for name in sorted({n for n, _ in reached}) if "registry" in known[name]["source"]
    }


def _needs(package: dict[str, Any], extras: tuple[str, ...]) -> list[_Need]:
    needs = list(package.get("dependencies", ()))
    needs += [need for extra in extras for need in package.get("optional-dependencies", {}).get(extra, ())]
    return [(need["name"], tuple(need.get("extra", ()))) for need in needs]


def print_facts(told: dict[str, Any]) -> None:
    """Print what `facts` returns for the terminal."""
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, emoji=False, highlight=False, width=WIDE)
    console.print("\n".join(_sentences(told)))
    for title, (header, rows) in _tables(told).items():
        table = Table(box=None, pad_edge=False)
        for column in header:
            table.add_column(column, no_wrap=True, justify="right" if column in NUMBERS else "left")
        for row in rows:
            table.add_row(*("" if cell is None else str(cell) for cell in row))
        console.print(f"\n{title}")
        console.print(table)


def _sentences(told: dict[str, Any]) -> list[str]:
    registered, code, data, model = (told[name] for name in ("registered", "code", "data", "model"))
    differing_from = f"not what dvc.lock was made from: {', '.join(code['differing'])}"
    stages = f" ({', '.join(told['stages'])})" if told["stages"] else ""
    source = ", ".join(f"{key} {value}" for key, value in data["source"].items() if not isinstance(value, list))
    return [
        f"{told['name']} {told['version']}{stages}: {told['description']}",
        f"registered {registered['when']} by {registered['by']}: {registered['message']}",
        f"code       {code['commit']}, {'clean' if code['clean'] else differing_from}",
        f"repository {code['repository'] or 'none but this clone'}",
        f"source     {source}",
        f"model      {model['path']}, sha256 {model['sha256']}",
        f"input      {', '.join(f'{name} {kind}' for name, kind in model['input'].items())}",
    ]


def _tables(told: dict[str, Any]) -> dict[str, tuple[tuple[str, ...], list[tuple[Any, ...]]]]:
    main = told["packages"]["main"]
    scores = [
        (part, name, value, *_ends(told["intervals"].get(part, {}).get(name)))
        for part, values in told["metrics"].items()
        for name, value in values.items()
    ]
    pipeline = [
        (stage, kind, path, md5)
        for stage, about in told["pipeline"].items()
        for kind in ("inputs", "outputs")
        for path, md5 in about[kind].items()
    ]
    return {
        "Data": (
            ("path", "rows", "md5"),
            [(file["path"], file["rows"], file["md5"]) for file in told["data"]["files"]],
        ),
        "Scores, with 95 % intervals": (("on", "score", "value", "low", "high"), scores),
        "Parameters": (("key", "setting"), list(told["parameters"].items())),
        "Packages that the model depends on": (("package", "version"), list(main.items())),
        "Stages": (("stage", "kind", "path", "md5"), pipeline),
    }


def _ends(interval: dict[str, float] | None) -> tuple[float | None, float | None]:
    return (interval["low"], interval["high"]) if isinstance(interval, dict) else (None, None)
