"""`dvckit data diff`: what changed in the tables between two revisions: rows, cells, columns, types, distributions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from dvckit.core.errors import UserError
from dvckit.core.grid import SHOWN, Grid, first, terminal
from dvckit.repository.revision import Revision
from dvckit.tables.load import TABLES

COMPARED = {name: TABLES[name].as_posix() for name in ("clean", "clean/test", "features", "features/test")}
FEW = 20  # distinct values up to which the shares of text values are compared
DIGITS = 6  # significant digits of every statistic

Pair = dict[Any, Any]  # {"old": ..., "new": ...}


@dataclass(frozen=True)
class Shift:
    """How the values of a column moved; shares are of 1, and what its type does not have is None.

    `ks` and `p_value` are of the two-sample Kolmogorov-Smirnov test, which takes the two versions for independent
    samples: where they share rows, p is too large. `total_variation` is half the sum of the differences of shares.
    """

    column: str
    missing: Pair
    mean: Pair | None = None
    ks: float | None = None
    p_value: float | None = None
    total_variation: float | None = None
    shares: dict[Any, Pair] | None = None  # of the values whose share moved


@dataclass(frozen=True)
class TableDiff:
    """What changed from the old table to the new one; all of it, in JSON's types but for `shifts`."""

    rows: Pair
    added: list[Any]  # keys
    removed: list[Any]
    changed: int  # rows with a changed cell
    cells: list[dict[Any, Any]]  # key, occurrence (from 1, among the rows with this key), column, old, new
    columns_added: list[str]
    columns_removed: list[str]
    types: dict[str, Pair]
    repeated: Pair  # the keys of more than one row
    reordered: bool  # whether common rows or columns are in another order
    shifts: list[Shift]  # of every common column but the key

    @property
    def same(self) -> bool:
        """Whether nothing changed."""
        rows = self.added or self.removed or self.cells or self.reordered
        return not (rows or self.columns_added or self.columns_removed or self.types)


def diff_tables(old: pd.DataFrame, new: pd.DataFrame, key: str) -> TableDiff:
    """Compare two tables, their rows paired by the column `key`; rows with one key are paired in order of appearance.

    A cell that is missing on both sides is no change; a number that is now written as text changes the type, not the
    cell. UserError where a table has no column `key`.
    """
    if key not in old or key not in new:
        raise UserError(f"a table without the column {key} cannot be compared")
    pairs = _pairs(old[key], new[key])
    both = pairs[(pairs.old >= 0) & (pairs.new >= 0)].reset_index(drop=True)
    common = [name for name in old.columns if name in new.columns]
    values = [name for name in common if name != key]
    types = {name: {"old": str(old[name].dtype), "new": str(new[name].dtype)} for name in common}
    cells = _cells(old, new, both, values)
    return TableDiff(
        rows={"old": len(old), "new": len(new)},
        added=_objects(pairs.key[pairs.old < 0]).tolist(),
        removed=_objects(pairs.key[pairs.new < 0]).tolist(),
        changed=len(cells[["key", "occurrence"]].drop_duplicates()),
        cells=cells.to_dict("records"),
        columns_added=[name for name in new.columns if name not in old.columns],
        columns_removed=[name for name in old.columns if name not in new.columns],
        types={name: pair for name, pair in types.items() if pair["old"] != pair["new"]},
        repeated={"old": _repeated(old[key]), "new": _repeated(new[key])},
        reordered=not both.sort_values("old").new.is_monotonic_increasing
        or common != [name for name in new.columns if name in old.columns],
        shifts=[_shift(name, _comparable(old[name]), _comparable(new[name])) for name in values],
    )


def _pairs(old: "pd.Series[Any]", new: "pd.Series[Any]") -> pd.DataFrame:
    """Pair rows: their key, its occurrence from 1, and the position on each side, -1 where the row is missing."""
    # whole numbers with a missing one are floats; here they become Int64, so that as text they are "1", not "1.0"
    keys = [_comparable(column).convert_dtypes() for column in (old, new)]
    if keys[0].dtype != keys[1].dtype:
        both_numeric = is_numeric_dtype(keys[0]) and is_numeric_dtype(keys[1])
        keys = [column.astype("Float64" if both_numeric else "str") for column in keys]
    sides = [
        pd.DataFrame(
            {"key": column, "occurrence": column.groupby(column, dropna=False).cumcount() + 1, name: range(len(column))}
        )
        for name, column in zip(("old", "new"), keys, strict=True)
    ]
    pairs = sides[0].merge(sides[1], on=["key", "occurrence"], how="outer")
    return pairs.fillna({"old": -1, "new": -1}).astype({"old": "int64", "new": "int64"})


