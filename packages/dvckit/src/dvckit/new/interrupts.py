"""Signals that end a command which cleans up after itself."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import psutil

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_AGAIN = 1.0  # seconds in which more signals mean the same


class Interrupts:
    """What signals do: they are held at first, and where they are not, they end all children and raise KeyboardInterrupt."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.holds = True
        self.last: float | None = None

    def release(self) -> None:
        """Let signals interrupt from now on; KeyboardInterrupt for one that was held."""
        self.holds = False
        self.check()

    def hold(self) -> None:
        """Let signals wait from now on, so that they do not interrupt the cleaning up."""
        self.holds = True

    def check(self) -> None:
        """Raise KeyboardInterrupt where a signal came: what it raised can be lost in a library."""
        if self.last is not None:
            raise KeyboardInterrupt

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        before, self.last = self.last, time.monotonic()
        known = before is not None and self.last - before < _AGAIN
        if self.holds or known or os.getpid() != self.process:
            return
        end_children()
        raise KeyboardInterrupt


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Handle the signals by which a user or a machine ends a program alike, in this block."""
    handler = Interrupts()
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield handler
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def end_children() -> None:
    """Kill every process that this one started, and that they started; they are stopped first, so that no more start."""
    this, stopped = psutil.Process(), set[psutil.Process]()
    while started := set(this.children(recursive=True)) - stopped:
        for process in started:
            with suppress(psutil.Error):
                process.suspend()
        stopped |= started
    for process in stopped:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stopped, timeout=10)
