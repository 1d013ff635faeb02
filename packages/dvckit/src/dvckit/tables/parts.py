"""Tables in parts, for more rows than one process should hold: folders of files, each of which one task reads or writes.

`data/raw/NAME.csv` then is a folder of CSV files, and `data/interim/NAME.parquet` a folder with a Parquet file for each of
them, so that a new part of data adds files and changes none.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from dvckit.core.params import Section

NUMBERED = "rows-{:010d}"  # the name of a part that was cut from a file, with the number of its first row
# How many partitions the rows of a source are divided into; 1: tables are files, and each stage is one process.
Partitions = Annotated[int, Field(ge=1, le=1_000, strict=True)]


class Division(Section, extra="ignore"):
    """The parameter of section `dataset` that decides which rows are together."""

    partitions: Partitions


def files_of(path: Path) -> list[Path]:
    """Return the files of a table, in the order of their names; a table in one file is that file."""
    return sorted(file for file in path.iterdir() if file.name[0] != ".") if path.is_dir() else [path]


def first_row(part: Path) -> int:
    """Return the number of the first row of a part, where rows without an id are numbered over all parts."""
    number = part.stem.removeprefix("rows-")
    return int(number) if number.isdecimal() and NUMBERED.format(int(number)) == part.stem else 1
