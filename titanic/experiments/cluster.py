"""Trials on a Dask cluster: `titanic sweep --scheduler ADDRESS`.

What trials start from is sent once to each worker, which unpacks it and runs trials as a local sweep does, in a process that
imports the stages from there. A trial whose worker dies is run again by another.
"""

import io
import shutil
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import mkdtemp
from typing import NamedTuple

from distributed import Client, Future, get_worker

from titanic.experiments.base import Base
from titanic.experiments.pipeline import Entry, Stage
from titanic.experiments.points import Point
from titanic.experiments.trial import Failed, Floor, Pruned, Result, Start
from titanic.experiments.worker import Worker
from titanic.stage import UserError

CONNECT = 10  # seconds
# Of this process, which is a Dask worker: idle workers of ours, by what they start from.
_IDLE: dict[str, SimpleQueue[Worker]] = {}


class Shipment(NamedTuple):
    """What trials start from, in bytes: the project's files as tar, dvc.lock's stages and their outs."""

    name: str
    project: bytes
    lock: dict[str, Entry]
    outs: dict[str, bytes]


def shipment(base: Base) -> Shipment:
    """Pack what trials start from."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(base.worker(0), ".")
    outs = {path: Path(source).read_bytes() for path, source in base.start.sources.items()}
    return Shipment(base.folder.name, packed.getvalue(), base.start.lock, outs)


def unpack(shipped: Shipment, folder: Path) -> Worker:
    """Start a worker of ours in an empty folder."""
    tree = folder / "tree"
    with tarfile.open(fileobj=io.BytesIO(shipped.project)) as archive:
        archive.extractall(tree, filter="data")
    sources = {}
    for number, (path, content) in enumerate(shipped.outs.items()):
        source = folder / f"out-{number}"
        source.write_bytes(content)
        sources[path] = str(source)
    return Worker(tree, folder, Start(shipped.lock, sources))


def trial(shipped: Shipment, point: Point, stages: list[Stage], floor: Floor | None) -> Result | Pruned | Failed:
    """Run a trial in this process, a Dask worker, whose threads each take an idle worker of ours or start one."""
    idle = _IDLE.setdefault(shipped.name, SimpleQueue())
    try:
        worker = idle.get_nowait()
    except Empty:
        worker = unpack(shipped, Path(mkdtemp(dir=get_worker().local_directory)))
    found = worker.run(point, stages, floor)
    if worker.alive():
        idle.put(worker)
    return found


class Remote:
    """Runs one trial at a time, somewhere in the cluster."""

    def __init__(self, client: Client, shipped: "Future[Shipment]") -> None:
        """Take the cluster, and what trials start from, which is there."""
        self.client = client
        self.shipped = shipped
        self.running: Future[Result | Pruned | Failed] | None = None

    def run(self, point: Point, stages: list[Stage], floor: Floor | None) -> Result | Pruned | Failed:
        """Return what the trial made, or why it made nothing."""
        self.running = self.client.submit(trial, self.shipped, point, stages, floor, pure=False)
        try:
            found: Result | Pruned | Failed = self.running.result()
        except Exception as error:  # noqa: BLE001 - Dask gives up a trial that has cost it several workers
            return Failed(f"{type(error).__name__}: {' '.join(str(error).split())}")
        return found

    def alive(self) -> bool:
        """Tell whether it can run another trial."""
        return True

    def end(self) -> None:
        """Stop it."""
        if self.running:
            self.running.cancel()


def forget(name: str) -> None:
    """End the idle workers of a shipment in this process, a Dask worker, and remove what they were unpacked to."""
    idle = _IDLE.pop(name, SimpleQueue[Worker]())
    with suppress(Empty):
        while True:
            worker = idle.get_nowait()
            worker.end()
            shutil.rmtree(worker.said.parent, ignore_errors=True)


def connect(address: str) -> Client:
    """Connect to a scheduler; UserError where none answers, or it has no workers."""
    try:
        client = Client(address, timeout=CONNECT)
    except (OSError, ValueError) as error:
        raise UserError(f"--scheduler {address}: {' '.join(str(error).split())}") from None
    if not client.nthreads():
        client.close()
        raise UserError(f"--scheduler {address} has no workers; start some: dask worker {address}")
    return client


def remote(base: Base, client: Client) -> Callable[[int], Remote]:
    """Send what trials start from to every worker; return what starts runners."""
    shipped = client.scatter(shipment(base), broadcast=True, hash=False)
    return lambda _: Remote(client, shipped)


def threads(client: Client) -> int:
    """Return how many trials the cluster can run at once."""
    return sum(client.nthreads().values())
