"""The contents of reports/data_quality.json: rows, columns and checks of the tables of a source.

It reads the Parquet files of the accepted rows, a few columns at a time and long text in parts, so that memory is bounded.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from dvckit.core.layout import TEST, TRAIN
from dvckit.tables.schema import Entity, Rules, Schema

if TYPE_CHECKING:
    from dvckit.tasks.base import Task

TOP = 5  # most frequent values in the profile of a column
PART = 2_000_000  # rows of text that are grouped at once
MANY = 1_000  # distinct texts above which those of a single row are only counted
FEW = 50  # labelled rows below which a column may look like the target by chance
LEAK = 0.98  # accuracy of a single column from which on it gives the target away

Counts = npt.NDArray[np.int64]
_File: TypeAlias = pa.Table | parquet.ParquetFile


class Accepted(NamedTuple):
    """A validated table: the Parquet file of its accepted rows, and the reasons for each rejected row by its number."""

    clean: Path
    rejected: Mapping[int, list[str]]


class Contingency(NamedTuple):
    """How often each value of a column occurs with each label; without labels there is one column of counts."""

    values: pa.Array  # sorted, a missing one last
    counts: Counts  # shape (values, labels)
    alone: Counts  # shape (labels,): rows whose text no other row has, and which are not among the values

    @classmethod
    def of(cls, column: pa.ChunkedArray, labels: pa.ChunkedArray | None = None, kinds: pa.Array | None = None) -> Self:
        """Count a column by `kinds` of labels, by default those that occur.

        Arrow's own grouping takes ten times as long for numbers.
        """
        encoded = column.dictionary_encode("encode").chunks  # all have the dictionary of the whole
        values = encoded[0].dictionary if encoded else pa.array([], column.type)
        codes = np.concatenate([np.array([], dtype=np.int64), *(chunk.indices for chunk in encoded)])
        if labels is not None and kinds is None:
            kinds = pc.unique(labels)
        width = 1 if kinds is None else max(1, len(kinds))
        places = 0 if labels is None else pc.index_in(labels, kinds).to_numpy()
        counts = np.bincount(codes * width + places, minlength=len(values) * width).reshape(len(values), width)
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


def quality(tables: dict[str, Accepted], rules: Rules, task: "Task") -> dict[str, Any]:
    """Return the report on the tables "train" and "test", or on one of them: rows, columns, and every check's result.

    A check is {"ok": whether nothing was found, "found": a sentence for each finding}.
    """
    schema, files = rules.schema, {name: _open(accepted.clean) for name, accepted in tables.items()}
    large = any(isinstance(file, parquet.ParquetFile) for file in files.values())
    with ThreadPoolExecutor(1 if large else 2) as pool:
        repeated = pool.submit(lambda: list(_entity_twice(files, schema, rules.entity)))
        profiles = {
            name: {
                column: pool.submit(_profile, file, column, schema, labelled=name == TRAIN and column != schema.target)
                for column in schema.columns(labelled=name == TRAIN)
            }
            for name, file in files.items()
        }
        report = {
            name: {
                "rows": _rows(accepted),
                "columns": {column: profile.result().profile for column, profile in profiles[name].items()},
            }
            for name, accepted in tables.items()
        }
        leaks = [
            f"{name}: {column} alone predicts {schema.target} nearly always; is it known before that?"
            for name in tables
            for column, profile in profiles[name].items()
            if profile.result().gives_away
        ]
    checks = {
        "schema": [f"{name}: {len(a.rejected)} rows rejected" for name, a in tables.items() if a.rejected],
        "key_unique": list(_repeated_keys(tables, schema)),
        task.target_check: list(_target(report, schema, task)),
        "constant_columns": list(_constant(report, schema)),
        "leaks": leaks,
        **({"shared_keys": list(_shared_keys(files, schema))} if len(files) > 1 else {}),
        **({rules.entity.check: repeated.result()} if rules.entity else {}),
    }
    return {**report, "checks": {name: {"ok": not found, "found": found} for name, found in checks.items()}}


def _open(clean: Path) -> _File:
    """Read a table, or only open it if it is long."""
    file = parquet.ParquetFile(clean)
    return file if file.metadata.num_rows > PART else file.read()


def _rows(accepted: Accepted) -> dict[str, int]:
    rows, rejected = parquet.read_metadata(accepted.clean).num_rows, len(accepted.rejected)
    return {"read": rows + rejected, "accepted": rows, "rejected": rejected}


class _Profile(NamedTuple):
    profile: dict[str, Any]
    gives_away: bool


def _profile(file: _File, name: str, schema: Schema, *, labelled: bool) -> _Profile:
    profile = {"type": schema.kind(name).__name__, "missing": 0}
    if name == schema.key:  # unique by now
        keys = _read(file, [name])[name]
        return _Profile(profile | {"distinct": len(keys)} | _range(keys), gives_away=False)
    is_text = schema.kind(name) is str
    counts = _counts(file, name, schema.target if labelled else None, is_text=is_text)
    rows, present = counts.rows, counts.present
    profile["missing"] = int(rows[~present].sum())
    profile["distinct"] = int(present.sum() + counts.alone.sum())
    values, rows = counts.values.filter(pa.array(present)), rows[present]
    about = {"top": _top(values, rows)} if is_text or schema.values(name) else _range(values, rows)
    return _Profile(profile | about, gives_away=labelled and gives_away(counts, numeric=not is_text))


def _top(values: pa.Array, rows: Counts) -> dict[str, int]:
    if not len(values):  # of which pyarrow 25 cannot select anything
        return {}
    counts = pa.table({"value": values, "rows": rows})
    top = counts.take(pc.select_k_unstable(counts, TOP, [("rows", "descending"), ("value", "ascending")]))
    if len(counts) > TOP:
        top = top.filter(pc.field("rows") > 1)
    return {str(value): count for value, count in zip(*top.to_pydict().values(), strict=True)}


def _counts(file: _File, name: str, target: str | None, *, is_text: bool) -> Contingency:
    """Count a column's values; in long tables, texts of a single row are only counted: there are many names."""
    kinds = pc.unique(_read(file, [target])[target]) if target else None
    parts = []
    for part in _parts([file], [name, *([target] if target else [])], name, is_text=is_text):
        counts = Contingency.of(part[name], part[target] if target else None, kinds)
        parts.append(counts.without_single_rows() if is_text and len(counts.values) > MANY else counts)
    values = pa.concat_arrays([part.values for part in parts])
    order = pc.sort_indices(values)
    whole = np.concatenate([part.counts for part in parts])[order.to_numpy()]
    return Contingency(values.take(order), whole, np.sum([part.alone for part in parts], axis=0))


