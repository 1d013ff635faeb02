"""Ctrl-C: what is unfinished is removed, and the process ends at once.

It is the first that a process loads, so that Ctrl-C in the midst of loading the rest is one sentence too.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What a signal handler must remove; it cannot see the code that it interrupts.
_UNFINISHED: set[Path] = set()


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """Remove a temporary file or folder when the block ends, and also if Ctrl-C ends the process."""
    _UNFINISHED.add(path)
    try:
        yield path
    finally:
        remove(path)
        _UNFINISHED.discard(path)


@contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end the process at once: an exception would not end its threads."""
    before = signal.signal(signal.SIGINT, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _stop(*_: object) -> None:
    """End at once: an exception would pass through libraries, some of which replace or drop it."""
    for path in tuple(_UNFINISHED):
        remove(path)
    line = b"\n" if os.isatty(2) else b""  # there may be a bar on this one
    os.write(2, line + b"interrupted: files already written are whole, the others are as they were\n")
    os._exit(130)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
