"""`dvckit data diff`: what changed in the tables between two revisions: rows, cells, columns, types, distributions."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_float_dtype, is_numeric_dtype

from dvckit.core import markdown
from dvckit.core.errors import UserError
from dvckit.core.grid import SHOWN, Grid, Terminal, first
from dvckit.repository.objects import output_md5
from dvckit.repository.revision import Revision
from dvckit.tables.load import TABLES

COMPARED = {name: TABLES[name].as_posix() for name in ("clean", "clean/test", "features", "features/test")}
TABLE = re.compile(r"\.(csv|tsv|parquet)(\.(gz|bz2|xz))?$")
FEW = 20  # distinct values up to which the shares of text values are compared
DIGITS = 6  # significant digits of every statistic
CHANGES = ("added", "removed", "cells", "columns_added", "columns_removed", "types", "reordered")

Pair = dict[Any, Any]  # {"old": ..., "new": ...}


def diff_tables(old: pd.DataFrame, new: pd.DataFrame, key: str | None) -> dict[str, Any]:
    """Compare two tables, their rows paired by the column `key`; rows with one key are paired in order of appearance.

    Without a key, rows with the same content are pairs: a row that changed is removed and added, as its number from 1.

    Return all that changed, for JSON: how many `rows` there are, how many are `changed`, and the changed `cells` (key,
    occurrence from 1 among the rows with this key, column, old, new); the keys that were `added` or `removed`, and those
    `repeated` in several rows; columns and `types`; whether common rows or columns are `reordered`; and the `shifts` of
    every common column but the key. A cell that is missing on both sides is no change; a number that is now written as
    text changes the type, not the cell. UserError where a table has no column `key`.
    """
    if key and (key not in old or key not in new):
        raise UserError(f"a table without the column {key} cannot be compared")
    common = [name for name in old.columns if name in new]
    by_content = [_contents(table, common) for table in (old, new)]
    keys = by_content if key is None else [old[key], new[key]]
    pairs = _pairs(*keys)
    both = pairs.dropna(subset=["row_old", "row_new"]).astype({"row_old": int, "row_new": int}).reset_index(drop=True)
    values = [name for name in common if name != key]
    types = {name: {"old": str(old[name].dtype), "new": str(new[name].dtype)} for name in common}
    cells = _cells(old, new, both, values)
    return {
        "rows": {"old": len(old), "new": len(new)},
        "added": _unpaired(pairs, "row_old", "row_new" if key is None else "key"),
        "removed": _unpaired(pairs, "row_new", "row_old" if key is None else "key"),
        "changed": cells.index.nunique(),
        "cells": cells.to_dict("records"),
        "columns_added": [name for name in new.columns if name not in old],
        "columns_removed": [name for name in old.columns if name not in new],
        "types": {name: pair for name, pair in types.items() if pair["old"] != pair["new"]},
        "repeated": {"old": _repeated(old[key]), "new": _repeated(new[key])} if key else {"old": [], "new": []},
        "reordered": not both.sort_values("row_old").row_new.is_monotonic_increasing
        or common != [name for name in new.columns if name in old],
        "shifts": [_shift(name, _comparable(old[name]), _comparable(new[name])) for name in values],
    }


def _contents(table: pd.DataFrame, columns: list[str]) -> "pd.Series[Any]":
    return pd.Series(pd.util.hash_pandas_object(table[columns].astype("str"), index=False).to_numpy())


def _unpaired(pairs: pd.DataFrame, lacks: str, shown: str) -> list[Any]:
    """Return the keys of the rows that are on one side only, or their numbers from 1."""
    values = pairs.loc[pairs[lacks].isna(), shown]
    return _objects(values).tolist() if shown == "key" else sorted((values + 1).astype(int).tolist())


def _pairs(old: "pd.Series[Any]", new: "pd.Series[Any]") -> pd.DataFrame:
    """Pair rows: their key, its occurrence from 1, and the position on each side, NaN where the row is missing."""
    # whole numbers with a missing one are floats; here they become Int64, so that as text they are "1", not "1.0"
    keys = [_comparable(column).convert_dtypes() for column in (old, new)]
    if keys[0].dtype != keys[1].dtype:
        both_numeric = is_numeric_dtype(keys[0]) and is_numeric_dtype(keys[1])
        keys = [column.astype("Float64" if both_numeric else "str") for column in keys]
    sides = [
        column.to_frame("key").assign(occurrence=column.groupby(column, dropna=False).cumcount() + 1, row=column.index)
        for column in keys
    ]
    return sides[0].merge(sides[1], on=["key", "occurrence"], how="outer", suffixes=("_old", "_new"))


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
        before = _comparable(old[name].iloc[both.row_old])
        after = _comparable(new[name].iloc[both.row_new])
        at = np.flatnonzero(_differ(before, after))
        part = both.loc[at, ["key", "occurrence"]].assign(column=name, old=before[at], new=after[at])
        parts.append(part.apply(_objects))
    return pd.concat(parts).sort_index(kind="stable")


def _differ(old: "pd.Series[Any]", new: "pd.Series[Any]") -> "pd.Series[bool]":
    missing = old.isna() & new.isna()
    if is_numeric_dtype(old) != is_numeric_dtype(new):
        old, new = pd.to_numeric(old, errors="coerce"), pd.to_numeric(new, errors="coerce")
    unequal = (old != new).astype("boolean").fillna(value=True)
    return unequal.astype(bool) & ~missing


def _objects(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column as Python's own objects, what is missing as None."""
    return column.astype(object).where(column.notna(), None)


