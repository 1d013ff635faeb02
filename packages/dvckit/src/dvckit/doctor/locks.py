"""dvc.lock, which a kill may cut and a merge may mark, and the locks by which DVC's and git's processes wait for each other."""

import fcntl
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil  # DVC's own way to tell the living

from dvckit.core.errors import UserError, one_line
from dvckit.core.files import write_bytes
from dvckit.core.formats import read_json
from dvckit.doctor.clone import ADVICE, OK, WRONG, Clone, Finding, some
from dvckit.repository import dvc_internals
from dvckit.repository.dvc_internals import check_lock
from dvckit.repository.locks import (
    MD5,
    Stages,
    is_of_dvc_0,
    is_old,
    name_in_pipeline,
    outputs_of,
    parse,
    pipeline_of,
    read_added,
    read_lock,
)  # fmt: skip
from dvckit.repository.programs import git

MARKERS = re.compile(rb"^(<{7}|={7}|>{7})( |$)", flags=re.MULTILINE)


def pipelines(clone: Clone) -> Iterator[Finding]:
    """Read each dvc.yaml and its dvc.lock: readable, without conflict markers, and of the same stages."""
    marked = [lock for lock in clone.locks if MARKERS.search(clone.file(lock) or b"")]
    if marked:  # one side is enough, `dvc repro` makes the rest
        names, side = " ".join(marked), "--ours" if clone.tracked("--unmerged", "--", *marked) else "HEAD"
        command = f"git checkout {side} -- {names} && dvc repro --all-pipelines && git add {names}"
        yield Finding(WRONG, f"conflict markers of a merge in {some(marked)}", command)
    for lock in clone.locks:
        if lock not in marked:
            yield from _pipeline(clone, lock)


def _pipeline(clone: Clone, lock: str) -> list[Finding]:
    pipeline, path, repro = pipeline_of(lock), clone.root / lock, "dvc repro --all-pipelines"
    if not (clone.root / pipeline).is_file():
        return [Finding(WRONG, f"{pipeline} is missing", f"git checkout HEAD -- {pipeline}")]
    try:
        stages = clone.definitions(lock)
    except UserError as error:
        return [Finding(WRONG, str(error), clone.diff(pipeline))]
    if not stages or not os.path.lexists(path):
        return [Finding(ADVICE, f"there is no {lock}: no stage has run", repro)] if stages else []
    try:
        locked = _read_whole(lock, path.read_bytes(), stages)
    except (UserError, OSError) as error:
        return [_unreadable(clone, lock, error)]
    return [_stages(clone, lock, locked, stages)]


def _stages(clone: Clone, lock: str, locked: Stages, stages: dict[str, Any]) -> Finding:
    pipeline = pipeline_of(lock)
    ran = {name for stage in map(name_in_pipeline, locked) for name in (stage, stage.partition("@")[0])}
    gone = ran - {part for name in stages for part in (name, name.partition("@")[0])}
    if gone and (lost := sorted(gone & _committed_stages(clone, pipeline))):
        what = f"{pipeline} lacks {some(lost)}, which {lock} and HEAD have (if that is meant: commit it)"
        return Finding(WRONG, what, f"git diff HEAD -- {pipeline}")
    if never := sorted(stages.keys() - ran):
        return Finding(ADVICE, f"{lock} does not name {some(never)}", "dvc repro --all-pipelines")
    return Finding(OK, f"{lock} can be read, and names every stage")


def _committed_stages(clone: Clone, pipeline: str) -> set[str]:
    """Return the stages that HEAD has, `foreach` and `matrix` as one."""
    with suppress(UserError, AttributeError, TypeError):
        return set(parse(clone.committed(pipeline) or b"{}")["stages"])
    return set()


def _unreadable(clone: Clone, lock: str, error: Exception) -> Finding:
    path = clone.root / lock
    with suppress(UserError, OSError):
        if is_old(parse(content := path.read_bytes())):
            fix = partial(_renew_lock, path, content)
            return Finding(WRONG, f"{lock} is one of DVC 1, which DVC 3 refuses", "dvckit doctor --fix", fix)
    give_back = f"rm {lock}" if clone.committed(lock) in (None, clone.file(lock)) else f"git checkout HEAD -- {lock}"
    command, fix = f"{give_back} && dvc repro --all-pipelines", partial(_restore_lock, clone, lock)
    return Finding(WRONG, f"{lock} cannot be read: {one_line(error)[:150]}", command, fix)


