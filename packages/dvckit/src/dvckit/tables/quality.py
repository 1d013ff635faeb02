"""The contents of reports/data_quality.json: rows, columns and checks of the tables of a source.

It reads the Parquet files of the accepted rows, a few columns at a time and long text in parts, so that memory is bounded.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.compute as pc
from pyarrow.dataset import Dataset, dataset

from dvckit.core.layout import TEST, TRAIN
from dvckit.tables.partitions import PANDAS
from dvckit.tables.scale import mixed_scale, other_forms
from dvckit.tables.schema import NOUN, ROW, Entity, Rules, Schema

if TYPE_CHECKING:
    from dvckit.tables.rows import Checked
    from dvckit.tasks.base import Task
    from dvckit.tasks.tells import Tell

TOP = 5  # most frequent values in the profile of a column
PART = 2_000_000  # rows of text that are grouped at once

STREAM = {"use_threads": False, "batch_readahead": 1, "fragment_readahead": 1}  # so that memory is bounded


class Column(NamedTuple):
    """A column of a table of accepted rows."""

    table: str
    clean: Path
    name: str


class Questions(Protocol):
    """What answers questions about all rows of some tables; `Here` for tables that are in one file each."""

    def profiles(self, work: "Callable[[Column], Profile]", columns: Sequence[Column]) -> "list[Profile]":
        """Return `work(column)` for each column."""

    def entity_twice(self, tables: "Mapping[str, Checked]", entity: Entity) -> list[Any]:
        """Return a key for each entity that has several rows."""

    def shared_keys(self, tables: "Mapping[str, Checked]") -> tuple[int, list[Any]]:
        """Return how many keys are in both tables, and some of them."""


Profile = tuple[
    dict[str, Any], bool, str
]  # for the report, whether the column gives the target away, what of its scale


def quality(
    tables: "Mapping[str, Checked]", rules: Rules, task: "Task", questions: Questions | None = None
) -> dict[str, Any]:
    """Return the report on the tables "train" and "test", or on one of them: rows, columns, and every check's result.

    A check is {"ok": whether nothing was found, "found": a sentence for each finding}.
    """
    schema, ask = rules.schema, questions or Here(rules.schema, tables)
    columns = [
        Column(name, checked.clean, column)
        for name, checked in tables.items()
        for column in schema.columns(labelled=name == TRAIN)
    ]
    found = ask.profiles(partial(profile, schema=schema, task=task), columns)
    profiles = {(column.table, column.name): one for column, one in zip(columns, found, strict=True)}
    report: dict[str, Any] = {
        name: {
            "rows": {"read": checked.rows, "accepted": checked.accepted, "rejected": len(checked.rejected)},
            "columns": {column: profile for (table, column), (profile, *_) in profiles.items() if table == name},
        }
        for name, checked in tables.items()
    }
    target_faults = task.target_faults(report[TRAIN]["columns"][schema.target]) if TRAIN in report else ()
    checks = {
        "schema": [
            f"{name}: {len(a.rejected)} row{'s' * (len(a.rejected) > 1)} rejected"
            for name, a in tables.items()
            if a.rejected
        ],
        "key_unique": [
            f"{name}: {count} rows share their {schema.key} with another one"
            for name, checked in tables.items()
            if (count := sum("must be unique" in " ".join(reasons) for reasons in checked.rejected.values()))
        ],
        task.target_check: [f"{TRAIN}: {schema.target} {fault}" for fault in target_faults],
        "constant_columns": list(_constant(report, schema)),
        "leaks": [
            f"{name}: {column} alone predicts {schema.target} nearly always; is it known before that?"
            for (name, column), (_, leaks, _) in profiles.items()
            if leaks
        ],
        "mixed_scale": list(_mixed_scale(tables, profiles, schema)),
        **({"shared_keys": list(_shared(ask, tables, schema))} if len(tables) > 1 and schema.key != ROW else {}),
        **({rules.entity.check: list(_twice(ask, tables, schema, rules.entity))} if rules.entity else {}),
    }
    return {**report, "checks": {name: {"ok": not findings, "found": findings} for name, findings in checks.items()}}


def _mixed_scale(
    tables: "Mapping[str, Checked]", profiles: dict[tuple[str, str], tuple[dict[str, Any], bool, str]], schema: Schema
) -> Iterator[str]:
    for (name, column), (*_, scale) in profiles.items():
        if fault := other_forms(_no_numbers(tables[name], column, schema)) or scale:
            yield f"{name}: {column} {fault}"


def _no_numbers(checked: "Checked", column: str, schema: Schema) -> Iterator[str]:
    """Yield the cells of a column that should be numbers and are none."""
    kind = schema.kind(column)
    start, end = f"{column} is '", f"': must be {NOUN[kind]}" if kind in (int, float) else ""
    for reason in chain.from_iterable(checked.rejected.values()):
        if end and reason.startswith(start) and reason.endswith(end):
            yield reason[len(start) : -len(end)]


def profile(column: Column, schema: Schema, task: "Task") -> Profile:
    """Return the profile of a column for the report, whether it gives the target away, and whether its scale is mixed."""
    table, name = dataset(column.clean), column.name
    profile: dict[str, Any] = {"type": schema.kind(name).__name__, "missing": 0}
    if name == schema.key:  # unique by now
        keys = table.to_table([name])[name].to_numpy()
        return profile | {"distinct": len(keys)} | (_range(keys) if schema.kind(name) is int else {}), False, ""
    is_text, labelled = schema.kind(name) is str, name != schema.target and schema.target in table.schema.names
    tell = task.tell(numeric=not is_text) if labelled else None
    rows, alone = _counts(table, name, schema.target, tell, is_text=is_text)
    present = pd.notna(rows.index)
    profile["missing"] = int(rows[~present].sum())
    profile["distinct"] = int(present.sum()) + alone
    rows, scale = rows[present], ""
    if is_text or schema.values(name):
        top = rows.sort_index().sort_values(ascending=False, kind="stable").head(TOP)
        profile["top"] = {str(value): count for value, count in top.items() if count > 1 or profile["distinct"] <= TOP}
    else:
        profile |= _range(rows.index.to_numpy(), rows.to_numpy(dtype="int64"))
        scale = mixed_scale(rows.index.to_numpy()) if schema.kind(name) is float else ""
    return profile, tell is not None and tell.found(), scale


def _counts(
    table: Dataset, name: str, target: str, tell: "Tell | None", *, is_text: bool
) -> "tuple[pd.Series[int], int]":
    """Count the rows of each value, and texts that no other row has: there are many names. Show all rows to `tell`."""
    common, alone = [], 0
    columns = {"value": pc.field(name), **({"target": pc.field(target)} if tell else {})}
    for part in _parts(table, columns, name if is_text else None):
        places, values = pd.factorize(part["value"], sort=not is_text, use_na_sentinel=False)
        rows = pd.Series(np.bincount(places, minlength=len(values)), values, dtype="int64")
        single = (rows == 1) & pd.notna(rows.index) & is_text & (len(rows) > TOP)
        common.append(rows[~single])
        alone += int(single.sum())
        if tell:
            tell.add(part["value"], part["target"])
    return pd.concat(common), alone


def _parts(
    table: Dataset, columns: dict[str, pc.Expression] | list[str], text: str | None = None
) -> Iterator[pd.DataFrame]:
    """Yield tables that together are the rows of a table; rows with equal text are in the same one.

    The text's length decides on the part: its last bits are cheap, and equal for equal text.
    """
    count = 1
    while text and table.count_rows() / count > PART:
        count *= 2
    for part in range(count):
        mine = pc.bit_wise_and(pc.coalesce(pc.binary_length(pc.field(text)), 0), count - 1) == part if text else None
        yield table.to_table(columns, filter=mine, **STREAM).to_pandas(types_mapper=PANDAS.get)


def _range(numbers: npt.NDArray[Any], rows: npt.NDArray[Any] | None = None) -> dict[str, Any]:
    """Return minimum, maximum and mean of numbers, each weighted by `rows` if given; of dates the first two, as text."""
    if not len(numbers):
        return {}
    if np.issubdtype(numbers.dtype, np.datetime64):
        return {"min": str(pd.Timestamp(numbers.min())), "max": str(pd.Timestamp(numbers.max()))}
    mean = np.average(numbers, weights=rows)
    return {"min": numbers.min().item(), "max": numbers.max().item(), "mean": round(float(mean), 6)}


def _constant(report: dict[str, Any], schema: Schema) -> Iterator[str]:
    for name, about in report.items():
        for column, profile in about["columns"].items():
            same = profile["distinct"] + (profile["missing"] > 0) == 1  # a missing value is a value as well
            if same and about["rows"]["accepted"] > 1 and column != schema.target:
                yield f"{name}: {column} is {'missing' if profile['missing'] else 'the same'} in every row"


def _shared(ask: Questions, tables: "Mapping[str, Checked]", schema: Schema) -> Iterator[str]:
    count, examples = ask.shared_keys(tables)
    if count:
        yield f"train and test: {count} {schema.key}s are in both, {_some(examples)}"


def _twice(ask: Questions, tables: "Mapping[str, Checked]", schema: Schema, entity: Entity) -> Iterator[str]:
    if again := ask.entity_twice(tables, entity):
        yield (
            f"{' and '.join(tables)}: {len(again)} {entity.noun} appear more than once (by {' and '.join(entity.columns)}), "
            f"{schema.key} {_some(sorted(again))}"
        )


class Here:
    """Answers in threads of this process, from files of any length, with bounded memory."""

    def __init__(self, schema: Schema, tables: "Mapping[str, Checked]") -> None:
        self._key = schema.key
        self._threads = 1 if any(checked.accepted > PART for checked in tables.values()) else 2

    def profiles(self, work: "Callable[[Column], Profile]", columns: Sequence[Column]) -> list[Profile]:
        """Return `work(column)` for each column."""
        with ThreadPoolExecutor(self._threads) as threads:
            return list(threads.map(work, columns))

    def entity_twice(self, tables: "Mapping[str, Checked]", entity: Entity) -> list[Any]:
        """Return a key for each entity that has several rows."""
        who, again = list(entity.columns), []
        both = dataset([checked.clean for checked in tables.values()])
        for part in _parts(both, [*who, self._key], who[0]):
            again += part[part.duplicated(who, keep=False)].groupby(who, dropna=False)[self._key].min().tolist()
        return again

    def shared_keys(self, tables: "Mapping[str, Checked]") -> tuple[int, list[Any]]:
        """Return how many keys are in both tables, and some of them."""
        train, test = (
            dataset(tables[name].clean).to_table([self._key])[self._key].to_numpy() for name in (TRAIN, TEST)
        )
        shared = np.intersect1d(train, test, assume_unique=True)
        return len(shared), shared[:3].tolist()


def _some(keys: list[Any]) -> str:
    return f"such as {', '.join(map(str, keys[:3]))}"
