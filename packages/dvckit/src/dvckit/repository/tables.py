"""Tables in Parquet or text, read within limits: a few bytes of either can stand for more cells than a machine has room for."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from io import BytesIO
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from dvckit.core.errors import UserError, one_line

if TYPE_CHECKING:
    import pandas as pd

CELLS = 1 << 28  # of a table, which are 2 GiB of numbers
TEXT = 1 << 30  # bytes of what is unpacked, and of all texts in a table
COLUMNS = 20_000

_PACKINGS: dict[str, Callable[[BytesIO], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def as_table(path: str, content: bytes) -> "pd.DataFrame":
    """Return the content of a file as a table, by its suffix Parquet or text; UserError with the reason if it is none."""
    suffixes = PurePosixPath(path).suffixes[-2:]
    try:
        if {".csv", ".tsv"} & set(suffixes):
            return _text(unpacked(suffixes[-1], content), "\t" if ".tsv" in suffixes else ",")
        return _parquet(content)
    except UserError as error:
        raise UserError(f"it is not a table: {error}") from None
    except MemoryError:
        raise UserError("it is not a table: it needs more memory than there is") from None
    except Exception as error:  # noqa: BLE001 - pyarrow and pandas raise whatever a wrong file leads them to
        raise UserError(f"it is not a table: {one_line(error)[:200]}") from None


def unpacked(suffix: str, content: bytes) -> bytes:
    """Return what is in a packed file, by its suffix; UserError where that is too much."""
    if suffix not in _PACKINGS:
        return content
    with _PACKINGS[suffix](BytesIO(content)) as file:
        whole: bytes = file.read(TEXT + 1)
    if len(whole) > TEXT:
        raise UserError(f"it unpacks to more than {TEXT >> 30} GiB")
    return whole


def _text(content: bytes, sign: str) -> "pd.DataFrame":
    import pandas as pd

    header = content[: content.find(b"\n")] if b"\n" in content else content
    _check_size(content.count(b"\n") + content.count(b"\r"), header.count(sign.encode()) + 1)
    return pd.read_csv(BytesIO(content), sep=sign, low_memory=False)


def _parquet(content: bytes) -> "pd.DataFrame":
    import pandas as pd
    from pyarrow import parquet, types

    with parquet.ParquetFile(BytesIO(content)) as file:
        about, schema = file.metadata, file.schema_arrow
        rows = max(about.num_rows, sum(about.row_group(number).num_rows for number in range(about.num_row_groups)))
    if len({*schema.names}) < len(schema):
        raise UserError("two of its columns have the same name")
    if nested := [field.name for field in schema if types.is_nested(field.type)]:
        raise UserError(f"its column {nested[0]!r} has lists or mappings in its cells")
    _check_size(rows, len(schema))
    _check_text(
        rows * max((getattr(field.type, "byte_width", 0) for field in schema if _is_fixed(field.type)), default=0)
    )
    _check_texts(content, [field.name for field in schema if _is_text(field.type)])
    return pd.read_parquet(BytesIO(content))


def _is_fixed(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_fixed_size_binary(kind))


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    value = kind.value_type if types.is_dictionary(kind) else kind
    return any(test(value) for test in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary))


def _check_texts(content: bytes, names: list[str]) -> None:
    """Refuse a table with too much text; here each text is read once, however many rows have it."""
    from pyarrow import parquet

    with parquet.ParquetFile(BytesIO(content), read_dictionary=names) as file:
        for name in names:
            _check_text(sum(map(_length, file.read(columns=[name]).column(0).chunks)))


def _length(chunk: Any) -> int:
    """Return the bytes of all texts in a part of a column, from its dictionary."""
    from pyarrow import compute

    return compute.sum(compute.binary_length(chunk.dictionary).take(chunk.indices)).as_py() or 0


def _check_text(size: int) -> None:
    if size > TEXT:
        raise UserError(f"a column of it has more than {TEXT >> 30} GiB of text")


def _check_size(rows: int, columns: int) -> None:
    if columns > COLUMNS:
        raise UserError(f"it has more than {COLUMNS:,} columns")
    if rows * columns > CELLS:
        raise UserError(f"it has more than {CELLS:,} cells")
