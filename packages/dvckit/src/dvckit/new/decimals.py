"""The decimal sign of a file: a point, or a comma in the whole file."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dvckit.core.grid import first
from dvckit.new.cells import Cells, matches
from dvckit.new.grammar import numbers, with_points
from dvckit.new.options import Choice, Question

GROUPED = r"^-?[1-9][0-9]{0,2}\.[0-9]{3}$"  # 1.234, which may be a thousand and more
MILLIONS = "^-?[1-9][0-9]{0,2}(?:,[0-9]{3}){2,}$"  # 1,234,567, which is


def decide(columns: list[Cells]) -> tuple[str, Question | None]:
    """Return the decimal sign that the cells show, and the question where they do not."""
    point, comma = (_columns(columns, decimal) for decimal in ".,")
    point_sure, comma_sure = (
        any(of.values()) or _in_millions(columns, decimal) for of, decimal in ((point, "."), (comma, ","))
    )
    if point_sure != comma_sure:
        return "," if comma_sure else ".", None
    return ".", _question(point, comma) if point_sure or comma or not all(point.values()) else None


def _in_millions(columns: list[Cells], decimal: str) -> bool:
    """Return whether a number has the sign that is not the decimal one more than once."""
    return any(
        matches(with_points(cells.texts, decimal), MILLIONS).any()
        for cells in columns
        if numbers(cells, decimal).thousands
    )


def _columns(columns: list[Cells], decimal: str) -> dict[str, bool]:
    """Return the columns that are numbers with this decimal sign, and whether it can be no sign of thousands.

    Numbers with three decimals are common where the sign is a point; then one must be without decimals to look otherwise.
    """
    sure = {}
    for cells in columns:
        signed = np.asarray(pc.match_substring(cells.texts, decimal), dtype=bool)
        if signed.any() and numbers(cells, decimal).all:
            texts = with_points(cells.texts.filter(pa.array(signed)), decimal)
            grouped = bool(matches(texts[:1], GROUPED).all() and matches(texts, GROUPED).all())
            sure[cells.name] = not grouped or (decimal == "." and (bool(signed.all()) or int(signed.sum()) == 1))
    return sure


def _question(point: dict[str, bool], comma: dict[str, bool]) -> Question:
    named = [f"{first(names, 4)} with a {sign}" for names, sign in ((point, "point"), (comma, "comma")) if names]
    return Question(
        "decimal",
        "Is the decimal sign of the numbers a point or a comma?",
        f"there are numbers in {' and in '.join(named)}" + ("" if point and comma else ", which may be thousands"),
        tuple(
            Choice(f"{word}; the other sign is of thousands, or no number's", f"--decimal {sign}", {"decimal": sign})
            for sign, word in ((".", "a point"), (",", "a comma"))
        ),
    )
