"""A table of text, for the terminal, as Markdown, and as rows of a page."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

SHOWN = 20  # items of a long list; the JSON form of a command has all of them


class Grid(NamedTuple):
    """A table; columns in `numeric` are aligned to the right, and `title` may be empty."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[str] = ()

    def print(self, console: Console) -> None:
        """Print it without lines, wrapped at the width of the terminal."""
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, title=self.title or None, title_justify="left")
        for name in self.header:
            table.add_column(name, justify="right" if name in self.numeric else "left", overflow="fold")
        for row in self.rows:
            table.add_row(*row)
        console.print(table)

    def markdown(self) -> list[str]:
        """Return it as lines of Markdown, with its title."""
        title = [f"{self.title}:", ""] if self.title else []
        rule = ["---:" if name in self.numeric else "---" for name in self.header]
        return [*title, *map(_markdown_row, [self.header, rule, *self.rows])]


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"


def terminal(width: int | None = None) -> Console:
    """Return a console that prints text unchanged: a name or a cell may look like markup."""
    return Console(markup=False, emoji=False, highlight=False, width=width)


def first(items: Iterable[object], most: int = SHOWN) -> str:
    """Join items; of many, only the first."""
    listed = list(items)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(map(str, listed[:most])) + more
