"""Tables that stand for more than a machine has room for, and others that are no tables."""

import gzip
import io

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from dvckit.core.errors import UserError
from dvckit.repository import tables
from dvckit.repository.tables import as_table

TEXTS = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1 << 20, dtype=np.int32)), pa.array(["x" * 1_000_000]))


def packed(table, metadata=None, **options):
    stream = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata(metadata) if metadata else table, stream, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (packed(pa.table({"a": TEXTS})), "a column of it has more than 1 GiB of text"),
        (packed(pa.table({"a": TEXTS}), store_schema=False), "a column of it has more than 1 GiB of text"),
        (packed(pa.table({"a": [[1, 2]]})), "its column 'a' has lists or mappings in its cells"),
        (packed(pa.table({"a": [{"b": 1}]})), "its column 'a' has lists or mappings in its cells"),
        (packed(pa.table([[1], [2]], names=["a", "a"])), "two of its columns have the same name"),
        (packed(pa.table({str(n): [1] for n in range(20_001)})), "it has more than 20,000 columns"),
        (packed(pa.table({"a": [1]}), {b"pandas": b"[" * 100_000}), "maximum recursion depth"),
        (packed(pa.table({"a": [1]}), {b"pandas": b'{"index_columns": ["b"], "columns": 3}'}), ""),
        (packed(pa.table({"a": [1]}))[:-20], ""),
        (b"", ""),
    ],
)
def test_a_hostile_parquet_file_is_refused(content, reason):
    with pytest.raises(UserError, match=f"^it is not a table: {reason}"):
        as_table("x.parquet", content)


def test_a_table_of_too_many_cells_is_refused(monkeypatch):
    monkeypatch.setattr(tables, "CELLS", 1000)

    for path, content in {
        "x.parquet": packed(pa.table({"a": np.zeros(1001, dtype=np.int8)})),
        "x.csv": b"a\n" + b"1\n" * 1001,
    }.items():
        with pytest.raises(UserError, match="it has more than 1,000 cells"):
            as_table(path, content)


def test_a_packed_text_is_unpacked_within_limits(monkeypatch):
    monkeypatch.setattr(tables, "TEXT", 1 << 20)

    assert len(as_table("x.csv.gz", gzip.compress(b"a\n1\n"))) == 1
    with pytest.raises(UserError, match="it unpacks to more than"):
        as_table("x.csv.gz", gzip.compress(b"a\n" + b"1\n" * (1 << 20)))
    with pytest.raises(UserError, match="it is not a table"):
        as_table("x.csv.xz", b"not packed")


def test_a_text_of_too_many_columns_is_refused():
    with pytest.raises(UserError, match="more than 20,000 columns"):
        as_table("x.csv", b"a," * 30_000 + b"\n1\n")
