"""The type of a column, decided by a grammar over all its cells."""

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from dvckit.new.cells import Cells, matches
from dvckit.new.dates import read_dates
from dvckit.tables.dialect import THOUSANDS
from dvckit.tables.schema import GRAMMAR, NOUN

Kind = Literal["whole number", "number", "text", "date"]

ZERO = "^-?0[0-9]"  # a code: 007
LONG = "^-?[0-9]{16,}$"  # more digits than a float keeps
# The grammar of numbers, without these two.
NUMBER = GRAMMAR[float].replace(r"[0-9]+\.?[0-9]*", r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]*)?|[1-9][0-9]{15,}\.[0-9]*")
DRESSED = r"^[+-]*[$€£¥]? ?[+-]?[0-9][0-9.,' ]*(?: ?[%$€£¥]| ?[A-Z]{3})? *$"  # +5, 12,34, $ 5, 12 %


WHOLE: tuple[Kind, str] = ("whole number", "only whole numbers")
ANY: tuple[Kind, str] = ("number", "only numbers")


class Typed(NamedTuple):
    """The type of a column and why; `measures` has a number or a date for each of its texts."""

    kind: Kind
    why: str
    measures: Any = None
    format: str = ""
    open: tuple[str, ...] = ()  # other formats that fit all dates


class Numbers(NamedTuple):
    """For each text whether it is no number; where all are, their values, int64 if all are whole.

    `thousands`: some of them have the other sign between thousands.
    """

    wrong: npt.NDArray[np.bool_]
    measures: Any = None
    thousands: bool = False

    @property
    def all(self) -> bool:
        """Whether every text is a number; there is at least one."""
        return self.measures is not None and len(self.measures) > 0


def numbers(cells: Cells, decimal: str) -> Numbers:
    """Return what the texts of a column are as numbers with this decimal sign; it is found once."""
    if decimal not in cells.known:
        cells.known[decimal] = _read_numbers(cells.texts, decimal)
    known: Numbers = cells.known[decimal]
    return known


def _read_numbers(texts: Any, decimal: str) -> Numbers:
    """Return texts as numbers, by the grammar, and as no number where that would lose a digit."""
    texts = with_points(texts, decimal)
    grouped = matches(texts, THOUSANDS)
    if grouped.any():
        texts = pc.if_else(pa.array(grouped), pc.replace_substring(texts, ",", ""), texts)
    wrong = ~matches(texts, GRAMMAR[int])
    if not wrong.any():
        return Numbers(wrong, np.asarray(texts.cast(pa.int64())), bool(grouped.any()))
    wrong = ~matches(texts, NUMBER)
    if wrong.any():
        return Numbers(wrong)
    values = np.asarray(texts.cast(pa.float64()))
    return Numbers(~np.isfinite(values), values if np.isfinite(values).all() else None, bool(grouped.any()))


def with_points(texts: Any, decimal: str) -> Any:
    """Return texts with a decimal point; of a decimal comma, points become commas, which no number has."""
    if decimal == ".":
        return texts
    for sign, other in ((",", "\0"), (".", ","), ("\0", ".")):
        texts = pc.replace_substring(texts, sign, other)
    return texts


def typed(cells: Cells, decimal: str = ".", order: str = "") -> Typed:
    """Return the type that every cell of a column has; text, and the first row that decides, where none has."""
    if not len(cells.texts):
        return Typed("text", "empty in every row")
    read = numbers(cells, decimal)
    if read.all:
        whole = read.measures.dtype == np.int64
        kind, why = WHOLE if whole else ANY
        sign = {".": ",", ",": "."}[decimal]
        return Typed(kind, f"{why}, thousands have a {sign!r}" if read.thousands else why, read.measures)
    dates = read_dates(cells, order)
    if dates.format:
        return Typed("date", dates.why, dates.values, dates.format, dates.open)
    return Typed("text", dates.why or _no_number(cells, with_points(cells.texts, decimal), read.wrong))


def _no_number(cells: Cells, texts: Any, wrong: npt.NDArray[np.bool_]) -> str:
    """Return why a column that looks like numbers is text; empty if it does not."""
    where = cells.where(int(np.argmax(wrong)))
    if (wrong & matches(texts, ZERO)).any():
        return f"{cells.where(int(np.argmax(wrong & matches(texts, ZERO))))}, with a leading zero"
    if matches(texts, DRESSED).all() and matches(texts, LONG)[wrong].all():
        return f"{where}, with more digits than a number keeps"
    if matches(texts, DRESSED).all():
        return f"{where}; a number has digits, one sign - and one decimal sign"
    return where if wrong.mean() <= 0.5 else ""


def must_be(role: str) -> str:
    """Return in words what the cells of a column in a role must be."""
    return {"number": NOUN[float], "date": "a date", "time": "a number or a date"}[role]


def positions(values: Any) -> npt.NDArray[np.float64]:
    """Return numbers or dates as numbers in the same order."""
    return np.asarray(values.asi8 if isinstance(values, pd.DatetimeIndex) else values, dtype=np.float64)
