"""Strict reading of a user's CSV file, as tables of text: nothing is guessed, and nothing is dropped.

Other readers of CSV accept broken files: they close a quote, skip a row, or assume another encoding. Here the bytes are
checked first, then the header, then the cells, each as the text in the file.
"""

import codecs
import csv
import stat
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from difflib import get_close_matches
from itertools import accumulate, takewhile
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv as arrow_csv

from dvckit.core.errors import UserError
from dvckit.core.grid import first

Names = Callable[[list[str]], list[str]]
BLOCK = 8 << 20  # bytes read at once; no row may be longer

# How files begin that are CSV only by name, in lower case, and what to do about them.
STRANGERS = {
    "a gzip archive; unpack it": (b"\x1f\x8b",),
    "a bzip2 archive; unpack it": (b"bzh",),
    "an xz archive; unpack it": (b"\xfd7zxz\x00",),
    "a zstd archive; unpack it": (b"\x28\xb5\x2f\xfd",),
    "a zip archive or an Excel workbook; unpack it, or save it as CSV": (b"pk\x03\x04",),
    "an Excel workbook; save it as CSV": (b"\xd0\xcf\x11\xe0",),
    "a Parquet file; save it as CSV": (b"par1",),
    "an Arrow file; save it as CSV": (b"arrow1",),
    "an SQLite database; save the table as CSV": (b"sqlite format 3",),
    "a PDF; save the table as CSV": (b"%pdf",),
    "UTF-16 text; save it as UTF-8": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "a git-lfs pointer; run `git lfs pull`": (b"version https://git-lfs",),
    "a DVC pointer; run `dvc pull` and name the file that it stands for": (b"outs:\n",),
    "a table below a line `sep=` of Excel; delete that line": (b"sep=", b'"sep='),
    "an HTML page; download the file itself": (b"<!doctype html", b"<html"),
    "an XML file; save the table as CSV": (b"<?xml",),
    "JSON; save the table as CSV": (b"{", b"["),
}
SEPARATORS = (",", ";", "\t", "|")
# A text of which nothing can be seen: blanks of any width, control and format characters (U+200B, U+FEFF), and letters
# and marks that have no shape, such as U+3164. For Arrow.
UNSEEN = (
    r"^[\s\pZ\p{Cc}\p{Cf}\x{34F}\x{115F}\x{1160}\x{17B4}\x{17B5}\x{180B}-\x{180F}\x{2800}\x{3164}\x{FE00}-\x{FE0F}\x{FFA0}"
    r"\x{E0100}-\x{E01EF}]+$"
)


class EncodingError(UserError):
    """A byte that the file's encoding does not have."""


class _File(NamedTuple):
    path: Path
    separator: str = ","
    encoding: str = "utf-8"

    @property
    def named(self) -> str:
        return "UTF-8" if self.encoding == "utf-8" else self.encoding

    @property
    def edge(self) -> list[int]:
        """The bytes allowed before an opening quote and after a closing one."""
        return list(f'{self.separator}\n\r"'.encode())


def first_line(path: Path) -> bytes:
    """Return the first line that is not empty; UserError if the path is no file or plainly no CSV."""
    kind = path.stat().st_mode if path.exists() else 0
    if not stat.S_ISREG(kind):
        what = "a folder" if stat.S_ISDIR(kind) else "no regular file" if kind else "not there"
        raise UserError(f"{path} is {what}; name a CSV file")
    with path.open("rb") as file:
        lines = iter(lambda: file.readline(BLOCK), b"")
        start = next((line for line in lines if line.strip(b"\r\n\t " + codecs.BOM_UTF8)), b"")
    for what, beginnings in STRANGERS.items():
        if start.removeprefix(codecs.BOM_UTF8).lstrip().lower().startswith(beginnings):
            raise UserError(f"{path} is {what}")
    if not start:
        raise UserError(f"{path} is empty")
    return start


def check_form(
    path: Path, columns: list[str], separator: str = ",", encoding: str = "utf-8", names: Names = list
) -> None:
    """Do `check_bytes` and `check_header`; a wrong header is reported before a fault below it, which may follow from it."""
    header_cells(path, separator, encoding)
    check_header(path, columns, separator, encoding, names)
    check_bytes(path, separator, encoding)


def check_bytes(path: Path, separator: str = ",", encoding: str = "utf-8") -> None:
    """Refuse (UserError) a file that is not text with well-formed quotes; name the line and offset of the first fault.

    EncodingError for a byte that is no text; the encoding must be a superset of ASCII.
    """
    _check_separator(path, first_line(path), separator)
    with path.open("rb") as file:
        file.seek(len(codecs.BOM_UTF8) if file.read(3) == codecs.BOM_UTF8 and encoding == "utf-8" else 0)
        _check_blocks(_File(path, separator, encoding), file.tell(), iter(lambda: file.read(BLOCK), b""))