def _renew_lock(path: Path, content: bytes) -> str:
    """Write a lock of DVC 1 as DVC 2 and 3 have it: its stages under a key of their own."""
    write_bytes(path, dvc_internals.dumps_yaml({"schema": "2.0", "stages": parse(content)}).encode())
    return f"{path.name} is one that DVC 3 reads"


def _read_whole(lock: str, content: bytes, definitions: dict[str, Any]) -> Stages:
    """Return the stages of a lock; UserError also where DVC would refuse it, and where a kill has cut it off."""
    stages = read_lock(lock, content, definitions)
    check_lock(content.decode(errors="replace"), lock)
    if not all(MD5.fullmatch(output.md5) for output in outputs_of(stages)):
        raise UserError("it is cut off")
    return stages


def _restore_lock(clone: Clone, lock: str) -> str:
    """Give back the lock of HEAD, or none: what the stages did since is still in DVC's run cache."""
    committed, content = clone.committed(lock), clone.file(lock)
    aside = clone.put_aside(clone.root / lock)
    if committed in (None, content):
        return f"moved {lock} to {aside}; `dvc repro` makes it anew"
    write_bytes(clone.root / lock, committed)
    return f"{lock} is that of HEAD again; what was there is in {aside}"


def added(clone: Clone) -> Iterator[Finding]:
    """Read the .dvc files, which hold data that a user has brought."""
    for name in clone.added_files:
        if "outs" in clone.dvc_files.get(name, {}):
            continue
        try:
            read_added(name, (clone.root / name).read_bytes())
        except (UserError, OSError) as error:
            yield Finding(WRONG, f"{name} cannot be read: {one_line(error)[:150]}", clone.restore(name))


def of_dvc_0(clone: Clone) -> Iterator[Finding]:
    """Look for .dvc files that DVC 3 refuses: it then refuses nearly every command."""
    old = [name for name, file in clone.dvc_files.items() if is_of_dvc_0(file)]
    stages = [name for name in old if "cmd" in clone.dvc_files[name]]
    if data := [name for name in old if name not in stages]:
        fix = partial(_renew_files, clone.root, data)
        yield Finding(WRONG, f"DVC 3 refuses {some(data)}, of DVC 0, for the key `metric`", "dvckit doctor --fix", fix)
    if stages:
        what = f"DVC 3 refuses {some(stages)}: stages of DVC 0; write each into a dvc.yaml, and remove the file"
        yield Finding(WRONG, what, "dvc stage add --name NAME --deps DEP --outs OUT COMMAND")


def _renew_files(root: Path, names: list[str]) -> str:
    """Remove `metric` from the outs of added data, of which it says nothing."""
    for name in names:
        file = dvc_internals.parse_yaml_for_update((root / name).read_text(encoding="utf-8"), name)
        for out in file["outs"]:
            out.pop("metric", None)
        write_bytes(root / name, dvc_internals.dumps_yaml(file).encode())
    return f"DVC 3 reads {some(names)}; commit it"


def of_dvc(clone: Clone) -> list[Finding]:
    """Look for locks in .dvc/tmp that make DVC wait for a process that has ended."""
    if running := _running("dvc", clone.root):
        return [Finding(ADVICE, f"DVC is running here (process {some(running)}); what it writes is not settled")]
    folder = clone.root / ".dvc/tmp"
    findings = _rwlock(folder / "rwlock")
    if clone.config["core"].get("hardlink_lock"):
        findings += [finding for name in ("lock", "rwlock.lock") for finding in _hardlink(folder / name)]
    return findings or [Finding(OK, "DVC waits for no process that has ended")]


