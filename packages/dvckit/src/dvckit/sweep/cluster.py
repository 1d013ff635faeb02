"""Trials on a Dask cluster: `dvckit sweep --scheduler ADDRESS`.

What trials start from is sent once to each Dask worker, which unpacks it and runs trials as a local sweep does, in processes
that import the stages from there. A trial whose Dask worker dies is run again by another.
"""

import io
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

from distributed import Client, Future, get_worker
from distributed.client import FutureCancelledError

from dvckit.core.errors import UserError, one_line
from dvckit.sweep.base import Base
from dvckit.sweep.stages import Start
from dvckit.sweep.sweep import Runner
from dvckit.sweep.trial import Trial
from dvckit.sweep.worker import Answer, Worker, Workers

CONNECT = 10  # seconds
ATTEMPTS = 3  # at a trial whose data a worker took with it
_WORKERS: dict[str, Workers] = {}  # of this process, which is a Dask worker, by what they start from


class Shipment(NamedTuple):
    """What trials start from, in a tar file: a copy of the project, and the outs of dvc.lock's stages."""

    name: str
    content: bytes
    place: Path  # of the copy, which is as deep as the project, in the tar file
    start: Start  # its files are in the tar file


def pack(base: Base) -> Shipment:
    """Pack what trials start from; UserError where a pipeline cannot run elsewhere."""
    if not base.simple:
        raise UserError(
            "--scheduler is for pipelines whose stages all are `python -m dvckit.stage MODULE`; leave it out"
        )
    content, files = io.BytesIO(), {}
    with tarfile.open(fileobj=content, mode="w") as archive:
        copy = base.origin.copy(packed := base.folder / "packed")
        archive.add(packed, "copy")
        for number, (path, file) in enumerate(base.start.files.items()):
            files[path] = file._replace(source=Path(f"out-{number}"))
            archive.add(file.source, files[path].source)
    return Shipment(
        token_hex(8), content.getvalue(), "copy" / copy.relative_to(packed), base.start._replace(files=files)
    )


def unpack(shipment: Shipment, folder: Path) -> Worker:
    """Start a worker in a new folder."""
    with tarfile.open(fileobj=io.BytesIO(shipment.content)) as archive:
        archive.extractall(folder)  # noqa: S202 - packed above; Python 3.11.2 has no filter
    files = {path: file._replace(source=folder / file.source) for path, file in shipment.start.files.items()}
    return Worker(folder / shipment.place, folder, shipment.start._replace(files=files))


def run(shipment: Shipment, trial: Trial) -> Answer:
    """Run a trial in this process, a Dask worker."""
    folder = Path(get_worker().local_directory) / shipment.name
    return _WORKERS.setdefault(shipment.name, Workers(folder, partial(unpack, shipment))).run(trial)


def forget(name: str) -> None:
    """End the workers of a shipment in this process, a Dask worker, and remove what they were unpacked to."""
    if workers := _WORKERS.pop(name, None):
        workers.end()
        shutil.rmtree(workers.folder, ignore_errors=True)


@contextmanager
def runner(base: Base, address: str) -> Iterator[Runner]:
    """Give what runs trials on all Dask workers; UserError where no scheduler answers, or they cannot run them."""
    try:
        client = Client(address, timeout=CONNECT)
    except (OSError, ValueError) as error:
        raise UserError(f"--scheduler {address}: {one_line(error)}") from None
    with client:
        if not (threads := sum(client.nthreads().values())):
            raise UserError(f"--scheduler {address} has no workers; start some: dask worker {address}")
        shipment = pack(base)
        sent = [client.scatter(shipment, broadcast=True, hash=False)]
        futures: list[Future[Answer]] = []

        def answer(trial: Trial) -> Answer:
            for attempt in range(ATTEMPTS):
                futures.append(future := client.submit(run, sent[-1], trial, pure=False))
                try:
                    result: Answer = future.result()
                except Exception as error:  # noqa: BLE001 - Dask gives up a trial that has cost it several workers
                    if not isinstance(error, FutureCancelledError) or attempt + 1 == ATTEMPTS:
                        return trial.killed(f"{type(error).__name__}: {one_line(error)}")
                    # a worker that died had the only copy of what trials start from
                    sent.append(client.scatter(shipment, broadcast=True, hash=False))
                else:
                    return result
                finally:
                    futures.remove(future)
            raise AssertionError

        def end() -> None:
            if client.status == "running":
                client.cancel(list(futures))
                client.run(forget, shipment.name)

        yield Runner(threads, answer, end)
