"""The cells of a CSV file, column by column, every text of a column once: a rule looks at each text, and so at each cell."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from dvckit.core.errors import UserError
from dvckit.tables.reading import BLOCK, as_text, row_starts, shown


class Lines:
    """The lines on which the rows of a file start, looked up when one is asked for."""

    def __init__(self, path: Path, *, header: bool) -> None:
        self._path = path
        self._header = header

    @cached_property
    def _starts(self) -> npt.NDArray[np.int64]:
        return row_starts(self._path)[int(self._header) :]

    def __getitem__(self, row: int) -> int:
        return int(self._starts[row])


@dataclass(frozen=True, eq=False)
class Cells:
    """A column: its rows, and behind them those of the file to predict."""

    name: str
    texts: Any  # pa.StringArray: each text once, in the order of their first rows
    codes: npt.NDArray[np.int32]  # of each row, the place of its text; -1 where the cell is empty
    rows: int  # without those to predict
    files: Sequence[tuple[str, "Lines | range"]]  # the names and the lines of the file, and of the one to predict
    known: dict[str, Any] = field(default_factory=dict, init=False)  # the numbers that the texts are, by decimal sign

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """The rows of each text, without those to predict."""
        own = self.own
        return np.bincount(own[own >= 0], minlength=len(self.texts))

    @property
    def own(self) -> npt.NDArray[np.int32]:
        """The codes without those of the rows to predict."""
        return self.codes[: self.rows]

    @property
    def distinct(self) -> int:
        """The number of different texts, without the rows to predict."""
        return int((self.counts > 0).sum())

    @property
    def missing(self) -> int:
        """The number of rows without a text, without the rows to predict."""
        return self.rows - int(self.counts.sum())

    def text(self, code: int) -> str:
        """Return a text by its place."""
        return str(self.texts[int(code)].as_py())

    def where(self, code: int) -> str:
        """Return a text with the first row that has it, in words."""
        at = int(np.argmax(self.codes == code))
        (_, lines), *other = self.files
        line = f"line {lines[at]}" if at < self.rows else f"line {other[0][1][at - self.rows]} of {other[0][0]}"
        return f"{line} is {shown(self.text(code))}"

    @property
    def other(self) -> bool:
        """Whether there is a file to predict."""
        return len(self.files) > 1

    def without(self, tokens: tuple[str, ...]) -> "Cells":
        """Return the column with these texts as missing values."""
        token = np.asarray(pc.is_in(self.texts, pa.array(tokens, pa.string())))
        if not token.any():
            return self
        places = np.append(np.where(token, -1, np.cumsum(~token) - 1), -1).astype(np.int32)
        return replace(self, texts=self.texts.filter(pa.array(~token)), codes=places[self.codes])

    def alone(self) -> "Cells":
        """Return the column without the rows to predict."""
        seen = self.counts > 0
        places = np.append(np.cumsum(seen) - 1, -1).astype(np.int32)
        return replace(self, texts=self.texts.filter(pa.array(seen)), codes=places[self.own])


def matches(texts: Any, pattern: str) -> npt.NDArray[np.bool_]:
    """Return for each text whether it matches a pattern of Arrow's."""
    return np.asarray(pc.match_substring_regex(texts, pattern), dtype=bool)


def read(path: Path, separator: str, encoding: str, width: int) -> list[pa.ChunkedArray]:
    """Return the columns of a file as text, its first row as well, an empty cell as null.

    UserError for a row with another number of cells.
    """
    names = [str(place) for place in range(width)]
    ragged: list[str] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        line = Lines(path, header=False)[row.number - 1]
        ragged.append(f"line {line} has {row.actual_columns} cells, the first line has {row.expected_columns}")
        return "error"

    options = as_text(names)
    options["parse_options"] = arrow_csv.ParseOptions(
        delimiter=separator, newlines_in_values=True, invalid_row_handler=note
    )
    how = arrow_csv.ReadOptions(column_names=names, encoding=encoding, use_threads=False, block_size=BLOCK)
    with path.open("rb") as file:
        try:
            return list(arrow_csv.read_csv(file, read_options=how, **options).columns)
        except pa.ArrowInvalid as error:
            raise UserError(f"{path}: {ragged[0] if ragged else error}; fix the file") from None


def trimmed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column without blanks around its cells, null where nothing is left."""
    cells = pc.utf8_trim(column, characters=" ")
    return pc.if_else(pc.equal(cells, ""), pa.scalar(None, pa.string()), cells)


def encoded(name: str, columns: list[pa.ChunkedArray], files: Sequence[tuple[str, "Lines | range"]]) -> Cells:
    """Return the cells of a column of a file, and of the same column in the file to predict, if there is one."""
    chunks = [chunk for column in columns for chunk in column.chunks]
    whole = pa.chunked_array(chunks, pa.string()).dictionary_encode().combine_chunks()
    whole = whole if isinstance(whole, pa.DictionaryArray) else pa.array([], pa.string()).dictionary_encode()
    codes = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return Cells(name, whole.dictionary, codes, len(columns[0]), files)