def header_cells(path: Path, separator: str = ",", encoding: str = "utf-8") -> list[str]:
    """Return the cells of the header, whatever is below it; UserError where the file is no CSV or the header is damaged."""
    start = first_line(path)
    _check_separator(path, start, separator)
    if b"\0" in start or start.count(b'"') % 2 or not _decodes(start, encoding):
        check_bytes(path, separator, encoding)
    return read_header(path, separator, encoding)


def _decodes(text: bytes, encoding: str) -> bool:
    try:
        text.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _check_separator(path: Path, start: bytes, separator: str) -> None:
    for sign in SEPARATORS:
        if sign.encode() in start and separator.encode() not in start:
            cure = "save it with commas" if separator == "," else f"{separator!r} is expected"
            raise UserError(f"{path}: the cells are separated by {sign!r}; {cure}")


def _check_blocks(file: _File, offset: int, blocks: Iterator[bytes]) -> None:
    decoder = codecs.getincrementaldecoder(file.encoding)()
    before, opened = b"\n", -1  # the byte before the block; where a quote is open, its offset
    block = next(blocks)
    while block:
        after = next(blocks, b"")
        at, fault = _no_text(decoder, block, file.named, final=not after)
        # the first fault of the block is the cause
        opened = _check_quotes(file, offset, before + block[:at] + (after[:1] or b"\n"), opened)
        if fault:
            _refuse(file, offset + at, fault, EncodingError if block[at] else UserError)
        before, last, offset, block = block[-1:], block, offset + len(block), after
    if opened >= 0:
        _refuse(file, opened, "opens a quote that is never closed")
    if last.endswith(file.separator.encode()):
        _refuse(file, offset, "ends without a line end, in an empty cell; the file may have been cut off")


def _no_text(decoder: codecs.IncrementalDecoder, block: bytes, encoding: str, *, final: bool) -> tuple[int, str]:
    """Return the offset of the first byte in a block that is not text, and why; the length of the block if all is text."""
    pending = len(decoder.getstate()[0])
    nul = block.find(b"\0")
    try:
        decoder.decode(block if nul < 0 else block[:nul], final=final or nul >= 0)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        return max(error.start - pending, 0), f"has 0x{byte:02x}, which is not {encoding}; save the file as UTF-8"
    return (len(block), "") if nul < 0 else (nul, "holds a NUL byte; it is damaged, or no text")


def _check_quotes(file: _File, offset: int, block: bytes, opened: int) -> int:
    """Check that each quote opens a cell, closes one, or is doubled inside one; return where one is open, or -1.

    The block, which begins at `offset`, is given with the byte before it and the one after it.
    """
    data = np.frombuffer(block, np.uint8)
    at = np.flatnonzero(data[1:-1] == ord('"'))
    if not len(at):
        return opened
    opening = np.arange(len(at)) % 2 == (opened >= 0)
    wrong = np.flatnonzero(~np.isin(np.where(opening, data[at], data[at + 2]), file.edge))
    if len(wrong):
        place = wrong[0]
        if opening[place]:
            _refuse(file, offset + int(at[place]), "has a quote in a cell that does not begin with one")
        start = offset + int(at[place - 1]) if place else opened
        _refuse(file, start, "has a quote that is not closed at the end of its cell")
    return offset + int(at[-1]) if opening[-1] else -1


def _refuse(file: _File, offset: int, fault: str, error: type[UserError] = UserError) -> NoReturn:
    """Raise an error with the line of a byte."""
    last = min(offset, file.path.stat().st_size - 1)
    with file.path.open(encoding="latin-1", newline="") as lines:  # a character a byte
        line = 1 + sum(1 for _ in takewhile(lambda end: end <= last, accumulate(map(len, lines))))
    what, *cure = fault.split(";", 1)
    raise error(";".join([f"{file.path}: line {line} {what} (byte {offset})", *cure]))


def _rows(path: Path, encoding: str) -> Generator[tuple[int, str]]:
    """Yield each row that is not empty, the header first: the line on which it starts, from 1, and its text."""
    row: list[str] = []
    inside = False  # a quote is open at the end of the line
    with path.open(encoding=encoding, newline="") as lines:
        for number, line in enumerate(lines, 1):
            if not inside and not line.strip("\r\n"):
                continue
            row.append(line)
            inside ^= line.count('"') % 2 == 1
            if not inside:
                yield number - len(row) + 1, "".join(row).strip("\r\n")
                row = []


def python_codec(encoding: str) -> str:
    """Return the encoding by which Python reads a file's text without a byte order mark."""
    return "utf-8-sig" if encoding == "utf-8" else encoding


