"""Texts that stand for a missing value, in the whole file where one column shows it."""

import shlex
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dvckit.core.grid import first
from dvckit.new.cells import Cells
from dvckit.new.dates import is_date
from dvckit.new.grammar import numbers
from dvckit.new.options import Choice, Question
from dvckit.tables.reading import UNSEEN, shown

MARKERS = ("NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?", "-", "--", ".")


def found_markers(columns: list[Cells]) -> dict[str, str]:
    """Return each marker that stands for a missing value, with the column that shows it.

    A marker is one where every other cell of some column is a number, or a date.
    """
    shown_by: dict[str, str] = {}
    for cells in columns:
        seen = markers_in(cells)
        if seen and is_measured(cells):
            shown_by |= {token: shown_by.get(token, cells.name) for token in seen}
    return shown_by


def markers_in(cells: Cells) -> list[str]:
    """Return the markers among the texts of a column."""
    return list(cells.texts.filter(pc.is_in(cells.texts, pa.array(MARKERS))).to_pylist())


def unseen_in(cells: Cells) -> list[str]:
    """Return the texts of a column of which nothing can be seen; they are missing values."""
    return list(cells.texts.filter(pc.match_substring_regex(cells.texts, UNSEEN)).to_pylist())


def is_measured(cells: Cells) -> bool:
    """Return whether all texts of a column but markers are numbers or dates, and there are some."""
    bare = cells.without(MARKERS)
    return bool(len(bare.texts)) and (any(numbers(bare, decimal).all for decimal in ".,") or is_date(bare.texts))


def label_question(target: Cells, missing: Iterable[str]) -> Question | None:
    """Return the question whether a target's texts that may stand for a missing value are labels; `missing` are those that do."""
    if not (unclear := [token for token in markers_in(target) if token not in missing]):
        return None
    texts = first(map(shown, unclear))
    return Question(
        target.name,
        f"Does {texts} stand for a missing {target.name}, or is it a label?",
        f"it is in {_rows(target, unclear)} rows, and no column of numbers or dates shows what it means",
        tuple(
            Choice(
                text, " ".join(f"--missing {shlex.quote(one)}" for one in tokens or [""]), {"missing": tuple(tokens)}
            )
            for text, tokens in (("a label", list(missing)), ("a missing value", [*missing, *unclear]))
        ),
    )


def about_markers(cells: Cells, missing: dict[str, str]) -> str:
    """Return what is done with the markers in a column, in words; empty if it has none."""
    told = []
    for token in [*markers_in(cells), *unseen_in(cells)]:
        rows = _rows(cells, [token])
        if token in missing:
            by = f", as in {missing[token]}" if missing[token] not in ("", cells.name) else ""
            told.append(f"{shown(token)} in {rows} rows is missing{by}")
        else:
            told.append(f"'{token}' in {rows} rows is a value; --missing '{token}' changes that")
    return "; ".join(told)


def _rows(cells: Cells, texts: list[str]) -> int:
    return int(cells.counts[np.asarray(pc.is_in(cells.texts, pa.array(texts)))].sum())
