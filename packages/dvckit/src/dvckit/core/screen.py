"""The one way of text to the terminal: what it would obey, or show nothing of, is printed as its code."""

import sys
import unicodedata
from collections.abc import Iterable
from io import TextIOWrapper
from typing import Any, TextIO, cast

# Unicode's categories of control and format characters (ESC, BEL, U+009B; zero width, bidi), halves of pairs, line ends.
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def visible(text: str) -> str:
    r"""Return text with such characters as their codes: ESC as \x1b, U+202E as \u202e. Line feeds and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _code(sign) if unicodedata.category(sign) in _UNSEEN and sign not in "\n\t" else sign for sign in text
    )


def in_line(text: object) -> str:
    """Return anything as text of one line: what stands in a name or a value cannot begin a line of its own."""
    return visible(str(text)).replace("\n", r"\n")


def say(line: str, file: TextIO | None = None) -> None:
    """Print a line at once, by default to stdout."""
    print(in_line(line), file=file, flush=True)


def _code(sign: str) -> str:
    return sign.encode("unicode_escape").decode()


class Screen:
    """Standard output or error, where every text is made visible.

    rich, which moves the cursor, writes to the stream itself; its text comes from the `Terminal` of core/grid.py.
    """

    buffer = None  # through it, click would write past this to a stream whose encoding is ASCII

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream  # rich's name for it

    def write(self, text: str) -> int:
        """Write visible text."""
        return self.rich_proxied_file.write(visible(text))

    def writelines(self, lines: Iterable[str]) -> None:
        """Write visible text."""
        self.rich_proxied_file.writelines(map(visible, lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


def show_visibly() -> None:
    """Let all that this process prints, its last traceback included, be visible text, whatever the encoding."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, TextIOWrapper):  # None where it is closed
            stream.reconfigure(errors="backslashreplace")
            setattr(sys, name, cast("TextIO", Screen(stream)))
