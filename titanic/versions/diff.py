"""`titanic data diff`: what changed in the tables between two revisions: rows, cells, columns, types, distributions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from titanic.schema import KEY
from titanic.stage import UserError
from titanic.versions.repository import locked_outputs
from titanic.versions.tables import TABLES, parse, read_output, resolve

COMPARED = ("clean", "clean/test", "features", "features/test")
WORKSPACE = "workspace"
FEW = 20  # distinct values up to which the shares of text values are compared
SHOWN = 20  # of each kind of change, what a person is shown; the JSON form has all
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
    repeated: Pair  # the keys that stand in several rows
    reordered: bool  # common rows or columns stand in another order
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
    cells = _cells(old, new, both, values)
    return TableDiff(
        rows={"old": len(old), "new": len(new)},
        added=_plain(pairs.key[pairs.old < 0]),
        removed=_plain(pairs.key[pairs.new < 0]),
        changed=len(cells[["key", "occurrence"]].drop_duplicates()),
        cells=cells.to_dict("records"),
        columns_added=[name for name in new.columns if name not in old.columns],
        columns_removed=[name for name in old.columns if name not in new.columns],
        types={name: pair for name in common if (pair := _types(old[name], new[name]))["old"] != pair["new"]},
        repeated={"old": _repeated(old[key]), "new": _repeated(new[key])},
        reordered=not both.sort_values("old").new.is_monotonic_increasing
        or common != [name for name in new.columns if name in old.columns],
        shifts=[_shift(name, _comparable(old[name]), _comparable(new[name])) for name in values],
    )


def _types(old: "pd.Series[Any]", new: "pd.Series[Any]") -> Pair:
    return {"old": str(old.dtype), "new": str(new.dtype)}


def _pairs(old: "pd.Series[Any]", new: "pd.Series[Any]") -> pd.DataFrame:
    """Pair rows: their key, its occurrence from 1, and the position on each side, -1 where the row is not there."""
    # a column of whole numbers with one missing came as floats; it is Int64 here, and "1" as text, not "1.0"
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
    """List the changed cells of the rows that are on both sides: row by row, in the order of the columns."""
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


def _plain(column: "pd.Series[Any]") -> list[Any]:
    return _objects(column).tolist()


def _repeated(key: "pd.Series[Any]") -> list[Any]:
    key = _comparable(key)
    return _plain(key[key.duplicated()].drop_duplicates())


def _shift(column: str, old: "pd.Series[Any]", new: "pd.Series[Any]") -> Shift:
    missing = {"old": _share(old), "new": _share(new)}
    before, after = old.dropna(), new.dropna()
    numeric = {is_numeric_dtype(old), is_numeric_dtype(new)}
    if before.empty or after.empty or len(numeric) == 2:
        return Shift(column, missing)
    if numeric == {True}:
        from scipy.stats import ks_2samp

        if len(before) == len(after) == 1:  # the test has nothing to say
            return Shift(column, missing, {"old": _rounded(before.mean()), "new": _rounded(after.mean())})
        test = ks_2samp(before.to_numpy(float), after.to_numpy(float), method="asymp")
        mean = {"old": _rounded(before.mean()), "new": _rounded(after.mean())}
        return Shift(column, missing, mean, ks=_rounded(test.statistic), p_value=_rounded(test.pvalue))
    counted = [part.value_counts(normalize=True) for part in (before, after)]
    shares = pd.concat(counted, axis=1, keys=["old", "new"]).fillna(0.0).sort_index()
    if len(shares) > FEW:
        return Shift(column, missing)
    moved = shares[shares.old != shares.new].map(_rounded)
    distance = (shares.old - shares.new).abs().sum() / 2
    return Shift(column, missing, total_variation=_rounded(distance), shares=moved.to_dict("index"))


def _share(column: "pd.Series[Any]") -> float:
    return _rounded(column.isna().mean()) if len(column) else 0.0


def _rounded(value: Any) -> float:
    return float(f"{value:.{DIGITS}g}")


class _Side(NamedTuple):
    rev: str | None  # None: the workspace
    commit: str | None
    paths: set[str]  # every output there is

    def __str__(self) -> str:
        return f"{self.rev} ({self.commit[:7]})" if self.commit else WORKSPACE


def data_diff(root: Path, revs: Sequence[str | None] = ()) -> dict[str, Any]:
    """Compare the clean and the feature tables of two revisions, by default of HEAD and the workspace; for JSON.

    `tables` has for each one its `state`: same, changed (with the fields of `TableDiff`), added or removed. UserError
    for an unknown revision, for a table whose object is in no place, and where there is no table on either side.
    """
    if len(revs) > 2:
        raise UserError(f"two revisions are compared, or one with the workspace; {len(revs)} are named")
    revs = [None if rev == WORKSPACE else rev for rev in revs]
    old, new = (_side(root, rev) for rev in [*revs, *["HEAD", None][len(revs) :]])
    paths = {name: TABLES[name].as_posix() for name in COMPARED}
    tables = {name: _compare(root, name, old, new) for name, path in paths.items() if path in old.paths | new.paths}
    if not tables:
        raise UserError(f"there is no table to compare, {old} -> {new}; run `dvc repro`")
    sides = [{"revision": side.rev or WORKSPACE, "commit": side.commit} for side in (old, new)]
    return {"compared": f"{old} -> {new}", "old": sides[0], "new": sides[1], "tables": tables}


def _side(root: Path, rev: str | None) -> _Side:
    commit = resolve(root, rev) if rev is not None else None
    paths = {output.path for output in locked_outputs(root, commit)}
    if commit is None:
        paths |= {path.as_posix() for path in TABLES.values() if (root / path).is_file()}
    return _Side(rev, commit, paths)


def _compare(root: Path, name: str, old: _Side, new: _Side) -> dict[str, Any]:
    path = TABLES[name].as_posix()
    if path not in old.paths or path not in new.paths:
        return {"state": "added" if path in new.paths else "removed"}
    before, after = read_output(root, path, old.rev), read_output(root, path, new.rev)
    if before == after:
        return {"state": "same"}
    diff = diff_tables(parse(name, before), parse(name, after), KEY)
    if diff.same:
        return {"state": "same"}
    return {"state": "changed", **vars(diff), "shifts": [vars(shift) for shift in diff.shifts]}


class _Grid(NamedTuple):
    title: str
    header: list[str]
    rows: list[list[str]]


def _sentences(table: dict[str, Any]) -> Iterator[str]:
    """Tell in sentences what changed in a table of `data_diff`, apart from cells and distributions."""
    if table["state"] != "changed":
        yield "no difference" if table["state"] == "same" else f"the whole table was {table['state']}"
        return
    old, new = table["rows"].values()
    added, removed, cells = len(table["added"]), len(table["removed"]), len(table["cells"])
    yield f"{old} -> {new} rows: {added} added, {removed} removed, {table['changed']} changed in {cells} cells"
    repeated = table["repeated"]
    named = {
        "rows added": table["added"],
        "rows removed": table["removed"],
        "columns added": table["columns_added"],
        "columns removed": table["columns_removed"],
        "types": [f"{name} {types['old']} -> {types['new']}" for name, types in table["types"].items()],
        "old keys in several rows, paired in order of appearance": repeated["old"],
        "new keys in several rows, paired in order of appearance": repeated["new"],
    }
    yield from (f"{what}: {_first(names)}" for what, names in named.items() if names)
    if table["reordered"]:
        yield "common rows or columns stand in another order"


def _first(items: list[Any]) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(map(_text, items[:SHOWN])) + more


def _grids(table: dict[str, Any]) -> Iterator[_Grid]:
    """Lay out the changed cells and the shifts of a table of `data_diff`."""
    shifts = [[shift["column"], text] for shift in table.get("shifts", ()) if (text := _shift_text(shift))]
    if shifts:
        of = f", the first {SHOWN} of {len(shifts)}" if len(shifts) > SHOWN else ""
        yield _Grid(f"shifts{of}", ["column", "what moved"], shifts[:SHOWN])
    if cells := table.get("cells"):
        of = f", the first {SHOWN} of {len(cells)}" if len(cells) > SHOWN else ""
        repeated = any(table["repeated"].values())
        shown = [name for name in cells[0] if repeated or name != "occurrence"]
        rows = [[_text(cell[name]) for name in shown] for cell in cells[:SHOWN]]
        yield _Grid(f"changed cells{of}", [KEY, *shown[1:]], rows)


def _shift_text(shift: dict[str, Any]) -> str:
    """Tell what moved in a column; nothing where its distribution did not."""
    told = []
    if shift["missing"]["old"] != shift["missing"]["new"]:
        told.append(f"missing {_move(shift['missing'])}")
    if shift["ks"]:
        told.append(f"mean {_move(shift['mean'])}, KS {shift['ks']:.3g} (p {shift['p_value']:.2g})")
    if shift["total_variation"]:
        moved = [f"{value} {_move(shares)}" for value, shares in shift["shares"].items()]
        told.append(f"total variation {shift['total_variation']:.3g} ({', '.join(moved)})")
    return "; ".join(told)


def _move(pair: Pair) -> str:
    return f"{pair['old']:.4g} -> {pair['new']:.4g}"


def _text(value: Any) -> str:
    return "missing" if value is None else str(value)


def render_md(diff: dict[str, Any]) -> str:
    """Return what `data_diff` found as Markdown, at most 20 of each kind of change."""
    lines = [f"## Data: {diff['compared']}"]
    for name, table in diff["tables"].items():
        lines += ["", f"### {name}", "", *(f"- {sentence}" for sentence in _sentences(table))]
        for grid in _grids(table):
            lines += ["", f"{grid.title}:", "", _md_row(grid.header), _md_row(["---"] * len(grid.header))]
            lines += map(_md_row, grid.rows)
    return "\n".join(lines) + "\n"


def _md_row(cells: list[str]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"


def print_diff(diff: dict[str, Any]) -> None:
    """Print what `data_diff` found for the terminal, at most 20 of each kind of change."""
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, emoji=False, highlight=False)  # a cell of data may look like markup
    console.print(f"data: {diff['compared']}", soft_wrap=True)
    for name, table in diff["tables"].items():
        first, *others = _sentences(table)
        for line in (f"{name}: {first}", *(f"  {sentence}" for sentence in others)):
            console.print(line, soft_wrap=True)
        for grid in _grids(table):
            shown = Table(*grid.header, title=grid.title, title_justify="left")
            for row in grid.rows:
                shown.add_row(*row)
            console.print(shown)
