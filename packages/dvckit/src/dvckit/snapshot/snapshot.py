"""`dvckit snapshot`: one command that makes a version of data and model.

Everything that can be checked is checked first. Then come the steps, each of which does nothing where it has been done:
reproduce, push, see that the remote has everything, and last, in one step of git's, commit and tags. So the same
command completes whatever a failure, Ctrl-C or a kill has left.
"""

import json
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

from dvckit.core.errors import UserError
from dvckit.core.layout import DATA_QUALITY, DIAGNOSTICS, EVALUATION
from dvckit.doctor import objects, remotes
from dvckit.doctor.clone import OK, WRONG, Clone, Finding, some
from dvckit.doctor.doctor import fix, look
from dvckit.registry.facts import check_line_ends
from dvckit.registry.tags import Bump
from dvckit.repository import shapes
from dvckit.repository.alone import alone
from dvckit.repository.locks import MD5, paths_of
from dvckit.repository.objects import STORAGE
from dvckit.repository.programs import dvc, git, in_repository, names_in, tracked
from dvckit.repository.remotes import use_remote
from dvckit.repository.revision import Revision
from dvckit.snapshot.bumps import tags_due
from dvckit.snapshot.commits import Index, check_branch, commit, copied_index, publish, tag_object

PATIENCE = 60.0  # seconds that the checks have, which hash every object

Say = Callable[[str], None]


def snapshot(root: Path, message: str, say: Say, bump: Bump | None = None) -> None:
    """Make a version of the workspace, and say what was done; UserError where that cannot be, and then nothing is half-done."""
    if not message.strip():
        raise UserError("a version needs a reason; say it with --message")
    with ExitStack() as stack:
        stack.enter_context(_alone(root))
        stack.enter_context(_ended_by_sigterm())
        _check(root, say)
        _reproduce(root, say)
        _check_all_is_stored(root)
        _push(root)
        new, others = _new_files(root)
        index = stack.enter_context(copied_index(root))
        index.add(new)
        _check_nothing_moved(root)
        if others:
            say(f"untracked, and no stage names them: {some(others)}")
        _commit_and_tag(index, message, say, bump)


def _alone(root: Path) -> AbstractContextManager[None]:
    if not (root / ".dvc").is_dir():
        raise UserError(f"{root} has no folder .dvc; run `dvc init`, or `git restore .dvc` where it was")
    return alone(root / ".dvc/tmp/snapshot.lock", "snapshot")


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end everything as Ctrl-C does, which a terminal sends to all processes."""
    before = signal.signal(signal.SIGTERM, _interrupt_all)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt_all(*_: object) -> None:
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            process.send_signal(signal.SIGINT)
    raise KeyboardInterrupt


def _check(root: Path, say: Say) -> None:
    """Fix what a kill has left; UserError where git could not commit, or something is wrong."""
    check_branch(root)
    if not Revision(root).default_remote[0] and Clone(root).pushable:
        raise UserError("there is no default remote to push to; run `dvc remote add --default NAME URL`")
    wrong = _wrong(root)
    if any(finding.fix for finding in wrong):
        fix(root, say)
        wrong = _wrong(root)
    for finding in wrong:
        say(str(finding))
    if wrong:
        raise UserError("nothing was done; fix first what is wrong")


def _wrong(root: Path) -> list[Finding]:
    return [finding for finding in look(root, PATIENCE) if finding.level == WRONG]


def _reproduce(root: Path, say: Say) -> None:
    """Run what a change has touched, of both pipelines, and report what the checks of data and model have found."""
    output = dvc(root, "repro", "--all-pipelines")
    ran = re.findall(r"^Running stage '(.+)':$", output, flags=re.MULTILINE)
    say(f"reproduced: {', '.join(ran)}" if ran else "reproduced: nothing had changed")
    for report in (DATA_QUALITY, EVALUATION, DIAGNOSTICS) if _has_project(root) else ():
        for check, result in Revision(root).report(report.as_posix(), shapes.CHECKS).get("checks", {}).items():
            if not result["ok"]:
                say(f"look at this: {check} in {report}: {'; '.join(result['found'])}")


def _has_project(root: Path) -> bool:
    return any(about["meta"].get("project") for about in Revision(root).artifacts.values())


def _check_all_is_stored(root: Path) -> None:
    """UserError where a stage reads what neither git nor DVC keeps."""
    workspace = Revision(root)
    outs, deps = paths_of(workspace.stages, "outs"), in_repository(root, paths_of(workspace.stages, "deps"))
    if not deps:
        return
    stored = {Path(path) for path in outs | {output.path for output in workspace.added}}
    # of a folder that a stage reads, DVC leaves out what .dvcignore names, such as bytecode
    gits, dvcs = (
        tracked(root, "--others", "--ignored", rule, "--", *deps)
        for rule in ("--exclude-standard", "--exclude-per-directory=.dvcignore")
    )
    ignored = [name for name in gits if name not in dvcs]
    if lost := [name for name in ignored if not stored & {Path(name), *Path(name).parents}]:
        raise UserError(f"a stage reads {some(lost)}, which neither git nor DVC keeps; add it with `dvckit data add`")


def _new_files(root: Path) -> tuple[list[str], list[str]]:
    """Return the files that git does not know yet: those that the version needs, and the others."""
    needed = {Path(path) for path in {*paths_of(Revision(root).stages, "deps", "outs"), *Revision(root).locks}}
    names = tracked(root, "--others", "--exclude-standard")
    new = [name for name in names if _belongs(Path(name), needed)]
    return new, [name for name in names if name not in new and not name.startswith(STORAGE)]


def _belongs(file: Path, needed: set[Path]) -> bool:
    """Whether a new file is a version's: one that a stage names, a whole object, or what DVC writes beside added data."""
    if file.is_relative_to(STORAGE):
        return bool(MD5.fullmatch(file.parent.name + file.name))
    return file.suffix == ".dvc" or file.name == ".gitignore" or bool(needed & {file, *file.parents})


