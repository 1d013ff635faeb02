"""The form of a CSV file: its separator, its encoding, and whether its first line is a header."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dvckit.core.errors import UserError
from dvckit.core.grid import first
from dvckit.new.cells import Cells, Lines, encoded, matches, read, trimmed
from dvckit.new.missing import MARKERS, is_measured
from dvckit.new.options import Choice, Options, Question
from dvckit.tables.dialect import check_encoding, named
from dvckit.tables.reading import SEPARATORS, EncodingError, check_bytes, first_line, read_header, shown
from dvckit.tables.schema import GRAMMAR

WORDS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
TABS = {"\\t": "\t", "tab": "\t"}  # what a shell lets a person type


class Form(NamedTuple):
    """How a file is written, its columns as text with the first line, and what the file does not tell."""

    separator: str
    encoding: str
    header: bool
    columns: list[pa.ChunkedArray]
    below: list[Cells]  # the columns without the first line
    questions: list[Question]
    trimmed: bool  # blanks around cells are no part of them, and left out here

    @property
    def line(self) -> list[str]:
        """The cells of the first line."""
        return _line(self.columns)

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return named(self.line if self.header else [""] * len(self.columns))

    @property
    def rows(self) -> list[pa.ChunkedArray]:
        """The columns without the header."""
        return [column.slice(int(self.header)) for column in self.columns]


def sniff(path: Path, options: Options, *, without_blanks: bool | None = None) -> Form:
    """Return the form of a file; UserError where it is no CSV of any form. Without blanks: None where that is not known."""
    first_line(path)
    encoding = check_encoding(options.encoding or "utf-8")
    separators = _candidates(path, options.separator)
    try:
        forms = _fitting(path, encoding, separators)
    except EncodingError as error:
        raise UserError(f"{error}, or name its encoding, such as --encoding latin-1") from None
    best = max(forms, key=lambda one: _measured(forms[one])) if len(forms) > 1 else next(iter(forms))
    rivals = [one for one in forms if len(forms) > 1 and _measured(forms[one]) == _measured(forms[best])]
    questions = [_which_separator(rivals)] if len(rivals) > 1 else []
    if not len(forms[best][0]):
        raise UserError(f"{path} is empty")
    if without_blanks is None:
        without_blanks = _has_blanks(forms[best])
    columns = [trimmed(column) for column in forms[best]] if without_blanks else forms[best]
    files = [(path.name, Lines(path, header=True))]
    below = [
        encoded(name, [column.slice(1)], files) for name, column in zip(named(_line(columns)), columns, strict=True)
    ]
    question = _header_question(_line(columns), below) if options.header is None else None
    header = options.header is not False
    if len(columns[0]) == 1 and header:
        raise UserError(f"{path} has a header and no rows")
    questions += [question] if question else []
    return Form(best, options.encoding or "utf-8", header, columns, below, questions, without_blanks)


def _has_blanks(columns: list[pa.ChunkedArray]) -> bool:
    """Return whether there are blanks around a cell of the first line, or around numbers or dates."""
    cells = _line(columns)
    if any(cell != cell.strip(" ") for cell in cells):
        return True
    below = [column.slice(1) for column in columns]
    blank = [column for column in below if matches(column.combine_chunks(), "^ | $").any()]
    return any(is_measured(encoded("", [trimmed(column)], ())) for column in blank)


def _candidates(path: Path, separator: str | None) -> list[str]:
    """Return the separators that give the first line more than one cell."""
    if separator is not None:
        separator = TABS.get(separator, separator)
        if len(separator) != 1 or not separator.isascii() or separator.isalnum() or separator in '"\r\n\0':
            raise UserError(f"--separator must be one sign such as ; or tab; it is {shown(separator)}")
    cells = {one: len(read_header(path, one, "latin-1")) for one in (separator or SEPARATORS)}
    if found := [one for one in cells if cells[one] > 1]:
        return sorted(found, key=lambda one: -cells[one])
    what = f"with the separator {shown(separator)}" if separator else "with , ; tab or | between cells"
    raise UserError(f"{path} has one column {what}; give another with --separator, or save it with commas")


def _fitting(path: Path, encoding: str, separators: list[str]) -> dict[str, list[pa.ChunkedArray]]:
    """Return the file's columns by each separator with which all rows have as many cells."""
    forms, faults = {}, []
    for one in separators:
        try:
            check_bytes(path, one, encoding)
            forms[one] = read(path, one, encoding, len(read_header(path, one, encoding)))
        except EncodingError:
            raise
        except UserError as error:
            faults.append(error)
    if not forms:
        raise faults[0]
    return forms


def _measured(columns: list[pa.ChunkedArray]) -> float:
    """Return the share of the columns whose cells, but the first, are numbers or dates."""
    return float(np.mean([is_measured(encoded("", [column.slice(1)], [])) for column in columns]))


def _which_separator(separators: list[str]) -> Question:
    return Question(
        "separator",
        "What separates the cells?",
        f"every row has the same number of cells with each of {first(map(WORDS.__getitem__, separators))}",
        tuple(
            Choice(WORDS[one], f"--separator '{'tab' if one == chr(9) else one}'", {"separator": one})
            for one in separators
        ),
    )


def _line(columns: list[pa.ChunkedArray]) -> list[str]:
    return [column[0].as_py() or "" for column in columns]


def _header_question(line: list[str], below: list[Cells]) -> Question | None:
    """Return the question whether the first line is a header, where it looks like data."""
    if not (why := _like_data(line, below) or _bad_names(line, below)):
        return None
    choices = (
        Choice("it has the names of the columns", "--header", {"header": True}),
        Choice("it is a row of data; the columns are named column_1, column_2 …", "--no-header", {"header": False}),
    )
    return Question("header", "Does the first line have the names of the columns?", why, choices)


def _like_data(line: list[str], below: list[Cells]) -> str:
    measured = [
        cell for cell, cells in zip(line, below, strict=True) if cell not in ("", *MARKERS) and is_measured(cells)
    ]
    values = [cell for cell in measured if _is_value(cell)]
    if measured:
        return f"it has {first(map(shown, values), 4)} above numbers" if len(values) == len(measured) else ""
    again = [cell for cell, cells in zip(line, below, strict=True) if cell and _has(cells, cell)]
    return f"{first(map(shown, again), 4)} is also a value below it" if again else ""


def _has(cells: Cells, text: str) -> bool:
    return bool(pc.any(pc.equal(cells.texts, text)).as_py())


def _is_value(cell: str) -> bool:
    return is_measured(encoded("", [pa.chunked_array([[cell]])], []))


def _bad_names(line: list[str], below: list[Cells]) -> str:
    """Return what is wrong with names; a table's own row numbers have none, as pandas writes them."""
    empty = [place for place, cell in enumerate(line, 1) if not cell]
    again = [cell for cell in dict.fromkeys(line) if cell and line.count(cell) > 1]
    if empty == [1] and not again and is_counter(below[0]):
        return ""
    faults = [f"columns {first(empty, 8)} have no name"] if empty else []
    return "; ".join([*faults, *([f"{first(map(shown, again), 4)} is there twice"] if again else [])])


def is_counter(cells: Cells) -> bool:
    """Return whether a column counts the rows from 0 or 1, or goes up by one from row to row."""
    texts = cells.texts[: cells.rows]
    if not cells.rows or cells.distinct != cells.rows or not matches(texts, GRAMMAR[int]).all():
        return False
    return bool((np.diff(np.asarray(texts.cast(pa.int64()))) == 1).all())
