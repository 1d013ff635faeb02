"""Partitions of tables in parts.

A partition is a share of all rows, drawn by a hash of the key, or of the group where the schema has that role: never by the
order of rows, parts or workers. In a Parquet file of a table in parts each row group holds rows of one partition, sorted by
their key, so that a partition is read from all files without touching another one.
"""

import json
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from dvckit.core.errors import UserError
from dvckit.core.files import PARQUET, map_parquet, put, scratch_folder
from dvckit.core.memo import Memo
from dvckit.core.pool import Pool, pool
from dvckit.tables.parts import files_of

GROUPS = "dvckit.partitions"  # in a Parquet file's metadata: the partition of each row group
FLUSH = 64 << 20  # bytes of rows in memory that are written at once
LEAST_ROWS = 2_000  # of a partition, for a model


PANDAS = {pa.int64(): pd.Int64Dtype(), pa.string(): pd.StringDtype(na_value=np.nan)}


def places(values: pa.Array | pa.ChunkedArray, partitions: int) -> npt.NDArray[np.int64]:
    """Return the partition of each row, from 0, by a hash of its value; of a missing value, too."""
    column = values.to_pandas(types_mapper=PANDAS.get)
    hashes = pd.util.hash_pandas_object(column, index=False, categorize=False).to_numpy()
    return (hashes % np.uint64(partitions)).astype(np.int64)


class PartitionedWriter:
    """Writes batches of rows to a Parquet file, in row groups that each have the rows of one partition."""

    def __init__(self, path: Path, schema: pa.Schema, by: str, key: str, partitions: int) -> None:
        """Rows are divided by a hash of column `by`, and sorted by column `key` in their row group."""
        self._writer = parquet.ParquetWriter(path, schema, **PARQUET)
        self._by, self._key, self._partitions = by, key, partitions
        self._waiting: list[pa.RecordBatch] = []
        self._bytes = 0
        self._groups: list[int] = []

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Write a batch, now or with the next ones."""
        self._waiting.append(batch)
        self._bytes += batch.nbytes
        if self._bytes >= FLUSH:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        table = pa.Table.from_batches(self._waiting).combine_chunks()
        self._waiting, self._bytes = [], 0
        of_rows = places(table[self._by], self._partitions)
        keys = table[self._key]
        order = pc.sort_indices(
            pa.table({"place": of_rows, "key": keys}), [("place", "ascending"), ("key", "ascending")]
        )
        table = table.take(order)
        ends = np.cumsum(np.bincount(of_rows, minlength=self._partitions))
        for place, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            if end > start:
                self._writer.write_table(table.slice(start, end - start))
                self._groups.append(place)

    def end(self) -> None:
        """Write what waits, and which partition each row group has."""
        self._flush()
        self._writer.add_key_value_metadata({GROUPS: json.dumps({"count": self._partitions, "groups": self._groups})})

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


@contextmanager
def in_partitions(path: Path, schema: pa.Schema, by: str, key: str, partitions: int) -> Iterator[PartitionedWriter]:
    """Give a writer of a Parquet file: a hash of column `by` divides the rows, column `key` orders them."""
    writer = PartitionedWriter(path, schema, by, key, partitions)
    try:
        yield writer
        writer.end()
    finally:
        writer.close()


@dataclass(frozen=True)
class Partitioned:
    """A table in partitions: its files, and the row groups of each partition in each."""

    files: tuple[Path, ...]
    groups: tuple[tuple[int, ...], ...]  # of each file: the partition of each row group
    rows: tuple[tuple[int, ...], ...]  # of each file: the number of rows of each row group
    count: int

    def sizes(self) -> list[int]:
        """Return the number of rows of each partition."""
        sizes = [0] * self.count
        for groups, rows in zip(self.groups, self.rows, strict=True):
            for place, size in zip(groups, rows, strict=True):
                sizes[place] += size
        return sizes

    def read(self, partition: int, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows of a partition, file by file; in each row group they are in the order of their keys."""
        tables = []
        for path, groups in zip(self.files, self.groups, strict=True):
            own = [number for number, place in enumerate(groups) if place == partition]
            with parquet.ParquetFile(path) as file:
                tables.append(file.read_row_groups(own, columns=columns, use_threads=False))
        return pa.concat_tables(tables)

    def table(self, partition: int, key: str) -> pd.DataFrame:
        """Return the rows of a partition in the order of their keys, which are unique."""
        table = self.read(partition)
        whole: pd.DataFrame = table.take(pc.sort_indices(table, [(key, "ascending")])).to_pandas()
        return whole


def partitioned(path: Path) -> Partitioned:
    """Return the partitions of a table in a folder of Parquet files; UserError where the files have none."""
    files, groups, rows, counts = files_of(path), [], [], set[int]()
    for file in files:
        about, sizes = _about(file)
        counts.add(about["count"])
        groups.append(tuple(about["groups"]))
        rows.append(sizes)
    if len(counts) != 1:
        raise UserError(f"the files in {path} are not of one run; run `dvc repro`")
    return Partitioned(tuple(files), tuple(groups), tuple(rows), counts.pop())


def _about(file: Path) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Return what a file says of its row groups, and their numbers of rows."""
    try:
        footer = parquet.read_metadata(file)
        about: dict[str, Any] = json.loads((footer.metadata or {})[GROUPS.encode()])
    except (KeyError, ValueError, pa.ArrowException):
        raise UserError(f"{file} is no part of a table in partitions; run `dvc repro`") from None
    return about, tuple(footer.row_group(number).num_rows for number in range(footer.num_row_groups))


def map_tables(names: Iterable[str], source: Path, target: Path, work: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Apply `work`, which makes of each row one row, to the tables NAME.parquet of a folder; write the results to another.

    Tables may be of any length: `work`, a function of a module or a partial of one, gets batches of rows. Those in parts
    have a task for each part.
    """
    files = [f"{name}.parquet" for name in names]
    if not any((source / file).is_dir() for file in files):
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda file: map_parquet(source / file, target / file, work), files))
        return
    with scratch_folder(target / ".map.tmp") as folder, pool(Path.cwd()) as running:
        for file in files:
            (folder / file).mkdir()
        parts = {part: folder / file / part.name for file in files for part in files_of(source / file)}
        _map_parts(parts, work, running)
        for file in files:
            put(folder / file, target / file)


def _map_parts(parts: Mapping[Path, Path], work: Callable[[pd.DataFrame], pd.DataFrame], running: Pool) -> None:
    memo = Memo("map", getattr(work, "func", work).__module__.partition(".")[0], pickle.dumps(work))
    contents = dict(zip(parts, memo.hashes([*parts], running), strict=True))
    new = [(part, target) for part, target in parts.items() if memo.restore(contents[part], [target]) is None]
    running.map(partial(_map_part, work), new, "featurize", "parts")
    for part, target in new:
        memo.keep(contents[part], [target], result=True)
    memo.forget_others()


def _map_part(work: Callable[[pd.DataFrame], pd.DataFrame], paths: tuple[Path, Path]) -> None:
    source, target = paths
    with parquet.ParquetFile(source) as file:
        groups = (file.read_row_group(number, use_threads=False) for number in range(file.num_row_groups))
        results = (pa.Table.from_pandas(work(group.to_pandas()), preserve_index=False) for group in groups)
        first = next(results)
        with parquet.ParquetWriter(target, first.schema, **PARQUET) as writer:
            for table in chain([first], results):
                writer.write_table(table)
            writer.add_key_value_metadata({GROUPS: json.dumps(_about(source)[0])})
