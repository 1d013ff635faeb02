"""Tasks on a Dask cluster whose machines share the project's folder: `DVCKIT_SCHEDULER=ADDRESS`.

A Dask worker gives each task to a child of its own, as a stage does on one machine: it imports the project's code from the
folder, with pinned arithmetic. A task whose worker dies is run again by another; Dask sees to that. Nothing of Dask but
`submit` is used. A scheduler and its workers run what any client sends them, and could send anything back: use only those
that you trust. For `tls://`, Dask's own configuration names the certificates.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import Any

from distributed import Client
from distributed.versions import get_versions

from dvckit.core.child import Children
from dvckit.core.errors import UserError, one_line
from dvckit.core.interrupts import unfinished

CONNECT = 8  # seconds
OURS = ("dask", "distributed")
_CHILDREN: dict[str, tuple[str, Children]] = {}  # of this process, a Dask worker: by the project's root, those of a run
_LOCK = Lock()


def run(root: str, name: str, task: bytes) -> bytes:
    """Run a task in this process, a Dask worker, for the run of that name; the children of an earlier one end."""
    with _LOCK:
        if root not in _CHILDREN or _CHILDREN[root][0] != name:
            _end(root)
            _CHILDREN[root] = name, Children(Path(root))
        children = _CHILDREN[root][1]
    return children.run(task)


def forget(root: str, name: str) -> None:
    """End the children of a run in this process, a Dask worker."""
    with _LOCK:
        if _CHILDREN.get(root, ("",))[0] == name:
            _end(root)


def _end(root: str) -> None:
    if root in _CHILDREN:
        _CHILDREN.pop(root)[1].end()


def sees(path: str) -> tuple[bool, str]:
    """Tell whether this machine has a file, and its version of dvckit."""
    return Path(path).is_file(), version("dvckit")


class Cluster:
    """Runs tasks on all workers of a scheduler."""

    def __init__(self, client: Client, root: Path) -> None:
        self._client, self._root, self._name = client, str(root), token_hex(8)
        self.threads = sum(client.nthreads().values())

    def run(self, task: bytes) -> bytes:
        """Return the answer to a task, both pickled; UserError where the cluster gives it up."""
        future = self._client.submit(run, self._root, self._name, task, pure=False)
        try:
            answer: bytes = future.result()
        except Exception as error:  # noqa: BLE001 - Dask has several ways to give up
            raise UserError(
                f"the Dask cluster gave up a task ({type(error).__name__}: {one_line(error)[:200]}); if memory ran out, use "
                "fewer threads a worker, or more partitions"
            ) from None
        return answer

    def end(self) -> None:
        """End the children of this run."""
        with suppress(Exception):  # the cluster may be gone
            self._client.run(forget, self._root, self._name)


@contextmanager
def cluster(root: Path, address: str) -> Iterator[Cluster]:
    """Give what runs tasks on a cluster; UserError where no scheduler answers, or its workers cannot run them."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):  # of versions, which are checked below
            client = Client(address, timeout=CONNECT)
    except Exception as error:  # noqa: BLE001 - a wrong address, a deaf port, another protocol
        raise UserError(f"no Dask scheduler answers at {address}: {one_line(error)[:200]}") from None
    with client:
        _check(client, root, address)
        running = Cluster(client, root)
        try:
            yield running
        finally:
            running.end()


def _check(client: Client, root: Path, address: str) -> None:
    """Raise a UserError where the scheduler has no workers, or one cannot run tasks of the project."""
    with suppress(TimeoutError):
        client.wait_for_workers(1, timeout=CONNECT)
    if not client.nthreads():
        raise UserError(f"the Dask scheduler at {address} has no workers; start some: dask worker {address}")
    ours = get_versions()["packages"]
    theirs: Any = client.get_versions()
    for name, about in {"the scheduler": theirs["scheduler"], **theirs["workers"]}.items():
        for package in OURS:
            if about and about["packages"][package] != ours[package]:
                raise UserError(
                    f"{name} has {package} {about['packages'][package]}, and this machine {ours[package]}; install the same"
                )
    with unfinished(root / f".dvckit-{token_hex(8)}.tmp") as mark:
        mark.touch()
        answers: dict[str, Any] = client.run(sees, str(mark), on_error="return")
    for worker, answer in answers.items():
        if isinstance(answer, BaseException):
            raise UserError(f"the Dask worker {worker} cannot run dvckit: {one_line(answer)[:200]}; install it there")
        if not answer[0]:
            raise UserError(
                f"the Dask worker {worker} does not see {root}; workers need the project's folder at this path"
            )
        if answer[1] != version("dvckit"):
            raise UserError(f"the Dask worker {worker} has dvckit {answer[1]}, and this machine {version('dvckit')}")
