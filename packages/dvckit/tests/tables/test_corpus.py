"""Broken and valid variants of a list, each with the verdict and what the answer must name: nothing bad passes in silence.

A variant is made from the good file by a small mutation, and goes through the same function as the stage and
`dvckit data check`.
"""

import bz2
import csv
import gzip
import io
import lzma
import os
import shutil
import zipfile

import pandas as pd
import pytest

from dvckit.tables.validation import judge
from dvckit.tasks import task_of
from titanic.dataset.synthetic import write_passengers
from titanic.schema import LABELS, RULES, Clean

COLUMNS = {name: RULES.fields(name) for name in RULES.names}

HEADER = ",".join(COLUMNS["train"])
AT = {name: place for place, name in enumerate(COLUMNS["train"])}


def parse(content):
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def render(rows, **form):
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n", **form).writerows(rows)
    return text.getvalue().encode()


def cell(row, column, value):
    """Set a cell; the header is row 0."""

    def mutate(content):
        rows = parse(content)
        rows[row][AT[column]] = value
        return render(rows)

    return mutate


def rows(change):
    """Change the list of rows, of which the first is the header."""

    def mutate(content):
        table = parse(content)
        return render(change(table) or table)

    return mutate


def line(row, change):
    """Change the text of a line; no cell of the good file has a line break."""

    def mutate(content):
        lines = content.split(b"\n")
        lines[row] = change(lines[row])
        return b"\n".join(lines)

    return mutate


def raw_cell(row, column, text):
    """Put bytes in the place of a cell as they are, without quotes of ours."""

    def mutate(content):
        table = parse(content)
        table[row][AT[column]] = "@@@"
        return render(table).replace(b"@@@", text)

    return mutate