def of_git(clone: Clone) -> Iterator[Finding]:
    """Look for locks of git's that a kill has left: git does not write where one is."""
    try:
        folders = git(clone.root, "rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir").splitlines()
    except UserError:
        return  # reported with the hooks
    found = {lock for folder in folders for lock in Path(folder).glob("*.lock")}
    if not (locks := sorted(found | set(Path(folders[1]).glob("refs/**/*.lock")))):
        return
    names = some(lock.name for lock in locks)
    if holders := _holders(clone.root, locks):
        since = max(map(_age, locks))
        yield Finding(
            ADVICE, f"git is running (process {some(holders)}), which {names} may belong to, {since:.0f} s old"
        )
    else:
        what = f"git refuses to write: a process that has ended left {names}"
        yield Finding(WRONG, what, "dvckit doctor --fix", partial(_remove_git_locks, clone.root, locks))


def _age(file: Path) -> float:
    with suppress(OSError):
        return time.time() - file.lstat().st_mtime
    return 0.0


def _holders(root: Path, locks: list[Path]) -> list[int]:
    """Return the processes to which locks of git's may belong: git's in any worktree, ours in a hook of git's, and others."""
    listed = git(root, "worktree", "list", "--porcelain").splitlines()
    trees = [Path(line.removeprefix("worktree ")) for line in listed if line.startswith("worktree ")]
    held = {str(lock) for lock in locks}
    opened = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            opened += [process.pid] if any(file.path in held for file in process.open_files()) else []
    gits = {pid for tree in trees for pid in _running("git", tree, but_parents=False)}
    return sorted({*gits, *opened})


def _remove_git_locks(root: Path, locks: list[Path]) -> str:
    """Remove what git was still writing, never the file whose place it was to take.

    A program that has git built in, such as an editor, holds a lock for much less than a second.
    """
    before = {lock: lock.lstat() for lock in locks}
    time.sleep(max(0.0, 1 - min(map(_age, locks))))
    if holders := _holders(root, locks):
        raise UserError(f"git is running (process {some(holders)})")
    for lock, then in before.items():
        with suppress(FileNotFoundError):
            if (now := lock.lstat()).st_ino == then.st_ino and now.st_mtime_ns == then.st_mtime_ns:
                lock.unlink()
    return f"removed {some(lock.name for lock in locks)}, which no git process holds"


def _running(program: str, root: Path, *, but_parents: bool = True) -> list[int]:
    """Return the processes of a program in a folder, but this one, what other checks have started, and its parents."""
    pids: list[int] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if program in [Path(word).name for word in process.cmdline()[:3]]:
                this = psutil.Process()
                own = {this, *this.children(recursive=True), *(this.parents() if but_parents else ())}
                pids += [process.pid] if process not in own and Path(process.cwd()).is_relative_to(root) else []
    return pids


def _rwlock(path: Path) -> list[Finding]:
    """Report a file that DVC cannot read, as a kill leaves it, and one that names processes that have ended."""
    try:
        held = dvc_internals.SCHEMA(read_json(path.read_bytes()))
        infos = [*held["write"].values(), *(info for infos in held["read"].values() for info in infos)]
        pids = {info["pid"] for info in infos}
    except FileNotFoundError:
        return []
    except (OSError, UserError, dvc_internals.Invalid):
        what = f".dvc/tmp/rwlock cannot be read ({path.lstat().st_size} bytes): DVC refuses to run"
        return [Finding(WRONG, what, "rm -rf .dvc/tmp/rwlock", partial(_remove_rwlock, path))]
    if not pids or any(_wrote(pid, path) for pid in pids):
        return []
    what = f".dvc/tmp/rwlock names processes that have ended ({some(sorted(pids))})"
    return [Finding(WRONG, what, "rm .dvc/tmp/rwlock", partial(_remove_rwlock, path))]


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
        return _remove(path)


def _hardlink(path: Path) -> Iterator[Finding]:
    """Report a lock of `core.hardlink_lock`, which a kill leaves: it names a host and a process of it."""
    words: list[Any] = path.read_text(encoding="utf-8").split("|") if path.is_file() else []
    if len(words) >= 3 and words[-3] == socket.gethostname() and not psutil.pid_exists(int(words[-2])):
        name = f".dvc/tmp/{path.name}"
        what = f"{name} is held by process {words[-2]}, which has ended"
        yield Finding(WRONG, what, f"rm {name}", partial(_remove, path))


def _remove(lock: Path) -> str:
    lock.unlink(missing_ok=True)
    return f"removed .dvc/tmp/{lock.name}, which no process holds"
