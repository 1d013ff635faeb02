"""Validate CSV files: type every cell, and report every fault of every row.

Every cell is read as text and typed by the number grammar of the schema, so that nothing is guessed; then the pandera
schema of the record reports every fault of each row. Files are read in batches and may be of any length.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pandera.pandas
import pyarrow as pa
import pyarrow.compute as pc
from pandera.errors import SchemaErrors
from pyarrow import parquet
from pydantic import Field

from dvckit.core.errors import UserError
from dvckit.core.files import PARQUET, ahead, scratch_folder, write_json, write_table
from dvckit.core.layout import DATA_QUALITY, INTERIM, RAW, REJECTED, TEST, TRAIN
from dvckit.core.params import Section
from dvckit.core.progress import progress
from dvckit.tables.dialect import names_in
from dvckit.tables.quality import PANDAS, quality
from dvckit.tables.reading import (
    UNSEEN,
    check_form,
    header_cells,
    plain_name,
    row_lines,
    row_numbers,
    rows_as_written,
    shown,
    text_batches,
)
from dvckit.tables.schema import GRAMMAR, NOUN, ROW, Rules, Schema
from dvckit.tables.summary import print_quality

if TYPE_CHECKING:
    from dvckit.tasks.base import Task

SHOWN = 20  # bad rows that an error message lists

ARROW = {int: pa.int64(), float: pa.float64(), str: pa.string(), datetime: pa.timestamp("us")}

Fault = tuple[int, str, str]  # position of the row in its batch, from 0; column; the rule that the cell breaks


class Checked(NamedTuple):
    """The rows of a file: how many were accepted, and for each rejected one, by the line where it starts, every reason."""

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
                "rejected": [{"line": line, "reasons": reasons} for line, reasons in checked.rejected.items()],
            }
            for name, checked in self.checked.items()
        }
        return {"ok": not self.problems, "problems": self.problems, "files": files, "report": self.report}


def check(path: Path, clean: Path, schema: Schema, names: list[str]) -> Checked:
    """Write the good rows of a plain CSV file to the Parquet file `clean`, typed, and report the bad ones.

    UserError if the file is not a CSV table with exactly the columns `names` of the schema, or has no rows or no label.
    """
    return _by_line(_check(path, clean, schema, names), path, schema, header=True)


def _check(path: Path, clean: Path, schema: Schema, names: list[str]) -> Checked:
    """Do the same, with the rejected rows by their number, from 1 without the header."""
    check_form(path, names)
    checked, keys = _pass(path, clean, schema, names, pa.array([], ARROW[schema.kind(schema.key)]))
    if len(twice := _repeated(keys)):
        checked, _ = _pass(path, clean, schema, names, twice)
    return checked


def _by_line(checked: Checked, source: Path, schema: Schema, *, header: bool) -> Checked:
    """Return the rejected rows by their lines in the file that they come from."""
    if not checked.rows:
        raise UserError(f"{source} has a header and no rows")
    missing = f"{schema.target} is missing"
    if not checked.accepted and all(missing in reasons for reasons in checked.rejected.values()):
        raise UserError(
            f"{source}: {missing} in every row; fill it in, or remove the column if the rows are to be predicted"
        )
    lines = row_lines(source, set(checked.rejected), header=header)
    return checked._replace(path=source, rejected={lines[row]: reasons for row, reasons in checked.rejected.items()})


def check_source(path: Path, clean: Path, rules: Rules, name: str) -> Checked:
    """Do the same for a table in the dialect of the source."""
    plain = path
    if not rules.is_plain(name):
        plain = clean.with_suffix(".csv")
        rules.decode(name, path, plain)
    return _by_line(
        _check(plain, clean, rules.schema, rules.fields(name)), path, rules.schema, header=rules.dialect.header
    )


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


def _repeated(keys: Sequence[pa.Array]) -> pa.Array:
    """Return the keys that stand in several rows; numbers are sorted in place, as there may be many."""
    if not keys or pa.types.is_string(keys[0].type):
        counts = pc.value_counts(pa.chunked_array(keys, pa.string()))
        return counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    numbers = np.concatenate([part.to_numpy(zero_copy_only=False) for part in keys])
    numbers.sort()
    return pa.array(numbers[1:][numbers[1:] == numbers[:-1]])


def _pass(path: Path, clean: Path, schema: Schema, names: list[str], twice: pa.Array) -> tuple[Checked, list[pa.Array]]:
    """Go through the file once and return also all keys; a row with a key of `twice` is bad."""
    ragged: dict[int, str] = {}
    bad: dict[int, list[str]] = {}  # by position among the rows that are not ragged
    keys, rows, numbered = list[pa.Array](), 0, schema.key == ROW
    typed_schema = schema.typed(labelled=schema.target in names).select_columns(([ROW] if numbered else []) + names)
    arrow = pa.schema([(name, ARROW[schema.kind(name)]) for name in typed_schema.columns])
    with parquet.ParquetWriter(clean, arrow, **PARQUET) as writer, progress(str(path), "rows") as advance:
        for text in ahead(text_batches(path, names, ragged)):
            typed, faults = type_cells(text, schema)
            if numbered:
                numbers = row_numbers(np.arange(rows, rows + len(text)), ragged)
                typed = pa.record_batch([pa.array(numbers), *typed.columns], names=[ROW, *names])
            faults += schema_faults(typed, typed_schema)
            again = pc.is_in(typed[schema.key], twice)
            faults += [(int(row), schema.key, "must be unique") for row in np.flatnonzero(again)]
            by_row = reasons(text, faults)
            good = np.ones(len(text), dtype=bool)
            good[list(by_row)] = False
            writer.write_batch(typed.filter(pa.array(good)))
            keys.append(typed[schema.key].drop_null())
            bad |= {rows + row: sentences for row, sentences in by_row.items()}
            rows += len(text)
            advance(len(text))
    numbers = row_numbers(np.array(list(bad), dtype=np.int64), ragged).tolist()
    rejected = dict(zip(numbers, bad.values(), strict=True)) | {number: [fault] for number, fault in ragged.items()}
    return Checked(path, clean, rows - len(bad), dict(sorted(rejected.items()))), keys


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


def refusal(checked: Checked, max_rejected_share: float, cure: str = "") -> str:
    """Return an error message if more than that share of the rows is bad, with a line for each of the first 20; else ""."""
    bad = checked.rejected
    if len(bad) <= max_rejected_share * checked.rows:
        return ""
    lines = [f"  line {line}: {'; '.join(reasons)}" for line, reasons in list(bad.items())[:SHOWN]]
    if len(bad) > SHOWN:
        lines.append(f"  and {len(bad) - SHOWN} more")
    share = f" ({len(bad) / checked.rows:.2%}, at most {max_rejected_share:.2%} may be)" if max_rejected_share else ""
    return "\n".join(
        [
            f"{checked.path}: {len(bad)} of {checked.rows} rows {'is' if len(bad) == 1 else 'are'} bad{share}; fix them{cure}",
            *lines,
        ]
    )


class Validate(Section):
    """The share of bad training rows that does not stop the run: they are rejected."""

    max_rejected_share: float = Field(ge=0, le=0.5)


def validate(rules: Rules, task: "Task", params: Validate) -> None:
    """Do the work of stage validate: data/raw -> data/interim and reports/data_quality.json."""
    with scratch_folder(INTERIM / ".validate.tmp") as folder:
        files = {name: RAW / f"{name}.csv" for name in rules.names}
        verdict = judge(files, folder, rules, task, params.max_rejected_share, decoded=True)
        if verdict.problems:
            raise UserError("\n".join(verdict.problems))
        for name in rules.tables:
            (folder / f"{name}.parquet").replace(INTERIM / f"{name}.parquet")
    write_table(REJECTED, rejected_rows(verdict.checked[TRAIN]))
    write_json(DATA_QUALITY, verdict.report)
    print_quality(verdict.report)


def judge(
    files: dict[str, Path],
    folder: Path,
    rules: Rules,
    task: "Task",
    max_rejected_share: float | None = None,
    *,
    decoded: bool = False,
) -> Verdict:
    """Check the tables of a source, by name and in their order; the good rows of each go to FOLDER/NAME.parquet.

    They are in the dialect of the source, or `decoded` to plain CSV. Up to `max_rejected_share` of the training rows may be bad, by default none. Rows to predict are never rejected.
    """
    schema = rules.schema

    def checked_file(name: str) -> Checked:
        clean = folder / f"{name}.parquet"
        if decoded:
            return check(files[name], clean, schema, rules.fields(name))
        return check_source(files[name], clean, rules, name)

    with ThreadPoolExecutor(2) as pool:
        running = {name: pool.submit(checked_file, name) for name in files}
    raise_share = "" if max_rejected_share is None else ", or raise validate.max_rejected_share"
    cures = {TRAIN: raise_share, TEST: ": each must get its prediction"}
    checked: dict[str, Checked] = {}
    problems: list[str] = []
    bad: set[str] = set()  # what is found in the good rows of these may follow from the others
    for name, future in running.items():
        if name == rules.submission and problems:
            continue  # it may have been derived from what is bad
        try:
            checked[name] = future.result()
        except UserError as error:
            problems.append(str(error))
            continue
        share = max_rejected_share or 0 if name == TRAIN else 0
        if refused := refusal(checked[name], share, cures.get(name, "")):
            problems.append(refused)
            bad.add(name)
    tables = {name: checked[name] for name in rules.tables if name in checked}
    report = quality(tables, rules, task) if tables else {}
    causes = _found(report, "mixed_scale", files, bad)
    problems = [*causes, *problems, *_found(report, task.target_check, files, set(checked) - bad)]
    submission = rules.submission or ""
    if {TEST, submission} <= set(checked) - bad and _keys(folder, TEST, schema) != _keys(folder, submission, schema):
        mismatch = f"{files[submission]}: the {schema.key}s are not those of {files[TEST]}"
        problems.append(f"{mismatch}; use files of one source")
    return Verdict(checked, problems, report)


def _found(report: dict[str, Any], check: str, files: dict[str, Path], names: set[str]) -> Iterator[str]:
    """Yield what a check found in these tables, with the file."""
    for finding in report["checks"][check]["found"] if report else []:
        name, _, sentence = finding.partition(": ")
        if name in names:
            yield f"{files[name]}: {sentence}"


def _keys(folder: Path, name: str, schema: Schema) -> pa.ChunkedArray:
    return parquet.read_table(folder / f"{name}.parquet", columns=[schema.key])[schema.key].combine_chunks().sort()


def rejected_rows(checked: Checked) -> pd.DataFrame:
    """Return a table with the file, the line, every reason and the text of each rejected row."""
    written = rows_as_written(checked.path, set(checked.rejected)) if checked.rejected else {}
    rows = [(checked.path.name, line, "; ".join(reasons), written[line]) for line, reasons in checked.rejected.items()]
    return pd.DataFrame(rows, columns=["file", "line", "reasons", "content"])
