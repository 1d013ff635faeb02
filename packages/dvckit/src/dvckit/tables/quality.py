"""The contents of reports/data_quality.json: rows, columns and checks of the tables of a source.

It reads the Parquet files of the accepted rows, a few columns at a time and long text in parts, so that memory is bounded.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.dataset import Dataset, dataset

from dvckit.core.layout import TEST, TRAIN
from dvckit.tables.schema import Entity, Rules, Schema

if TYPE_CHECKING:
    from dvckit.tables.validation import Checked
    from dvckit.tasks.base import Task

TOP = 5  # most frequent values in the profile of a column
PART = 2_000_000  # rows of text that are grouped at once
FEW = 50  # labelled rows below which a column may look like the target by chance
LEAK = 0.98  # accuracy of a single column from which on it gives the target away

Counts = npt.NDArray[np.int64]
STREAM = {"use_threads": False, "batch_readahead": 1, "fragment_readahead": 1}  # so that memory is bounded


class Contingency(NamedTuple):
    """How often each value of a column occurs with each label."""

    values: pa.Array  # sorted, a missing one last
    counts: Counts  # shape (values, labels)
    alone: Counts  # shape (labels,): rows whose text no other row has, and which are not among the values

    @classmethod
    def of(cls, column: pa.ChunkedArray, labels: pa.ChunkedArray, kinds: pa.Array) -> Self:
        """Count a column by `kinds` of labels. Arrow's own grouping takes ten times as long for numbers."""
        encoded = column.dictionary_encode("encode").chunks  # all have the dictionary of the whole
        values = encoded[0].dictionary if encoded else pa.array([], column.type)
        codes = np.concatenate([np.array([], dtype=np.int64), *(chunk.indices for chunk in encoded)])
        width = max(1, len(kinds))
        places = codes * width + pc.index_in(labels, kinds).to_numpy()
        counts = np.bincount(places, minlength=len(values) * width).reshape(len(values), width)
        order = pc.sort_indices(values)
        return cls(values.take(order), counts[order.to_numpy()], np.zeros(width, dtype=np.int64))

    @property
    def rows(self) -> Counts:
        """The rows of each value."""
        rows: Counts = self.counts.sum(axis=1)
        return rows

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Which of the values is not missing."""
        found: npt.NDArray[np.bool_] = pc.is_valid(self.values).to_numpy(zero_copy_only=False)
        return found

    def without_single_rows(self) -> Self:
        """Move the values that occur once to `alone`."""
        single = (self.rows == 1) & self.present
        kept = self.values.filter(pa.array(~single))
        return self._replace(values=kept, counts=self.counts[~single], alone=self.counts[single].sum(axis=0))


def quality(tables: "Mapping[str, Checked]", rules: Rules, task: "Task") -> dict[str, Any]:
    """Return the report on the tables "train" and "test", or on one of them: rows, columns, and every check's result.

    A check is {"ok": whether nothing was found, "found": a sentence for each finding}.
    """
    schema, rows = rules.schema, {name: dataset(checked.clean) for name, checked in tables.items()}
    columns = [(name, column) for name in tables for column in schema.columns(labelled=name == TRAIN)]
    large = any(checked.accepted > PART for checked in tables.values())
    with ThreadPoolExecutor(1 if large else 2) as pool:
        repeated = pool.submit(lambda: list(_entity_twice(tables, schema, rules.entity)))
        profiles = dict(zip(columns, pool.map(lambda at: _profile(rows[at[0]], at[1], schema), columns), strict=True))
    report = {
        name: {
            "rows": {"read": checked.rows, "accepted": checked.accepted, "rejected": len(checked.rejected)},
            "columns": {column: profile for (table, column), (profile, _) in profiles.items() if table == name},
        }
        for name, checked in tables.items()
    }
    checks = {
        "schema": [f"{name}: {len(a.rejected)} rows rejected" for name, a in tables.items() if a.rejected],
        "key_unique": list(_repeated_keys(tables, schema)),
        task.target_check: list(_target(report, schema, task)),
        "constant_columns": list(_constant(report, schema)),
        "leaks": [
            f"{name}: {column} alone predicts {schema.target} nearly always; is it known before that?"
            for (name, column), (_, leaks) in profiles.items()
            if leaks
        ],
        **({"shared_keys": list(_shared_keys(rows, schema))} if len(rows) > 1 else {}),
        **({rules.entity.check: repeated.result()} if rules.entity else {}),
    }
    return {**report, "checks": {name: {"ok": not found, "found": found} for name, found in checks.items()}}


def _profile(table: Dataset, name: str, schema: Schema) -> tuple[dict[str, Any], bool]:
    """Return the profile of a column for the report, and whether it gives the target away."""
    profile: dict[str, Any] = {"type": schema.kind(name).__name__, "missing": 0}
    if name == schema.key:  # unique by now
        keys = table.to_table([name])[name]
        return profile | {"distinct": len(keys)} | _range(keys), False
    is_text, labelled = schema.kind(name) is str, name != schema.target and schema.target in table.schema.names
    counts = _counts(table, name, pc.field(schema.target) if labelled else pc.scalar(0), is_text=is_text)
    rows, present = counts.rows, counts.present
    profile["missing"] = int(rows[~present].sum())
    profile["distinct"] = int(present.sum() + counts.alone.sum())
    values, rows = counts.values.filter(pa.array(present)), rows[present]
    about = {"top": _top(values, rows, profile["distinct"])} if is_text or schema.values(name) else _range(values, rows)
    return profile | about, labelled and gives_away(counts, numeric=not is_text)


def _top(values: pa.Array, rows: Counts, distinct: int) -> dict[str, int]:
    if not len(values):  # of which pyarrow 25 cannot select anything
        return {}
    counts = pa.table({"value": values, "rows": rows})
    top = counts.take(pc.select_k_unstable(counts, TOP, [("rows", "descending"), ("value", "ascending")]))
    if distinct > TOP:
        top = top.filter(pc.field("rows") > 1)
    return {str(value): count for value, count in zip(*top.to_pydict().values(), strict=True)}


def _counts(table: Dataset, name: str, label: pc.Expression, *, is_text: bool) -> Contingency:
    """Count a column's values by label; texts of a single row are only counted: there are many names."""
    kinds = pc.unique(table.to_table({"label": label})["label"])
    parts = []
    for part in _parts(table, {"value": pc.field(name), "label": label}, name if is_text else None):
        found = Contingency.of(part["value"], part["label"], kinds)
        parts.append(found.without_single_rows() if is_text and len(found.values) > TOP else found)
    values, counts, alone = zip(*parts, strict=True)
    return Contingency(pa.concat_arrays(values), np.concatenate(counts), np.sum(alone, axis=0))


