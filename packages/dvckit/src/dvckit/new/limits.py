"""What was found in a column, and the limits that follow for new data."""

import sys
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple


class Found(NamedTuple):
    """The values of a column in all rows, with those to predict; None where a kind of column has no such thing."""

    missing: int  # rows without a value, of those with labels
    missing_to_predict: int
    distinct: int  # different values in the rows with labels
    minimum: float | datetime | None = None
    maximum: float | datetime | None = None
    longest: int | None = None  # characters of the longest text
    one_line: bool = True  # no text has a line break or an invisible sign
    values: tuple[str | int, ...] = ()  # of a category or of classes, sorted


def limits(minimum: float, maximum: float) -> tuple[float, float]:
    """Return limits for new values: the range, widened on both sides by its own width, rounded outward to two digits.

    Where no value is negative, the lower limit is not, and likewise for positive ones. Whole numbers give whole numbers.
    """
    lowest, highest = Decimal(repr(minimum)), Decimal(repr(maximum))
    width = highest - lowest or abs(highest) or Decimal(1)
    lower = lowest - width if minimum < 0 else max(lowest - width, Decimal(0))
    upper = highest + width if maximum > 0 or minimum == 0 else min(highest + width, Decimal(0))
    kind = int if isinstance(minimum, int) and isinstance(maximum, int) else float
    return kind(_rounded(lower, ROUND_FLOOR)), kind(_rounded(upper, ROUND_CEILING))


def _rounded(value: Decimal, rounding: str) -> Decimal:
    most = Decimal(sys.float_info.max)
    if not value or abs(value) >= most:
        return max(min(value, most), -most)
    return value.quantize(Decimal(1).scaleb(value.adjusted() - 1), rounding=rounding)
