"""`dvckit verify`: whether HEAD gives, from nothing and on this machine, the outputs that its dvc.lock promises."""

import platform
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from dvckit.core.errors import UserError
from dvckit.core.grid import counted, first
from dvckit.repository.locks import Output, is_of_dvc_0, is_old, parse
from dvckit.repository.objects import output_md5
from dvckit.repository.packages import UV_LOCK
from dvckit.repository.pipelines import outs_of
from dvckit.repository.programs import dvc, git
from dvckit.repository.remotes import RemoteError, cloned, missing_in_remote, use_remote
from dvckit.repository.revision import Revision

Say = Callable[[str], None]


def verify(root: Path, say: Say) -> bool:
    """Reproduce HEAD of `root` in an empty clone; say a line for each stage and return whether all bytes agree.

    Uncommitted changes take no part. UserError where there is no commit or the pipeline does not run at all.
    """
    commit = git(root, "log", "--max-count=1", "--format=%h").strip()
    changes = ", without the uncommitted changes" if git(root, "status", "--porcelain", "--", ".") else ""
    say(f"verify: commit {commit}{changes}, in an empty clone")
    with cloned(root, commit) as clone:
        promised = Revision(clone)
        if not (promised.outputs or any(pipeline.stages for pipeline in promised.pipelines)):
            raise UserError("HEAD has no dvc.yaml with stages: there is nothing to reproduce")
        if not promised.outputs:
            raise UserError("HEAD has no dvc.lock that promises an output; run `dvc repro -P` and commit it")
        if old := [lock for lock in promised.locks if is_old(parse(promised.file(lock) or b"{}"))]:
            raise UserError(f"DVC 3 refuses {first(old)}, of DVC 1; run `dvckit doctor --fix` and commit it")
        if old := [name for name, file in promised.dvc_files.items() if is_of_dvc_0(file)]:
            raise UserError(f"DVC 3 refuses {first(old)}, of DVC 0; run `dvckit doctor`, which says what to do")
        if promised.file(UV_LOCK) is None:
            say(f"HEAD has no {UV_LOCK}: stages run with Python {platform.python_version()} in {sys.prefix}, as it is")
        for stage in promised.stages:
            if any("checkpoint" in about for about in outs_of(promised.definition(stage)).values()):
                say(f"{stage} has a checkpoint, of which DVC 3 takes no notice: such a stage may wait for ever")
        frozen = [stage for stage in promised.stages if promised.definition(stage).get("frozen")]
        edited, missing = _remove_committed(promised, frozen, say), _pull(root, promised, frozen, say)
        output = dvc(clone, "repro", "--all-pipelines", "--force", "--no-run-cache")
        order = re.findall(r"^Running stage '(.+)':$", output, flags=re.MULTILINE)
        for stage in frozen:
            say(f"{'frozen':10} {stage}: it does not run, and its outputs are as they were")
        return _report_stages(order, promised, say) and not (edited or missing)


def _pull(root: Path, promised: Revision, frozen: list[str], say: Say) -> list[str]:
    """Fetch what no stage makes; return what the default remote lacks of the rest."""
    sources, missing = [*promised.added_files, *frozen], list[str]()
    kept = [name for name in sources if name not in promised.imported_files]
    if promised.default_remote[0]:
        missing = _missing(promised, kept, say)
    elif kept:
        say(f"from the cache of {root}, as there is no default remote: {first(kept)}")
        if (cache := Revision(root).stores["cache"]).is_dir():
            dvc(promised.root, "remote", "add", "--local", "--default", "cache-of-the-source", str(cache))
    if sources:
        _fetch(promised, sources)
    return missing


def _missing(promised: Revision, kept: list[str], say: Say) -> list[str]:
    """Return what the default remote lacks; UserError where it cannot be used and has what no stage makes.

    DVC itself would wait for such a remote, some for ever.
    """
    try:
        missing = missing_in_remote(promised.root, promised.all_md5s)
    except UserError as error:
        if kept:
            raise UserError(f"{first(kept)} cannot be pulled: {error}") from None
        say(f"not asked whether the default remote has every output: {error}")
        return []
    for path in missing:
        lacks = f"the default remote {promised.default_remote[0]} does not have it"
        say(f"MISSING    {path}: {lacks}; run `dvc push`, and commit .dvc/storage")
    return missing


def _fetch(promised: Revision, sources: list[str]) -> None:
    """Pull what .dvc files and frozen stages name; UserError with what of it is nowhere."""
    try:
        use_remote(promised.root, "pull", *sources)
    except RemoteError:
        raise
    except UserError:
        outputs = [output for output in [*promised.added, *promised.outputs] if output.stage in sources]
        if not (lost := [output.path for output in outputs if not (promised.root / output.path).exists()]):
            raise
        raise UserError(
            f"{first(lost)}: no remote that DVC can read has it; run `dvc push` where it was added"
        ) from None


def _remove_committed(promised: Revision, frozen: list[str], say: Say) -> list[str]:
    """Remove the outputs that git keeps, as they are to be made again; return those that are not what dvc.lock names."""
    edited = []
    for output in promised.outputs:
        path = promised.root / output.path
        if not promised.is_inside(output.path):
            say(f"{output.path} is outside of the repository: it stays as it is, and is not compared")
        elif output.stage not in frozen and (md5 := output_md5(path, legacy=output.legacy)):
            if md5 != output.md5:
                edited.append(output.path)
                say(f"EDITED     {output.path}: not the file that dvc.lock names; run `dvc repro -P` and commit both")
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    return edited


def _report_stages(order: list[str], promised: Revision, say: Say) -> bool:
    """Say a line for each stage, and how the first that diverges does; return whether none does."""
    before = {output.path: output for output in promised.outputs}
    different: list[Output] = []
    outputs = Revision(promised.root).outputs
    for stage in order:
        files = [output for output in outputs if output.stage == stage]
        wrong = [output for output in files if not _is_same(promised.root, before.get(output.path), output)]
        say(f"{'DIFFERENT' if wrong else 'same':10} {stage} ({counted(len(files), 'file')})")
        different = different or wrong
    for output in different:
        then = before[output.path].md5 if output.path in before else "nothing"
        say(f"first to diverge: {output.stage}: {output.path} is {output.md5}, dvc.lock promises {then}")
    return not different


def _is_same(root: Path, before: Output | None, now: Output) -> bool:
    if before is None or before.md5 == now.md5:
        return before is not None
    return before.legacy and output_md5(root / now.path, legacy=True) == before.md5
