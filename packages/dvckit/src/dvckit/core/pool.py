"""Tasks side by side: in processes of this machine, or on a Dask cluster. Where they run reaches no output.

`DVCKIT_SCHEDULER` is the address of a Dask scheduler; without it there are `DVCKIT_WORKERS` processes here, by default
one for each core that this process may use. A task reads and writes files, and returns little; it must give the same
whoever runs it, and be free to run twice, for one whose process dies is run again.
"""

import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from dvckit.core.child import Children, Failure
from dvckit.core.errors import UserError
from dvckit.core.progress import progress

Item = TypeVar("Item")
Result = TypeVar("Result")


class Runner(Protocol):
    """What runs tasks, one after the other for each thread that asks."""

    def run(self, task: bytes) -> bytes:
        """Return the answer to a task, both pickled: a result or a Failure."""


class Pool:
    """Runs tasks, a number of them at a time."""

    def __init__(self, runner: Runner, threads: int) -> None:
        self._runner = runner
        self._threads = ThreadPoolExecutor(threads)

    def map(
        self, work: Callable[[Item], Result], items: Sequence[Item], what: str, unit: str = "partitions"
    ) -> list[Result]:
        """Return `work(item)` for each item, in their order; the function is one of a module, or a partial of one.

        UserError where a task raises one, or its process dies again and again: of several, that of the first item.
        """
        with progress(what, unit, len(items)) as advance:

            def run(item: Item) -> Result:
                result: Any = pickle.loads(self._runner.run(pickle.dumps((work, item))))  # noqa: S301 - of our own child
                if isinstance(result, Failure):
                    raise result.error()
                advance(1)
                return result  # type: ignore[no-any-return]

            futures = [self._threads.submit(run, item) for item in items]
            self._wait(futures)
        return [future.result() for future in futures]

    @staticmethod
    def _wait(futures: Sequence[Future[Any]]) -> None:
        """Wait for all tasks; after one that failed only for those that have begun."""
        wait(futures, return_when=FIRST_EXCEPTION)
        for future in futures:
            future.cancel()
        for future in futures:
            if not future.cancelled() and (error := future.exception()):
                raise error

    def end(self) -> None:
        """Let no further task begin."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def workers() -> int:
    """Return how many processes of this machine run tasks; UserError where `DVCKIT_WORKERS` is no number."""
    text = os.environ.get("DVCKIT_WORKERS")
    if not text:
        return len(os.sched_getaffinity(0))
    if not text.isdigit() or not 1 <= int(text) <= 1024:
        raise UserError(
            f"DVCKIT_WORKERS is {text!r}; it must be the number of processes that run tasks, from 1 to 1024"
        )
    return int(text)


@contextmanager
def pool(root: Path, scheduler: str | None = None) -> Iterator[Pool]:
    """Give a pool for tasks of the project at `root`, and end its processes at the end."""
    with _runner(root.resolve(), scheduler or os.environ.get("DVCKIT_SCHEDULER")) as (runner, threads):
        running = Pool(runner, threads)
        try:
            yield running
        finally:
            running.end()


@contextmanager
def _runner(root: Path, address: str | None) -> Iterator[tuple[Runner, int]]:
    if address:
        try:
            from dvckit.core.cluster import cluster
        except ImportError:
            raise UserError("a scheduler needs Dask; run `uv sync --extra dask`") from None
        with cluster(root, address) as runner:
            yield runner, runner.threads
        return
    threads, children = workers(), Children(root)
    try:
        yield children, threads
    finally:
        children.end()