def _repeated(key: "pd.Series[Any]") -> list[Any]:
    key = _comparable(key)
    return _objects(key[key.duplicated()].drop_duplicates()).tolist()


def _shift(column: str, old: "pd.Series[Any]", new: "pd.Series[Any]") -> dict[str, Any]:
    """Return how the values of a column moved, None for what its type does not have; shares are of 1.

    `ks` and `p_value` are of the two-sample Kolmogorov-Smirnov test, which takes the two versions for independent
    samples: where they share rows, p is too large. `total_variation` is half the sum of the differences of shares, and
    `shares` has the values whose share moved.
    """
    missing = _pair(*(side.isna().mean() if len(side) else 0.0 for side in (old, new)))
    shift: dict[str, Any] = {"column": column, "missing": missing}
    shift |= dict.fromkeys(("mean", "ks", "p_value", "total_variation", "shares"))
    before, after = old.dropna(), new.dropna()
    numeric = {is_numeric_dtype(old), is_numeric_dtype(new)}
    if before.empty or after.empty or len(numeric) == 2:
        return shift
    if numeric == {True}:
        from scipy.stats import ks_2samp

        shift["mean"] = _pair(before.mean(), after.mean())
        if len(before) + len(after) > 2:  # else there is no sample to test
            test = ks_2samp(before.to_numpy(float), after.to_numpy(float), method="asymp")
            shift |= {"ks": _rounded(test.statistic), "p_value": _rounded(test.pvalue)}
        return shift
    counted = [part.value_counts(normalize=True) for part in (before, after)]
    shares = pd.concat(counted, axis=1, keys=["old", "new"]).fillna(0.0).sort_index()
    if len(shares) <= FEW:
        shift["total_variation"] = _rounded((shares.old - shares.new).abs().sum() / 2)
        shift["shares"] = shares[shares.old != shares.new].map(_rounded).to_dict("index")
    return shift


def _pair(old: float, new: float) -> Pair:
    return {"old": _rounded(old), "new": _rounded(new)}


def _rounded(value: Any) -> float:
    return float(f"{value:.{DIGITS}g}")


def data_diff(root: Path, revs: Sequence[str] = ()) -> dict[str, Any]:
    """Compare the clean and the feature tables of two revisions, by default of HEAD and the workspace; for JSON.

    In any other repository, every table that a dvc.lock or .dvc file names. `tables` has for each one its `state`: same,
    changed (with its `key` and the result of `diff_tables`), added, removed, or unknown with the reason, such as that its
    object is in no place. UserError for an unknown revision, and where neither side has a table.
    """
    if len(revs) > 2:
        raise UserError(f"two revisions are compared, or one with the workspace; {len(revs)} are named")
    old, new = (Revision(root, rev) for rev in [*revs, *["HEAD", None][len(revs) :]])
    key = new.key or old.key
    tables = {name: path for name, path in COMPARED.items() if key and (_has(old, path) or _has(new, path))}
    tables = tables or {path: path for path in _tables(old, new)}
    if not tables:
        raise UserError(f"no dvc.lock or .dvc file names a table (.csv, .tsv, .parquet), {old} -> {new}")
    return {
        "compared": f"{old} -> {new}",
        "old": {"revision": old.name, "commit": old.commit},
        "new": {"revision": new.name, "commit": new.commit},
        "key": key,
        "tables": {name: _compare(old, new, path, key) for name, path in tables.items()},
    }