def _parts(table: Dataset, columns: dict[str, pc.Expression] | list[str], text: str | None) -> Iterator[pa.Table]:
    """Yield tables that together are the rows of a table; rows with equal text are in the same one.

    The text's length decides on the part: its last bits are cheap, and equal for equal text.
    """
    count = 1
    while text and table.count_rows() / count > PART:
        count *= 2
    for part in range(count):
        mine = pc.bit_wise_and(pc.coalesce(pc.binary_length(pc.field(text)), 0), count - 1) == part if text else None
        yield table.to_table(columns, filter=mine, **STREAM)


def _range(numbers: pa.Array, rows: Counts | None = None) -> dict[str, Any]:
    """Return minimum, maximum and mean of numbers, each weighted by `rows` if given."""
    if not len(numbers):
        return {}
    ends = pc.min_max(numbers).as_py()
    mean = np.average(numbers.to_numpy(), weights=rows)
    return {"min": ends["min"], "max": ends["max"], "mean": round(float(mean), 6)}


def _repeated_keys(tables: "Mapping[str, Checked]", schema: Schema) -> Iterator[str]:
    for name, checked in tables.items():
        count = sum(any("must be unique" in reason for reason in reasons) for reasons in checked.rejected.values())
        if count:
            yield f"{name}: {count} rows share their {schema.key} with another one"