def _push(root: Path) -> None:
    """Push, also what DVC wrongly believes to be pushed, as after a kill; UserError where the remote lacks something."""
    if not Revision(root).default_remote[0]:
        return  # git keeps everything
    use_remote(root, "push")
    for finding in _object_problems(root):
        if finding.fix:
            finding.fix()
    if problems := _object_problems(root):
        raise UserError(f"the push is not complete, nothing was committed: {problems[0].what}")


def _object_problems(root: Path) -> list[Finding]:
    """Return what is wrong with the objects of the default remote, the cache and the folders of this machine."""
    checks, clone = (remotes.default, objects.objects), Clone(root)
    return [finding for check in checks for finding in check(clone) if finding.level != OK]


def _check_nothing_moved(root: Path) -> None:
    """UserError where a file is no longer what the stages read or wrote: somebody has gone on working."""
    # not of data that another repository may have changed, which DVC would ask for
    targets = [pipeline.path for pipeline in Revision(root).pipelines if pipeline.stages]
    status = json.loads(dvc(root, "status", "--json", *targets)) if targets else {}
    if stages := [stage for stage, changes in status.items() if changes != ["always changed"]]:
        raise UserError(f"files of {some(stages)} have changed in the meantime; run the same command again")


def _commit_and_tag(index: Index, message: str, say: Say, bump: Bump | None) -> None:
    root, head = index.root, git(index.root, "rev-parse", "HEAD").strip()
    same = index.git("write-tree").strip() == git(root, "rev-parse", "HEAD^{tree}").strip()
    new = head if same else commit(index, message)
    check_line_ends(Revision(root, new))
    tags = tags_due(root, new, bump)
    if same and not tags:
        say("nothing has changed: there is nothing to commit and nothing to tag")
        return
    objects = {tag: tag_object(root, tag, new, f"{message.strip()}\n\n{why}") for tag, why in tags.items()}
    publish(index, head, new, objects, message)
    if names := names_in(git(root, "diff", "--name-only", "--relative", "-z", head, new)):
        files = [name for name in names if not name.startswith(STORAGE)]
        stored = len(names) - len(files)
        say(f"committed {new[:7]}: {', '.join([*files, *([f'{stored} objects in {STORAGE}'] if stored else [])])}")
    for tag, why in tags.items():
        say(f"tagged {tag}: {why}")
    if not tags:
        say("not tagged: neither the data nor the model has changed")
