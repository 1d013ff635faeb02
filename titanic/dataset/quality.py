"""What stands in reports/data_quality.json: rows, columns and checks of the lists that were read.

Works on the Parquet files of the accepted rows, a few columns at a time and long text in parts, so that memory is bounded.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from titanic.config import TEST, TRAIN
from titanic.schema import KEY, TARGET, Clean, Passenger, columns, kind, values

TOP = 5  # commonest values that a column's profile names
PART = 2_000_000  # rows of text that are grouped at once
MANY = 1_000  # values of text from which on those that stand in one row are only counted
FEW = 50  # labelled rows under which chance alone makes a column look like the target
LEAK = 0.98  # accuracy of a column alone under which it gives nothing away

_Counts = npt.NDArray[np.int64]
_File: TypeAlias = pa.Table | parquet.ParquetFile


class Accepted(NamedTuple):
    """A list as it was accepted: the Parquet file of its rows, and the reasons of each rejected row by its number."""

    clean: Path
    rejected: Mapping[int, list[str]]


def quality(lists: dict[str, Accepted]) -> dict[str, Any]:
    """Return the report on the lists "train" and "test", or on one of them: rows, columns, and every check's result.

    A check is {"ok": whether nothing was found, "found": a sentence for each finding}.
    """
    files = {name: _open(accepted.clean) for name, accepted in lists.items()}
    large = any(isinstance(file, parquet.ParquetFile) for file in files.values())
    with ThreadPoolExecutor(1 if large else 2) as pool:
        people = pool.submit(lambda: list(_same_person(files)))
        profiles = {
            name: {
                column: pool.submit(_column, file, column, labelled=name == TRAIN and column != TARGET)
                for column in columns(Passenger, labelled=name == TRAIN)
            }
            for name, file in files.items()
        }
        report = {
            name: {
                "rows": _rows(accepted),
                "columns": {column: profile.result().told for column, profile in profiles[name].items()},
            }
            for name, accepted in lists.items()
        }
        leaks = [
            f"{name}: {column} alone tells {TARGET} nearly always; is it known before that?"
            for name in lists
            for column, profile in profiles[name].items()
            if profile.result().tells_target
        ]
    checks = {
        "schema": [f"{name}: {len(a.rejected)} rows rejected" for name, a in lists.items() if a.rejected],
        "key_unique": list(_repeated_keys(lists)),
        "both_labels": list(_labels(report)),
        "constant_columns": list(_constant(report)),
        "leaks": leaks,
        **({"shared_keys": list(_shared_keys(files))} if len(files) > 1 else {}),
        "same_person_twice": people.result(),
    }
    return {**report, "checks": {name: {"ok": not found, "found": found} for name, found in checks.items()}}


def _open(clean: Path) -> _File:
    """Read a list, or only open it where it is long."""
    file = parquet.ParquetFile(clean)
    return file if file.metadata.num_rows > PART else file.read()


def _rows(accepted: Accepted) -> dict[str, int]:
    rows, rejected = parquet.read_metadata(accepted.clean).num_rows, len(accepted.rejected)
    return {"read": rows + rejected, "accepted": rows, "rejected": rejected}


class _Column(NamedTuple):
    told: dict[str, Any]
    tells_target: bool


def _column(file: _File, name: str, *, labelled: bool) -> _Column:
    told = {"type": kind(Passenger, name).__name__, "missing": 0}
    if name == KEY:  # unique by now
        keys = _read(file, [KEY])[KEY]
        return _Column(told | {"distinct": len(keys)} | _range(keys), tells_target=False)
    counts, alone = _counts(file, name, labelled=labelled)
    missing = pc.is_null(counts[name])
    present = counts.filter(pc.invert(missing))
    told["missing"] = sum(counts.filter(missing)["rows"].to_pylist())
    told["distinct"] = len(present) + alone.rows
    about = _range(present[name], present["rows"]) if _is_quantity(name) else {"top": _top(present, name)}
    return _Column(
        told | about,
        tells_target=labelled and tells_target(counts, name, alone, numeric=kind(Passenger, name) is not str),
    )


def _is_quantity(name: str) -> bool:
    return kind(Passenger, name) is not str and not values(Passenger, name)


def _top(counts: pa.Table, name: str) -> dict[str, int]:
    if not len(counts):  # of which pyarrow 25 cannot select anything
        return {}
    order = [("rows", "descending"), (name, "ascending")]
    top = counts.take(pc.select_k_unstable(counts, TOP, order)).select([name, "rows"])
    if len(counts) > TOP:
        top = top.filter(pc.field("rows") > 1)
    return {str(value): count for value, count in zip(*top.to_pydict().values(), strict=True)}


class Alone(NamedTuple):
    """Rows whose text stands in no other row, and how many of them have label 1."""

    rows: int
    ones: int


def _counts(file: _File, name: str, *, labelled: bool) -> tuple[pa.Table, Alone]:
    """Return a column's values, sorted, with their `rows` and how many of them have label 1 (`ones`, with labels).

    Text that stands in one row alone is only counted, in the second part: a long list has millions of names.
    """
    found, rows, ones = [], 0, 0
    for part in _parts([file], [name, *([TARGET] if labelled else [])], name):
        counts = _group(part[name], name, part[TARGET] if labelled else None)
        if kind(Passenger, name) is str and len(counts) > MANY:
            alone = pc.and_(pc.equal(counts["rows"], 1), pc.is_valid(counts[name]))
            rows += pc.sum(alone, min_count=0).as_py()
            ones += pc.sum(counts.filter(alone)["ones"], min_count=0).as_py() if labelled else 0
            counts = counts.filter(pc.invert(alone))
        found.append(counts)
    return pa.concat_tables(found).sort_by(name), Alone(rows, ones)


def _group(column: pa.ChunkedArray, name: str, labels: pa.ChunkedArray | None) -> pa.Table:
    """Return the values of a column with their counts; Arrow's own grouping takes ten times as long for ages."""
    encoded = column.dictionary_encode("encode").chunks  # all have the dictionary of the whole
    found = encoded[0].dictionary if encoded else pa.array([], column.type)
    codes = np.concatenate([np.array([], dtype=np.int64), *(chunk.indices for chunk in encoded)])
    counts = {"rows": np.bincount(codes, minlength=len(found))}
    if labels is not None:
        counts["ones"] = np.bincount(codes[labels.to_numpy() == 1], minlength=len(found))
    return pa.table({name: found, **counts})


