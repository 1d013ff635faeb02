"""Commands of which one at a time may run in a repository.

They hold a lock, which the system takes back from a process that ends in whatever way.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dvckit.core.errors import UserError


@contextmanager
def alone(lock: Path, command: str) -> Iterator[None]:
    """Hold the file `lock` while the block runs; UserError, which names the command, where another process holds it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another `dvckit {command}` is running here; try again when it has ended") from None
        yield