def _read(file: _File, wanted: list[str]) -> pa.Table:
    return file.select(wanted) if isinstance(file, pa.Table) else file.read(wanted)


def _parts(files: list[_File], wanted: list[str], text: str, *, is_text: bool = True) -> Iterator[pa.Table]:
    """Yield tables that together are the rows of the files; rows with equal text are in the same one.

    The text's length decides on the part: its last bits are cheap, and equal for equal text.
    """
    rows = sum(len(file) if isinstance(file, pa.Table) else file.metadata.num_rows for file in files)
    count = 1
    while is_text and rows / count > PART:
        count *= 2
    for part in range(count):
        yield pa.concat_tables([_part(file, wanted, text, part, count) for file in files])


def _part(file: _File, wanted: list[str], text: str, part: int, count: int) -> pa.Table:
    if count == 1:
        return _read(file, wanted)
    batches = file.to_batches() if isinstance(file, pa.Table) else file.iter_batches(PART, columns=wanted)
    lengths = ((batch, pc.fill_null(pc.binary_length(batch[text]), 0)) for batch in batches)
    mine = [
        batch.select(wanted).filter(pc.equal(pc.bit_wise_and(length, count - 1), part)) for batch, length in lengths
    ]
    schema = file.schema if isinstance(file, pa.Table) else file.schema_arrow
    return pa.Table.from_batches(mine, pa.schema([schema.field(name) for name in wanted]))


def _range(numbers: pa.Array, rows: Counts | None = None) -> dict[str, Any]:
    """Return minimum, maximum and mean of numbers, each weighted by `rows` if given."""
    if not len(numbers):
        return {}
    ends = pc.min_max(numbers).as_py()
    mean = np.average(numbers.to_numpy(), weights=rows)
    return {"min": ends["min"], "max": ends["max"], "mean": round(float(mean), 6)}


def _repeated_keys(tables: dict[str, Accepted], schema: Schema) -> Iterator[str]:
    for name, accepted in tables.items():
        count = sum(any("must be unique" in reason for reason in reasons) for reasons in accepted.rejected.values())
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


def _shared_keys(files: dict[str, _File], schema: Schema) -> Iterator[str]:
    train, test = (_read(files[name], [schema.key])[schema.key].to_numpy() for name in (TRAIN, TEST))
    shared = np.intersect1d(train, test, assume_unique=True)
    if len(shared):
        yield f"train and test: {len(shared)} {schema.key}s are in both, {_some(shared.tolist())}"


def _entity_twice(files: dict[str, _File], schema: Schema, entity: Entity | None) -> Iterator[str]:
    if entity is None:
        return
    key, again = schema.key, []
    for part in _parts(list(files.values()), [*entity.columns, key], entity.columns[0]):
        groups = part.group_by(list(entity.columns), use_threads=False).aggregate([([], "count_all"), (key, "min")])
        again += groups.filter(pc.field("count_all") > 1)[f"{key}_min"].to_pylist()
    if again:
        yield (
            f"{' and '.join(files)}: {len(again)} {entity.noun} appear more than once (by {' and '.join(entity.columns)}), "
            f"{key} {_some(sorted(again))}"
        )


def _some(keys: list[int]) -> str:
    return f"such as {', '.join(map(str, keys[:3]))}"