def read_header(path: Path, separator: str = ",", encoding: str = "utf-8") -> list[str]:
    """Return the cells of the first line that is not empty; what is no text below it is not looked at."""
    with path.open(encoding=python_codec(encoding), errors="surrogateescape", newline="") as lines:
        try:
            return next(cells for cells in csv.reader(lines, delimiter=separator) if cells)
        except csv.Error:
            raise UserError(f"{path}: the header has a cell of more than {csv.field_size_limit()} characters") from None


def check_header(
    path: Path, columns: list[str], separator: str = ",", encoding: str = "utf-8", names: Names = list
) -> None:
    """Refuse (UserError) a header whose `names` are not exactly these columns in this order, and say what differs."""
    header = names(read_header(path, separator, encoding))
    if header == columns:
        return
    if list(map(plain_name, header)) == list(map(plain_name, columns)):
        pairs = [f"{shown(one)} for {shown(name)}" for one, name in zip(header, columns, strict=True) if one != name]
        raise UserError(f"{path}: the header has {first(pairs, 4)}; rename the columns")
    counts = Counter(header)
    faults = {
        "missing": [name for name in columns if name not in counts],
        "unknown": [name for name in counts if name not in columns],
        "more than once": [name for name, count in counts.items() if count > 1],
    }
    reasons = [f"{what}: {first(map(shown, names), 8)}" for what, names in faults.items() if names] or [
        "the order is another"
    ]
    near = {name: _like(name, faults["unknown"]) for name in faults["missing"]}
    reasons += [f"is {shown(names[0])} {shown(name)}?" for name, names in near.items() if names][:1]
    raise UserError(f"{path}: the header is wrong ({'; '.join(reasons)}); expected {separator.join(columns)}")


def _like(name: str, unknown: list[str]) -> list[str]:
    """Return the names that may be meant by another one; one that differs in case or blanks comes before any other."""
    return [one for one in unknown if plain_name(one) == plain_name(name)] or get_close_matches(name, unknown, 1)


def plain_name(name: str) -> str:
    """Return a name without what a hand often changes: case, and blanks around it."""
    return name.strip().casefold()


def shown(text: str) -> str:
    """Return text from a file for a message: quoted, invisible characters escaped, truncated if it is long."""
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


def as_text(columns: list[str]) -> dict[str, Any]:
    """Return options that make Arrow read every cell as text, an empty one as null, line breaks included."""
    types = dict.fromkeys(columns, pa.string())
    return {
        "parse_options": arrow_csv.ParseOptions(newlines_in_values=True),
        "convert_options": arrow_csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""]),
    }


def text_batches(path: Path, columns: list[str], ragged: dict[int, str]) -> Iterator[pa.RecordBatch]:
    """Yield the rows in order, every cell as text, an empty one as null; `check_bytes` and `check_header` come first.

    A row with too many or too few cells is left out; its number, counted from 1, and its fault are put into `ragged`.
    """

    def note(row: arrow_csv.InvalidRow) -> str:
        ragged[row.number - 1] = f"has {row.actual_columns} cells, the header has {row.expected_columns}"
        return "skip"

    options = as_text(columns)
    options["parse_options"].invalid_row_handler = note
    in_order = arrow_csv.ReadOptions(use_threads=False, block_size=BLOCK)  # else rows have no numbers
    with path.open("rb") as file:  # by its name alone, Arrow would unpack a file
        try:
            yield from arrow_csv.open_csv(file, read_options=in_order, **options)
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error):  # a header without a line end
                return
            if "straddling" in str(error):
                raise UserError(f"{path} has a row of more than {BLOCK >> 20} MiB; that is not a table") from None
            raise UserError(f"{path} cannot be read as CSV: {error}") from None


def row_numbers(positions: npt.NDArray[np.int64], ragged: dict[int, str]) -> npt.NDArray[np.int64]:
    """Return the rows' numbers, from 1, for their positions, from 0, among the rows that are not ragged."""
    left_out = np.array(sorted(ragged), dtype=np.int64)
    return positions + 1 + np.searchsorted(left_out - np.arange(len(left_out)), positions + 1, side="right")


def row_starts(path: Path) -> npt.NDArray[np.int64]:
    """Return the line on which each row starts, the header's first."""
    with closing(_rows(path, "latin-1")) as rows:
        return np.fromiter((line for line, _ in rows), dtype=np.int64)


def row_lines(path: Path, numbers: set[int], *, header: bool) -> dict[int, int]:
    """Return the line on which each of these rows starts, both from 1; the header is no row."""
    last = max(numbers, default=0)
    with closing(_rows(path, "latin-1")) as rows:  # any superset of ASCII has the same lines and quotes
        numbered = takewhile(lambda row: row[0] <= last, enumerate(rows, int(not header)))
        return {number: line for number, (line, _) in numbered if number in numbers}


def rows_as_written(path: Path, lines: set[int]) -> dict[int, str]:
    """Return the original text of the rows that start on these lines, without the line end, by line."""
    return {line: row for line, row in _rows(path, "utf-8-sig") if line in lines}