def _read(file: _File, wanted: list[str]) -> pa.Table:
    return file.select(wanted) if isinstance(file, pa.Table) else file.read(wanted)


def _parts(files: list[_File], wanted: list[str], text: str) -> Iterator[pa.Table]:
    """Yield tables that together are the rows of the files; rows with equal text stand in the same one.

    The text's length tells the part: its last bits are cheap, and equal for equal text.
    """
    rows = sum(len(file) if isinstance(file, pa.Table) else file.metadata.num_rows for file in files)
    count = 1
    while kind(Passenger, text) is str and rows / count > PART:
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


def _range(numbers: pa.ChunkedArray, rows: pa.ChunkedArray | None = None) -> dict[str, Any]:
    """Least, greatest and mean of numbers, each of which stands for one row, or as many as `rows` says."""
    if not len(numbers):
        return {}
    ends = pc.min_max(numbers).as_py()
    mean = np.average(numbers.to_numpy(), weights=None if rows is None else rows.to_numpy())
    return {"min": ends["min"], "max": ends["max"], "mean": round(float(mean), 6)}


def _repeated_keys(lists: dict[str, Accepted]) -> Iterator[str]:
    for name, accepted in lists.items():
        count = sum(any("must be unique" in reason for reason in reasons) for reasons in accepted.rejected.values())
        if count:
            yield f"{name}: {count} rows share their {KEY} with another one"


