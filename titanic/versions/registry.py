"""`titanic models`: the versions of the model, who made them, which stage they are in, and what they are made of."""

import json
import tempfile
from pathlib import Path
from typing import Any

from titanic.config import METRICS
from titanic.stage import UserError
from titanic.versions.facts import REQUIRED, WIDE, artifact, differing
from titanic.versions.remote import STORAGE, default_remote, missing_in_remote, take_remotes
from titanic.versions.repository import git, git_files, locked_outputs, locked_stages
from titanic.versions.tables import resolve
from titanic.versions.tags import STAGE, Bump, Version, assign, find_version, next_version, tag_version, versions

SCORES = ("accuracy", "roc_auc")  # of the hold-out, what the list shows


def models(root: Path) -> list[dict[str, Any]]:
    """Return every version, the highest first, with its hold-out scores; a score that git does not have is None."""
    name, _ = artifact(root)
    known = versions(root, name)
    metrics = git_files(root, [(version.commit, METRICS.as_posix()) for version in known])
    return [{**version._asdict(), **_scores(content)} for version, content in zip(known, metrics, strict=True)]


def _scores(content: bytes | None) -> dict[str, float | None]:
    try:
        holdout = json.loads(content or b"{}").get("holdout", {})
    except ValueError:
        holdout = {}
    return {name: holdout.get(name) for name in SCORES}


def register(root: Path, rev: str | None, bump: Bump) -> str:
    """Register a revision, by default HEAD, as the next version of the model; return the tag.

    UserError where it does not stand for itself: HEAD with uncommitted changes to what the pipelines read and write; a
    lock without the model or its scores; code, parameters or results that are not those of the lock; an object that the
    default remote, as the commit has it, lacks; or a revision that is registered already.
    """
    said = rev or "HEAD"
    commit = resolve(root, said)
    name, _ = artifact(root, commit)
    if rev is None:
        _refuse_dirty(root)
    _refuse_incomplete(root, commit, said)
    _refuse_missing(root, commit, said)
    message = git(root, "log", "--max-count=1", "--format=%s", commit).strip()
    return tag_version(root, name, next_version(root, name, bump), said, message)


def _refuse_dirty(root: Path) -> None:
    stages = locked_stages(root).values()
    paths = {entry["path"] for stage in stages for kind in ("deps", "outs") for entry in stage.get(kind, ())}
    files = ["params.yaml", "uv.lock", ":(glob)**/dvc.yaml", ":(glob)**/dvc.lock", *sorted(paths)]
    if changed := git(root, "status", "--porcelain", "--untracked-files=no", "--", *files).splitlines():
        names = ", ".join(line[3:] for line in changed)
        raise UserError(f"a version is a commit, and {names} differ from HEAD; commit them or undo them")


def _refuse_incomplete(root: Path, commit: str, said: str) -> None:
    lacking = set(REQUIRED) - {output.path for output in locked_outputs(root, commit)}
    if lacking:
        raise UserError(f"no dvc.lock at {said} names {', '.join(sorted(lacking))}; run `dvc repro -P` and commit it")
    if differs := differing(root, commit):
        raise UserError(
            f"dvc.lock at {said} was not made from what is committed there: {', '.join(differs)}; "
            "run `dvc repro -P` and commit what it makes"
        )


def _refuse_missing(root: Path, commit: str, said: str) -> None:
    """Ask the default remote in a clone of the commit: of the embedded one, only what is committed reaches others."""
    with tempfile.TemporaryDirectory(prefix="titanic-register-") as folder:
        clone = Path(folder) / "clone"
        git(root, "clone", "--quiet", "--no-checkout", "--", str(root), str(clone))
        git(clone, "checkout", "--quiet", commit)
        take_remotes(root, clone)
        missing, (remote, _) = missing_in_remote(clone), default_remote(clone)
    if missing:
        raise UserError(
            f"the default remote {remote} does not have {', '.join(missing)} of {said}; "
            f"run `dvc push` (and commit {STORAGE}, if it is the embedded one)"
        )


def promote(root: Path, wanted: str, stage: str, *, accept_equal: bool) -> str:
    """Put a version into a stage and return the tag.

    UserError where the version in it is better, by the tests of `titanic compare`, or, unless `accept_equal`, where the
    two cannot be told apart.
    """
    if not STAGE.fullmatch(stage):
        raise UserError(f"{stage!r} is no name of a stage: small letters, digits and hyphens, such as staging or prod")
    name, _ = artifact(root)
    version = find_version(root, name, wanted)
    for held in versions(root, name):
        if stage in held.stages:
            _refuse_no_better(root, version, held, stage, accept_equal=accept_equal)
    return assign(root, version, stage, f"{version.version} to {stage}")


def _refuse_no_better(root: Path, new: Version, old: Version, stage: str, *, accept_equal: bool) -> None:
    from titanic.versions.compare import overall, verdicts

    if new == old:
        raise UserError(f"{new.tag} is in {stage} already")
    found = verdicts(root, new.tag, old.tag)
    verdict = overall(found)
    if verdict == "better" or (verdict == "indistinguishable" and accept_equal):
        return
    contents = git_files(root, [(version.commit, METRICS.as_posix()) for version in (new, old)])
    scores = [json.loads(content or b"{}").get("holdout", {}) for content in contents]
    told = [
        f"hold-out {name} {scores[0].get(name)} against {scores[1].get(name)}: {said}" for name, said in found.items()
    ]
    cure = "`--accept-equal` takes it all the same" if verdict == "indistinguishable" else "it stays as it is"
    judged = "cannot be told from" if verdict == "indistinguishable" else "is worse than"
    raise UserError(f"{new.version} {judged} {old.version}, which is in {stage} ({'; '.join(told)}); {cure}")


def print_models(found: list[dict[str, Any]]) -> None:
    """Print a line for each version of `models`."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("version", "stages", "registered", "by", *SCORES):
        table.add_column(column, justify="right" if column in SCORES else "left", no_wrap=True)
    for version in found:
        scores = ["" if version[name] is None else f"{version[name]:.4f}" for name in SCORES]
        table.add_row(version["version"], " ".join(version["stages"]), version["when"], version["author"], *scores)
    Console(markup=False, emoji=False, highlight=False, width=WIDE).print(table)
