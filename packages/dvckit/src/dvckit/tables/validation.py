"""Validate CSV files: type every cell, and report every fault of every row.

Every cell is read as text and typed by the number grammar of the schema, so that nothing is guessed; then the pandera
schema of the record reports every fault of each row. Files are read in batches and may be of any length.
"""

from concurrent.futures import ThreadPoolExecutor
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
from dvckit.tables.quality import PANDAS, quality
from dvckit.tables.reading import check_bytes, check_header, row_numbers, rows_as_written, shown, text_batches
from dvckit.tables.schema import GRAMMAR, NOUN, Rules, Schema

if TYPE_CHECKING:
    from dvckit.tasks.base import Task

SHOWN = 20  # bad rows that an error message lists

ARROW = {int: pa.int64(), float: pa.float64(), str: pa.string()}

Fault = tuple[int, str, str]  # position of the row in its batch, from 0; column; the rule that the cell breaks


class Checked(NamedTuple):
    """The rows of a file: how many were accepted, and for each rejected one, by its number, every reason."""

    path: Path
    clean: Path  # the Parquet file of the accepted rows
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
    checked, keys = _pass(path, clean, schema, names, np.array([], dtype=np.int64))
    keys.sort()
    if len(twice := keys[1:][keys[1:] == keys[:-1]]):
        checked, _ = _pass(path, clean, schema, names, twice)
    if not checked.rows:
        raise UserError(f"{path} has a header and no rows")
    return checked


def _pass(
    path: Path, clean: Path, schema: Schema, names: list[str], twice: npt.NDArray[np.int64]
) -> tuple[Checked, npt.NDArray[np.int64]]:
    """Go through the file once and return also all keys; a row with a key of `twice` is bad."""
    ragged: dict[int, str] = {}
    bad: dict[int, list[str]] = {}  # by position among the rows that are not ragged
    keys, rows = [np.array([], dtype=np.int64)], 0
    typed_schema = schema.typed(labelled=schema.target in names).select_columns(names)
    arrow = pa.schema([(name, ARROW[schema.kind(name)]) for name in names])
    with parquet.ParquetWriter(clean, arrow, **PARQUET) as writer:
        for text in ahead(text_batches(path, names, ragged)):
            typed, faults = type_cells(text, schema)
            faults += schema_faults(typed, typed_schema)
            again = pc.is_in(typed[schema.key], pa.array(twice))
            faults += [(int(row), schema.key, "must be unique") for row in np.flatnonzero(again)]
            by_row = reasons(text, faults)
            good = np.ones(len(text), dtype=bool)
            good[list(by_row)] = False
            writer.write_batch(typed.filter(pa.array(good)))
            keys.append(typed[schema.key].drop_null().to_numpy())
            bad |= {rows + row: sentences for row, sentences in by_row.items()}
            rows += len(text)
    numbers = row_numbers(np.array(list(bad), dtype=np.int64), ragged).tolist()
    rejected = dict(zip(numbers, bad.values(), strict=True)) | {number: [fault] for number, fault in ragged.items()}
    return Checked(path, clean, rows - len(bad), dict(sorted(rejected.items()))), np.concatenate(keys)


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
    rows: dict[int, dict[str, str]] = {}
    for row, column, rule in faults:
        cell = text[column][row].as_py()
        sentence = f"{column} is missing" if cell is None else f"{column} is {shown(cell)}: {rule}"
        # only the first rule that a cell breaks: a cell that is not a number is "missing" after that
        rows.setdefault(row, {}).setdefault(column, sentence)
    return {row: [rows[row][name] for name in text.schema.names if name in rows[row]] for row in sorted(rows)}


def refusal(checked: Checked, max_rejected_share: float, cure: str = "") -> str:
    """Return an error message if more than that share of the rows is bad, with a line for each of the first 20; else ""."""
    bad = checked.rejected
    if len(bad) <= max_rejected_share * checked.rows:
        return ""
    lines = [f"  row {number}: {'; '.join(reasons)}" for number, reasons in list(bad.items())[:SHOWN]]
    if len(bad) > SHOWN:
        lines.append(f"  and {len(bad) - SHOWN} more")
    share = f" ({len(bad) / checked.rows:.2%}, at most {max_rejected_share:.2%} may be)" if max_rejected_share else ""
    return "\n".join(
        [
            f"{checked.path}: {len(bad)} of {checked.rows} rows {'is' if len(bad) == 1 else 'are'} bad{share}; fix them{cure}",
            *lines,
        ]
    )


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
    raise_share = "" if max_rejected_share is None else ", or raise validate.max_rejected_share"
    cures = {TRAIN: raise_share, TEST: ": each must get its prediction"}
    checked: dict[str, Checked] = {}
    problems: list[str] = []
    for name, future in running.items():
        if name == rules.submission and problems:
            continue  # it may have been derived from what is bad
        try:
            checked[name] = future.result()
        except UserError as error:
            problems.append(str(error))
            continue
        share = max_rejected_share or 0 if name == TRAIN else 0
        problems += filter(None, [refusal(checked[name], share, cures.get(name, ""))])
    tables = {name: checked[name] for name in (TRAIN, TEST) if name in checked}
    report = quality(tables, rules, task) if tables else {}
    if report:
        problems += [f"{files[TRAIN]}: {finding}" for finding in report["checks"][task.target_check]["found"]]
    submission = rules.submission or ""
    if {TEST, submission} <= set(checked) and _keys(folder, TEST, schema) != _keys(folder, submission, schema):
        mismatch = f"{files[submission]}: the {schema.key}s are not those of {files[TEST]}"
        problems.append(f"{mismatch}; use files of one source")
    return Verdict(checked, problems, report)


def _keys(folder: Path, name: str, schema: Schema) -> pa.ChunkedArray:
    return parquet.read_table(folder / f"{name}.parquet", columns=[schema.key])[schema.key].combine_chunks().sort()


def rejected_rows(checked: Checked) -> pd.DataFrame:
    """Return a table with the file, the number, every reason and the text of each rejected row."""
    written = rows_as_written(checked.path, set(checked.rejected)) if checked.rejected else {}
    rows = [(checked.path.name, row, "; ".join(reasons), written[row]) for row, reasons in checked.rejected.items()]
    return pd.DataFrame(rows, columns=["file", "row", "reasons", "content"])
