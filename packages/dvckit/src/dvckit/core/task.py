"""A process that runs tasks: `python -m dvckit.core.task FD`, started by `dvckit.core.child` with pinned arithmetic."""

import ctypes
import pickle
import signal
import sys
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from dvckit.core.child import FEWER, Failure
from dvckit.core.errors import UserError, is_short_of_memory

PR_SET_PDEATHSIG = 1  # of prctl(2)


def _answer(task: bytes) -> Any:
    try:
        work, item = pickle.loads(task)  # noqa: S301 - it comes from the process that started this one
        return work(item)
    except UserError as error:
        return Failure(str(error))
    except OSError as error:
        return Failure(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except Exception as error:  # noqa: BLE001 - the parent raises it
        if is_short_of_memory(error):
            return Failure(f"not enough memory for a task; {FEWER.removeprefix('if memory ran out, ')}")
        return Failure(trace=traceback.format_exc())


def main() -> None:
    """Run tasks until the parent closes its end, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C at the terminal ends it at once
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    import pyarrow as pa

    pa.set_cpu_count(1)  # there is a child for each core
    connection = Connection(int(sys.argv[1]))
    with suppress(EOFError, OSError):
        while True:
            connection.send_bytes(pickle.dumps(_answer(connection.recv_bytes())))


if __name__ == "__main__":
    main()
