"""Sources in parts, for tables in partitions: a table is a file NAME.csv, or a folder NAME of CSV or Parquet files.

The task of a part brings it to data/raw, wherever it lies. There each part is a plain CSV file.
"""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from dvckit.core.errors import UserError, one_line
from dvckit.core.layout import TEST, TRAIN
from dvckit.core.pool import Pool, pool
from dvckit.tables.parts import NUMBERED, files_of
from dvckit.tables.schema import ROW, Rules, Schema
from dvckit.tables.stores import fetched, inside, is_file, is_folder, parts_in

SIZE = 64 << 20  # bytes of a part that is cut from a file
BLOCK = 8 << 20  # bytes read at once


class Part(NamedTuple):
    """A part of a table of a source, and the plain CSV file that it becomes; a table in one file is cut into parts."""

    table: str
    address: str
    target: Path
    alone: bool


def copy(source: str, rules: Rules, folder: Path, pool: Pool, *, whole: bool = False) -> list[Part]:
    """Bring the tables of a source to folders NAME.csv of plain CSV files; UserError if one is missing or no such file.

    A table in one file becomes one part where it is to stay `whole`.
    """
    tables = {name: _files(source, name) for name in rules.names}
    if missing := [f"{name}.csv and no folder {name}" for name in rules.tables if not tables[name]]:
        raise UserError(
            f"dataset.path: {source} has no {' and no '.join(missing)}; put the files there, or use another source"
        )
    parts = []
    for name, addresses in tables.items():
        if len(addresses) > 1 and rules.schema.key == ROW:
            raise UserError(
                f"{source}/{name} has {len(addresses)} parts, and rows without an id cannot be told apart in them; give a "
                "column the role id in the schema, or bring one file"
            )
        if addresses:
            (folder / f"{name}.csv").mkdir()
        for address in addresses:
            target = folder / f"{name}.csv" / f"{PurePosixPath(address).stem}.csv"
            parts.append(Part(name, address, target, len(addresses) == 1 and not whole))
    if len({part.target for part in parts}) < len(parts):
        raise UserError(f"{source} has two parts of one name; rename one")
    pool.map(partial(_bring, rules=rules), parts, "ingest", "parts")
    return parts


def _files(source: str, name: str) -> list[str]:
    """Return the files of a table of a source; none where it has no such table."""
    file, folder = inside(source, f"{name}.csv"), inside(source, name)
    if is_file(file):
        return [file]
    return parts_in(folder) if is_folder(folder) else []


def _bring(part: Part, rules: Rules) -> None:
    with TemporaryDirectory(dir=part.target.parent, prefix=".") as name:
        plain = Path(name) / "plain"
        own = fetched(part.address, Path(name))
        if own.suffix == ".parquet":
            decode_parquet(own, plain, rules)
        else:
            rules.decode(part.table, own, plain)
        if part.alone:
            cut(plain, part.target.parent)
        else:
            plain.replace(part.target)


def decode_parquet(source: Path, target: Path, rules: Rules) -> str:
    """Write a Parquet file as plain CSV; return which table of the source it is, by its columns."""
    names = dict(zip(rules.header(TRAIN), rules.fields(TRAIN), strict=True))
    try:
        with parquet.ParquetFile(source) as file, target.open("wb") as lines:
            columns = file.schema_arrow
            if nested := [field.name for field in columns if pa.types.is_nested(field.type)]:
                raise UserError(f"{source}: the column {nested[0]!r} has lists or mappings in its cells")
            fields = [names.get(name, name) for name in columns.names]
            header = csv.WriteOptions(quoting_style="needed")
            csv.write_csv(pa.table({name: [] for name in fields}), lines, header)
            for batch in file.iter_batches():
                rows = _as_written(batch.rename_columns(fields), rules.schema)
                csv.write_csv(rows, lines, csv.WriteOptions(quoting_style="needed", include_header=False))
    except pa.ArrowException as error:
        raise UserError(f"{source} is not a Parquet table: {one_line(error)[:200]}") from None
    return TRAIN if rules.schema.target in fields else TEST


def _as_written(batch: pa.RecordBatch, schema: Schema) -> pa.RecordBatch:
    """Return a batch with its dates as the schema says that they are written."""
    columns = [
        pc.strftime(values, schema.about[name]["written"])
        if pa.types.is_temporal(values.type) and schema.about.get(name, {}).get("written")
        else values
        for name, values in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.record_batch(columns, names=batch.schema.names)


def cut(source: Path, folder: Path, size: int = SIZE) -> None:
    """Write a plain CSV file as parts of about that many bytes, each with the header, named by the number of their first row.

    Parts end at the end of a row. From a row on that has none, as after an open quote, all is one part: validation reports
    what is wrong with it.
    """
    with source.open("rb") as file:
        header, number, block = _header(file), 1, file.read(BLOCK)
        while True:
            with (folder / f"{NUMBERED.format(number)}.csv").open("wb") as part:
                part.write(header)
                while block and part.tell() < size:
                    end, rows = _last_row(block)
                    if not end:  # the last row of the file, or one that is longer than any should be
                        part.write(block)
                        shutil.copyfileobj(file, part)
                        return
                    part.write(block[:end])
                    number, block = number + rows, block[end:] + file.read(BLOCK)
            if not block:
                return


def in_parts(folder: Path) -> None:
    """Cut each CSV file in a folder into parts, in a folder of its name."""
    for file in [path for path in folder.glob("*.csv") if path.is_file()]:
        whole = file.rename(file.with_suffix(".whole"))
        file.mkdir()
        cut(whole, file)
        whole.unlink()


def derive(source: Path, target: Path, write: Callable[[Path, Path], None]) -> None:
    """Write a table that follows from another one row by row: `write(source, target)`, of a table in parts for each part."""
    if not source.is_dir():
        write(source, target)
        return
    target.mkdir()
    tasks = [(file, target / file.name) for file in files_of(source)]
    with pool(Path.cwd()) as running:
        running.map(partial(_apply, write), tasks, target.stem, "parts")


def _apply(write: Callable[[Path, Path], None], files: tuple[Path, Path]) -> None:
    write(*files)


def _header(file: IO[bytes]) -> bytes:
    header = file.readline()
    while header.count(b'"') % 2 and (more := file.readline()):
        header += more
    return header


def _last_row(block: bytes) -> tuple[int, int]:
    """Return where the last whole row of a block ends, which begins with one, and how many rows are before that."""
    data = np.frombuffer(block, np.uint8)
    quoted = np.cumsum(data == ord('"'), dtype=np.int32) % 2 == 1
    ends = np.flatnonzero((data == ord("\n")) & ~quoted) + 1
    if not len(ends):
        return 0, 0
    lengths = np.diff(ends, prepend=0)
    empty = (lengths == 1) | ((lengths == 2) & (data[np.maximum(ends - 2, 0)] == ord("\r")))
    return int(ends[-1]), int((~empty).sum())
