"""What DVC keeps beside objects: its databases, the folders of its stores; and what DVC itself says of the repository."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from dvckit.core.errors import UserError, one_line
from dvckit.doctor import locks
from dvckit.doctor.clone import FIX, OK, WRONG, Clone, Finding
from dvckit.repository import dvc_internals

UNREAD = "interrupted"  # sqlite's word


def databases(clone: Clone) -> Iterator[Finding]:
    """Open each database in which DVC remembers hashes and links; DVC makes a new one where there is none."""
    if not (clone.root / ".dvc/tmp/btime").is_file() or not clone.config["core"]:
        return  # DVC has not run here
    folder = dvc_internals.site_cache(clone.root, clone.config)
    blocks = [path for path in (folder, folder.parent) if path.exists() and not path.is_dir()]
    expected = [folder / name for name in ("hashes", "hashes/local", "links", "index", "index/data")]
    blocks += [path for path in expected if path.exists() and not path.is_dir()]
    for path in blocks or sorted(folder.rglob("*.db")):
        reason = "it is no folder" if blocks else _problem(path, clone.until)
        if reason == UNREAD:
            yield Finding(WRONG, f"DVC's database {path} could not be checked: no time", "dvckit doctor --fix")
        elif reason:
            yield Finding(WRONG, f"DVC's database {path} cannot be read: {reason}", FIX, partial(_renew, clone, path))


def _problem(path: Path, until: float) -> str:
    """Return what is wrong with a database; nothing where it is whole, or another process writes to it."""
    if not path.is_file():
        return "it is no file"
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1)) as database:
            database.set_progress_handler(lambda: time.monotonic() > until, 10_000)
            answers = [str(answer) for (answer,) in database.execute("PRAGMA quick_check(1)")]
    except sqlite3.Error as error:
        return "" if "locked" in str(error) else str(error)
    return "" if answers == ["ok"] else one_line(answers[0])


def _renew(clone: Clone, path: Path) -> str:
    """Put a database aside, with what sqlite keeps beside it."""
    aside = clone.put_aside(path)
    for name in (f"{path.name}-wal", f"{path.name}-shm"):
        with suppress(FileNotFoundError):
            path.with_name(name).unlink()
    return f"DVC makes {path} anew; what was there is in {aside}"


def folders(clone: Clone) -> Iterator[Finding]:
    """Look for what stands where a store, or DVC itself, needs a folder."""
    due = [clone.root / ".dvc/tmp", clone.root / ".dvc/tmp/exps", clone.root / ".dvc/tmp/exps/run"]
    for store in clone.stores.values():
        due += [store, store / "files", store / "files/md5", *sorted((store / "files/md5").glob("??"))]
        due += sorted(store.glob("[0-9a-f][0-9a-f]"))  # where DVC 1 and 2 have objects
        due += [store / "runs", *sorted((store / "runs").glob("*"))]
    for path in due:
        if path.exists() and not path.is_dir():
            shown = path.relative_to(clone.root) if path.is_relative_to(clone.root) else path
            fix = partial(_make_room, clone, path) if clone.is_inside(str(shown)) else None
            yield Finding(WRONG, f"{shown} is no folder, which DVC needs there", FIX if fix else f"rm {shown}", fix)
            return
    for name in ("lock", "rwlock.lock", "btime"):
        if (path := clone.root / ".dvc/tmp" / name).is_dir():
            yield Finding(WRONG, f".dvc/tmp/{name} is a folder", FIX, partial(_make_room, clone, path))


def _make_room(clone: Clone, path: Path) -> str:
    if path == clone.root / ".dvc/tmp":
        path.rename(aside := path.with_name("tmp.damaged"))
        return f"moved .dvc/tmp, which is no folder, to {aside.relative_to(clone.root)}"
    return f"moved {path.name} out of the way, to {clone.put_aside(path)}"


def project(clone: Clone) -> list[Finding]:
    """Let DVC read the repository as a whole, where all of its files can be read: it may still refuse it."""
    try:
        readable = bool(clone.config["core"] and clone.pipelines and clone.stages is not None)
    except (UserError, AttributeError, KeyError, TypeError, ValueError):
        return []  # reported with the files
    reported = [*databases(clone), *folders(clone), *locks.pipelines(clone), *locks.of_dvc_0(clone)]
    if not readable or any(finding.level == WRONG for finding in reported):
        return []
    try:
        dvc_internals.open_project(clone.root)
    except UserError as error:
        return [Finding(WRONG, f"DVC refuses this repository: {error}", "dvc status")]
    return [Finding(OK, "DVC can read this repository")]


def cut_list(clone: Clone, kind: str) -> Iterator[Finding]:
    """Report a list of what to "push" or to "fetch" that a kill has cut, by which DVC would leave out the rest."""
    try:
        cut = dvc_internals.is_cut(clone.root, kind)
    except Exception:  # noqa: BLE001 - a broken repository breaks DVC in any way, and is reported with the rest
        return
    if cut:
        what = f"a kill has cut DVC's list of what to {kind}: `dvc {'push' if kind == 'push' else 'pull'}` leaves out the rest"
        yield Finding(WRONG, what, FIX)


def drop_lists(root: Path) -> None:
    """Let DVC list anew what to push and to fetch: lists of other states of the files may be cut, too."""
    if (root / ".dvc/tmp/btime").is_file():  # else DVC has not run here
        with suppress(Exception):  # a broken repository breaks DVC in any way, and is reported with the rest
            dvc_internals.drop_lists(root)
