"""Files in the dialect of a source as plain CSV.

Plain CSV is what everything after ingest reads: UTF-8, commas, LF, a header of field names, an empty cell for a missing
value, and a decimal point.
"""

import codecs
import csv
import re
import shutil
from collections.abc import Callable, Iterator
from itertools import chain, count, islice
from pathlib import Path
from typing import IO, Any

from dvckit.core.errors import UserError
from dvckit.core.files import replacing
from dvckit.tables.reading import check_bytes, check_form, python_codec, read_header
from dvckit.tables.schema import PLAIN, Dialect

# Of a decimal comma: a point becomes a comma, so that a cell with a point is not read as another number.
SWAPPED = str.maketrans(",.", ".,")
# A number with commas between thousands, 1,234.5, as a pattern for all of a cell.
THOUSANDS = r"^-?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?$"
ASCII = bytes(range(128))


def check_encoding(encoding: str) -> str:
    """Return the encoding by one of its names; UserError if Python does not know it or its ASCII is not ASCII's."""
    try:
        known = codecs.lookup(encoding).name
        ascii_too = ASCII.decode(known).encode("ascii") == ASCII
    except LookupError:
        raise UserError(f"there is no encoding {encoding!r}; give one such as latin-1 or cp1252") from None
    except UnicodeError:
        ascii_too = False
    if not ascii_too:
        raise UserError(f"files in {encoding} cannot be read; save the file as UTF-8: iconv -f {encoding} -t UTF-8")
    return "utf-8" if known in ("utf-8", "utf-8-sig") else known


def named(header: list[str]) -> list[str]:
    """Return a name for each column of a header: one without a name is column_N, the second of equal ones NAME_2."""
    names: dict[str, None] = {}
    taken = set(header)
    for place, name in enumerate(header, 1):
        one = name
        if not name or name in names:
            wanted = name or f"column_{place}"
            one = next(one for one in chain([wanted], (f"{wanted}_{n}" for n in count(2))) if one not in taken)
            taken.add(one)
        names[one] = None
    return list(names)


def names_in(path: Path, dialect: Dialect) -> list[str]:
    """Return the cells of the first line of a file."""
    return _trimmed(read_header(path, dialect.separator, check_encoding(dialect.encoding)), dialect)


def _trimmed(cells: list[str], dialect: Dialect) -> list[str]:
    return [cell.strip(" ") for cell in cells] if dialect.trimmed else cells


def plain(  # noqa: PLR0917
    source: Path, target: Path, header: list[str] | None, names: list[str], dialect: Dialect, numbers: set[str]
) -> None:
    """Write a CSV file of that dialect as plain CSV; one that is plain already is copied.

    `header` are the names that the file must have, by `named`; None if it has no header. `names` are the columns of the
    target in the file's order, "" for one that is left out; `numbers` are those of them with numbers. A row with too many
    or too few cells stays as it is: validation reports it. UserError for a file that is not of that dialect, by its line.
    """
    encoding = check_encoding(dialect.encoding)
    if header is None:
        check_bytes(source, dialect.separator, encoding)
    else:
        check_form(source, header, dialect.separator, encoding, lambda cells: named(_trimmed(cells, dialect)))
    found = names_in(source, dialect)
    with replacing(target) as temporary:
        if dialect == PLAIN and found == header == names:
            shutil.copyfile(source, temporary)
            return
        with (
            source.open(encoding=python_codec(encoding), newline="") as lines,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            rows = _rows(source, csv.reader(lines, delimiter=dialect.separator), header=header is not None)
            writer = _writer(file)
            writer.writerow([name for name in names if name])
            writer.writerows(map(_plainly(names, dialect, numbers), rows))


def _rows(source: Path, reader: Any, *, header: bool) -> Iterator[list[str]]:
    """Yield the rows that are not empty, without the header."""
    try:
        yield from islice(filter(None, reader), int(header), None)
    except csv.Error:
        where, most = f"{source}: line {reader.line_num}", csv.field_size_limit()
        raise UserError(f"{where} has a cell of more than {most} characters") from None


def _plainly(names: list[str], dialect: Dialect, numbers: set[str]) -> Callable[[list[str]], list[str]]:
    missing = frozenset(dialect.missing)
    written = _number_in(dialect)
    changes = dialect.thousands or dialect.decimal != PLAIN.decimal
    rewritten = [place for place, name in enumerate(names) if changes and name in numbers]
    left_out = [place for place, name in reversed(list(enumerate(names))) if not name]

    def change(row: list[str]) -> list[str]:
        row = _trimmed(row, dialect)
        if missing:
            row = ["" if cell in missing else cell for cell in row]
        if len(row) == len(names):
            for place in rewritten:
                row[place] = written(row[place])
            for place in left_out:
                del row[place]
        return row

    return change


def _number_in(dialect: Dialect) -> Callable[[str], str]:
    """Return a function that makes of a number in a dialect one with a decimal point alone."""
    signs = SWAPPED if dialect.decimal == "," else {}
    grouped = re.compile(THOUSANDS if dialect.thousands else "(?!)")

    def written(cell: str) -> str:
        cell = cell.translate(signs)
        return cell.replace(",", "") if grouped.match(cell) else cell

    return written


class _Lines:
    """Ends each row with LF: the writer quotes a CR in a cell only if rows end with one."""

    def __init__(self, file: IO[str]) -> None:
        self._write = file.write

    def write(self, row: str) -> int:
        return self._write(row.removesuffix("\r\n") + "\n")


def _writer(file: IO[str]) -> Any:
    return csv.writer(_Lines(file), lineterminator="\r\n")
