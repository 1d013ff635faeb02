"""How a source writes CSV."""

import shutil
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple


class Dialect(NamedTuple):
    """How a source writes CSV; the default, PLAIN, is what stages and commands read."""

    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    header: bool = True  # the first line has the names of the columns
    missing: tuple[str, ...] = ()  # texts that stand for a missing value, beside the empty cell


PLAIN = Dialect()


def plain(  # noqa: PLR0917
    source: Path, target: Path, header: list[str] | None, names: list[str], dialect: Dialect, decimals: AbstractSet[str]
) -> None:
    """Write a CSV file in a dialect as plain CSV."""
    if dialect == PLAIN and header == names:
        shutil.copyfile(source, target)
    else:
        raise NotImplementedError(decimals)
