"""dvc.lock, which a kill may cut and a merge may mark, and the locks by which DVC's and git's processes wait for each other."""

import fcntl
import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil  # DVC's own way to tell the living
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from titanic.stage import UserError, write_bytes
from titanic.versions.health.clone import (
    ADVICE,
    OK,
    WRONG,
    Clone,
    Finding,
    lock_files,
    parse_lock,
    put_aside,
    read_added,
    some,
    tracked,
)
from titanic.versions.repository import git, git_file, one_line

MARKERS = re.compile(r"^(<{7}|={7}|>{7})( |$)", flags=re.MULTILINE)


def pipelines(clone: Clone) -> Iterator[Finding]:
    """Read each dvc.yaml and its dvc.lock: there, readable, without conflict markers, and of the same stages."""
    marked = [lock for lock in lock_files(clone.root) if _marked(clone.root / lock)]
    if marked:
        yield _in_a_merge(clone.root, marked)
    for lock in (lock for lock in lock_files(clone.root) if lock not in marked):
        found = [*_pipeline(clone.root, lock)]
        yield from found or [Finding(OK, f"{lock} can be read, and names every stage")]


def _pipeline(root: Path, lock: str) -> Iterator[Finding]:
    pipeline = lock.replace(".lock", ".yaml")
    try:
        stages = set(YAML(typ="safe", pure=True).load((root / pipeline).read_text(encoding="utf-8"))["stages"])
    except (YAMLError, OSError, UnicodeDecodeError, KeyError, TypeError) as error:
        cure = f"git {'diff HEAD' if (root / pipeline).is_file() else 'checkout HEAD'} -- {pipeline}"
        yield Finding(WRONG, f"{pipeline} cannot be read: {one_line(error)}", cure)
        return
    if not os.path.lexists(root / lock):
        yield Finding(ADVICE, f"there is no {lock}: nothing was run", "dvc repro --all-pipelines")
        return
    try:
        text = (root / lock).read_text(encoding="utf-8")
        locked = parse_lock(lock, text)
    except (UserError, OSError, UnicodeDecodeError) as error:
        yield _unreadable(root, lock, error)
        return
    never = stages - {output.stage.rpartition(":")[2] for output in locked}
    if never:
        yield Finding(ADVICE, f"{lock} does not name {some(sorted(never))}", "dvc repro --all-pipelines")


def _marked(lock: Path) -> bool:
    with suppress(OSError, UnicodeDecodeError):
        return bool(MARKERS.search(lock.read_text(encoding="utf-8")))
    return False


def _in_a_merge(root: Path, locks: list[str]) -> Finding:
    """Tell of locks that hold both sides of a merge; one side is enough, `dvc repro` makes the rest."""
    listed = " ".join(locks)
    side = "--ours" if tracked(root, "--unmerged", "--", *locks) else "HEAD"
    cure = f"git checkout {side} -- {listed} && dvc repro --all-pipelines && git add {listed}"
    return Finding(WRONG, f"conflict markers of a merge in {some(locks)}", cure)


def _unreadable(root: Path, lock: str, error: Exception) -> Finding:
    said = one_line(error).removeprefix(f"{lock} cannot be read: ")
    cure = f"git checkout HEAD -- {lock} && dvc repro --all-pipelines"
    return Finding(WRONG, f"{lock} cannot be read: {said[:150]}", cure, partial(_restore_lock, root, lock))


def _restore_lock(root: Path, lock: str) -> str:
    """Give back the lock of HEAD, or none: what the stages did since is still in DVC's run cache."""
    kept = put_aside(root, root / lock)
    committed = git_file(root, "HEAD", lock)
    if committed is None:
        return f"{lock} is gone, `dvc repro` makes it anew; what was there is in {kept}"
    write_bytes(root / lock, committed)
    return f"{lock} is that of HEAD again; what was there is in {kept}"


def added(clone: Clone) -> Iterator[Finding]:
    """Read the .dvc files, which hold data that a user has brought."""
    for name in tracked(clone.root, "--cached", "--others", "--exclude-standard", "--", "*.dvc"):
        try:
            read_added(clone.root, name)
        except UserError as error:
            yield Finding(WRONG, f"{name} cannot be read: {error}"[:200], f"git checkout HEAD -- {name}")