def _target(report: dict[str, Any], schema: Schema, task: "Task") -> Iterator[str]:
    if TRAIN in report:
        for fault in task.target_faults(report[TRAIN]["columns"][schema.target]):
            yield f"{TRAIN}: {schema.target} {fault}"


def _constant(report: dict[str, Any], schema: Schema) -> Iterator[str]:
    for name, about in report.items():
        for column, profile in about["columns"].items():
            same = profile["distinct"] + (profile["missing"] > 0) == 1  # a missing value is a value as well
            if same and about["rows"]["accepted"] > 1 and column != schema.target:
                yield f"{name}: {column} is {'missing' if profile['missing'] else 'the same'} in every row"


def gives_away(counts: Contingency, *, numeric: bool) -> bool:
    """Tell whether a column alone predicts the target, better than the majority class and in 98 % of the rows.

    There are three predictors: the majority class of the *other* rows with the same value; whether the value is missing;
    and one threshold, for numbers. A predictor must cover at least half of the rows and remove nine in ten of the errors of
    the majority class: if 99 % of the rows have one class, an uninformative column is right in 99 %, too.
    """
    present = counts.present
    known = np.stack([counts.counts[present].sum(axis=0) + counts.alone, counts.counts[~present].sum(axis=0)])
    total = int(known.sum())
    guess = known.sum(axis=0).max() / total if total else 1.0
    if total < FEW or guess == 1:
        return False
    ways = [_by_others(counts.counts), _by_others(known)]
    if numeric:
        ways.append(_by_threshold(counts.counts[present]))
    needed = max(LEAK, 1 - (1 - guess) / 10)
    return any(right >= needed * rows and rows >= total / 2 for right, rows in ways)


def _by_others(counts: Counts) -> tuple[int, int]:
    """Predict each row by the majority of the others of its group; return how many are right, and how many have others."""
    right = 0
    for label in range(counts.shape[1]):
        own, others = counts[:, label], np.delete(counts, label, axis=1).max(axis=1)
        right += int(own[own - 1 > others].sum())
    rows = counts.sum(axis=1)
    return right, int(rows[rows > 1].sum())


def _by_threshold(counts: Counts) -> tuple[int, int]:
    """Predict by the best threshold on the sorted values; return how many are right, and of how many."""
    below = np.cumsum(counts, axis=0)
    right = below.max(axis=1) + (counts.sum(axis=0) - below).max(axis=1)
    return int(right.max(initial=0)), int(counts.sum())


def _shared_keys(tables: dict[str, Dataset], schema: Schema) -> Iterator[str]:
    train, test = (tables[name].to_table([schema.key])[schema.key].to_numpy() for name in (TRAIN, TEST))
    shared = np.intersect1d(train, test, assume_unique=True)
    if len(shared):
        yield f"train and test: {len(shared)} {schema.key}s are in both, {_some(shared.tolist())}"


def _entity_twice(tables: "Mapping[str, Checked]", schema: Schema, entity: Entity | None) -> Iterator[str]:
    if entity is None:
        return
    key, again = schema.key, []
    both = dataset([checked.clean for checked in tables.values()])
    for part in _parts(both, [*entity.columns, key], entity.columns[0]):
        groups = part.group_by(list(entity.columns), use_threads=False).aggregate([([], "count_all"), (key, "min")])
        again += groups.filter(pc.field("count_all") > 1)[f"{key}_min"].to_pylist()
    if again:
        yield (
            f"{' and '.join(tables)}: {len(again)} {entity.noun} appear more than once (by {' and '.join(entity.columns)}), "
            f"{key} {_some(sorted(again))}"
        )


def _some(keys: list[int]) -> str:
    return f"such as {', '.join(map(str, keys[:3]))}"
