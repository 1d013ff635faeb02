"""What a version was made of and how good it is, from its commit alone: dvc.lock, metrics, uv.lock, and its tag.

No object of DVC's is read, so that it works in a clone that pulled nothing.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from dvckit.core.addresses import address
from dvckit.core.errors import UserError
from dvckit.core.grid import Grid, Terminal
from dvckit.core.layout import DATA_QUALITY, DIAGNOSTICS, EVALUATION, METRICS, PARAMS, TEST, TRAIN
from dvckit.core.mappings import leaves
from dvckit.registry.tags import Version
from dvckit.repository import shapes
from dvckit.repository.locks import Stages, paths_of, upstream
from dvckit.repository.objects import listing, md5_of
from dvckit.repository.programs import git_files
from dvckit.repository.revision import Revision

WIDE = 1000  # a path or a hash is never cut
SHAPES = {
    METRICS.as_posix(): shapes.METRICS,
    EVALUATION.as_posix(): shapes.EVALUATION,
    DIAGNOSTICS.as_posix(): shapes.DIAGNOSTICS,
    DATA_QUALITY.as_posix(): shapes.QUALITY,
}
NUMBERS = ("rows", "value", "low", "high")


def required(revision: Revision) -> tuple[str, ...]:
    """Return the outputs that describe a version; its pipelines must make each of them."""
    reports = (METRICS, EVALUATION, DIAGNOSTICS, DATA_QUALITY)
    return (revision.model.path, revision.model.card, *(path.as_posix() for path in reports))


def differing(revision: Revision) -> list[str]:
    """Return the files and parameters of a commit that are not those that its locks name.

    So: code, data or a parameter that was changed and committed without a run, a result that was edited, and a file that
    a run has read and neither git nor DVC, with a .dvc file, has.
    """
    outs, files, read = revision.md5s, revision.files(), _read(revision)
    in_git = _in_git(revision, read, files)
    differ = {path for path, md5 in read | set(outs.items()) if {outs.get(path, md5), in_git.get(path, md5)} != {md5}}
    lost = {path for path, _ in read if path not in outs and path not in in_git and not _is_added(path, files)}
    params = dict(leaves(revision.yaml(PARAMS.as_posix())))
    return sorted(map(address, differ | lost)) + sorted(
        key for key, value in revision.params.items() if params.get(key) != value
    )


def check_line_ends(revision: Revision) -> None:
    """UserError where git stores a file with other line ends than it has on disk, where stages read or wrote it.

    git sees no change there, and no run makes the commit agree with its lock.
    """
    contents = _contents(revision, _read(revision), revision.files())
    for name, content in contents.items():
        file = revision.root / name
        if b"\r\n" in content or not file.is_file():
            continue
        if (disk := file.read_bytes()) != content and disk.replace(b"\r\n", b"\n") == content:
            raise UserError(
                f"git stores {name} with other line ends than stages read; "
                f"save it with LF (`sed -i 's/\\r$//' {name}`), then run `dvc repro -P` and commit"
            )


def _read(revision: Revision) -> set[tuple[str, Any]]:
    return {(dep["path"], dep.get("md5")) for stage in revision.stages.values() for dep in stage.get("deps", ())}


def _contents(revision: Revision, read: set[tuple[str, Any]], files: set[str]) -> dict[str, bytes]:
    """Return what git has of the outputs, and of the files and folders that stages read."""
    folders = {path for path, md5 in read if str(md5).endswith(".dir")}
    named = {path for path, _ in read} | set(revision.md5s)
    names = [name for name in files if name in named or folders & {*map(str, PurePosixPath(name).parents)}]
    contents = git_files(revision.root, [(str(revision.commit), name) for name in names])
    return {name: content or b"" for name, content in zip(names, contents, strict=True)}


def _in_git(revision: Revision, read: set[tuple[str, Any]], files: set[str]) -> dict[str, str]:
    """Return the md5 of each of them, and of the folders."""
    md5s = {name: md5_of(content) for name, content in _contents(revision, read, files).items()}
    folders = {path for path, md5 in read if str(md5).endswith(".dir")}
    inside = {
        folder: {name.removeprefix(f"{folder}/"): md5 for name, md5 in md5s.items() if name.startswith(f"{folder}/")}
        for folder in folders
    }
    return md5s | {folder: f"{md5_of(listing(members))}.dir" for folder, members in inside.items() if members}


def _is_added(path: str, files: set[str]) -> bool:
    """Tell whether DVC keeps a file, or a folder that it is in, with a .dvc file."""
    return any(f"{part}.dvc" in files for part in (path, *PurePosixPath(path).parents))


def facts(version: Version) -> dict[str, Any]:
    """Return everything that is known of a version, for JSON; UserError where its commit lacks a result."""
    revision = version.revision
    results = {path: _result(version, path) for path in required(revision)[1:]}
    card, evaluation = results[revision.model.card], results[EVALUATION.as_posix()]
    if revision.model.path not in revision.md5s:  # the tag was made by hand
        raise _incomplete(version, f"no dvc.lock of its commit names {revision.model.path}")
    model = _outputs(revision.stages)[revision.model.path]
    code = {"commit": revision.commit, "repository": revision.repository}
    differs, source, licence = differing(revision), _source(revision), revision.about.get("license")
    return {
        "name": version.name,
        "version": version.version,
        "tag": version.tag,
        "stages": list(version.stages),
        "description": revision.model.description,
        "license": licence if isinstance(licence, str) else None,  # in SPDX's words
        "registered": {"by": version.author, "when": version.when, "message": version.message},
        "code": {**code, "clean": not differs, "differing": differs},
        "data": {"description": _in_words(revision, source), "source": source, "files": _files(revision, results)},
        "model": {**model, "sha256": card["sha256"], "input": card["input"]},
        "target": revision.target,
        "parameters": dict(sorted(revision.params.items())),
        "metrics": results[METRICS.as_posix()],
        "intervals": {part: evaluation[part] for part in ("holdout", "cv")},
        "slices": results[DIAGNOSTICS.as_posix()].get("slices", []),
        "packages": {"main": card["libraries"], "all": revision.packages.needed()},
        "pipeline": {name: _stage(stage) for name, stage in revision.stages.items()},
    }


def _result(version: Version, path: str) -> Any:
    if version.revision.file(path) is None:
        raise _incomplete(version, f"its commit has no {path}")
    return version.revision.report(path, SHAPES.get(path, shapes.CARD))


def check_sound(revision: Revision) -> None:
    """UserError where something that describes a version cannot be read; what it lacks is not looked for.

    In a project that is described as this library does it, each file must also have the shape that it has there.
    """
    from dvckit.tasks.predictions import check_predictions

    complete = {*required(revision)} <= revision.md5s.keys()
    for path in required(revision)[1:]:
        revision.report(path, SHAPES.get(path, shapes.CARD) if complete else shapes.ANY)
    for path in revision.metric_files:
        if revision.file(path) is not None:
            revision.values(path)
    revision.yaml(PARAMS.as_posix())
    revision.packages.needed()
    table = revision.model.predictions
    if table and revision.stored(revision.md5s.get(table, "")):
        check_predictions(revision.table(table), f"{table} {revision.where}")


def _incomplete(version: Version, fault: str) -> UserError:
    return UserError(f"{version.tag} is incomplete: {fault}; register one that `dvc repro -P` made")


def _outputs(stages: Stages) -> dict[str, dict[str, Any]]:
    outs = [out for stage in stages.values() for out in stage.get("outs", ())]
    return {out["path"]: {key: out.get(key) for key in ("path", "md5", "size")} for out in outs}


def _source(revision: Revision) -> dict[str, Any]:
    """Return the parameters of the source, and the md5 of what it read, if it is DVC's or git's."""
    params = {key.partition(".")[2]: value for key, value in revision.params.items() if key.startswith("dataset.")}
    read = {dep["path"]: dep.get("md5") for stage in revision.stages.values() for dep in stage.get("deps", ())}
    return {**params, "md5": read.get(params.get("path"))}


def _in_words(revision: Revision, source: dict[str, Any]) -> str:
    """Say which data these are, as the dataset in dvc.yaml is described, and where they come from."""
    match source:
        case {"source": "synthetic", "rows": rows, "seed": seed}:
            program = f"a program made up {rows} rows from seed {seed}"
            origin = f"synthetic: {program}, and what is learned from them holds for them alone"
        case {"path": path} if source.get("source", "files") == "files":
            origin = f"the user's own files, from the folder {path}"
        case {"source": "web", "mirrors": [mirror, *_]}:
            origin = f"downloaded from {address(mirror)}, or from another mirror with the same sha256"
        case {"source": "kaggle"}:
            origin = "downloaded from Kaggle"
        case _:
            origin = str(source.get("source", "from a source that no parameter names"))
    described = [about.get("desc") for about in revision.artifacts.values() if about.get("type") == "dataset"]
    return f"{next(filter(None, described), 'Data')} ({origin})"


def _files(revision: Revision, results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tables of the stages that read no other's, and of those that make what the model is trained on.

    `rows` is None where no report has it.
    """
    model = revision.model
    stages = upstream(revision.stages, model.path)
    outputs = {name: _outputs({name: stage}) for name, stage in stages.items()}
    inputs = {name: paths_of({name: stage}, "deps") & revision.md5s.keys() for name, stage in stages.items()}
    learned = {path for name in stages if model.path in outputs[name] for path in inputs[name]}
    quality, holdout = results[DATA_QUALITY.as_posix()], results[EVALUATION.as_posix()]["holdout"]["rows"]
    rows = {part: quality[part]["rows"] for part in (TRAIN, TEST) if part in quality}
    raw = {part: of["read"] for part, of in rows.items()}
    accepted = {part: of["accepted"] for part, of in rows.items()}
    split = {**accepted, TRAIN: accepted[TRAIN] - holdout, "holdout": holdout}
    files = {path: (out, raw) for name in stages if not inputs[name] for path, out in outputs[name].items()}
    files |= {path: (out, split) for outs in outputs.values() if learned & outs.keys() for path, out in outs.items()}
    tables = [table for path, table in files.items() if path not in (model.path, model.card)]
    return [{**out, "rows": counts.get(PurePosixPath(out["path"]).stem)} for out, counts in tables]


