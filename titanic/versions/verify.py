"""`titanic verify`: does the commit at hand give the outputs that its dvc.lock promises, on this machine, from nothing?"""

import tempfile
from collections.abc import Callable
from pathlib import Path

from titanic.stage import UserError
from titanic.versions.repository import Output, dvc, git, locked_outputs, missing_in_remote

Say = Callable[[str], None]


def verify(root: Path, say: Say) -> bool:
    """Reproduce HEAD of `root` in an empty clone; say a line for each stage and return whether all bytes agree.

    Uncommitted changes take no part. UserError where there is no commit or the pipeline does not run at all.
    """
    commit = git(root, "rev-parse", "--short", "HEAD").strip()
    changes = ", without the uncommitted changes" if git(root, "status", "--porcelain").strip() else ""
    say(f"verify: commit {commit}{changes}, in an empty clone")
    with tempfile.TemporaryDirectory(prefix="titanic-verify-") as folder:
        clone = Path(folder) / "clone"
        git(root, "clone", "--quiet", "--", str(root), str(clone))
        dvc(clone, "config", "--local", "cache.dir", str(Path(folder) / "cache"))
        promised = locked_outputs(clone)
        if not promised:
            raise UserError("HEAD has no dvc.lock; run `dvc repro -P` and commit it")
        complete = _tell_missing(clone, say)
        return _tell_stages(promised, _reproduce(clone, promised), say) and complete


def _reproduce(clone: Path, promised: list[Output]) -> dict[str, str]:
    """Run both pipelines in a clone; return the md5 that each output has now, by path."""
    for output in promised:
        (clone / output.path).unlink(missing_ok=True)  # what git brought along is to be made again, too
    dvc(clone, "repro", "--all-pipelines", "--force", "--no-run-cache")
    return {output.path: output.md5 for output in locked_outputs(clone)}


def _tell_missing(clone: Path, say: Say) -> bool:
    missing = missing_in_remote(clone)
    for path in missing:
        say(f"MISSING    {path}: the default remote does not have it; run `dvc push`, and commit .dvc/storage")
    return not missing


def _tell_stages(promised: list[Output], made: dict[str, str], say: Say) -> bool:
    """Say a line for each stage in the order of its dvc.yaml, and how the first that diverges does."""
    stages: dict[str, list[Output]] = {}
    for output in promised:
        stages.setdefault(output.stage, []).append(output)
    differing = [stage for stage, outputs in stages.items() if any(made.get(o.path) != o.md5 for o in outputs)]
    for stage, outputs in stages.items():
        say(f"{'DIFFERENT' if stage in differing else 'same':10} {stage} ({len(outputs)} files)")
    for output in stages[differing[0]] if differing else ():
        if made.get(output.path) != output.md5:
            now = made.get(output.path, "nothing")
            say(f"first to diverge: {output.stage}: {output.path} is {now}, dvc.lock promises {output.md5}")
    return not differing
