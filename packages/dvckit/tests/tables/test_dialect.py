import csv
import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvckit.core.errors import UserError
from dvckit.tables.dialect import PLAIN, Dialect, named, plain

AB = ["a", "b"]


@pytest.fixture
def decoded(tmp_path):
    """Write bytes as a CSV file of a dialect; return the bytes of the plain file."""

    def decoded(content, dialect=PLAIN, header=AB, names=AB, numbers=()):
        (tmp_path / "in.csv").write_bytes(content)
        plain(tmp_path / "in.csv", tmp_path / "out.csv", header, names, dialect, set(numbers))
        return (tmp_path / "out.csv").read_bytes()

    return decoded


def test_a_plain_file_is_copied(decoded):
    assert decoded(b'"a",b\r\n1,"2"\r\n') == b'"a",b\r\n1,"2"\r\n'


def test_every_part_of_a_dialect_is_undone(decoded):
    dialect = Dialect(";", ",", "latin-1", missing=("NA", "?"))

    written = decoded(
        "Größe;b\n1,5;ä\n\n?;NA\n-2;x,y\n".encode("latin-1"), dialect, ["Größe", "b"], ["size", "b"], ["size"]
    )

    assert written == 'size,b\n1.5,ä\n,\n-2,"x,y"\n'.encode()


def test_a_byte_order_mark_is_no_part_of_the_first_name(decoded):
    assert decoded(b"\xef\xbb\xbfa;b\n1;2\n", Dialect(";")) == b"a,b\n1,2\n"


def test_a_file_without_a_header_gets_one(decoded):
    assert decoded(b"1,2\n3,4\n", Dialect(header=False), None) == b"a,b\n1,2\n3,4\n"


def test_a_column_is_left_out_and_a_ragged_row_stays(decoded):
    assert decoded(b"a,b,c\n1,2,3\n4,5\n", header=["a", "b", "c"], names=["a", "", "c"]) == b"a,c\n1,3\n4,5\n"


def test_a_point_in_a_file_with_decimal_commas_is_no_decimal_point(decoded):
    assert decoded(b"a;b\n1.5;1.5\n1.234,5;x\n", Dialect(";", ","), numbers=["a"]) == b'a,b\n"1,5",1.5\n"1,234.5",x\n'


def test_signs_of_thousands_are_left_out_of_numbers(decoded):
    points, commas = Dialect(";", thousands=True), Dialect(";", ",", thousands=True)

    assert decoded(b"a;b\n-1,234,567.5;1,234\n", points, numbers=["a"]) == b'a,b\n-1234567.5,"1,234"\n'
    assert decoded(b"a;b\n1.234,5;x\n", commas, numbers=["a"]) == b"a,b\n1234.5,x\n"
    assert decoded(b"a;b\n1,23;x\n0,123;x\n", points, numbers=["a"]) == b'a,b\n"1,23",x\n"0,123",x\n'


def test_blanks_around_names_and_cells_are_left_out(decoded):
    dialect = Dialect(missing=("?",), trimmed=True)

    assert decoded(b"a, b\n 1, x y \n2, ?\n", dialect) == b"a,b\n1,x y\n2,\n"


def test_a_name_that_is_empty_or_there_twice_is_numbered(decoded):
    assert named(["", "a", "a", "column_1", "a_2"]) == ["column_1_2", "a", "a_3", "column_1", "a_2"]
    assert decoded(b",a,a\n1,2,3\n", header=["column_1", "a", "a_2"], names=["n", "a", "c"]) == b"n,a,c\n1,2,3\n"


@pytest.mark.parametrize(
    ("content", "dialect", "header", "message"),
    {
        "a byte": (
            "a;b\n1;2\n3;ö\n".encode("latin-1"),
            Dialect(";"),
            AB,
            r"line 3 has 0xf6, which is not UTF-8 \(byte 10\)",
        ),
        "a byte of cp1252": (
            b"a;b\n1;\x81\n",
            Dialect(";", encoding="cp1252"),
            AB,
            r"line 2 has 0x81, which is not cp1252",
        ),
        "no header": (b"1;\xff\n", Dialect(";", header=False), None, "line 1 has 0xff, which is not UTF-8"),
        "an open quote": (b'a;b\n1;"2\n', Dialect(";"), AB, "line 2 opens a quote that is never closed"),
        "another separator": (b"a,b\n1,2\n", Dialect(";"), AB, "separated by ','; ';' is expected"),
        "another name": (
            b"a;bee\n1;2\n",
            Dialect(";"),
            ["a", "beef"],
            "missing: 'beef'; unknown: 'bee'; is 'bee' 'beef'?",
        ),
        "UTF-16": (
            b"a;b\n",
            Dialect(";", encoding="utf-16"),
            AB,
            "files in utf-16 cannot be read; save the file as UTF-8",
        ),
        "no encoding": (b"a;b\n", Dialect(";", encoding="latin-one"), AB, "no encoding 'latin-one'; give one such as"),
        "cut": (b"a;b\n1;", Dialect(";"), AB, "may have been cut off"),
        "a long cell": (b"a;b\n1;2\n3;" + b"x" * 140_000, Dialect(";"), AB, "line 3 has a cell of more than 131072"),
    }.values(),
)
def test_a_fault_of_the_file_is_one_sentence(decoded, content, dialect, header, message):
    with pytest.raises(UserError, match=message):
        decoded(content, dialect, header)


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(st.lists(st.tuples(cells, cells), min_size=1), st.sampled_from(",;\t|"))
def test_every_cell_comes_through(tmp_path_factory, rows, separator):
    folder = tmp_path_factory.mktemp("cells")
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL).writerows([AB, *rows])
    (folder / "in.csv").write_bytes(text.getvalue().encode())

    plain(folder / "in.csv", folder / "out.csv", AB, ["x", "y"], Dialect(separator), set())

    with (folder / "out.csv").open(encoding="utf-8", newline="") as lines:
        assert [tuple(row) for row in csv.reader(lines)] == [("x", "y"), *rows]


def test_a_million_cells_take_a_second(decoded):
    content = b"a;b\n" + b"1,5;NA\n" * 500_000
    begun = time.process_time()

    decoded(content, Dialect(";", ",", missing=("NA",)), numbers=["a"])

    assert time.process_time() - begun < 4