def _stage(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "command": entry.get("cmd"),
        "inputs": {address(dep["path"]): dep.get("md5") for dep in entry.get("deps", ())},
        "outputs": {out["path"]: out.get("md5") for out in entry.get("outs", ())},
    }


def scores(version: dict[str, Any]) -> Iterator[tuple[str, str, float, Any, Any]]:
    """Yield each score of `facts`: what it is on, its name, its value, and the ends of its interval, or None."""
    for part, values in version["metrics"].items():
        for name, value in values.items():
            interval = version["intervals"].get(part, {}).get(name)
            ends = interval if isinstance(interval, dict) else {}
            yield part, name, value, ends.get("low"), ends.get("high")


def print_facts(version: dict[str, Any]) -> None:
    """Print what `facts` returns for the terminal."""
    console = Terminal(WIDE)
    console.lines(_sentences(version), soft_wrap=True)
    pipeline = [
        (stage, kind, path, md5)
        for stage, about in version["pipeline"].items()
        for kind in ("inputs", "outputs")
        for path, md5 in about[kind].items()
    ]
    data = [(file["path"], file["rows"], file["md5"]) for file in version["data"]["files"]]
    for title, header, rows in (
        ("Data", ("path", "rows", "md5"), data),
        ("Scores, with 95 % intervals", ("on", "score", "value", "low", "high"), scores(version)),
        ("Parameters", ("key", "setting"), version["parameters"].items()),
        ("Packages that the model depends on", ("package", "version"), version["packages"]["main"].items()),
        ("Stages", ("stage", "kind", "path", "md5"), pipeline),
    ):
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
        f"data       {data['description']}",
        f"source     {source}",
        f"model      {model['path']}, sha256 {model['sha256']}",
        f"input      {', '.join(f'{name} {kind}' for name, kind in model['input'].items())}",
    ]
