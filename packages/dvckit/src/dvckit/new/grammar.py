"""The type of a column, decided by a grammar over all its cells."""

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from dvckit.new.cells import Cells, matches
from dvckit.new.dates import read_dates
from dvckit.tables.schema import GRAMMAR, NOUN

Kind = Literal["whole number", "number", "text", "date"]

ZERO = "^-?0[0-9]"  # a code: 007
LONG = "^-?[0-9]{16,}"  # more digits than a float keeps
DRESSED = r"^[ +-]*[$€£¥]? ?[+-]?[0-9][0-9.,' ]*(?: ?[%$€£¥]| ?[A-Z]{3})? *$"  # +5, 1,234, $ 5, 12 %, a blank before it


class Typed(NamedTuple):
    """The type of a column and why; `measures` has a number or a date for each of its texts."""

    kind: Kind
    why: str
    measures: Any = None
    format: str = ""
    open: tuple[str, ...] = ()  # other formats that fit all dates


def with_points(texts: Any, decimal: str) -> Any:
    """Return texts with a decimal point; of a decimal comma, points become commas, which no number has."""
    if decimal == ".":
        return texts
    for sign, other in ((",", "\0"), (".", ","), ("\0", ".")):
        texts = pc.replace_substring(texts, sign, other)
    return texts


def no_numbers(texts: Any) -> npt.NDArray[np.bool_]:
    """Return for each text whether it is no number, by the grammar or because a number would lose a digit of it."""
    wrong = ~matches(texts, GRAMMAR[float]) | matches(texts, ZERO)
    if not wrong.any() and not matches(texts, GRAMMAR[int]).all():
        wrong = matches(texts, LONG) | ~np.isfinite(_floats(texts))
    return wrong


def _floats(texts: Any) -> npt.NDArray[np.float64]:
    return np.asarray(texts.cast(pa.float64()), dtype=np.float64)


def typed(cells: Cells, decimal: str = ".", order: str = "") -> Typed:
    """Return the type that every cell of a column has; text, and the first row that decides, where none has."""
    if not len(cells.texts):
        return Typed("text", "empty in every row")
    texts = with_points(cells.texts, decimal)
    wrong = no_numbers(texts)
    if not wrong.any():
        if matches(texts, GRAMMAR[int]).all():
            return Typed("whole number", "every cell is a whole number", np.asarray(texts.cast(pa.int64())))
        return Typed("number", "every cell is a number", _floats(texts))
    dates = read_dates(cells, order)
    if dates.format:
        return Typed("date", dates.why, dates.values, dates.format, dates.open)
    return Typed("text", dates.why or _no_number(cells, texts, wrong))


def _no_number(cells: Cells, texts: Any, wrong: npt.NDArray[np.bool_]) -> str:
    """Return why a column that looks like numbers is text; empty if it does not."""
    where = cells.where(int(np.argmax(wrong)))
    if (wrong & matches(texts, ZERO)).any():
        return f"{cells.where(int(np.argmax(wrong & matches(texts, ZERO))))}, with a leading zero"
    if matches(texts, DRESSED).all() and matches(texts, LONG)[wrong].all():
        return f"{where}, with more digits than a number keeps"
    if matches(texts, DRESSED).all():
        return f"{where}; a number has digits, one sign - and one decimal sign"
    return where if wrong.mean() < 0.5 else ""


def must_be(role: str) -> str:
    """Return in words what the cells of a column in a role must be."""
    return {"number": NOUN[float], "date": "a date", "time": "a number or a date"}[role]


def positions(values: Any) -> npt.NDArray[np.float64]:
    """Return numbers or dates as numbers in the same order."""
    return np.asarray(values.asi8 if isinstance(values, pd.DatetimeIndex) else values, dtype=np.float64)