def _comparable(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column as numbers or as text, numbered from 0."""
    column = column.reset_index(drop=True)
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object).infer_objects()
    return column if is_numeric_dtype(column) else column.astype("str")


def _cells(old: pd.DataFrame, new: pd.DataFrame, both: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Return the changed cells of the rows that are on both sides: row by row, in the order of the columns."""
    parts = [pd.DataFrame(columns=["key", "occurrence", "column", "old", "new"], index=both.index[:0])]
    for name in columns:
        before = _comparable(old[name].iloc[both.old])
        after = _comparable(new[name].iloc[both.new])
        at = np.flatnonzero(_differ(before, after))
        part = both.loc[at, ["key", "occurrence"]].assign(column=name)
        parts.append(part.assign(key=_objects(part.key), old=_objects(before[at]), new=_objects(after[at])))
    return pd.concat(parts).sort_index(kind="stable")


def _differ(old: "pd.Series[Any]", new: "pd.Series[Any]") -> "np.ndarray[Any, np.dtype[np.bool_]]":
    missing = (old.isna() & new.isna()).to_numpy(bool)
    if is_numeric_dtype(old) != is_numeric_dtype(new):
        old, new = pd.to_numeric(old, errors="coerce"), pd.to_numeric(new, errors="coerce")
    unequal = (old != new).astype("boolean").fillna(value=True).to_numpy(bool)
    differ: np.ndarray[Any, np.dtype[np.bool_]] = unequal & ~missing
    return differ


def _objects(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column as Python's own objects, what is missing as None."""
    return column.astype(object).where(column.notna(), None)


def _repeated(key: "pd.Series[Any]") -> list[Any]:
    key = _comparable(key)
    return _objects(key[key.duplicated()].drop_duplicates()).tolist()


def _shift(column: str, old: "pd.Series[Any]", new: "pd.Series[Any]") -> Shift:
    missing = _pair(*(side.isna().mean() if len(side) else 0.0 for side in (old, new)))
    before, after = old.dropna(), new.dropna()
    numeric = {is_numeric_dtype(old), is_numeric_dtype(new)}
    if before.empty or after.empty or len(numeric) == 2:
        return Shift(column, missing)
    if numeric == {True}:
        from scipy.stats import ks_2samp

        mean = _pair(before.mean(), after.mean())
        if len(before) == len(after) == 1:  # no sample to test
            return Shift(column, missing, mean)
        test = ks_2samp(before.to_numpy(float), after.to_numpy(float), method="asymp")
        return Shift(column, missing, mean, _rounded(test.statistic), _rounded(test.pvalue))
    counted = [part.value_counts(normalize=True) for part in (before, after)]
    shares = pd.concat(counted, axis=1, keys=["old", "new"]).fillna(0.0).sort_index()
    if len(shares) > FEW:
        return Shift(column, missing)
    moved = shares[shares.old != shares.new].map(_rounded)
    distance = (shares.old - shares.new).abs().sum() / 2
    return Shift(column, missing, total_variation=_rounded(distance), shares=moved.to_dict("index"))


def _pair(old: float, new: float) -> Pair:
    return {"old": _rounded(old), "new": _rounded(new)}


def _rounded(value: Any) -> float:
    return float(f"{value:.{DIGITS}g}")


def data_diff(root: Path, revs: Sequence[str] = ()) -> dict[str, Any]:
    """Compare the clean and the feature tables of two revisions, by default of HEAD and the workspace; for JSON.

    `tables` has for each one its `state`: same, changed (with the fields of `TableDiff`), added or removed. UserError
    for an unknown revision, for a table whose object is in no place, and where neither side has a table.
    """
    if len(revs) > 2:
        raise UserError(f"two revisions are compared, or one with the workspace; {len(revs)} are named")
    old, new = (Revision(root, rev) for rev in [*revs, *["HEAD", None][len(revs) :]])
    tables = {name: path for name, path in COMPARED.items() if _has(old, path) or _has(new, path)}
    if not tables:
        raise UserError(f"there is no table to compare, {old} -> {new}; run `dvc repro`")
    key = _key(old, new)
    return {
        "compared": f"{old} -> {new}",
        "old": {"revision": old.name, "commit": old.commit},
        "new": {"revision": new.name, "commit": new.commit},
        "key": key,
        "tables": {name: _compare(old, new, path, key) for name, path in tables.items()},
    }


def _has(revision: Revision, path: str) -> bool:
    return path in revision.md5s or (revision.commit is None and (revision.root / path).is_file())


def _key(old: Revision, new: Revision) -> str:
    """Return the column that names a row: the unique one of pandera's schema in git."""
    for revision in (new, old):
        if revision.key:
            return revision.key
    raise UserError("data/interim/train_metadata.yaml names no unique column to pair rows by; run `dvckit dictionary`")


def _compare(old: Revision, new: Revision, path: str, key: str) -> dict[str, Any]:
    if not _has(old, path) or not _has(new, path):
        return {"state": "added" if _has(new, path) else "removed"}
    before, after = old.table(path), new.table(path)
    if before.equals(after) or (diff := diff_tables(before, after, key)).same:
        return {"state": "same"}
    return {"state": "changed", **vars(diff), "shifts": [vars(shift) for shift in diff.shifts]}


def _sentences(table: dict[str, Any]) -> Iterator[str]:
    """Say what changed in a table of `data_diff`, apart from cells and distributions."""
    if table["state"] != "changed":
        yield "no difference" if table["state"] == "same" else f"the whole table was {table['state']}"
        return
    old, new = table["rows"].values()
    added, removed, cells = len(table["added"]), len(table["removed"]), len(table["cells"])
    yield f"{old} -> {new} rows: {added} added, {removed} removed, {table['changed']} changed in {cells} cells"
    changes = {
        "rows added": table["added"],
        "rows removed": table["removed"],
        "columns added": table["columns_added"],
        "columns removed": table["columns_removed"],
        "types": [f"{name} {types['old']} -> {types['new']}" for name, types in table["types"].items()],
        "old keys in several rows, paired in order of appearance": table["repeated"]["old"],
        "new keys in several rows, paired in order of appearance": table["repeated"]["new"],
    }
    yield from (f"{change}: {first(map(_text, items))}" for change, items in changes.items() if items)
    if table["reordered"]:
        yield "common rows or columns are in another order"


def _grids(table: dict[str, Any], key: str) -> Iterator[Grid]:
    """Lay out the shifts and the changed cells of a table of `data_diff`."""
    if shifts := [[shift["column"], text] for shift in table.get("shifts", ()) if (text := _shift_text(shift))]:
        yield _grid("shifts", ["column", "what moved"], shifts)
    if cells := table.get("cells"):
        columns = ["column", "old", "new"]
        if any(table["repeated"].values()):
            columns.insert(0, "occurrence")
        rows = [[_text(cell[name]) for name in ("key", *columns)] for cell in cells]
        yield _grid("changed cells", [key, *columns], rows)


def _grid(title: str, header: list[str], rows: list[list[str]]) -> Grid:
    return Grid(title + (f", the first {SHOWN} of {len(rows)}" if len(rows) > SHOWN else ""), header, rows[:SHOWN])


def _shift_text(shift: dict[str, Any]) -> str:
    """Say what moved in a column; nothing where its distribution did not."""
    parts = []
    if shift["missing"]["old"] != shift["missing"]["new"]:
        parts.append(f"missing {_move(shift['missing'])}")
    if shift["ks"]:
        parts.append(f"mean {_move(shift['mean'])}, KS {shift['ks']:.3g} (p {shift['p_value']:.2g})")
    if shift["total_variation"]:
        moved = [f"{value} {_move(shares)}" for value, shares in shift["shares"].items()]
        parts.append(f"total variation {shift['total_variation']:.3g} ({', '.join(moved)})")
    return "; ".join(parts)


def _move(pair: Pair) -> str:
    return f"{pair['old']:.4g} -> {pair['new']:.4g}"


def _text(value: Any) -> str:
    return "missing" if value is None else str(value)


def render_md(diff: dict[str, Any]) -> str:
    """Return the result of `data_diff` as Markdown, at most 20 of each kind of change."""
    lines = [f"## Data: {diff['compared']}"]
    for name, table in diff["tables"].items():
        lines += ["", f"### {name}", "", *(f"- {sentence}" for sentence in _sentences(table))]
        for grid in _grids(table, diff["key"]):
            lines += ["", *grid.markdown()]
    return "\n".join(lines) + "\n"


def print_diff(diff: dict[str, Any]) -> None:
    """Print the result of `data_diff` for the terminal, at most 20 of each kind of change."""
    console = terminal()
    console.print(f"data: {diff['compared']}")
    for name, table in diff["tables"].items():
        summary, *details = _sentences(table)
        console.print("\n  ".join([f"{name}: {summary}", *details]))
        for grid in _grids(table, diff["key"]):
            grid.print(console)
