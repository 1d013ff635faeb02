"""Folders that a process needs while it runs, and those that killed ones have left."""

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

LOCK = "lock"  # held by the process that the folder belongs to


@contextmanager
def private_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Give an empty folder that only this user can read, and remove it at the end, with those that are abandoned."""
    remove_abandoned(parent, prefix)
    new = Path(mkdtemp(prefix=f".{prefix}", dir=parent))
    with (new / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = new.rename(new.with_name(new.name[1:]))  # nobody finds it before it is held
        try:
            yield folder
        finally:
            _remove(folder)
    remove_abandoned(parent, prefix)


def _remove(folder: Path) -> None:
    """Remove a folder, its lock last: what a kill leaves of it, or a child that still writes, is abandoned, too."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != LOCK:
                path.unlink()
        if [path.name for path in folder.iterdir()] == [LOCK]:
            shutil.rmtree(folder)


def abandoned(parent: Path, prefix: str) -> list[Path]:
    """Return such folders of this user whose processes were killed."""
    return [folder for folder in parent.glob(f"{prefix}*") if _is_own(folder) and _is_free(folder / LOCK)]


def remove_abandoned(parent: Path, prefix: str) -> None:
    """Remove them."""
    for folder in abandoned(parent, prefix):
        _remove(folder)


def _is_own(folder: Path) -> bool:
    """Whether it is no link: where all users write, another's link could lead anywhere."""
    with suppress(OSError):
        about = folder.lstat()
        return stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid()
    return False


def _is_free(lock: Path) -> bool:
    with suppress(OSError), lock.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
