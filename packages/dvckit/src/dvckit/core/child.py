"""Processes that run tasks with pinned arithmetic: `dvckit.core.task`, started in the project's root.

A task is a function and what it is given, both pickled; the answer is its result or the error that it raised. The parent
may be a stage, or a Dask worker, whose own numpy is loaded with whatever arithmetic its machine prefers.
"""

import os
import pickle
import subprocess
import sys
from multiprocessing.connection import Pipe
from pathlib import Path
from signal import Signals
from threading import Lock, get_ident
from typing import NamedTuple

from dvckit.core.arithmetic import ARITHMETIC
from dvckit.core.errors import UserError

ATTEMPTS = 3  # at a task whose process dies
FEWER = "if memory ran out, use fewer workers (DVCKIT_WORKERS), or more partitions"


class ChildDiedError(Exception):
    """The process ended without an answer; the message says how."""


class Failure(NamedTuple):
    """What a task raised: a sentence for the user, or the traceback of an error of the code."""

    sentence: str = ""
    trace: str = ""

    def error(self) -> Exception:
        """Return the error to raise for it."""
        return UserError(self.sentence) if self.sentence else RuntimeError(f"a task failed:\n{self.trace}")


class Child:
    """The parent's end of such a process."""

    def __init__(self, root: Path) -> None:
        """Start it in the root of a project, from which it imports the project's code."""
        self.connection, theirs = Pipe()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dvckit.core.task", str(theirs.fileno())],
                cwd=root,
                env={**os.environ, **ARITHMETIC},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def run(self, task: bytes) -> bytes:
        """Return the answer to a task, both pickled; ChildDiedError if the process ends before it answers."""
        try:
            self.connection.send_bytes(task)
            return self.connection.recv_bytes()
        except (EOFError, OSError):
            code = self.process.wait()
            how = f"was killed ({Signals(-code).name})" if code < 0 else f"ended with code {code}"
            raise ChildDiedError(how) from None

    def end(self) -> None:
        """Kill it, whatever it does."""
        self.process.kill()
        self.process.wait()
        self.connection.close()


class Children:
    """Such processes, one for each thread that runs tasks; one that has died is replaced."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._children: dict[int, Child] = {}
        self._lock = Lock()

    def run(self, task: bytes) -> bytes:
        """Return the answer to a task, both pickled."""
        reason = ""
        for _ in range(ATTEMPTS):
            try:
                return self._child().run(task)
            except ChildDiedError as error:
                reason = str(error)
        return pickle.dumps(Failure(f"the process of a task {reason}, {ATTEMPTS} times; {FEWER}"))

    def _child(self) -> Child:
        """Return the process of this thread."""
        with self._lock:
            child = self._children.get(get_ident())
            if child is None or child.process.poll() is not None:
                child = self._children[get_ident()] = Child(self._root)
            return child

    def end(self) -> None:
        """Kill them all."""
        for child in self._children.values():
            child.end()
