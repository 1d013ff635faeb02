"""Type and check the rows of CSV files: every fault of every row is reported.

Every cell is read as text and typed by the number grammar of the schema, so that nothing is guessed; then the pandera
schema of the record reports every fault of each row. Files are read in batches and may be of any length.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pandera.pandas
import pyarrow as pa
import pyarrow.compute as pc
from pandera.errors import SchemaErrors
from pyarrow import parquet

from dvckit.core.errors import UserError
from dvckit.core.files import PARQUET, ahead
from dvckit.core.layout import TEST, TRAIN
from dvckit.core.progress import progress
from dvckit.tables.dialect import names_in
from dvckit.tables.partitions import PANDAS
from dvckit.tables.reading import (
    UNSEEN,
    check_form,
    header_cells,
    plain_name,
    row_lines,
    row_numbers,
    shown,
    text_batches,
)
from dvckit.tables.schema import GRAMMAR, NOUN, ROW, Rules, Schema

ARROW = {int: pa.int64(), float: pa.float64(), str: pa.string(), datetime: pa.timestamp("us")}

Fault = tuple[int, str, str]  # position of the row in its batch, from 0; column; the rule that the cell breaks
# Where a rejected row stands: the line on which it starts, after the name of its file where a table has several.
Place = int | tuple[str, int]


class Checked(NamedTuple):
    """The rows of a table: how many were accepted, and for each rejected one, by its place, every reason."""

    path: Path
    clean: Path  # the Parquet file of the accepted rows, or a folder of such files
    accepted: int
    rejected: Mapping[Place, list[str]]

    @property
    def rows(self) -> int:
        """Return how many rows the table has."""
        return self.accepted + len(self.rejected)


class Rows(NamedTuple):
    """The rows of a file: how many were accepted, and for each rejected one, by its number from 1, every reason."""

    accepted: int
    rejected: dict[int, list[str]]


def check(path: Path, clean: Path, schema: Schema, names: list[str]) -> Checked:
    """Write the good rows of a plain CSV file to the Parquet file `clean`, typed, and report the bad ones.

    UserError if the file is not a CSV table with exactly the columns `names` of the schema, or has no rows or no label.
    """
    return by_line(_check(path, clean, schema, names), clean, path, schema, header=True)


def _check(path: Path, clean: Path, schema: Schema, names: list[str]) -> Rows:
    check_form(path, names)
    keys: list[pa.Array] = []

    def go_through(twice: pa.Array) -> Rows:
        keys.clear()
        with parquet.ParquetWriter(clean, arrow_schema(schema, names), **PARQUET) as writer:
            return check_rows(
                path, schema, names, twice, writer.write_batch, lambda of_all, _: keys.append(of_all.drop_null())
            )

    rows = go_through(no_keys(schema))
    return go_through(twice) if len(twice := repeated(keys)) else rows


def no_keys(schema: Schema) -> pa.Array:
    """Return an array of keys without any."""
    return pa.array([], ARROW[schema.kind(schema.key)])


def by_line(rows: Rows, clean: Path, source: Path, schema: Schema, *, header: bool) -> Checked:
    """Return the rejected rows by their lines in the file that they come from; UserError if no row or no label is there."""
    if not rows.accepted and not rows.rejected:
        raise UserError(f"{source} has a header and no rows")
    missing = f"{schema.target} is missing"
    if not rows.accepted and all(missing in reasons for reasons in rows.rejected.values()):
        raise UserError(
            f"{source}: {missing} in every row; fill it in, or remove the column if the rows are to be predicted"
        )
    lines = row_lines(source, set(rows.rejected), header=header)
    return Checked(source, clean, rows.accepted, {lines[number]: reasons for number, reasons in rows.rejected.items()})


def check_source(path: Path, clean: Path, rules: Rules, name: str) -> Checked:
    """Do the same for a table in the dialect of the source."""
    plain = path
    if not rules.is_plain(name):
        plain = clean.with_suffix(".csv")
        rules.decode(name, path, plain)
    rows = _check(plain, clean, rules.schema, rules.fields(name))
    return by_line(rows, clean, path, rules.schema, header=rules.dialect.header)


def table_in(rules: Rules, path: Path) -> str:
    """Return which table of the source a CSV file is, by its columns in any case; UserError where it is no CSV file."""
    dialect = rules.dialect
    header_cells(path, dialect.separator, dialect.encoding)  # refuses what is no CSV
    header = names_in(path, dialect)
    if not dialect.header:
        return TRAIN if len(header) == len(rules.fields(TRAIN)) else TEST
    names = {plain_name(name) for name in header}
    if rules.submission and names == {plain_name(name) for name in rules.header(rules.submission)}:
        return rules.submission
    target = rules.schema.target
    return TRAIN if plain_name(rules.schema.about[target]["name"] or target) in names else TEST


def repeated(keys: Sequence[pa.Array]) -> pa.Array:
    """Return the keys that stand in several rows; numbers are sorted in place, as there may be many."""
    if not keys or pa.types.is_string(keys[0].type):
        counts = pc.value_counts(pa.chunked_array(keys, pa.string()))
        return counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    numbers = np.concatenate([part.to_numpy(zero_copy_only=False) for part in keys])
    numbers.sort()
    return pa.array(numbers[1:][numbers[1:] == numbers[:-1]])


def arrow_schema(schema: Schema, names: list[str]) -> pa.Schema:
    """Return the Arrow schema of the typed rows of a plain CSV file with these columns."""
    columns = [*([ROW] if schema.key == ROW else []), *names]
    return pa.schema([(name, ARROW[schema.kind(name)]) for name in columns])


def check_rows(  # noqa: PLR0917
    path: Path,
    schema: Schema,
    names: list[str],
    twice: pa.Array,
    write: Callable[[pa.RecordBatch], object],
    note_keys: Callable[[pa.Array, pa.Array], object],
    first: int = 1,
) -> Rows:
    """Go through a plain CSV file once: `write` gets the good rows, batch by batch, `note_keys` all keys and which are good.

    A row with a key of `twice` is bad. `first` is the number of the first row where rows without an id are numbered over
    several files.
    """
    ragged: dict[int, str] = {}
    bad: dict[int, list[str]] = {}  # by position among the rows that are not ragged
    rows, numbered = 0, schema.key == ROW
    typed_schema = schema.typed(labelled=schema.target in names).select_columns(([ROW] if numbered else []) + names)
    with progress(str(path), "rows") as advance:
        for text in ahead(text_batches(path, names, ragged)):
            typed, faults = type_cells(text, schema)
            if numbered:
                numbers = row_numbers(np.arange(rows, rows + len(text)), ragged) + (first - 1)
                typed = pa.record_batch([pa.array(numbers), *typed.columns], names=[ROW, *names])
            faults += schema_faults(typed, typed_schema)
            again = pc.is_in(typed[schema.key], twice)
            faults += [(int(row), schema.key, "must be unique") for row in np.flatnonzero(again)]
            by_row = reasons(text, faults)
            good = np.ones(len(text), dtype=bool)
            good[list(by_row)] = False
            write(typed.filter(pa.array(good)))
            note_keys(typed[schema.key], pa.array(good))
            bad |= {rows + row: sentences for row, sentences in by_row.items()}
            rows += len(text)
            advance(len(text))
    numbers = row_numbers(np.array(list(bad), dtype=np.int64), ragged).tolist()
    rejected = dict(zip(numbers, bad.values(), strict=True)) | {number: [fault] for number, fault in ragged.items()}
    return Rows(rows - len(bad), dict(sorted(rejected.items())))


def type_cells(text: pa.RecordBatch, schema: Schema) -> tuple[pa.RecordBatch, list[Fault]]:
    """Give each column its type; a cell that should be a number and is not becomes missing, and a fault.

    A text of which nothing can be seen is a fault, too: it would pass for a value.
    """
    typed, faults = [], []
    for name in text.schema.names:
        cells, kind = text[name], schema.kind(name)
        if kind is not str:
            written = cells.dictionary_encode()  # each value is checked once, however many cells have it
            dates = schema.about[name]["written"]
            values = _dates(written.dictionary, dates) if kind is datetime else _numbers(written.dictionary, kind)
            wrong = pc.is_null(values)
            if pc.any(wrong).as_py():
                rows = np.flatnonzero(pc.fill_null(wrong.take(written.indices), False))  # noqa: FBT003
                faults += [(int(row), name, f"must be {NOUN[kind].format(dates)}") for row in rows]
            cells = values.take(written.indices)
        else:
            unseen = pc.fill_null(pc.match_substring_regex(cells, UNSEEN), False)  # noqa: FBT003
            faults += [
                (int(row), name, "must have a character that can be seen, or be empty")
                for row in np.flatnonzero(unseen)
            ]
        typed.append(cells)
    return pa.record_batch(typed, names=text.schema.names), faults


def _numbers(texts: pa.Array, kind: type) -> pa.Array:
    """Return numbers, missing where the text is none."""
    right = pc.match_substring_regex(texts, GRAMMAR[kind])
    return pc.if_else(right, texts, None).cast(ARROW[kind])


def _dates(texts: pa.Array, written: str) -> pa.Array:
    """Return dates written in a format of strptime, missing where the text is none."""
    return pa.array(
        pd.to_datetime(texts.to_pandas(), format=written, errors="coerce"), ARROW[datetime], from_pandas=True
    )


def schema_faults(typed: pa.RecordBatch, schema: pandera.pandas.DataFrameSchema) -> list[Fault]:
    """Check a typed table against its schema and return every fault."""
    try:
        schema.validate(typed.to_pandas(types_mapper=PANDAS.get), lazy=True)
    except SchemaErrors as error:
        rules = {"not_nullable": "is missing", "field_uniqueness": "must be unique"}
        cases = error.failure_cases
        return [
            (int(row), column, rules.get(rule, rule))
            for row, column, rule in zip(cases["index"], cases["column"], cases["check"], strict=True)
        ]
    return []


def reasons(text: pa.RecordBatch, faults: list[Fault]) -> dict[int, list[str]]:
    """Return for each bad row, by its position, a sentence for each bad cell, with its original text."""
    rows: dict[int, dict[str, str]] = {}
    for row, column, rule in faults:
        cell = text[column][row].as_py()
        sentence = f"{column} is missing" if cell is None else f"{column} is {shown(cell)}: {rule}"
        # only the first rule that a cell breaks: a cell that is not a number is "missing" after that
        rows.setdefault(row, {}).setdefault(column, sentence)
    return {row: [rows[row][name] for name in text.schema.names if name in rows[row]] for row in sorted(rows)}