def _labels(report: dict[str, Any]) -> Iterator[str]:
    if TRAIN in report and report[TRAIN]["columns"][TARGET]["distinct"] == 1:
        (label,) = report[TRAIN]["columns"][TARGET]["top"]
        yield f"train: {TARGET} is {label} in every row; a model needs both labels"


def _constant(report: dict[str, Any]) -> Iterator[str]:
    for name, told in report.items():
        rows = told["rows"]["accepted"]
        for column, about in told["columns"].items():
            same = about["distinct"] + (about["missing"] > 0) == 1  # a missing value is a value as well
            if same and rows > 1 and column != TARGET:
                yield f"{name}: {column} is {'missing' if about['missing'] else 'the same'} in every row"


def tells_target(counts: pa.Table, name: str, alone: Alone, *, numeric: bool) -> bool:
    """Return whether a column alone tells the target, better than the commoner label and in 98 % of the rows.

    `counts` has the column's values, sorted, with their `rows` and how many of these have label 1 (`ones`). Three ways to
    guess: the commoner label of the *other* rows with the same value; whether the value is missing; and one threshold,
    for numbers. At least half of the rows must be told in that way, and nine in ten of the errors of the commoner label
    must vanish: where 99 % died, a column that says nothing is right in 99 %.
    """
    rows, ones = (counts[column].to_numpy() for column in ("rows", "ones"))
    total = rows.sum() + alone.rows
    present = pc.is_valid(counts[name]).to_numpy()
    known = np.array([rows[present].sum() + alone.rows, rows[~present].sum()])
    known_ones = np.array([ones[present].sum() + alone.ones, ones[~present].sum()])
    ways = [_by_others(rows, ones), _by_others(known, known_ones)]
    if numeric:
        ways.append(_by_threshold(rows[present], ones[present]))
    guess = 1 - min(known_ones.sum(), total - known_ones.sum()) / total if total else 1.0
    needed = max(LEAK, 1 - (1 - guess) / 10)
    return total >= FEW and guess < 1 and any(right >= needed * told and told >= total / 2 for right, told in ways)


def _by_others(rows: _Counts, ones: _Counts) -> tuple[int, int]:
    """Guess each row by the majority of the others of its group: how many are right, and how many have others."""
    zeros = rows - ones
    right = ones * (ones - 1 > zeros) + zeros * (zeros - 1 > ones)
    return int(right[rows > 1].sum()), int(rows[rows > 1].sum())


def _by_threshold(rows: _Counts, ones: _Counts) -> tuple[int, int]:
    """Guess by the best cut through the sorted values, with either label above it: how many are right, and of how many."""
    zeros = rows - ones
    wrong = np.cumsum(ones) + zeros.sum() - np.cumsum(zeros)  # label 1 up to the cut, label 0 behind it
    return int(max(wrong.max(initial=0), rows.sum() - wrong.min(initial=rows.sum()))), int(rows.sum())


def _shared_keys(files: dict[str, _File]) -> Iterator[str]:
    train, test = (_read(files[name], [KEY])[KEY].to_numpy() for name in (TRAIN, TEST))
    shared = np.intersect1d(train, test, assume_unique=True)
    if len(shared):
        yield f"train and test: {len(shared)} {KEY}s stand in both, {_some(shared.tolist())}"


def _same_person(files: dict[str, _File]) -> Iterator[str]:
    person = [Clean.Name, Clean.Ticket]
    again: list[int] = []
    for part in _parts(list(files.values()), [*person, KEY], Clean.Name):
        groups = part.group_by(person, use_threads=False).aggregate([([], "count_all"), (KEY, "min")])
        again += groups.filter(pc.field("count_all") > 1)[f"{KEY}_min"].to_pylist()
    if again:
        yield (
            f"{' and '.join(files)}: {len(again)} people stand more than once (name and ticket), "
            f"{KEY} {_some(sorted(again))}"
        )


def _some(keys: list[int]) -> str:
    return f"such as {', '.join(map(str, keys[:3]))}"
