"""Signs that a spreadsheet changed the numbers of a column: decimal signs dropped, or read as signs of thousands.

Where points stand between thousands, a spreadsheet reads 71.2833 as 712833 and writes 712.833. Of 512.3292 it makes
5.123.292, and only that is no number, so that a share of rejected rows would hide what became of the column.
"""

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from dvckit.core.grid import first

# A number in another form than ours, or a date that a spreadsheet made of one: 5.123.292, 1,234.5, 7,25, 07. Feb, Jul-25
FORM = re.compile(
    r"[+-]?(\d{1,3}([.,' \u00a0\u202f]\d{3})+([.,]\d+)?|\d*,\d+([eE][+-]?\d+)?)"
    r"|\d{1,2}([.-] ?[^\W\d_]{3,4}\.?|[./-]\d{1,2}[./-]\d{2,4})|[^\W\d_]{3,4}[.-] ?\d{1,4}"
)
FEW = 10  # values that prove nothing
SAMPLE = 20_000  # values that are looked up
DIGITS = 4  # after the point; a value with more has been computed, not written
LARGE = 1e10  # digits times any power of ten here fit into int64


_CURE = "if a spreadsheet saved it, other values have changed too: go back to the original"


def other_forms(cells: Iterable[str]) -> str:
    """Return a sentence about cells that are no number by our grammar and would be by another one, or ""."""
    if not (others := [cell for cell in cells if FORM.fullmatch(cell)]):
        return ""
    shown = first(map(repr, dict.fromkeys(others)), 3)
    return f"is written in several forms, such as {shown} ({len(others)} cell{'s' * (len(others) > 1)}); {_CURE}"


def mixed_scale(values: npt.NDArray[np.float64]) -> str:
    """Return a sentence about the distinct values of a column, in ascending order, at two scales; or ""."""
    values = np.unique(np.abs(values[np.abs(values) < 1e20]))  # rounding larger ones overflows
    decimals = _decimals(values)
    if _grouped(values, decimals):
        return f"has three digits after the point or none, as where points were read as signs of thousands; {_CURE}"
    pair = _twins(values, decimals) or _gap(values, decimals)
    return (
        f"has values at two scales, such as {pair[0]:.12g} and {pair[1]:.12g}, as if decimal signs were lost; {_CURE}"
        if pair
        else ""
    )


def _decimals(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the number of digits after the point, DIGITS + 1 where there are more."""
    decimals = np.full(len(values), DIGITS + 1)
    for count in reversed(range(DIGITS + 1)):
        decimals[np.round(values, count) == values] = count
    return decimals


def _grouped(values: npt.NDArray[np.float64], decimals: npt.NDArray[np.int64]) -> bool:
    """Return whether the values look like whole numbers with a point between the thousands."""
    whole, broken = values[decimals == 0], decimals[decimals > 0]
    if min(len(whole), len(broken)) < max(FEW, len(values) / 20) or broken.max() != 3:
        return False
    return bool((broken == 3).mean() > 0.8 and whole.max() < 1000 and values[decimals > 0].min() >= 1)


def _twins(values: npt.NDArray[np.float64], decimals: npt.NDArray[np.int64]) -> tuple[float, float] | None:
    """Return a value and one with the same digits and a smaller scale, where many have one: 78958 and 7.8958.

    Many, that is, beside values with other last or first digits: in a long table every value has neighbours.
    """
    written = (decimals <= DIGITS) & (values < LARGE)
    digits, places = np.rint(values[written] * 10.0 ** decimals[written]).astype(np.int64), decimals[written]
    while (ends := (digits % 10 == 0) & (digits > 0)).any():
        digits, places = np.where(ends, digits // 10, digits), places - ends
    known = np.sort(_code(digits, places))
    long = np.flatnonzero(digits >= 100)
    at = long[:: len(long) // SAMPLE + 1]
    lead = 10 ** np.floor(np.log10(digits[at])).astype(np.int64)
    hits = _at_smaller_scale(known, digits[at], places[at])
    others = (
        max(int((_at_smaller_scale(known, digits[at] + step, places[at]) > 0).sum()) for step in (-1, 1, -lead, lead))
        if len(at)
        else 0
    )
    count = int((hits > 0).sum())
    if count < max(FEW, len(at) / 20) or count < 4 * others:
        return None
    one = int(np.argmax(hits > 0))
    large = float(digits[at][one]) * 10.0 ** -int(places[at][one])
    return large, large / 10.0 ** int(hits[one])


def _code(digits: npt.NDArray[np.int64], places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return digits * 32 + places + 16


def _at_smaller_scale(
    known: npt.NDArray[np.int64], digits: npt.NDArray[np.int64], places: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return by how many decades the same digits occur smaller, 0 where they do not."""
    decades = np.zeros(len(digits), dtype=np.int64)
    for shift in range(1, DIGITS + 1):
        wanted = _code(digits, places + shift)
        near = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        decades[(known[near] == wanted) & (decades == 0)] = shift
    return decades


def _gap(values: npt.NDArray[np.float64], decimals: npt.NDArray[np.int64]) -> tuple[float, float] | None:
    """Return the medians of two groups with nothing between, where the larger one has lost its decimals.

    They are a decade apart, and the larger values whole numbers; or one group is like the other but for whole decades.
    """
    logs, decimals = np.log10(values[values > 0]), decimals[values > 0]
    least = int(max(FEW, len(logs) / 20))
    if len(logs) < 2 * least:
        return None
    cut = least + int(np.argmax(np.diff(logs[least - 1 : len(logs) - least + 1])))
    gap = logs[cut] - logs[cut - 1]
    low, high = (np.quantile(part, [0.25, 0.5, 0.75]) for part in (logs[:cut], logs[cut:]))
    decades = np.rint(high[1] - low[1])
    alike = gap > 0.3 and decades >= 1 and (np.abs(high - low - decades) < 0.15).all()
    lost = np.median(decimals[:cut]) > np.median(decimals[cut:])
    if not lost or not (alike or (gap > 1 and decimals[cut:].max() == 0)):
        return None
    return float(10 ** high[1]), float(10 ** low[1])
