"""Atomic writes: a file is written whole or not at all, even with Ctrl-C or a full disk."""

import json
import os
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from dvckit.core.interrupts import remove, unfinished

if TYPE_CHECKING:
    import pandas as pd

# Options of every Parquet file, twice as fast as the defaults: text with many values soon drops its dictionary, and without
# compression a table is still no larger than its CSV file.
PARQUET: dict[str, Any] = {"compression": "none", "dictionary_pagesize_limit": 1 << 14, "write_statistics": False}

BATCH = 1 << 17  # rows processed at once

_Item = TypeVar("_Item")


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Create an empty folder, even if a killed run has left one there, and remove it at the end."""
    remove(path)
    path.mkdir(parents=True)
    with unfinished(path):
        yield path


def is_device(path: Path) -> bool:
    """Tell whether a path is a device or a pipe, and no name that a file could take."""
    # /dev/stdout is a link, which a shell may have turned to a file that others write to, too
    folder = path.parent.resolve()
    of_system = folder == Path("/dev") or folder.is_relative_to("/proc")
    return path.exists() and not path.is_dir() and (of_system or not path.is_file())


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it replaces `path` if the block succeeds, and is removed otherwise.

    What is no regular file, such as /dev/stdout or a named pipe, is no name to replace: it gets the content.
    """
    if is_device(path):
        with TemporaryDirectory(prefix="dvckit-") as folder:
            yield (temporary := Path(folder) / path.name)
            with path.open("wb") as device, temporary.open("rb") as content:
                shutil.copyfileobj(content, device)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with unfinished(path.with_name(f".{path.name}.tmp")) as temporary:
        yield temporary
        put(temporary, path)


def put(new: Path, target: Path) -> None:
    """Move a file or folder to where another file or folder may be."""
    if not new.is_dir() and (target.is_symlink() or not target.is_dir()):
        new.replace(target)
        return
    with unfinished(target.with_name(f".{target.name}.old.tmp")) as old:
        remove(old)  # a killed run may have left it
        if os.path.lexists(target):
            target.rename(old)
        new.rename(target)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Write JSON that a person can read and git can diff; NaN is refused (ValueError)."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes(path, f"{text}\n".encode())


def ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """Yield items while a thread prepares the next one, so that Arrow and numpy compute in parallel."""
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
    """Write one or more tables with the same columns to one file, in their order, without the index."""
    import pyarrow as pa
    from pyarrow import parquet

    whole = (pa.Table.from_pandas(table, preserve_index=False) for table in tables)
    first = next(whole)
    with replacing(path) as temporary, parquet.ParquetWriter(temporary, first.schema, **PARQUET) as writer:
        for table in chain([first], ahead(whole)):
            writer.write_table(table)


def map_parquet(source: Path, target: Path, work: "Callable[[pd.DataFrame], pd.DataFrame]") -> None:
    """Apply `work` to each batch of rows of a Parquet file and write the results; files may be of any length."""
    from pyarrow import parquet

    from dvckit.core.progress import progress

    file = parquet.ParquetFile(source)
    with progress(str(target), "rows", file.metadata.num_rows) as advance:

        def results() -> "Iterator[pd.DataFrame]":
            for batch in ahead(file.iter_batches(BATCH)):
                yield work(batch.to_pandas())
                advance(len(batch))

        write_parquet(target, results())


def write_table(path: Path, table: "pd.DataFrame") -> None:
    """Write a table as .parquet or .csv (UTF-8, LF line ends), by the name of the file, without the index."""
    if path.suffix == ".parquet":
        write_parquet(path, [table])
    else:
        write_bytes(path, table.to_csv(index=False, lineterminator="\n").encode())
