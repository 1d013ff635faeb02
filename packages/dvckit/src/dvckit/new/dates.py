"""Dates: one strptime format that fits every cell of a column, or none."""

import re
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from dvckit.new.cells import Cells, matches

YEAR, SHORT, ONE = "[0-9]{4}", "[0-9]{2}", "[0-9]{1,2}"
# A pattern of the day and the formats that it may have.
DAYS = [
    *((f"{YEAR}{s}{ONE}{s}{ONE}".replace(".", r"\."), (f"%Y{s}%m{s}%d",)) for s in "-/."),
    *(
        (f"{ONE}{s}{ONE}{s}{year}".replace(".", r"\."), (f"%d{s}%m{s}{sign}", f"%m{s}%d{s}{sign}"))
        for s in "-/."
        for year, sign in ((YEAR, "%Y"), (SHORT, "%y"))
    ),
]
CLOCKS = [("[0-9]{2}:[0-9]{2}", "%H:%M"), ("[0-9]{2}:[0-9]{2}:[0-9]{2}", "%H:%M:%S")]
CLOCKS.append((CLOCKS[1][0] + r"\.[0-9]{1,6}", "%H:%M:%S.%f"))
TIMES = [
    ("", ""),
    *(
        (between + clock + zone, between + form + zone)
        for between, (clock, form), zone in product(" T", CLOCKS, ("", "Z"))
    ),
]
ANY_DAY = "^[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}"


class Dates(NamedTuple):
    """Dates of a column's texts. Without a format they are not dates, and `why` says what is against it, if it is little."""

    format: str = ""
    values: "pd.DatetimeIndex | None" = None
    why: str = ""
    open: tuple[str, ...] = ()  # formats that fit as well: the order of day and month is open


def read_dates(cells: Cells, order: str = "") -> Dates:
    """Find the format of dates; `order` is "%d" or "%m" where a person said what is first."""
    texts = cells.texts
    if not looks_like_dates(cells):
        return Dates()
    likely = matches(texts, ANY_DAY)
    pattern, formats = _shape(cells.text(_first(likely)))
    if not pattern:
        return Dates(why=f"{cells.where(_first(likely))}, in no known form of a date")
    other = ~matches(texts, pattern)
    if other.any():
        return Dates(why=f"no one form fits all dates: {cells.where(_first(likely))}, {cells.where(_first(other))}")
    formats = tuple(form for form in formats if len(formats) == 1 or form.startswith(order))
    return _parsed(cells, formats)


def looks_like_dates(cells: Cells) -> bool:
    """Return whether half of the texts begin as dates do."""
    return bool(matches(cells.texts, ANY_DAY).mean() >= 0.5)


def _parsed(cells: Cells, formats: tuple[str, ...]) -> Dates:
    read = {
        form: pd.to_datetime(pd.Series(cells.texts.to_pylist(), dtype="str"), format=form, errors="coerce")
        for form in formats
    }
    wrong = {form: np.asarray(values.isna()) for form, values in read.items()}
    fit = [form for form in formats if not wrong[form].any()]
    if fit:
        return Dates(fit[0], pd.DatetimeIndex(read[fit[0]]), f"only dates as {fit[0]}", tuple(fit[1:]))
    if len(formats) == 2 and not (wrong[formats[0]] & wrong[formats[1]]).any():
        months = " and ".join(cells.where(_first(wrong[form])) for form in formats)
        return Dates(why=f"two orders of day and month: {months}")
    both = np.logical_and.reduce(list(wrong.values()))
    return Dates(why=f"{cells.where(_first(both))}, which is no date")


def _first(mask: npt.NDArray[np.bool_]) -> int:
    """Return the place of the first text of a mask; texts are in the order of their rows."""
    return int(np.argmax(mask))


def is_date(texts: Any) -> bool:
    """Return whether all texts have the form of a date."""
    pattern, _ = _shape(str(texts[0].as_py()))
    return bool(pattern) and bool(matches(texts, pattern).all())


def _shape(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the pattern that a text matches, whole, and the formats that it may have; empty if none."""
    for (day, formats), (time, clock) in product(DAYS, TIMES):
        if re.fullmatch(day + time, text):
            return f"^{day}{time}$", tuple(form + clock for form in formats)
    return "", ()
