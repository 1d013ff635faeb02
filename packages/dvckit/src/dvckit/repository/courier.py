"""What runs in a process of its own, as it may hang: DVC's commands, and what a remote is asked for.

`python -m dvckit.repository.courier FD TASK WORD…`, by `dvckit.repository.patience`, which reads at FD how many bytes
the sockets of this process have moved.
"""

import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from stat import S_ISSOCK
from threading import Thread
from typing import Any

from dvckit.core.errors import one_line
from dvckit.repository import dvc_internals
from dvckit.repository.patience import LEAST, POLL

HASHES = ("md5", "md5-dos2unix")  # DVC 1 and 2 kept objects in another place
COUNTERS = 120  # where Linux's struct tcp_info has tcpi_bytes_acked and tcpi_bytes_received


def report(reports: socket.socket) -> None:
    """Send how many bytes the sockets here have moved, again and again; end this process with the one that reads it."""
    seen: dict[int, int] = {}
    total = 0
    while True:
        for socket_id, moved in _moved():
            total += max(0, moved - seen.get(socket_id, 0))
            seen[socket_id] = moved
        total += 0 if hasattr(socket, "TCP_INFO") else LEAST
        try:
            reports.send(b"%d\n" % total)
        except OSError:
            os._exit(1)
        time.sleep(POLL)


def _moved() -> Iterator[tuple[int, int]]:
    """Yield each TCP socket and what it has received, and sent for sure."""
    for descriptor in (int(path.name) for path in Path("/dev/fd").iterdir()):
        try:
            state = os.fstat(descriptor)
            if S_ISSOCK(state.st_mode):
                yield state.st_ino, _counted(descriptor)
        except (OSError, AttributeError):  # closed in the meantime, of another kind, or not on Linux
            continue


def _counted(descriptor: int) -> int:
    borrowed = socket.socket(fileno=descriptor)
    try:
        info = borrowed.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, COUNTERS + 16)
        return sum(struct.unpack_from("QQ", info, COUNTERS))
    finally:
        borrowed.detach()


def dvc(*words: str) -> None:
    """Run a command of DVC's."""
    sys.exit(dvc_internals.main([*words]))


def ask(root: str, name: str) -> None:
    """Print which of the objects that stdin names a remote has, a line for each."""
    cloud, objects = dvc_internals.Repo(root).cloud, sys.stdin.read().split()
    present: set[str] = set()
    for kind in HASHES:
        if others := [md5 for md5 in objects if md5 not in present]:
            present.update(_present(cloud.get_remote_odb(name, hash_name=kind), others))
    print("\n".join(present))


def _present(store: Any, md5s: list[str]) -> Iterable[str]:
    """Return which objects a store has; DVC itself takes every failure of a web server for their absence."""
    if store.fs.protocol not in {"http", "https"}:
        found: list[str] = store.oids_exist(md5s)
        return found
    with ThreadPoolExecutor(store.fs.jobs) as pool:
        answers = pool.map(partial(store.fs.fs.exists, strict=True), map(store.oid_to_path, md5s))
        return [md5 for md5, there in zip(md5s, answers, strict=True) if there]


def get(root: str, name: str, md5: str, target: str) -> None:
    """Write an object of a remote to a file."""
    cloud = dvc_internals.Repo(root).cloud
    new, old = (cloud.get_remote_odb(name, hash_name=kind) for kind in HASHES)
    try:
        new.fs.get_file(new.oid_to_path(md5), target)
    except FileNotFoundError:
        old.fs.get_file(old.oid_to_path(md5), target)


def push(root: str, name: str) -> None:
    """Push the objects that stdin names from the cache.

    Object by object: DVC takes a folder's files for there when the folder's list is, and believes a killed push done.
    """
    repo, md5s = dvc_internals.Repo(root), {*sys.stdin.read().split()}
    failed = {*md5s}
    for kind, cache in zip(HASHES, (repo.cache.local, repo.cache.legacy), strict=True):
        hashes = {dvc_internals.HashInfo(kind, md5) for md5 in md5s if cache.exists(md5)}
        result = dvc_internals.transfer(cache, repo.cloud.get_remote_odb(name, hash_name=kind), hashes)
        failed -= {one.value for one in hashes - result.failed}
    if failed:
        sys.exit(f"ERROR: {len(failed)} of {len(md5s)} objects could not be pushed")


def _said(error: BaseException) -> str:
    """Return what an error says, its kind and the status of a web server included."""
    answer = getattr(error, "response", None)
    statuses = [getattr(place, name, None) for place in (error, answer) for name in ("status", "status_code")]
    numbers = [f"HTTP {number}" for number in statuses if isinstance(number, int) and number]
    return ": ".join([type(error).__name__, *numbers[:1], one_line(error)])


def do(task: str, *words: str) -> None:
    """Do a task; what goes wrong is said in a line on stderr that begins with ERROR."""
    tasks: dict[str, Callable[..., None]] = {"dvc": dvc, "ask": ask, "get": get, "push": push}
    try:
        tasks[task](*words)
    except Exception as error:  # noqa: BLE001 - whatever a remote's library raises
        causes = [cause for cause in (error, error.__cause__, error.__context__) if cause]
        sys.exit("ERROR: " + ": ".join(dict.fromkeys(map(_said, causes))))


def main() -> None:
    """Do the task that the command line names, watched."""
    descriptor, *words = sys.argv[1:]
    Thread(target=report, args=[socket.socket(fileno=int(descriptor))], daemon=True).start()
    do(*words)


if __name__ == "__main__":
    main()
