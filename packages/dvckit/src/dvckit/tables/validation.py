"""Validate CSV files: type every cell, and report every fault of every row.

Every cell is read as text and typed by the number grammar of the schema, so that nothing is guessed; then the pandera
schema of the record reports every fault of each row. Files are read in batches and may be of any length.
"""

import csv
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pandera.pandas
import pyarrow as pa
import pyarrow.compute as pc
from pandera.errors import SchemaErrors
from pyarrow import parquet

from dvckit.core.errors import UserError
from dvckit.core.files import PARQUET, ahead
from dvckit.core.layout import TEST, TRAIN
from dvckit.tables.quality import Accepted, quality
from dvckit.tables.reading import check_bytes, check_header, row_numbers, rows_as_written, shown, text_batches
from dvckit.tables.schema import GRAMMAR, NOUN, Rules, Schema

if TYPE_CHECKING:
    from dvckit.tasks.base import Task

SHOWN = 20  # bad rows that an error message lists

ARROW = {int: pa.int64(), float: pa.float64(), str: pa.string()}
PANDAS = {pa.int64(): pd.Int64Dtype(), pa.string(): pd.StringDtype(na_value=np.nan)}

Fault = tuple[int, str, str]  # position of the row in its batch, from 0; column; the rule that the cell breaks


class Checked(NamedTuple):
    """The rows of a file: how many were accepted, and for each rejected one, by its number, every reason."""

    path: Path
    accepted: int
    rejected: dict[int, list[str]]

    @property
    def rows(self) -> int:
        """Return how many rows the file has."""
        return self.accepted + len(self.rejected)


