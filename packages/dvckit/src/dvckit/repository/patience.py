"""What can hang, bounded: a read on a dead mount, a library that waits for a server.

A process may take as long as it needs while it gets on, and is ended where it does not: when less than LEAST bytes have
moved in PATIENCE seconds. Bytes count that its sockets have received, or sent and the other side confirmed, and that it
has read from files or written to them; a second of computing counts as LEAST, for DVC also hashes and links. So a server
that sends a byte a second is ended, and a download at the speed of a telephone line is not. Where the system does not
count the bytes of sockets (macOS), whatever lives gets on.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import NamedTuple, TypeVar

from dvckit.core.errors import UserError
from dvckit.repository.programs import environment, failure

PATIENCE = 10.0  # seconds without progress
LEAST = 1000  # bytes in these
POLL = 0.2  # seconds between two looks

_Value = TypeVar("_Value")


class NoAnswerError(UserError):
    """What was asked does not answer, or no longer gets on."""


def nothing() -> None:
    """Have no objection."""


def within(action: Callable[[], _Value], seconds: float | None = None) -> _Value:
    """Return what a function returns, by default within PATIENCE; else NoAnswerError, and its thread is left behind.

    Its OSError or UserError is raised here.
    """
    results: list[_Value | OSError | UserError] = []

    def act() -> None:
        try:
            results.append(action())
        except (OSError, UserError) as error:
            results.append(error)

    seconds = PATIENCE if seconds is None else max(0.0, seconds)
    thread = Thread(target=act, daemon=True)
    thread.start()
    thread.join(seconds)
    if not results:
        raise NoAnswerError(f"no answer within {seconds:.0f} s")
    if isinstance(results[0], OSError | UserError):
        raise results[0]
    return results[0]


class _Progress:
    """What a courier has moved, by its own reports and the system's."""

    def __init__(self, pid: int, reports: socket.socket, patience: float) -> None:
        import psutil  # which no stage imports

        self.process, self.reports, self.patience = psutil.Process(pid), reports, patience
        self.of_sockets = 0
        self.moved, self.since = 0.0, time.monotonic()

    def check(self) -> None:
        """NoAnswerError where there was none for too long."""
        if (moved := self._look()) >= self.moved + LEAST:
            self.moved, self.since = moved, time.monotonic()
        elif time.monotonic() - self.since > self.patience:
            raise NoAnswerError(f"no answer within {self.patience:.0f} s")

    def _look(self) -> float:
        import psutil

        with suppress(BlockingIOError, ConnectionError):
            if lines := self.reports.recv(1 << 16, socket.MSG_DONTWAIT).split():
                self.of_sockets = int(lines[-1])
        moved = float(self.of_sockets)
        with suppress(psutil.Error, AttributeError):  # macOS does not count the bytes of files
            spent, files = self.process.cpu_times(), self.process.io_counters()
            moved += LEAST * (spent.user + spent.system) + files.read_chars + files.write_chars
        return moved


class Limits(NamedTuple):
    """What ends a courier: `check`, which is called again and again, by raising; or `patience`, by default PATIENCE."""

    check: Callable[[], None] = nothing
    patience: float | None = None


USUAL = Limits()


def courier(root: Path, *words: str, stdin: str = "", limits: Limits = USUAL) -> str:
    """Do a task of `dvckit.repository.courier` in a process that is ended when it does not get on; return its stdout.

    NoAnswerError, or UserError where the task fails.
    """
    code, output, errors = _run(root, words, stdin.encode(), limits, subprocess.PIPE)
    if code:
        raise failure(" ".join(words[:2]), code, (errors or output).decode(errors="backslashreplace"))
    return output.decode(errors="surrogateescape")


def shown_courier(root: Path, *words: str) -> int:
    """Do a task before the user's eyes, and end it when it does not get on; return its exit code."""
    return _run(root, words, b"", USUAL, None)[0]


def _run(
    root: Path, words: tuple[str, ...], stdin: bytes, limits: Limits, output: int | None
) -> tuple[int, bytes, bytes]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "dvckit.repository.courier", str(theirs.fileno()), *words],
            cwd=root,
            env=environment() | {"PYTHONSAFEPATH": "1"},  # the code that runs now, not that of the commit in `root`
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=[theirs.fileno()],
            start_new_session=output is not None,  # or a question for a password goes past stdin, to the terminal
        )
        theirs.close()
        progress = _Progress(process.pid, ours, PATIENCE if limits.patience is None else limits.patience)
        try:
            rest: bytes | None = stdin
            while True:
                with suppress(subprocess.TimeoutExpired):
                    said, errors = process.communicate(rest, POLL)
                    return process.returncode, said or b"", errors or b""
                rest = None  # what is left of it is kept
                progress.check()
                limits.check()
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill a courier that still runs, and what it has started; one that a dead mount holds is left behind."""
    if process.poll() is None:
        with suppress(OSError):
            # without a session of its own, it is in our group
            (os.killpg if os.getpgid(process.pid) == process.pid else os.kill)(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
    for stream in (process.stdin, process.stdout, process.stderr):
        with suppress(OSError):
            if stream:
                stream.close()
