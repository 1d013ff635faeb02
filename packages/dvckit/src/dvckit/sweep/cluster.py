"""Trials on a Dask cluster: `dvckit sweep --scheduler ADDRESS`.

What trials start from is sent once to each worker, which unpacks it and runs trials as a local sweep does, in a process
that imports the stages from there. A trial whose worker dies is run again by another.
"""

import io
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from threading import get_ident
from typing import NamedTuple

from distributed import Client, Future, get_worker

from dvckit.core.errors import UserError, one_line
from dvckit.sweep.base import Base
from dvckit.sweep.trial import Answer, Failed, Start, Trial
from dvckit.sweep.worker import Worker

CONNECT = 10  # seconds
# Of this process, which is a Dask worker: workers of ours, by what they start from and the thread that uses them.
_WORKERS: dict[tuple[str, int], Worker] = {}


class Shipment(NamedTuple):
    """What trials start from, in a tar file: a copy of the project, and the outs of dvc.lock's stages."""

    name: str
    content: bytes
    start: Start  # `sources` are in the tar file


def pack(base: Base) -> Shipment:
    """Pack what trials start from."""
    content, sources = io.BytesIO(), {path: f"out-{number}" for number, path in enumerate(base.start.sources)}
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add(base.worker(0), "copy")
        for path, name in sources.items():
            archive.add(base.start.sources[path], name)
    return Shipment(base.folder.name, content.getvalue(), base.start._replace(sources=sources))


def unpack(shipment: Shipment, folder: Path) -> Worker:
    """Start a worker of ours in an empty folder."""
    with tarfile.open(fileobj=io.BytesIO(shipment.content)) as archive:
        archive.extractall(folder)  # noqa: S202 - packed above; Python 3.11.2 has no filter
    sources = {path: str(folder / name) for path, name in shipment.start.sources.items()}
    return Worker(folder / "copy", folder, shipment.start._replace(sources=sources))


def run(shipment: Shipment, trial: Trial) -> Answer:
    """Run a trial in this process, a Dask worker, each of whose threads has a worker of ours."""
    key = shipment.name, get_ident()
    if key not in _WORKERS or not _WORKERS[key].alive():
        _WORKERS[key] = unpack(shipment, Path(mkdtemp(dir=get_worker().local_directory)))
    return _WORKERS[key].run(trial)


class Remote:
    """Runs one trial at a time, somewhere in the cluster."""

    def __init__(self, client: Client, shipment: "Future[Shipment]") -> None:
        self.client, self.shipment = client, shipment
        self.running: Future[Answer] | None = None

    def run(self, trial: Trial) -> Answer:
        """Return what the trial wrote, or why it wrote nothing."""
        self.running = self.client.submit(run, self.shipment, trial, pure=False)
        try:
            result: Answer = self.running.result()
        except Exception as error:  # noqa: BLE001 - Dask gives up a trial that has cost it several workers
            return Failed(f"{type(error).__name__}: {one_line(error)}")
        return result

    def alive(self) -> bool:
        """Tell whether it can run another trial."""
        return True

    def end(self) -> None:
        """Stop it."""
        if self.running:
            self.running.cancel()


def forget(name: str) -> None:
    """End the workers of a shipment in this process, a Dask worker, and remove what they were unpacked to."""
    for key in [key for key in _WORKERS if key[0] == name]:
        worker = _WORKERS.pop(key)
        worker.end()
        shutil.rmtree(worker.log.parent, ignore_errors=True)


@contextmanager
def runners(base: Base, address: str) -> Iterator[tuple[Callable[[int], Remote], int]]:
    """Send what trials start from to all workers; give what starts runners, and how many trials can run at once.

    UserError where no scheduler answers, or it has no workers.
    """
    try:
        client = Client(address, timeout=CONNECT)
    except (OSError, ValueError) as error:
        raise UserError(f"--scheduler {address}: {one_line(error)}") from None
    with client:
        if not (threads := sum(client.nthreads().values())):
            raise UserError(f"--scheduler {address} has no workers; start some: dask worker {address}")
        try:
            shipment = client.scatter(pack(base), broadcast=True, hash=False)
            yield lambda _: Remote(client, shipment), threads
        finally:
            if client.status == "running":
                client.run(forget, base.folder.name)