def _tables(old: Revision, new: Revision) -> list[str]:
    """Return the paths of the tables among outputs and added data, in folders that changed, too."""
    paths: dict[str, None] = {}
    for revision, other in ((old, new), (new, old)):
        for path, md5 in revision.all_md5s.items():
            same = other.all_md5s.get(path) == md5 and None not in (old.commit, new.commit)
            if md5.endswith(".dir") and not same:
                paths |= dict.fromkeys(_members(revision, path))
            elif TABLE.search(path):
                paths[path] = None
    return sorted(paths)


def _members(revision: Revision, path: str) -> list[str]:
    """Return the tables in a folder; the folder itself where its list of files cannot be read."""
    try:
        return [name for name in revision.members_here(path) if TABLE.search(name)]
    except UserError:
        return [path]


def _has(revision: Revision, path: str) -> bool:
    if revision.commit is None and (revision.root / path).is_file():
        return True
    return revision.md5(path) is not None


def _identity(revision: Revision, path: str) -> str | None:
    here = revision.root / path
    return output_md5(here) if revision.commit is None and here.is_file() else revision.md5(path)


def _compare(old: Revision, new: Revision, path: str, key: str | None) -> dict[str, Any]:
    """Compare a table of two revisions; where it is not to be had, or no table, `reason` says so."""
    try:
        if not _has(old, path) or not _has(new, path):
            return {"state": "added" if _has(new, path) else "removed"}
        if _identity(old, path) == _identity(new, path):
            return {"state": "same"}
        for revision in (old, new):
            revision.members(path)  # of a folder in the report, the list cannot be read
        before, after = old.table(path), new.table(path)
    except UserError as error:
        return {"state": "unknown", "reason": str(error)}
    key = key or _key(before, after)
    if before.equals(after) or not any((diff := diff_tables(before, after, key))[change] for change in CHANGES):
        return {"state": "same"}
    return {"state": "changed", "key": key, **diff}


def _key(old: pd.DataFrame, new: pd.DataFrame) -> str | None:
    """Return the first column of whole numbers or text that names each row on both sides, and mostly the same rows."""
    for name in old.columns.intersection(new.columns, sort=False):
        sides = [old[name], new[name]]
        named = all(side.is_unique and side.notna().all() and not is_float_dtype(side) for side in sides)
        if named and 2 * sides[0].isin(sides[1]).sum() >= min(map(len, sides)):
            return str(name)
    return None


def _sentences(table: dict[str, Any]) -> Iterator[str]:
    """Say what changed in a table of `data_diff`, apart from cells and distributions."""
    if table["state"] != "changed":
        states = {"same": "no difference", "unknown": f"not compared: {table.get('reason')}"}
        yield states.get(table["state"], f"the whole table was {table['state']}")
        return
    old, new = table["rows"].values()
    added, removed, cells = len(table["added"]), len(table["removed"]), len(table["cells"])
    if table["key"] is None:
        yield "no column names a row, so rows are paired by their content; rows are shown by number"
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


def _grids(table: Mapping[str, Any]) -> Iterator[Grid]:
    """Lay out the shifts and the changed cells of a table of `data_diff`."""
    if table["state"] != "changed":
        return
    key = str(table["key"])
    shifts = [[shift["column"], text] for shift in table["shifts"] if (text := _shift_text(shift))]
    columns = [*(["occurrence"] if any(table["repeated"].values()) else []), "column", "old", "new"]
    cells = [[_text(cell[name]) for name in ("key", *columns)] for cell in table["cells"]]
    for title, header, rows in (
        ("shifts", ["column", "what moved"], shifts),
        ("changed cells", [key, *columns], cells),
    ):
        if rows:
            more = f", the first {SHOWN} of {len(rows)}" if len(rows) > SHOWN else ""
            yield Grid(title + more, header, rows[:SHOWN])


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
    lines = [f"## Data: {markdown.text(diff['compared'])}"]
    for name, table in diff["tables"].items():
        lines += ["", f"### {markdown.text(name)}", "", *map(markdown.bullet, _sentences(table))]
        for grid in _grids(table):
            lines += ["", *grid.markdown()]
    return "\n".join(lines) + "\n"


def print_diff(diff: dict[str, Any]) -> None:
    """Print the result of `data_diff` for the terminal, at most 20 of each kind of change."""
    console = Terminal()
    console.lines([f"data: {diff['compared']}"])
    for name, table in diff["tables"].items():
        summary, *details = _sentences(table)
        console.lines([f"{name}: {summary}", *(f"  {detail}" for detail in details)])
        for grid in _grids(table):
            grid.print(console)
