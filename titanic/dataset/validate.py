"""Stage validate: data/raw -> data/interim/{train,test}.parquet, data/interim/rejected.csv, reports/data_quality.json.

Every cell is read as text and typed by our own number grammar, so that nothing is guessed; then the pandera schema of
`Passenger` looks at all rows and tells every fault of each. A bad row stops the stage; `validate.max_rejected_share`
lets that share of the training rows be set aside instead. Rows to predict are never set aside.
"""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pandera.errors import SchemaErrors
from pyarrow import csv

from titanic.config import DATA_QUALITY, INTERIM, RAW, REJECTED, load_params
from titanic.schema import KEY, TARGET, Clean, Passenger, kind, table_schema
from titanic.stage import UserError, write_json, write_table

GRAMMAR = {int: r"[+-]?[0-9]{1,18}", float: r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"}
NOUN = {int: "a whole number", float: "a number"}
SHOWN = 20  # bad rows that an error message lists

Fault = tuple[int, str, str]  # position of the row, counted from 0; column; the rule that the cell breaks


def read_text(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read a CSV file with every cell as text, an empty one as missing; UserError unless it has just these columns."""
    options = csv.ConvertOptions(
        column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=True, null_values=[""]
    )
    ragged: list[csv.InvalidRow] = []

    def note(row: csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    try:
        table = csv.read_csv(
            path,
            read_options=csv.ReadOptions(use_threads=False),  # rows have numbers only when they are read in order
            parse_options=csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
            convert_options=options,
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise UserError(f"{path} cannot be read as CSV: {error}") from None
    if ragged:
        row = ragged[0]
        raise UserError(
            f"{path} cannot be read as CSV: row {row.number - 1} has {row.actual_columns} cells, the header has "
            f"{row.expected_columns} ({len(ragged)} such rows): {row.text[:80]}"
        )
    if table.column_names != columns:
        raise UserError(f"{path} has the columns {', '.join(table.column_names)}; expected {', '.join(columns)}")
    if table.num_rows == 0:
        raise UserError(f"{path} has a header and no rows")
    frame: pd.DataFrame = table.to_pandas()
    return frame


def typed(text: pd.DataFrame) -> tuple[pd.DataFrame, list[Fault]]:
    """Give each column the type of its `Passenger` field; a cell that is no number becomes missing, and a fault."""
    columns: dict[str, pd.Series[Any]] = {}
    faults: list[Fault] = []
    for name in text.columns:
        values, want = text[name], kind(Passenger, name)
        if want is str:
            columns[name] = values.astype("str")
            continue
        bad = values.notna() & ~values.str.fullmatch(GRAMMAR[want]).fillna(value=False).astype(bool)
        faults += [(row, name, f"must be {NOUN[want]}") for row in values.index[bad]]
        columns[name] = pd.to_numeric(values.mask(bad)).astype("Int64" if want is int else "float64")
    return pd.DataFrame(columns), faults


def schema_faults(table: pd.DataFrame) -> list[Fault]:
    """Check a typed table against the schema of `Passenger` and return every fault, row by row."""
    try:
        table_schema(Passenger, labelled=TARGET in table).validate(table, lazy=True)
    except SchemaErrors as error:
        rules = {"not_nullable": "is missing", "field_uniqueness": "must be unique"}
        cases = error.failure_cases.sort_values("index", kind="stable")
        return [(int(case.index), case.column, rules.get(case.check, case.check)) for case in cases.itertuples()]
    return []


def reasons(text: pd.DataFrame, faults: list[Fault]) -> dict[int, list[str]]:
    """Return each bad row's position with a sentence for each bad cell, which is shown as it stands in the file."""
    told: dict[tuple[int, str], str] = {}
    for row, column, rule in faults:
        missing = pd.isna(text[column][row])
        # the first rule that a cell breaks is told: what is no number is "missing" after that
        told.setdefault(
            (row, column), f"{column} is missing" if missing else f"{column} is {text[column][row]!r}: {rule}"
        )
    rows: dict[int, list[str]] = {}
    for (row, _), sentence in sorted(told.items(), key=lambda item: item[0][0]):
        rows.setdefault(row, []).append(sentence)
    return rows


def check(path: Path, columns: list[str], max_rejected_share: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read and check one file; return the clean rows, and the rejected ones as they were with their reasons.

    UserError where more than `max_rejected_share` of the rows are bad, with a line for each of the first 20.
    """
    text = read_text(path, columns)
    table, faults = typed(text)
    bad = reasons(text, faults + schema_faults(table))
    if len(bad) > max_rejected_share * len(text):
        raise UserError(_refusal(path, text, bad))
    rejected = text.loc[list(bad)]
    rejected.insert(0, "reasons", ["; ".join(sentences) for sentences in bad.values()])
    rejected.insert(0, "row", rejected.index + 1)
    rejected.insert(0, "file", path.name)
    return table.drop(index=list(bad)).reset_index(drop=True), rejected


def _refusal(path: Path, text: pd.DataFrame, bad: dict[int, list[str]]) -> str:
    lines = [f"  row {row + 1} ({KEY} {text[KEY][row]}): {'; '.join(told)}" for row, told in list(bad.items())[:SHOWN]]
    if len(bad) > SHOWN:
        lines.append(f"  and {len(bad) - SHOWN} more")
    cure = "or raise validate.max_rejected_share" if TARGET in text else "each must get its prediction"
    return "\n".join([f"{path}: {len(bad)} of {len(text)} rows are bad; mend them ({cure})", *lines])


def quality(table: pd.DataFrame, rejected: int) -> dict[str, Any]:
    """Count the rows of a file and the missing values of each column."""
    return {
        "rows": {"read": len(table) + rejected, "accepted": len(table), "rejected": rejected},
        "missing": {str(name): int(count) for name, count in table.isna().sum().items()},
    }


def main() -> None:
    """Run the stage."""
    share = load_params().validate_.max_rejected_share
    train, rejected = check(RAW / "train.csv", list(Clean), share)
    test, _ = check(RAW / "test.csv", [name for name in Clean if name != TARGET], 0)
    write_table(INTERIM / "train.parquet", train)
    write_table(INTERIM / "test.parquet", test)
    write_table(REJECTED, rejected)
    write_json(DATA_QUALITY, {"train": quality(train, len(rejected)), "test": quality(test, 0)})
