"""`titanic verify`: whether HEAD gives, from nothing and on this machine, the outputs that its dvc.lock promises."""

import hashlib
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from titanic.stage import UserError
from titanic.versions.remote import default_remote, missing_in_remote, take_remotes
from titanic.versions.repository import Output, dvc, git, locked_outputs

Say = Callable[[str], None]


def verify(root: Path, say: Say) -> bool:
    """Reproduce HEAD of `root` in an empty clone; say a line for each stage and return whether all bytes agree.

    Uncommitted changes take no part. UserError where there is no commit or the pipeline does not run at all.
    """
    commit = git(root, "log", "--max-count=1", "--format=%h").strip()
    changes = ", without the uncommitted changes" if git(root, "status", "--porcelain").strip() else ""
    say(f"verify: commit {commit}{changes}, in an empty clone")
    with tempfile.TemporaryDirectory(prefix="titanic-verify-") as folder:
        clone = Path(folder) / "clone"
        git(root, "clone", "--quiet", "--", str(root), str(clone))
        take_remotes(root, clone)
        dvc(clone, "config", "--local", "cache.dir", str(Path(folder) / "cache"))
        promised = locked_outputs(clone)
        if not promised:
            raise UserError("HEAD has no dvc.lock; run `dvc repro -P` and commit it")
        complete = _tell_edited(clone, promised, say) & _tell_missing(clone, say)
        order = _reproduce(clone, promised)
        return _tell_stages(order, promised, locked_outputs(clone), say) and complete


def _reproduce(clone: Path, promised: list[Output]) -> list[str]:
    """Run both pipelines in a clone; return the stages in the order in which they ran."""
    for output in promised:
        (clone / output.path).unlink(missing_ok=True)  # what git brought along is to be made again, too
    said = dvc(clone, "repro", "--all-pipelines", "--force", "--no-run-cache")
    return re.findall(r"^Running stage '(.+)':$", said, flags=re.MULTILINE)


def _tell_edited(clone: Path, promised: list[Output], say: Say) -> bool:
    """Say which of the outputs that git keeps are not what dvc.lock names."""
    kept = [output for output in promised if (clone / output.path).is_file()]
    edited = [o for o in kept if hashlib.md5((clone / o.path).read_bytes()).hexdigest() != o.md5]  # noqa: S324 - DVC's
    for output in edited:
        say(
            f"EDITED     {output.path}: the committed file is not the one of dvc.lock; run `dvc repro -P` and commit it"
        )
    return not edited


def _tell_missing(clone: Path, say: Say) -> bool:
    missing, (remote, _) = missing_in_remote(clone), default_remote(clone)
    for path in missing:
        say(f"MISSING    {path}: the default remote {remote} does not have it; run `dvc push`, and commit .dvc/storage")
    return not missing


def _tell_stages(order: list[str], promised: list[Output], made: list[Output], say: Say) -> bool:
    """Say a line for each stage, and how the first that diverges does; return whether none does."""
    locked = {output.path: output.md5 for output in promised}
    stages = {stage: [output for output in made if output.stage == stage] for stage in order}
    wrong = {stage: [o for o in outputs if locked.get(o.path) != o.md5] for stage, outputs in stages.items()}
    for stage, outputs in stages.items():
        say(f"{'DIFFERENT' if wrong[stage] else 'same':10} {stage} ({len(outputs)} files)")
    first = next((outputs for outputs in wrong.values() if outputs), [])
    for output in first:
        then = locked.get(output.path, "nothing")
        say(f"first to diverge: {output.stage}: {output.path} is {output.md5}, dvc.lock promises {then}")
    return not first
