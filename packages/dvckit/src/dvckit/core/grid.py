"""A table of text, for the terminal, as Markdown, and as rows of a page."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dvckit.core import markdown
from dvckit.core.screen import in_line, visible

SHOWN = 20  # items of a long list; the JSON form of a command has all of them


class Grid(NamedTuple):
    """A table; columns in `numeric` are aligned to the right, and `title` may be empty."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[str] = ()

    def print(self, console: Console) -> None:
        """Print it without lines, wrapped at the width of the terminal."""
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, title=in_line(self.title) or None)
        table.title_justify = "left"
        for name in self.header:
            table.add_column(in_line(name), justify="right" if name in self.numeric else "left", overflow="fold")
        for row in self.rows:
            table.add_row(*map(in_line, row))
        console.print(table)

    def markdown(self) -> list[str]:
        """Return it as lines of Markdown, with its title."""
        title = [f"{markdown.line(self.title)}:", ""] if self.title else []
        rule = ["---:" if name in self.numeric else "---" for name in self.header]
        header, *rows = ([markdown.text(cell) for cell in cells] for cells in (self.header, *self.rows))
        return [*title, *(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))]


class Terminal(Console):
    """A console that prints visible text, and prints it as it is: a name or a cell may look like markup."""

    def __init__(self, width: int | None = None) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, width=width)

    def render_str(self, text: str, **options: Any) -> Text:
        """Make text visible before it is laid out."""
        return super().render_str(visible(text), **options)

    def lines(self, lines: Iterable[str], *, soft_wrap: bool = False) -> None:
        """Print lines, each of which stays one whatever is in it."""
        self.print("\n".join(map(in_line, lines)), soft_wrap=soft_wrap)


def counted(number: int, noun: str) -> str:
    """Return a number of things, such as `1 file` or `2 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def first(items: Iterable[object], most: int = SHOWN) -> str:
    """Join items; of many, only the first."""
    listed = list(items)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(map(in_line, listed[:most])) + more
