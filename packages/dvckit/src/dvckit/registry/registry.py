"""`dvckit models`: the versions of the model, and which of them are in which stage."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dvckit.core.errors import UserError
from dvckit.core.grid import Grid, Terminal
from dvckit.core.layout import PARAMS
from dvckit.registry.facts import check_line_ends, check_sound, differing, required
from dvckit.registry.tags import STAGE, Bump, Version, assign, model_version, tag_version, versioning, versions
from dvckit.repository.locks import fresh_stages, paths_of
from dvckit.repository.objects import STORAGE
from dvckit.repository.packages import UV_LOCK
from dvckit.repository.programs import git, git_files, in_repository, names_in
from dvckit.repository.remotes import cloned, missing_in_remote
from dvckit.repository.revision import Revision
from dvckit.repository.values import numbers, parsed

PREFIX = "holdout."
SHOWN = 2  # scores of the hold-out that the list of versions shows


def models(root: Path) -> list[tuple[Version, dict[str, float]]]:
    """Return every version, the highest first, with its first scores, of the hold-out where its metrics name one.

    One of which something cannot be read says so, and has no scores.
    """
    history = versions(root, Revision(root, "HEAD").model.name)
    return [
        (version._replace(fault=version.fault or fault), dict(list(scores.items())[:SHOWN]))
        for version, (scores, fault) in zip(history, _holdout(root, history), strict=True)
    ]


def _holdout(root: Path, history: list[Version]) -> list[tuple[dict[str, float], str]]:
    """Return the scores of each version in the files of metrics that HEAD names, and which of them cannot be read.

    There are none where its commit has none in git.
    """
    paths = _metric_files(Revision(root, "HEAD"))
    contents = iter(git_files(root, [(str(version.revision.commit), path) for version in history for path in paths]))
    scores = []
    for _ in history:
        files: dict[str, Any] = {}
        fault = ""
        for path, content in zip(paths, contents, strict=False):
            try:
                files[path] = {} if content is None else parsed(path, content)
            except UserError as error:
                fault = fault or f"{path} cannot be read: {error}"
        found = numbers(files)
        of_holdout = {key: value for key, value in found.items() if key.startswith(PREFIX)}
        scores.append(({key.removeprefix(PREFIX): value for key, value in (of_holdout or found).items()}, fault))
    return scores


def _metric_files(revision: Revision) -> list[str]:
    """Return the files of metrics; folders of them remain folders where a lock cannot be read, which is not needed here."""
    try:
        return revision.metric_files
    except UserError:
        return [path for pipeline in revision.pipelines for path in pipeline.metrics]


def register(root: Path, rev: str | None, bump: Bump) -> str:
    """Register a revision, by default HEAD, as the next version of the model; return the tag.

    UserError where it does not stand for itself: HEAD with uncommitted changes to what the pipelines read and write; a
    lock without the model or its scores; code, parameters or results that are not those of the lock; an object that the
    default remote, as the commit has it, lacks; or a revision that is registered already.
    """
    revision = Revision(root, rev or "HEAD")
    name = revision.model.name
    with versioning(root):
        if rev is None:
            _refuse_dirty(root)
        _refuse_incomplete(revision)
        check_sound(revision)
        _refuse_missing(revision)
        message = git(root, "log", "--max-count=1", "--format=%s", str(revision.commit)).strip()
        return tag_version(revision, name, bump, message)


def _refuse_dirty(root: Path) -> None:
    paths = in_repository(root, paths_of(Revision(root).stages, "deps", "outs"))
    files = [str(PARAMS), UV_LOCK, ":(glob)**/dvc.yaml", ":(glob)**/dvc.lock", *paths]
    if changed := names_in(
        git(root, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=no", "--", *files)
    ):
        names = ", ".join(line[3:] for line in changed)
        raise UserError(f"a version is a commit, and {names} differ from HEAD; commit them or undo them")


def _refuse_incomplete(revision: Revision) -> None:
    if missing := set(required(revision)) - set(revision.md5s):
        where = f"no dvc.lock {revision.where} names {', '.join(sorted(missing))}"
        raise UserError(f"{where}; run `dvc repro -P` and commit it")
    if late := sorted(revision.stages.keys() - fresh_stages(revision.stages).keys()):
        raise UserError(
            f"{', '.join(late)} {revision.where} ran before what they read was made, as after `dvc exp apply`; "
            "run `dvc repro -P` and commit what it makes"
        )
    if differs := differing(revision):
        check_line_ends(revision)
        raise UserError(
            f"dvc.lock {revision.where} was not made from what is committed there: {', '.join(differs)}; "
            "run `dvc repro -P` and commit what it makes"
        )


def _refuse_missing(revision: Revision) -> None:
    """Ask the default remote in a clone of the commit: of the embedded one, only what is committed reaches others."""
    with cloned(revision.root, str(revision.commit)) as clone:
        missing = [*missing_in_remote(clone, revision.all_md5s), *_lists_lost(Revision(clone))]
    if missing:
        raise UserError(
            f"the default remote {revision.default_remote[0]} does not have {', '.join(missing)} of {revision.name}; "
            f"run `dvc push` (and commit {STORAGE}, if it is the embedded one)"
        )


def _lists_lost(clone: Revision) -> Iterator[str]:
    """Yield the folders whose list of files no remote has: of these `dvc status --cloud` says nothing."""
    for path in clone.all_md5s:
        try:
            clone.members(path)
        except UserError as error:
            if "run `dvc push`" not in str(error):
                raise
            yield path


def promote(root: Path, selector: str, stage: str, *, accept_equal: bool) -> str:
    """Put a version into a stage and return the tag.

    UserError where the version in it is better, by the tests of `dvckit compare`, or, unless `accept_equal`, where the
    two cannot be told apart.
    """
    if not STAGE.fullmatch(stage):
        raise UserError(f"{stage!r} is not a stage: use small letters, digits and hyphens, such as staging or prod")
    version = model_version(root, selector)
    check_sound(version.revision)
    with versioning(root):  # so that what is compared with is what is replaced
        for current in versions(root, version.name):
            if stage in current.stages:
                _refuse_no_better(version, current, stage, accept_equal=accept_equal)
        return assign(version, stage)


def _refuse_no_better(new: Version, old: Version, stage: str, *, accept_equal: bool) -> None:
    from dvckit.compare.compare import BETTER, INDISTINGUISHABLE, compare_revisions

    if new.tag == old.tag:
        raise UserError(f"{new.tag} is in {stage} already")
    (candidate,) = compare_revisions([old.revision, new.revision]).candidates
    by_metric, verdict = {test.metric.name: test.verdict for test in candidate.tests}, candidate.overall
    equal = verdict == INDISTINGUISHABLE
    if verdict == BETTER or (equal and accept_equal):
        return
    (ours, _), (theirs, _) = _holdout(new.revision.root, [new, old])
    tests = [f"hold-out {name} {ours.get(name)} against {theirs.get(name)}: {by_metric[name]}" for name in by_metric]
    raise UserError(
        f"{new.version} {'cannot be told from' if equal else 'is worse than'} {old.version}, which is in {stage} "
        f"({'; '.join(tests)}); {'pass `--accept-equal` to promote it all the same' if equal else 'nothing was changed'}"
    )


def print_models(entries: list[tuple[Version, dict[str, float]]]) -> None:
    """Print a line for each version of `models`."""
    names = [*dict.fromkeys(name for _, scores in entries for name in scores)]
    broken = any(version.fault for version, _ in entries)
    rows = [
        [version.version, " ".join(version.stages), version.when, version.author]
        + [f"{scores[name]:.4f}" if name in scores else "" for name in names]
        + ([version.fault] if broken else [])
        for version, scores in entries
    ]
    header = ["version", "stages", "registered", "by", *names, *(["broken"] if broken else [])]
    Grid("", header, rows, numeric=names).print(Terminal())