def zipped(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("train.csv", content)
    return buffer.getvalue()


def parquet(content):
    buffer = io.BytesIO()
    pd.read_csv(io.BytesIO(content)).to_parquet(buffer)
    return buffer.getvalue()


def names(change):
    return line(0, lambda text: ",".join(change(text.decode().split(","))).encode())


def renamed(old, new):
    return names(lambda columns: [new if name == old else name for name in columns])


def without(column):
    return rows(lambda table: [[c for place, c in enumerate(row) if place != AT[column]] for row in table])


def every(column, value):
    return rows(lambda table: [row.__setitem__(AT[column], value) for row in table[1:]] and None)


# name of the variant: the mutation, and what the answer must hold
BROKEN = {
    # what only bears the name .csv
    "empty": (lambda _: b"", ["is empty"]),
    "line ends alone": (lambda _: b"\n\n\r\n", ["is empty"]),
    "a byte order mark alone": (lambda _: b"\xef\xbb\xbf", ["is empty"]),
    "a byte order mark and line ends": (lambda _: b"\xef\xbb\xbf\r\n\n", ["is empty"]),
    "gzip": (gzip.compress, ["gzip archive; unpack it"]),
    "bzip2": (bz2.compress, ["bzip2 archive"]),
    "xz": (lzma.compress, ["xz archive"]),
    "zip": (zipped, ["zip archive or an Excel workbook"]),
    "parquet": (parquet, ["a Parquet file"]),
    "an old Excel workbook": (lambda c: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + c, ["Excel workbook"]),
    "SQLite": (lambda c: b"SQLite format 3\0" + c, ["SQLite"]),
    "PDF": (lambda _: b"%PDF-1.7\n...", ["a PDF"]),
    "an HTML page": (lambda _: b"<!DOCTYPE html>\n<html><body>Sign in</body></html>", ["an HTML page; download"]),
    "an HTML page after blank lines": (lambda _: b"\n\n  <html lang='en'>", ["an HTML page"]),
    "XML": (lambda _: b"<?xml version='1.0'?><a/>", ["an XML file"]),
    "JSON records": (lambda _: b'[{"PassengerId": 1}]', ["JSON"]),
    "a JSON object": (lambda _: b'{"PassengerId": [1]}', ["JSON"]),
    "a git-lfs pointer": (
        lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        ["git lfs pull"],
    ),
    "a DVC pointer": (lambda _: b"outs:\n- md5: 0\n  size: 1\n  path: train.csv\n", ["dvc pull"]),
    "UTF-16": (lambda c: c.decode().encode("utf-16"), ["UTF-16"]),
    "UTF-16 big endian": (lambda c: b"\xfe\xff" + c.decode().encode("utf-16-be"), ["UTF-16"]),
    "UTF-16 without a mark": (lambda c: c.decode().encode("utf-16-le"), ["line 1 ", "NUL"]),
    "random bytes": (lambda _: bytes(range(128, 256)) * 40, ["line 1 ", "not UTF-8", "byte 0)"]),
    # encoding
    "Latin-1 in row 7": (
        raw_cell(7, Clean.Name, '"Öberg, Mr. Åke"'.encode("latin-1")),
        ["line 8 ", "not UTF-8", "0xd6"],
    ),
    "Windows-1252 in row 2": (raw_cell(2, Clean.Name, b"O\x92Brien"), ["line 3 ", "not UTF-8", "0x92"]),
    "a cut UTF-8 character at the end": (lambda c: c + "ö".encode()[:1], ["not UTF-8"]),
    "an overlong UTF-8 form": (raw_cell(3, Clean.Name, b"a\xc0\xafb"), ["line 4 ", "not UTF-8"]),
    "a surrogate in UTF-8": (raw_cell(3, Clean.Name, b"a\xed\xa0\x80b"), ["line 4 ", "not UTF-8"]),
    "Latin-1 in the header": (line(0, lambda t: t + b"\xe9"), ["line 1 ", "not UTF-8"]),
    "NUL in row 9": (raw_cell(9, Clean.Ticket, b"12\x0034"), ["line 10 ", "NUL"]),
    "NULs at the end": (lambda c: c + b"\0" * 512, ["NUL"]),
    # quotes
    "a quote left open": (line(5, lambda t: t.replace(b'"', b"", 1).replace(b",", b',"', 3)), ["line 6 "]),
    "a quote that never closes": (
        lambda c: c + b'9999,0,3,"Open, Mr. A,male,1,0,0,1,1,,S\n',
        ["line ", "never closed"],
    ),
    "an open quote that swallows a row": (raw_cell(4, Clean.Name, b'"Open, Mr. A'), ["line 5 ", "not closed"]),
    "a quote within a cell": (raw_cell(6, Clean.Ticket, b'PC "17"'), ["line 7 ", "does not begin with one"]),
    "an inch mark": (raw_cell(6, Clean.Ticket, b'17"'), ["line 7 ", "does not begin with one"]),
    "text after a closing quote": (raw_cell(8, Clean.Name, b'"A, Mr. B" C'), ["line 9 ", "not closed at the end"]),
    "a blank before a quote": (raw_cell(8, Clean.Name, b' "A, Mr. B"'), ["line 9 ", "does not begin with one"]),
    "a blank after a quote": (raw_cell(8, Clean.Name, b'"A, Mr. B" '), ["line 9 ", "not closed at the end"]),
    "quotes escaped by a backslash": (raw_cell(8, Clean.Name, b'"A, Mr. \\"Bob\\" B"'), ["line 9 ", "not closed"]),
    "one quote not doubled": (raw_cell(8, Clean.Name, b'"A, Mr. "Bob"" B"'), ["line 9 "]),
    "single quotes around a comma": (raw_cell(8, Clean.Name, b"'A, Mr. B'"), ["line 9", "has 13 cells"]),
    "a name without its quotes": (raw_cell(3, Clean.Name, b"A, Mr. B"), ["line 4", "has 13 cells, the header has 12"]),
    "two open quotes that match": (
        lambda c: line(4, lambda _: b'4,0,3,"Open,male,3,0,0,1,7,,S')(
            line(5, lambda _: b'5,0,3,Shut",male,3,0,0,1,7,,S')(c)
        ),
        ["line 5", "Name is 'Open,male", "one line"],
    ),
    "a line break in a name": (cell(4, Clean.Name, "A,\nMr. B"), ["line 5", "Name", "one line"]),
    "a carriage return in a ticket": (raw_cell(4, Clean.Ticket, b'"12\r34"'), ["line 5", "Ticket", "one line"]),
    "a name of blanks": (
        cell(4, Clean.Name, "   "),
        ["line 5", "Name is '   ': must have a character that can be seen"],
    ),
    "a no-break blank for a name": (
        cell(4, Clean.Name, "\u00a0"),
        ["line 5", r"Name is '\xa0': must have a character that"],
    ),
    "a zero-width blank for a ticket": (
        cell(4, Clean.Ticket, "\u200b"),
        ["line 5", r"'\u200b': must have a character that"],
    ),
    "a byte order mark for a cabin": (
        cell(4, Clean.Cabin, "\ufeff"),
        ["line 5", r"'\ufeff': must have a character that"],
    ),
    "invisible signs for a name": (
        cell(4, Clean.Name, "\u2060\u00ad\u180e\u3164\u2800"),
        ["line 5", "can be seen, or be empty"],
    ),
    "a wide blank for a port": (cell(4, Clean.Embarked, "\u3000"), ["line 5", r"Embarked is '\u3000': must"]),
    "a no-break blank for an age": (cell(4, Clean.Age, "\u00a0"), ["line 5", r"Age is '\xa0': must be"]),
    "a line separator in a name": (cell(4, Clean.Name, "A, Mr. \u2028B"), ["line 5", "Name", "one line"]),
    "a tab in a cabin": (cell(4, Clean.Cabin, "C1\tC2"), ["line 5", "Cabin", "one line"]),
    "an escape character in a name": (cell(4, Clean.Name, "A, Mr. \x1b[31mB"), ["line 5", "Name", "one line"]),
    # rows of another length
    "a cell too many": (line(5, lambda t: t + b",1"), ["line 6", "has 13 cells, the header has 12"]),
    "a cell too few": (line(5, lambda t: t.rpartition(b",")[0]), ["line 6", "has 11 cells, the header has 12"]),
    "a trailing comma in each row": (lambda c: c.replace(b"\n", b",\n"), ["the header", "unknown: ''"]),
    "a trailing comma in each row but the header": (
        lambda c: HEADER.encode() + c[len(HEADER) :].replace(b"\n", b",\n").replace(b",\n", b"\n", 1),
        ["line 2: has 13 cells"],
    ),
    "a line of blanks": (line(5, lambda t: t + b"\n   "), ["line 7", "has 1 cells"]),
    "a comment": (line(5, lambda t: t + b"\n# checked"), ["line 7", "has 1 cells"]),
    "conflict markers": (
        line(5, lambda t: b"<<<<<<< HEAD\n" + t + b"\n=======\n>>>>>>> main"),
        ["line 6", "line 8", "line 9"],
    ),
    "cut in the middle of a row": (lambda c: c[: c.rindex(b"male") + 2], ["cells, the header has 12"]),
    "cut before the last cell": (lambda c: c.rstrip(b"\n").rpartition(b",")[0] + b",", ["ends without a line end"]),
    "two files in one": (lambda c: c + c, ["line 2: PassengerId is '1': must be unique", "and "]),
    "the header again in the middle": (line(5, lambda t: t + b"\n" + HEADER.encode()), ["line 7", "Age is 'Age'"]),
    "a totals row": (lambda c: c + b"Total,,,,,,,,,,,\n", ["PassengerId is 'Total'", "Name is missing"]),
    "a row of empty cells": (
        line(5, lambda t: t + b"\n" + b"," * 11),
        ["line 7", "PassengerId is missing", "Sex is missing"],
    ),
    "semicolons after empty lines": (
        lambda c: b"\n\n" + render(parse(c), delimiter=";"),
        ["the cells are separated by"],
    ),
    "semicolons": (lambda c: render(parse(c), delimiter=";"), ["the cells are separated by ';'"]),
    "tabs": (lambda c: render(parse(c), delimiter="\t"), ["the cells are separated by '\\t'"]),
    "pipes": (lambda c: render(parse(c), delimiter="|"), ["the cells are separated by '|'"]),
    # the header
    "no header": (line(0, lambda _: b""), ["the header", "missing: 'PassengerId'", "expected PassengerId,"]),
    "a header and no rows": (lambda _: HEADER.encode() + b"\n", ["has a header and no rows"]),
    "a header without a line end": (lambda _: HEADER.encode(), ["has a header and no rows"]),
    "a column renamed": (renamed("Sex", "Gender"), ["missing: 'Sex'", "unknown: 'Gender'"]),
    "lower case": (
        names(lambda columns: [name.lower() for name in columns]),
        ["'passengerid' for 'PassengerId'", "; rename"],
    ),
    "a blank before a column's name": (renamed("Age", " Age"), ["the header has ' Age' for 'Age'; rename"]),
    "a column twice": (renamed("Parch", "SibSp"), ["missing: 'Parch'", "more than once: 'SibSp'"]),
    "a column more": (rows(lambda t: [[*row, "1"] for row in t]), ["the header", "unknown: '1'"]),
    "a column's name is empty": (renamed("Fare", ""), ["missing: 'Fare'", "unknown: ''"]),
    "another order": (rows(lambda t: [row[::-1] for row in t]), ["the order is another"]),
    "an index column": (rows(lambda t: [["" if i == 0 else str(i), *r] for i, r in enumerate(t)]), ["unknown: ''"]),
    "another table": (lambda _: b"sepal,petal\n1,2\n", ["missing:", "unknown: 'sepal', 'petal'"]),
    "a submission": (lambda _: b"PassengerId,Survived\n1,0\n", ["missing: 'Pclass'"]),
    "a mark in the middle of the header": (renamed("Age", "\ufeffAge"), ["missing: 'Age'", "unknown: '\\ufeffAge'"]),
    "a zero-width blank in the header": (renamed("Age", "Age\u200b"), ["unknown: 'Age\\u200b'"]),
    "50,000 columns": (lambda _: (",".join(f"c{i}" for i in range(50_000)) + "\n1\n").encode(), ["and 49992 more"]),
    "a header of 1 MB": (lambda _: b"x" * 1_000_000 + b"\n1\n", ["the header has a cell of more than"]),
    **{
        f"no column {name}": (without(name), ["the header", f"missing: {name!r}"])
        for name in (Clean.PassengerId, Clean.Survived, Clean.Name, Clean.Embarked)
    },
    # numbers
    **{
        f"{column} is {value!r}": (cell(11, column, value), ["line 12", f"{column} is {value!r}: {rule}"])
        for column, value, rule in (
            (Clean.Age, "abc", "must be a number"),
            (Clean.Age, "NA", "must be a number"),
            (Clean.Age, "nan", "must be a number"),
            (Clean.Age, "inf", "must be a number"),
            (Clean.Age, "?", "must be a number"),
            (Clean.Age, "-", "must be a number"),
            (Clean.Age, " ", "must be a number"),
            (Clean.Age, " 22", "must be a number"),
            (Clean.Age, "22 ", "must be a number"),
            (Clean.Age, "22\u00a0", "must be a number"),
            (Clean.Age, "22,5", "must be a number"),
            (Clean.Age, "22y", "must be a number"),
            (Clean.Age, "1_0", "must be a number"),
            (Clean.Age, "0x1A", "must be a number"),
            (Clean.Age, "٢٢", "must be a number"),
            (Clean.Age, "\uff11\uff12", "must be a number"),
            (Clean.Age, "\u22123", "must be a number"),
            (Clean.Age, "1e", "must be a number"),
            (Clean.Age, "1.2.3", "must be a number"),
            (Clean.Age, "True", "must be a number"),
            (Clean.Age, "22-03-1912", "must be a number"),
            (Clean.Age, "-1", "must be at least 0"),
            (Clean.Age, "121", "must be at most 120"),
            (Clean.Age, "1e9", "must be at most 120"),
            (Clean.Age, "1e999", "must be at most 120"),
            (Clean.Fare, "£7", "must be a number"),
            (Clean.Fare, "$7.25", "must be a number"),
            (Clean.Fare, "1,000", "must be a number"),
            (Clean.Fare, "7.25.", "must be a number"),
            (Clean.Fare, "-0.5", "must be at least 0"),
            (Clean.Fare, "10001", "must be at most 10000"),
            (Clean.SibSp, "1.0", "must be a whole number"),
            (Clean.SibSp, "one", "must be a whole number"),
            (Clean.SibSp, "-1", "must be at least 0"),
            (Clean.SibSp, "21", "must be at most 20"),
            (Clean.Parch, "1e0", "must be a whole number"),
            (Clean.Parch, "+1", "must be a whole number"),
            (Clean.Parch, "01", "must be a whole number"),
            (Clean.Pclass, "0", "must be one of 1, 2, 3"),
            (Clean.Pclass, "1st", "must be a whole number"),
            (Clean.Pclass, "III", "must be a whole number"),
            (Clean.Survived, "2", "must be one of 0, 1"),
            (Clean.Survived, "yes", "must be a whole number"),
            (Clean.Survived, "True", "must be a whole number"),
            (Clean.Survived, "0.0", "must be a whole number"),
            (Clean.PassengerId, "0", "must be at least 1"),
            (Clean.PassengerId, "-5", "must be at least 1"),
            (Clean.PassengerId, "007", "must be a whole number"),
            (Clean.PassengerId, "9" * 19, "must be a whole number"),
            (Clean.Sex, "Male", "must be one of female, male"),
            (Clean.Sex, "m", "must be one of female, male"),
            (Clean.Sex, "male ", "must be one of female, male"),
            (Clean.Sex, "m\u0430le", "must be one of female, male"),  # a Cyrillic a
            (Clean.Embarked, "X", "must be one of C, Q, S"),
            (Clean.Embarked, "s", "must be one of C, Q, S"),
            (Clean.Embarked, "Southampton", "must be one of C, Q, S"),
            (Clean.Embarked, "NA", "must be one of C, Q, S"),
        )
    },
    # what may not be missing, or be twice
    **{
        f"{column} is missing": (cell(13, column, ""), ["line 14", f"{column} is missing"])
        for column in (
            Clean.PassengerId,
            Clean.Survived,
            Clean.Pclass,
            Clean.Name,
            Clean.Sex,
            Clean.SibSp,
            Clean.Ticket,
        )
    },
    "a name of 1 MB": (cell(2, Clean.Name, "x" * 1_000_000), ["line 3", "Name", "at most 500 characters"]),
    "a row of 17 MB": (cell(2, Clean.Name, "x" * 17_000_000), ["a row of more than 8 MiB"]),
    "a row twice": (rows(lambda t: [*t, t[3]]), ["line 4", "PassengerId", "must be unique", "2 of"]),
    "every row twice": (rows(lambda t: [*t, *t[1:]]), ["must be unique", "and "]),
    "one id for all": (every(Clean.PassengerId, "1"), ["line 2:", "must be unique"]),
    "two faults in one row": (
        lambda c: cell(5, Clean.Sex, "x")(cell(5, Clean.Age, "y")(c)),
        ["1 of", "line 6: Sex is 'x': must be one of female, male; Age is 'y': must be a number"],
    ),
    "shifted by one column": (
        rows(lambda t: [t[0], *[[row[-1], *row[:-1]] for row in t[1:]]]),
        ["line 2: PassengerId is", "Sex is", "and "],
    ),
}


def value(row, column, expected):
    """The good rows hold this value in a row."""
    return lambda table: table[column].iloc[row - 1] == expected


def missing(row, column):
    return lambda table: pd.isna(table[column].iloc[row - 1])


VALID = {
    "as it is": (lambda c: c, None),
    "Windows line ends": (lambda c: c.replace(b"\n", b"\r\n"), None),
    "old Mac line ends": (lambda c: c.replace(b"\n", b"\r"), None),
    "mixed line ends": (line(5, lambda t: t + b"\r"), None),
    "a byte order mark": (lambda c: b"\xef\xbb\xbf" + c, value(1, Clean.PassengerId, 1)),
    "no line end at the end": (lambda c: raw_cell(-1, Clean.Embarked, b"S")(c).rstrip(b"\n"), None),
    "empty lines": (lambda c: b"\n" * 99 + c.replace(b"\n", b"\n\n", 7) + b"\n\n", None),
    "every cell quoted": (lambda c: render(parse(c), quoting=csv.QUOTE_ALL), None),
    "rows in another order": (rows(lambda t: [t[0], *t[:0:-1]]), None),
    "one class alone of a column": (every(Clean.Embarked, "S"), None),
    "a column without values": (every(Clean.Cabin, ""), missing(1, Clean.Cabin)),
    "an age of 0.42": (cell(3, Clean.Age, "0.42"), value(3, Clean.Age, 0.42)),
    "an age of .5": (cell(3, Clean.Age, ".5"), value(3, Clean.Age, 0.5)),
    "an age of 22.": (cell(3, Clean.Age, "22."), value(3, Clean.Age, 22.0)),
    "a fare of 1e1": (cell(3, Clean.Fare, "1e1"), value(3, Clean.Fare, 10.0)),
    "a fare of 0": (cell(3, Clean.Fare, "0"), value(3, Clean.Fare, 0.0)),
    "a quoted number": (raw_cell(3, Clean.Age, b'"22"'), value(3, Clean.Age, 22.0)),
    "a quoted empty cell": (raw_cell(3, Clean.Cabin, b'""'), missing(3, Clean.Cabin)),
    "a large id": (cell(3, Clean.PassengerId, "9" * 18), value(3, Clean.PassengerId, int("9" * 18))),
    **{
        f"the name {text!r}": (cell(3, Clean.Name, text), value(3, Clean.Name, text))
        for text in (
            *("NA", "null", "None", "nan", "N/A", "-", "0", "1e5", "True", " A, Mr. B ", "O'Brien, Mr. A"),
            *('A, Mr. B "Bob"', '"', "Öberg, Mr. Åke", "李, Mr. 明", "A,\u00a0Mr. B", "=1+1", "x" * 500, "e\u0301"),
        )
    },
    "a ticket with leading zeros": (cell(3, Clean.Ticket, "000123"), value(3, Clean.Ticket, "000123")),
    "a ticket like a number": (cell(3, Clean.Ticket, "1e10"), value(3, Clean.Ticket, "1e10")),
    "a cabin like a missing value": (cell(3, Clean.Cabin, "NULL"), value(3, Clean.Cabin, "NULL")),
}


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic")
    write_passengers(1912, 90, folder / "train.csv", folder / "test.csv")
    return folder / "train.csv"


@pytest.fixture(params=["synthetic", "genuine"])
def good(request):
    """The bytes of a good file with LF line ends and its shortest quotes."""
    if request.param == "genuine":
        content = (request.getfixturevalue("kaggle") / "train.csv").read_bytes().replace(b"\r\n", b"\n")
    else:
        content = request.getfixturevalue("synthetic").read_bytes()
    return render(parse(content))


@pytest.fixture
def write(tmp_path):
    def write(content):
        (tmp_path / "train.csv").write_bytes(content)
        return tmp_path / "train.csv"

    return write


def answer(path, tmp_path):
    """What a user is told of a file, or nothing where all of it is good."""
    return "\n".join(judge({"train": path}, tmp_path, RULES, task_of(LABELS)).problems)


def test_the_corpus_is_large():
    assert len(BROKEN) + len(VALID) >= 160


@pytest.mark.parametrize("variant", BROKEN)
def test_a_broken_file_is_reported(good, write, tmp_path, variant):
    mutate, named = BROKEN[variant]
    broken = mutate(good)
    assert broken != good

    message = answer(write(broken), tmp_path)

    assert message.startswith(str(tmp_path / "train.csv"))
    assert [text for text in named if text not in message] == [], message[:2000]
    assert len(message) < 10_000


@pytest.mark.parametrize("variant", VALID)
def test_a_valid_file_passes_with_its_values(good, write, tmp_path, variant):
    mutate, holds = VALID[variant]

    message = answer(write(mutate(good)), tmp_path)

    assert message == ""
    table = pd.read_parquet(tmp_path / "train.parquet")
    assert len(table) == len(parse(good)) - 1
    assert holds is None or holds(table)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda _: None, "is not there"),
        (lambda path: path.mkdir(), "is a folder"),
        (os.mkfifo, "is no regular file"),
        (lambda path: path.symlink_to("nowhere"), "is not there"),
        (lambda path: path.symlink_to("/dev/zero"), "is no regular file"),
    ],
)
def test_what_is_not_a_file_is_reported(tmp_path, make, problem):
    path = tmp_path / "train.csv"
    make(path)

    assert answer(path, tmp_path) == f"{path} {problem}; name a CSV file"


def test_a_good_file_may_have_another_name(good, tmp_path, write):
    shutil.copy(write(good), tmp_path / "train.csv.gz")

    assert answer(tmp_path / "train.csv.gz", tmp_path) == ""