class Verdict(NamedTuple):
    """The result of checking tables: the rows of each by its name, the problems, and the report of `quality`."""

    checked: dict[str, Checked]
    problems: list[str]
    report: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values, with all rejected rows."""
        files = {
            name: {
                "path": str(checked.path),
                "rows": checked.rows,
                "rejected": [{"row": row, "reasons": reasons} for row, reasons in checked.rejected.items()],
            }
            for name, checked in self.checked.items()
        }
        return {"ok": not self.problems, "problems": self.problems, "files": files, "report": self.report}


def check(path: Path, clean: Path, schema: Schema, names: list[str]) -> Checked:
    """Write the good rows of a CSV file to the Parquet file `clean`, typed, and report the bad ones.

    UserError if the file is not a CSV table with exactly the columns `names` of the schema, or has no rows.
    """
    check_bytes(path)
    check_header(path, names)
    checked, found = _pass(path, clean, schema, names, np.array([], dtype=np.int64))
    if len(twice := _repeated(found.keys)):
        checked, _ = _pass(path, clean, schema, names, twice)
    if not checked.rows:
        raise UserError(f"{path} has a header and no rows")
    return checked


@dataclass
class _Found:
    """The result of a pass over a file: bad rows by their position among the rows that are not ragged, and all keys."""

    ragged: dict[int, str] = field(default_factory=dict)
    bad: dict[int, list[str]] = field(default_factory=dict)
    keys: list[npt.NDArray[np.int64]] = field(default_factory=list)
    rows: int = 0  # that are not ragged


def _pass(
    path: Path, clean: Path, schema: Schema, names: list[str], twice: npt.NDArray[np.int64]
) -> tuple[Checked, _Found]:
    """Go through the file once; a row with a key of `twice` is bad."""
    found = _Found()
    arrow = pa.schema([(name, ARROW[schema.kind(name)]) for name in names])
    with parquet.ParquetWriter(clean, arrow, **PARQUET) as writer:
        for good in ahead(_good_rows(path, schema, names, twice, found)):
            writer.write_batch(good)
    numbers = row_numbers(np.array(list(found.bad), dtype=np.int64), found.ragged).tolist()
    rejected = dict(zip(numbers, found.bad.values(), strict=True))
    rejected |= {number: [fault] for number, fault in found.ragged.items()}
    return Checked(path, found.rows - len(found.bad), dict(sorted(rejected.items()))), found


def _good_rows(
    path: Path, schema: Schema, names: list[str], twice: npt.NDArray[np.int64], found: _Found
) -> Iterator[pa.RecordBatch]:
    key, typed_schema = schema.key, schema.typed(labelled=schema.target in names).select_columns(names)
    for text in ahead(text_batches(path, names, found.ragged)):
        typed, faults = type_cells(text, schema)
        faults += schema_faults(typed, typed_schema)
        faults += [(int(row), key, "must be unique") for row in np.flatnonzero(pc.is_in(typed[key], pa.array(twice)))]
        bad = reasons(text, faults)
        found.bad |= {found.rows + row: sentences for row, sentences in bad.items()}
        found.keys.append(typed[key].drop_null().to_numpy())
        found.rows += len(text)
        good = np.ones(len(text), dtype=bool)
        good[list(bad)] = False
        yield typed.filter(pa.array(good)) if bad else typed


def _repeated(keys: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    ordered = np.sort(np.concatenate([np.array([], dtype=np.int64), *keys]))
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def type_cells(text: pa.RecordBatch, schema: Schema) -> tuple[pa.RecordBatch, list[Fault]]:
    """Give each column its type; a cell that should be a number and is not becomes missing, and a fault."""
    typed, faults = [], []
    for name in text.schema.names:
        cells, kind = text[name], schema.kind(name)
        if kind is not str:
            written = cells.dictionary_encode()  # each number is checked once, however many cells have it
            wrong = pc.invert(pc.match_substring_regex(written.dictionary, GRAMMAR[kind]))
            if pc.any(wrong).as_py():
                rows = np.flatnonzero(pc.fill_null(wrong.take(written.indices), False))  # noqa: FBT003
                faults += [(int(row), name, f"must be {NOUN[kind]}") for row in rows]
            numbers = pc.if_else(wrong, None, written.dictionary).cast(ARROW[kind])
            cells = numbers.take(written.indices)
        typed.append(cells)
    return pa.record_batch(typed, names=text.schema.names), faults


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
    first: dict[tuple[int, int], str] = {}
    places = {name: place for place, name in enumerate(text.schema.names)}
    for row, column, rule in faults:
        cell = text[column][row].as_py()
        # only the first rule that a cell breaks: a cell that is not a number is "missing" after that
        first.setdefault(
            (row, places[column]), f"{column} is missing" if cell is None else f"{column} is {shown(cell)}: {rule}"
        )
    rows: dict[int, list[str]] = {}
    for (row, _), sentence in sorted(first.items()):
        rows.setdefault(row, []).append(sentence)
    return rows


def refusal(checked: Checked, max_rejected_share: float, cure: str = "") -> str:
    """Return an error message if more than that share of the rows is bad, with a line for each of the first 20; else ""."""
    bad = checked.rejected
    if len(bad) <= max_rejected_share * checked.rows:
        return ""
    lines = [f"  row {number}: {'; '.join(found)}" for number, found in list(bad.items())[:SHOWN]]
    if len(bad) > SHOWN:
        lines.append(f"  and {len(bad) - SHOWN} more")
    share = f" ({len(bad) / checked.rows:.2%}, at most {max_rejected_share:.2%} may be)" if max_rejected_share else ""
    return "\n".join([f"{checked.path}: {len(bad)} of {checked.rows} rows are bad{share}; fix them{cure}", *lines])


def judge(
    files: dict[str, Path], folder: Path, rules: Rules, task: "Task", max_rejected_share: float | None = None
) -> Verdict:
    """Check the tables of a source, by name and in their order; the good rows of each go to FOLDER/NAME.parquet.

    Up to `max_rejected_share` of the training rows may be bad, by default none. Rows to predict are never rejected.
    """
    schema = rules.schema
    with ThreadPoolExecutor(2) as pool:
        running = {
            name: pool.submit(check, path, folder / f"{name}.parquet", schema, rules.columns(name))
            for name, path in files.items()
        }
    checked: dict[str, Checked] = {}
    problems: list[str] = []
    for name, done in running.items():
        if name == rules.submission and problems:
            continue  # it may have been derived from what is bad
        try:
            checked[name] = done.result()
        except UserError as error:
            problems.append(str(error))
            continue
        if name == TRAIN and max_rejected_share is not None:
            refused = refusal(checked[name], max_rejected_share, ", or raise validate.max_rejected_share")
        else:
            refused = refusal(checked[name], 0, ": each must get its prediction" if name == TEST else "")
        problems += filter(None, [refused])
    tables = {
        name: Accepted(folder / f"{name}.parquet", checked[name].rejected) for name in (TRAIN, TEST) if name in checked
    }
    report = quality(tables, rules, task) if tables else {}
    if report:
        problems += [f"{files[TRAIN]}: {found}" for found in report["checks"][task.target_check]["found"]]
    submission = rules.submission or ""
    if {TEST, submission} <= set(checked) and _keys(folder, TEST, schema) != _keys(folder, submission, schema):
        found = f"{files[submission]}: the {schema.key}s are not those of {files[TEST]}"
        problems.append(f"{found}; use files of one source")
    return Verdict(checked, problems, report)


def _keys(folder: Path, name: str, schema: Schema) -> pa.ChunkedArray:
    return parquet.read_table(folder / f"{name}.parquet", columns=[schema.key])[schema.key].combine_chunks().sort()


def rejected_rows(checked: Checked) -> str:
    """Return CSV with the file, the number, every reason and the text of each rejected row, and a header."""
    written = rows_as_written(checked.path, set(checked.rejected)) if checked.rejected else {}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "row", "reasons", "content"])
    writer.writerows(
        [checked.path.name, number, "; ".join(found), written[number]] for number, found in checked.rejected.items()
    )
    return text.getvalue()
