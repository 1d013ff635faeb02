"""The one way of text into Markdown: names and values stay text, whatever is in them."""

import re

from dvckit.core.screen import visible

# What Markdown (CommonMark, GitHub's tables and links of bare addresses, formulas) reads as more than text.
_SIGNS = re.compile(r"[\\`*~\[\]|$]|<(?=[A-Za-z/!?])|&(?=[#A-Za-z])|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=[Ww]{3})\.")
_START = re.compile(r"^(?=[#>+=-])|^(\d+)(?=[.)])")


def text(value: object) -> str:
    """Return anything as text of one line inside of a line of Markdown, such as a cell."""
    return _SIGNS.sub(r"\\\g<0>", " ".join(visible(str(value)).split()))


def line(value: object) -> str:
    """Return anything as text at the start of a line, where it begins no heading, list or quote."""
    return _START.sub(r"\g<1>\\", text(value))


def bullet(sentence: str) -> str:
    """Return a sentence as an item of a list."""
    return f"- {line(sentence)}"


def code(value: object) -> str:
    """Return anything as code inside of a line: nothing in it is read, but for a table's bars."""
    inside = " ".join(visible(str(value)).split()).replace("|", r"\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", inside)), default=0))
    space = " " if len(fence) > 1 else ""
    return f"{fence}{space}{inside}{space}{fence}"