def waiting(clone: Clone) -> Iterator[Finding]:
    """Look for locks in .dvc/tmp that make DVC refuse to work though nobody works."""
    at_work = _at_work("dvc", clone.root)
    if at_work:
        yield Finding(ADVICE, f"DVC is at work here (process {some(map(str, at_work))}); what it writes is not settled")
        return
    folder = clone.root / ".dvc/tmp"
    found = [*_rwlock(folder / "rwlock")]
    if clone.config.get("core", {}).get("hardlink_lock"):
        found += [finding for name in ("lock", "rwlock.lock") for finding in _hardlink(folder / name)]
    yield from found or [Finding(OK, "no lock of an ended process keeps DVC waiting")]


def of_git(clone: Clone) -> Iterator[Finding]:
    """Look for locks of git's that a kill has left: git refuses to write where one lies."""
    try:
        folders = git(clone.root, "rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir").split("\n")
    except UserError:
        return  # told with the hooks
    held = {lock for folder in filter(None, folders) for lock in Path(folder).glob("*.lock")}
    held |= set(Path(folders[1]).glob("refs/**/*.lock"))
    if held and not _at_work("git", clone.root):
        what = f"git refuses to write: a process that has ended left {some(sorted(lock.name for lock in held))}"
        yield Finding(WRONG, what, "titanic doctor --fix", partial(_remove_locks, clone.root, sorted(held)))


def _remove_locks(root: Path, held: list[Path]) -> str:
    """Remove what git was still writing, never the file whose place it was to take."""
    if _at_work("git", root):
        raise UserError("git is at work here")
    for lock in held:
        lock.unlink(missing_ok=True)
    return f"removed {some(lock.name for lock in held)}, which no git process holds"


def _at_work(program: str, root: Path) -> list[int]:
    return [process.pid for process in psutil.process_iter() if _is_in(root, process, program)]


def _is_in(root: Path, process: psutil.Process, program: str) -> bool:
    with suppress(psutil.Error, OSError):
        words = [Path(word).name for word in process.cmdline()[:3]]
        return program in words and process.pid not in _own() and Path(process.cwd()).is_relative_to(root)
    return False


def _own() -> set[int]:
    """Return this process, those that it was started by, and those that other checks have started."""
    this = psutil.Process()
    return {process.pid for process in [this, *this.parents(), *this.children(recursive=True)]}


def _rwlock(path: Path) -> Iterator[Finding]:
    """Tell of a file that DVC cannot read, as a kill leaves it, and of one that names processes that are no more."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        infos = [*held.get("write", {}).values(), *(info for infos in held.get("read", {}).values() for info in infos)]
        pids = {int(info["pid"]) for info in infos}
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        size = path.lstat().st_size
        what = f".dvc/tmp/rwlock cannot be read ({size} bytes): DVC refuses to run"
        yield Finding(WRONG, what, "rm -rf .dvc/tmp/rwlock", partial(_remove_rwlock, path))
        return
    stale = sorted(pid for pid in pids if not _wrote(pid, path))
    if stale and len(stale) == len(pids):
        what = f".dvc/tmp/rwlock names processes that have ended ({some(map(str, stale))})"
        yield Finding(WRONG, what, "rm .dvc/tmp/rwlock", partial(_remove_rwlock, path))


def _wrote(pid: int, path: Path) -> bool:
    """Whether a process lives that was there when the file was written: a number may be another process's by now."""
    try:
        process = psutil.Process(pid)
        # one that was killed and that nobody has asked about still has its number, for which DVC takes it for alive
        ended: bool = process.status() == psutil.STATUS_ZOMBIE
        return not ended and process.create_time() < path.stat().st_mtime + 2
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


def _remove_rwlock(path: Path) -> str:
    """Remove the file while nobody can write to it: each writer first locks rwlock.lock."""
    with path.with_name("rwlock.lock").open("a") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.is_dir():
            path.rename(path.with_name("rwlock.folder"))
        path.unlink(missing_ok=True)
    return "removed .dvc/tmp/rwlock, which nobody holds"


def _hardlink(path: Path) -> Iterator[Finding]:
    """Tell of a lock of `core.hardlink_lock`, which a kill leaves: it names a host and a process of it."""
    words: list[Any] = path.read_text(encoding="utf-8").split("|") if path.is_file() else []
    if len(words) >= 3 and words[-3] == socket.gethostname() and not psutil.pid_exists(int(words[-2])):
        name = f".dvc/tmp/{path.name}"
        what = f"{name} is held by process {words[-2]}, which has ended"
        yield Finding(WRONG, what, f"rm {name}", partial(_remove_lock, path))


def _remove_lock(path: Path) -> str:
    path.unlink(missing_ok=True)
    return f"removed .dvc/tmp/{path.name}, which nobody holds"
