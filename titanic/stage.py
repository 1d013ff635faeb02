"""What every stage shares: how it is started, how it writes, and how it answers a user's mistake.

`python -m titanic.stage modeling.train` runs `titanic.modeling.train.main()` in the project's root, which is where DVC
starts it. A stage reads what dvc.yaml declares as its deps and writes what dvc.yaml declares as its outs.
"""

import gc
import importlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import pandas as pd

# The last bits of a float depend on the processor and on the number of threads, unless both are held fixed.
# Each library reads these once, when it is loaded.
ARITHMETIC = {
    "OPENBLAS_CORETYPE": "Haswell",  # OpenBLAS otherwise picks a kernel for the processor it meets
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",  # numpy's exp and log differ by vector unit
    "OPENBLAS_NUM_THREADS": "1",  # the order of a sum depends on how it was shared out
    "OMP_NUM_THREADS": "1",
}
# How every Parquet file is written, twice as fast as by default: text of many values soon goes without a dictionary, and
# without compression a table is still no larger than its CSV file.
PARQUET: dict[str, Any] = {"compression": "none", "dictionary_pagesize_limit": 1 << 14, "write_statistics": False}

_Item = TypeVar("_Item")
# What a signal handler, which sees nothing of the code that it interrupts, has to remove.
_UNFINISHED: set[Path] = set()


class UserError(Exception):
    """A mistake that the user can mend; the message says what is wrong and what to do."""


@contextmanager
def answered() -> Iterator[None]:
    """End the process with one sentence on stderr, and no traceback, where a user or the machine caused the failure."""
    try:
        yield
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}" if error.filename else f"error: {error}")


def pin_arithmetic() -> None:
    """Make floating-point results the same on every x86-64 processor; call it before numpy is loaded."""
    os.environ.update(ARITHMETIC)


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """Remove a file or folder that others must not see when the block ends, and also where Ctrl-C ends the process."""
    _UNFINISHED.add(path)
    try:
        yield path
    finally:
        _remove(path)
        _UNFINISHED.discard(path)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Give a folder of the stage's own, empty also where a killed run has left one, and remove it at the end."""
    _remove(path)
    path.mkdir(parents=True)
    with unfinished(path):
        yield path


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it takes the place of `path` when the block ends well, and vanishes if not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with unfinished(path.with_name(f".{path.name}.tmp")) as temporary:
        yield temporary
        temporary.replace(path)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Write JSON that a person can read and git can diff; NaN is refused (ValueError)."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes(path, f"{text}\n".encode())


def ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """Yield items while a thread makes the next one: Arrow and numpy compute beside each other."""
    from concurrent.futures import ThreadPoolExecutor

    end: Any = object()
    try:
        with ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(next, items, end)
            while (item := waiting.result()) is not end:
                waiting = thread.submit(next, items, end)
                yield item
    finally:
        if isinstance(items, Generator):
            items.close()


def write_parquet(path: Path, tables: "Iterable[pd.DataFrame]") -> None:
    """Write tables with the same columns, of which there is one at least, below one another; the index is not kept."""
    import pyarrow as pa
    from pyarrow import parquet

    whole = (pa.Table.from_pandas(table, preserve_index=False) for table in tables)
    first = next(whole)
    with replacing(path) as temporary, parquet.ParquetWriter(temporary, first.schema, **PARQUET) as writer:
        for table in chain([first], ahead(whole)):
            writer.write_table(table)


def write_table(path: Path, table: "pd.DataFrame") -> None:
    """Write a table as .parquet or .csv (UTF-8, LF line ends), by the name of the file; the index is not kept."""
    if path.suffix == ".parquet":
        write_parquet(path, [table])
    else:
        write_bytes(path, table.to_csv(index=False, lineterminator="\n").encode())


@contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end the process at once while threads are at work, which an exception cannot end."""
    before = signal.signal(signal.SIGINT, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _stop(*_: object) -> None:
    """End at once: an exception would have to pass through libraries, some of which turn it into another or drop it."""
    for path in tuple(_UNFINISHED):
        _remove(path)
    os.write(2, b"interrupted: files already written are whole, the others are as they were\n")
    os._exit(130)


def main() -> None:
    """Run the stage whose module the command line names."""
    pin_arithmetic()
    with ended_by_ctrl_c(), answered():
        # nothing that loading makes is garbage, and looking for some takes a fifth of a stage's start
        gc.disable()
        stage = importlib.import_module(f"titanic.{sys.argv[1]}")
        gc.freeze()
        gc.enable()
        stage.main()


if __name__ == "__main__":
    # As `titanic.stage`, not as `__main__`: UserError must be the class that the stages raise.
    importlib.import_module("titanic.stage").main()
