"""Traps: each file gives a column its right role, asks one question, or is refused with one sentence."""

import io
import random
import re
from datetime import datetime

import pytest
from rich.console import Console

from dvckit.core.errors import UserError
from dvckit.new.columns import examine, table
from dvckit.new.options import Options
from dvckit.tables.dialect import Dialect

ROWS = 60
LABELS = ["yes", "no", "no"] * (ROWS // 3)


def csv(separator=",", **columns):
    """Text of a file with these columns of 60 cells, with a target `y` of yes and no."""
    columns = {name: list(cells) for name, cells in columns.items()} | {"y": LABELS}
    return "\n".join([separator.join(columns), *map(separator.join, zip(*columns.values(), strict=True))]) + "\n"


def some(*cells):
    """60 cells that repeat these, shuffled, so that they tell nothing of the target."""
    many = (list(cells) * ROWS)[:ROWS]
    random.Random(7).shuffle(many)
    return many


def distinct(form="{}", *, start=1000):
    """60 cells that differ, in no order."""
    return [form.format(number) for number in random.Random(3).sample(range(start, start + 500), ROWS)]


@pytest.fixture
def examined(tmp_path):
    def examined(content, predict=None, *, target="y", **options):
        (tmp_path / "in.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
        if predict is not None:
            (tmp_path / "new.csv").write_text(predict)
        options = Options(target=target, **options)
        return examine(tmp_path / "in.csv", options, tmp_path / "new.csv" if predict is not None else None)

    return examined


def one(found, name="x"):
    return next(column for column in found.columns if column.name == name)


def asked(found, about):
    question, *others = found.questions
    assert not others
    assert question.about == about
    return question


# The type and the role of a column x, what its reason must hold, by its cells.
COLUMNS = {
    "whole numbers": (some("1", "2", "-3"), "whole number", "number", "only whole numbers"),
    "numbers": (some("1", "2.5", ".5", "1e5"), "number", "number", "only numbers"),
    "leading zeros late": ([*some("12", "34")[1:], "007"], "text", "category", "line 61 is '007', with a leading zero"),
    "a zip code": ([f"0{n}" for n in some("1234", "2345")], "text", "category", "with a leading zero"),
    "a leading zero of a decimal": (some("1.5", "2.5", "01.5"), "text", "category", "with a leading zero"),
    "a code late": ([*some("12", "34", "5")[1:], "A12"], "text", "category", "line 61 is 'A12'"),
    "exponents among codes": ([*some("1e5", "2e7")[1:], "3f9"], "text", "category", "line 61 is '3f9'"),
    "a sign +": (some("+5", "6"), "text", "category", "a number has digits, one sign"),
    "per cent": (some("5%", "6%"), "text", "category", "is '5%'; a number has digits"),
    "currency": (some("$5", "$6"), "text", "category", "a number has digits"),
    "blanks around some numbers": (some(" 5", "16", "7 "), "whole number", "number", "only whole numbers"),
    "blanks before texts": (some(" a", "b"), "text", "category", "2 values"),
    "pairs of numbers": (some('"12,34"', '"5,67"', '"1.5"'), "text", "category", "a number has digits"),
    "20 digits": (some("12345678901234567890", "12345678901234567891"), "text", "category", "more digits"),
    "beyond a float": (some("1e999", "1e3"), "text", "category", "is '1e999'"),
    "hexadecimal": (some("0x1F", "0x2A"), "text", "category", "2 values"),
    "ISO dates": (some("2020-01-31", "2021-12-01"), "date", "date", "as %Y-%m-%d"),
    "dates with times": (some("31.01.2020 12:30", "1.2.2020 09:00"), "date", "date", "as %d.%m.%Y %H:%M"),
    "American dates": (some("01/31/20", "2/1/20"), "date", "date", "as %m/%d/%y"),
    "ISO with zone": (some("2020-01-31T01:02:03.5Z", "2020-01-01T01:02:03.25Z"), "date", "date", "%H:%M:%S.%fZ"),
    "two date orders": (some("31/01/2020", "01/31/2020", "01/01/2020"), "text", "category", "two orders of day and"),
    "two date forms": (some("2020-01-31", "31.01.2020"), "text", "category", "no one form fits all dates"),
    "no such day": (
        some("2020-01-31", "2020-02-30", "2020-02-01"),
        "text",
        "category",
        "'2020-02-30', which is no date",
    ),
    "a constant": (["7"] * ROWS, "whole number", "ignore", "the same in every row"),
    "nothing": ([""] * ROWS, "text", "ignore", "empty in every row"),
    "a value or nothing": (some("a", ""), "text", "category", "1 value"),
    "a row counter": (map(str, range(ROWS)), "whole number", "id", "counts the rows"),
    "codes": (distinct("K{}"), "text", "ignore", "60 codes in 60 rows, nearly all different"),
    "sentences": (distinct("great place: came {} times"), "text", "text", "60 texts with words, hashed"),
    "few towns": (some("Rom", "Oslo", "Bonn"), "text", "category", "3 values"),
    "a marker among numbers": (some("1", "2.5", "NA"), "number", "number", "'NA' in 20 rows is missing"),
    "a marker among dates": (some("2020-01-31", "?"), "date", "date", "'?' in 30 rows is missing"),
    "a marker among texts": (some("NA", "EU", "SA"), "text", "category", "'NA' in 20 rows is a value; --missing 'NA'"),
}


@pytest.mark.parametrize(("cells", "kind", "role", "why"), COLUMNS.values(), ids=COLUMNS)
def test_a_column(examined, cells, kind, role, why):
    found = examined(csv(x=cells))

    assert (one(found).kind, one(found).role) == (kind, role)
    assert why in one(found).why
    assert found.questions == ()


def test_names_keep_what_they_are_in_the_file(examined):
    found = examined(csv(**{"größe (cm)": some("1.5", "2"), "class": some("1", "2"), "Größe": some("3", "4")}))

    assert [(c.name, c.field, c.unit) for c in found.columns][:3] == [
        ("größe (cm)", "groesse", "cm"),
        ("class", "class_", ""),
        ("Größe", "Groesse", ""),
    ]


def test_a_second_equal_column_is_ignored(examined):
    cells = some("1.5", "2", "")

    found = examined(csv(a=cells, b=cells))

    assert one(found, "a").role == "number"
    assert (one(found, "b").role, one(found, "b").why) == ("ignore", "equal to a in every row")


def test_an_id_like_name_makes_an_id_of_what_differs_in_every_row(examined):
    found = examined(csv(CustomerId=distinct(), uuid=distinct("K{}")))

    assert one(found, "CustomerId").role == "id"
    assert (one(found, "uuid").role, one(found, "uuid").why) == ("ignore", "different in every row, as CustomerId")


def test_whole_numbers_that_differ_in_every_row_are_asked_about(examined):
    question = asked(examined(csv(x=distinct())), "x")

    assert [choice.flag for choice in question.choices] == ["--id x", "--role x=number", "--role x=ignore"]
    settled = examined(csv(x=distinct()), roles={"x": "number"})
    assert (one(settled).role, settled.questions) == ("number", ())


def test_an_open_order_of_day_and_month_is_asked_about(examined):
    content = csv(when=some("01/02/2020", "03/04/2020"))

    question = asked(examined(content), "when")

    assert [choice.flag for choice in question.choices] == ["--day-first when", "--month-first when"]
    for choice, month in zip(question.choices, (2, 1), strict=True):
        settled = examined(content, **choice.changes)
        assert settled.questions == ()
        assert one(settled, "when").found.minimum == datetime(2020, month, 3 - month)  # noqa: DTZ001


@pytest.mark.parametrize("name", ["patient_id", "patientid", "Ticket No", "shop"])
def test_repeated_entities_are_asked_about(examined, name):
    cells = distinct("K{}")[:30] * 2 if name != "shop" else []
    content = csv(**{name: cells}) if cells else _with_shops()

    found = examined(content)

    assert [choice.flag.split()[0] for choice in asked(found, name).choices] == ["--group", "--role", "--role"]
    assert found.groups == [name]
    settled = examined(content, roles={name: "group"})
    assert (one(settled, name).role, settled.questions) == ("group", ())


def test_entities_that_are_missing_in_some_rows_cannot_be_a_group_yet(examined):
    question = asked(examined(csv(user_id=["", *distinct("K{}")[:29], *distinct("K{}")[:30]])), "user_id")

    assert "fill in the 1 rows" in question.why
    assert [choice.flag for choice in question.choices] == ["--role user_id=category", "--role user_id=ignore"]


def _with_shops():
    rows = [f"S{number % 80},{'yes' if number % 3 else 'no'}" for number in range(240)]
    return "\n".join(["shop,y", *rows]) + "\n"


def test_an_id_that_repeats_and_is_a_number_is_no_number_in_silence(examined):
    found = examined(csv(customerid=distinct()[:20] * 3))

    assert [choice.flag for choice in asked(found, "customerid").choices] == [
        "--group customerid",
        "--role customerid=category",
        "--role customerid=number",
        "--role customerid=ignore",
    ]


@pytest.mark.parametrize(
    "cells",
    [
        [f"{1 if label == 'yes' else 0}" for label in LABELS],
        [f"{number + 0.5 + 1000 * (label == 'yes')}" for number, label in enumerate(LABELS)],
        [{"yes": "cured", "no": "dead"}[label] for label in LABELS],
        [f"2021-03-{number % 28 + 1:02}" if label == "yes" else "" for number, label in enumerate(LABELS)],
    ],
    ids=["flag", "number", "text", "date"],
)
def test_a_column_that_tells_the_target_is_asked_about(examined, cells):
    question = asked(examined(csv(x=cells)), "x")

    assert "it alone tells y" in question.why
    assert [choice.flag for choice in question.choices] == ["--keep x", "--role x=ignore"]
    assert examined(csv(x=cells), keep=("x",)).questions == ()
    assert one(examined(csv(x=cells), roles={"x": "ignore"})).role == "ignore"


def test_a_column_that_tells_a_value_is_asked_about(examined):
    draw = random.Random(1)
    rows = sorted((draw.random() * 9, draw.random()) for _ in range(200))  # sorted by the target
    content = "\n".join(["f,noise,flag,y", *(f"{y * 1.8 + 32},{other},{int(other > 0.5)},{y}" for y, other in rows)])

    assert asked(examined(content + "\n"), "f").choices[0].flag == "--keep f"


# The task of a target by its cells: what it is and its labels.
TARGETS = {
    "two texts": (some("b", "a"), {}, "binary", ("a", "b")),
    "zero and one": (some("0", "1"), {}, "binary", (0, 1)),
    "zero and one with a point": (some("0.0", "1.0"), {}, "binary", ("0.0", "1.0")),
    "another positive label": (some("b", "a"), {"positive": "a"}, "binary", ("b", "a")),
    "three texts": (some("b", "a", "c"), {}, "multiclass", ("a", "b", "c")),
    "few whole numbers": (some("3", "10", "7"), {}, "multiclass", (3, 7, 10)),
    "few whole numbers as values": (some("3", "10", "7"), {"task": "regression"}, "regression", ()),
    "many whole numbers": ([str(n // 2) for n in range(60)], {}, "regression", ()),
    "numbers": (some("1.5", "2.5", "3.5"), {}, "regression", ()),
    "numbers as classes": (some("1.5", "2.5", "3.5"), {"task": "multiclass"}, "multiclass", ("1.5", "2.5", "3.5")),
}


@pytest.mark.parametrize(("cells", "options", "task", "labels"), TARGETS.values(), ids=TARGETS)
def test_a_task(examined, cells, options, task, labels):
    found = examined(csv(x=some("1.5", "2"), t=cells), target="t", **options)

    assert (found.task, found.labels) == (task, labels)
    assert one(found, "t").found.values == labels


def test_the_target_is_known_by_its_position(examined):
    assert one(examined(csv(x=some("1.5", "2")), target="2"), "y").role == "target"


def test_rows_without_a_label_are_asked_about(examined):
    content = csv(x=some("1.5", "2", "3"), t=["", "", *some("yes", "no")[2:]])

    question = asked(examined(content, target="t"), "t")

    assert question.why == "the target is missing in 2 rows: 1, 2"
    assert examined(content, target="t", reject_unlabelled=True).unlabelled == 2


def test_a_file_without_a_target_asks_for_it(examined):
    question = asked(examined(csv(x=some("1.5", "2")), target=None), "target")

    assert [choice.flag for choice in question.choices] == ["--target 1", "--target 2"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_the_one_that_makes_every_row_equal(examined, separator):
    found = examined(csv(separator, x=some("1.5", "2"), z=some("a", "b")))

    assert found.dialect == Dialect(separator)
    assert len(found.columns) == 3


def test_decimal_commas_hold_in_the_whole_file(examined):
    found = examined(csv(";", x=some("1,5", "2"), z=some("1.234", "5,5", "3"), w=some("1.5", "2,5")))

    assert found.dialect == Dialect(";", ",", thousands=True)
    assert (one(found).kind, one(found).found.maximum) == ("number", 2)
    assert (one(found, "z").kind, one(found, "z").found.maximum) == ("number", 1234)
    assert one(found, "w").kind == "text"
    assert found.numbers == {"x", "z"}


def test_a_comma_that_may_be_of_thousands_is_asked_about(examined):
    content = csv(";", x=some("1,234", "2,345"))

    assert [choice.flag for choice in asked(examined(content), "decimal").choices] == ["--decimal .", "--decimal ,"]
    assert one(examined(content, decimal=",")).found.maximum == 2.345
    thousands = one(examined(content, decimal="."))
    assert (thousands.found.maximum, thousands.why) == (2345, "only whole numbers, thousands have a ','")


@pytest.mark.parametrize("other", ["1.5", "1,234,567", "1,234.5"])
def test_thousands_are_no_decimals_where_others_show_it(examined, other):
    found = examined(csv(";", x=some("1,234", "999"), z=some(other, "2")))

    assert found.dialect == Dialect(";", thousands=True)
    assert (one(found).kind, one(found).found.maximum) == ("whole number", 1234)


def test_points_twice_in_a_number_show_that_decimals_have_a_comma(examined):
    assert one(examined(csv(";", x=some("1.234.567", "8")))).found.maximum == 1234567


def test_numbers_with_thousands_are_no_ids(examined):
    found = examined(csv(";", x=[f"{int(cell):,}" for cell in distinct()], z=some("1.5", "2")))

    assert (one(found).role, found.questions) == ("number", ())


def test_labels_with_thousands_are_numbers(examined):
    found = examined(csv(";", x=some("1.5", "2"), t=some("1,000", "2,000", "500")), target="t")

    assert found.labels == (500, 1000, 2000)


def test_blanks_around_names_and_cells_are_no_part_of_them(examined):
    content = csv(x=some("1", "2"), z=some("a", "?", "")).replace(",", ", ")

    found = examined(content, "x,z\n 3,b \n")

    assert found.header == ["x", "z", "y"]
    assert found.dialect.trimmed
    assert one(found, "z").found.values == ("?", "a", "b")
    assert one(found, "z").found.missing == ROWS / 3


@pytest.mark.parametrize(
    "unseen", ["\u00a0", "\u200b", "\ufeff\u2060", "\u3000 ", "\u00ad", "\u180e", "\u2800", "\u3164"]
)
def test_cells_of_which_nothing_can_be_seen_are_missing(examined, unseen):
    found = examined(csv(x=some("1", "2", unseen), z=some("a", unseen, "b")))

    assert found.dialect.missing == (unseen,)
    assert one(found).kind == "whole number"
    assert one(found, "z").found.values == ("a", "b")
    assert one(found, "z").found.missing == ROWS / 3


def test_points_that_may_be_of_thousands_are_asked_about(examined):
    assert asked(examined(csv(";", x=some("1.234", "2.345", "999"))), "decimal")


def test_a_file_with_both_decimal_signs_is_asked_about(examined):
    assert asked(examined(csv(";", x=some("1,5", "2"), z=some("1.5", "2"))), "decimal").why == (
        "there are numbers in z with a point and in x with a comma"
    )


def test_a_byte_order_mark_is_no_part_of_a_name(examined):
    assert examined(b"\xef\xbb\xbf" + csv(x=some("1.5", "2")).encode()).header == ["x", "y"]


def test_another_encoding_is_told_with_its_offset(examined):
    content = csv(x=some("käse", "brot")).encode("latin-1")
    at = content.index(b"\xe4")

    with pytest.raises(
        UserError, match=rf"0xe4, which is not UTF-8 \(byte {at}\); .*, or name its .* --encoding latin-1"
    ):
        examined(content)
    assert one(examined(content, encoding="latin-1")).found.values == ("brot", "käse")


def test_line_breaks_in_quotes_are_in_a_cell(examined):
    found = examined(csv(x=some('"a\nb"', "c")))

    assert found.rows == ROWS
    assert one(found).found.values == ("a\nb", "c")


def test_a_file_without_a_header_is_asked_about(examined):
    content = csv(x=some("1.5", "2")).split("\n", 1)[1]

    assert [choice.flag for choice in asked(examined(content), "header").choices] == ["--header", "--no-header"]
    found = examined(content, header=False, target="2")
    assert ([column.name for column in found.columns], found.rows, found.header) == (
        ["column_1", "column_2"],
        ROWS,
        None,
    )


def test_a_header_of_values_in_a_file_of_text_is_asked_about(examined):
    assert "'yes' is also a value" in asked(examined(csv(x=some("a", "b")).split("\n", 1)[1]), "header").why


@pytest.mark.parametrize(("header", "why"), [("x,,y", "columns 2 have no name"), ("x,x,y", "'x' is there twice")])
def test_names_that_are_empty_or_there_twice_are_asked_about(examined, header, why):
    content = csv(x=some("1.5", "2"), z=some("1", "2")).replace("x,z,y", header, 1)

    assert asked(examined(content), "header").why == why
    assert examined(content, header=True).columns[1].name in {"column_2", "x_2"}


def test_the_row_numbers_of_a_table_need_no_name(examined):
    found = examined(csv(x=map(str, range(ROWS)), z=some("1", "2")).replace("x,z,y", ",z,y", 1))

    assert (found.columns[0].name, found.columns[0].role) == ("column_1", "id")


def test_missing_markers_hold_in_the_whole_file(examined):
    found = examined(csv(x=some("1", "NA"), z=some("NA", "EU")))

    assert found.dialect.missing == ("NA",)
    assert one(found, "z").found.values == ("EU",)
    assert "'NA' in 30 rows is missing, as in x" in one(found, "z").why
    kept = examined(csv(x=some("1", "NA"), z=some("NA", "EU")), missing=())
    assert (one(kept).kind, one(kept, "z").found.values) == ("text", ("EU", "NA"))


def test_a_marker_among_labels_is_asked_about(examined):
    content = csv(x=some("1", "?"), t=some("NA", "EU", "SA"))

    question = asked(examined(content, target="t"), "t")

    assert question.text == "Does 'NA' stand for a missing t, or is it a label?"
    label, missing = question.choices
    assert (label.flag, missing.flag) == ("--missing '?'", "--missing '?' --missing NA")
    assert examined(content, target="t", **label.changes).labels == ("EU", "NA", "SA")
    assert examined(content, target="t", **missing.changes, reject_unlabelled=True).unlabelled == ROWS / 3


def test_that_no_text_stands_for_a_missing_value_can_be_said(examined):
    content = csv(x=some("1", "2"), t=some("None", "mild", "severe"))

    label = asked(examined(content, target="t"), "t").choices[0]

    assert label.flag == "--missing ''"
    assert examined(content, target="t", missing=("",)).labels == ("None", "mild", "severe")
    assert examined(content, target="t", **label.changes).dialect.missing == ()


def test_rows_to_predict_are_examined_as_well(examined):
    found = examined(csv(x=some("1", "2"), z=some("a", "b")), "x,z\n1.5,c\n,\n")

    assert (found.rows, found.predict_rows) == (ROWS, 2)
    assert (one(found).kind, one(found).found.missing, one(found).found.missing_to_predict) == ("number", 0, 1)
    assert one(found, "z").found.values == ("a", "b", "c")


@pytest.mark.parametrize(
    ("predict", "message"),
    [
        ("x,w\n1,2\n", "missing: 'z'; unknown: 'w'"),
        ("z,x\na,1\n", "the order is another"),
        ("x,z,y\n1,a,yes\n", "has the column y, which is to be predicted; save it without that column"),
        ("x,z,y\n1,a,\n", "has the column y, which is to be predicted; save it without that column"),
        ("x;z\n1;a\n", "the cells are not separated by ','"),
        ("x,z\n1,a\n?!,b\n", r"x: line 3 of new.csv is '\?!'; in the other file all cells are numbers"),
        ("x,z\n1,a,b\n", "line 2 has 3 cells"),
        ("x,z\n", "has a header and no rows"),
    ],
)
def test_other_rows_to_predict_are_refused(examined, predict, message):
    with pytest.raises(UserError, match=message):
        examined(csv(x=some("1", "2"), z=some("a", "b")), predict)


def few_labels():
    """120 rows, of which 39 have a target `t`."""
    return "x,t\n" + "".join(f"{n},{'ab'[n % 2] if n < 39 else ''}\n" for n in range(2 * ROWS))


NUMBERS = csv(x=some("1.5", "2"), z=some("a", "b", ""))
# What is wrong with a file or an answer, and the sentence.
REFUSED = {
    "few labels": (few_labels(), {"target": "t"}, "81 of 120 rows have no t"),
    "too large": (
        csv(x=some("1e300", "2")),
        {},
        "x: line .* is '1e300'; models take numbers up to 1e.38: divide it, or",
    ),
    "a target too large": (csv(t=some("-1e300", "2", "3.5")), {"target": "t"}, "t: line .* is '-1e300'; models take"),
    "no such target": (NUMBERS, {"target": "yy"}, "--target: there is no column 'yy'; did you mean 'y'"),
    "no such position": (NUMBERS, {"target": "9"}, "--target: there is no column '9'; there are 'x', 'z', 'y'"),
    "one value": (csv(t=["a"] * ROWS), {"target": "t"}, "'a' in every row; there is nothing to learn"),
    "no value": (csv(t=[""] * ROWS, u=[""] * ROWS), {"target": "t"}, "the target t is empty in every row"),
    "a value a row": (csv(t=distinct("K{}")), {"target": "t"}, "texts that differ in every row"),
    "a row counter": (csv(t=map(str, range(ROWS))), {"target": "t"}, "row numbers that differ in every row"),
    "dates": (csv(t=some("2020-01-01", "2020-01-02", "2020-01-03")), {"target": "t"}, "no task predicts dates"),
    "three rows": ("x,y\n1,a\n2,b\n3,a\n", {}, "there are 3 rows with a y; a model and an honest score need"),
    "a rare class": (csv(t=[*some("a", "b")[1:], "c"]), {"target": "t"}, "the class 'c' of t has 1 row; 5 folds and"),
    "a rare number": (csv(t=[*some("1", "2")[1:], "3"]), {"target": "t"}, "with --task regression"),
    "a task that is none": (NUMBERS, {"task": "clustering"}, "--task is one of binary, multiclass, regression"),
    "values of text": (NUMBERS, {"task": "regression"}, "--task regression needs numbers; y is text, as in line 2"),
    "two of three": (csv(t=some("a", "b", "c")), {"target": "t", "task": "binary"}, "t, which has 3 values"),
    "many of two": (NUMBERS, {"task": "multiclass"}, "--task multiclass does not fit the target y, which has 2"),
    "a positive label that is none": (NUMBERS, {"positive": "maybe"}, "y has no value 'maybe'; it has no and yes"),
    "a positive label of three": (csv(t=some("a", "b", "c")), {"target": "t", "positive": "a"}, "one of two labels"),
    "an id that repeats": (NUMBERS, {"roles": {"x": "id"}}, "--id x: lines 2 and .* are both .*--group x"),
    "an id that is missing": (NUMBERS, {"roles": {"z": "id"}}, "--id z: it is missing in 20 rows, such as on line"),
    "two ids": (NUMBERS, {"roles": {"x": "id", "z": "id"}}, "one column with the role id; there are x and z"),
    "text as a number": (NUMBERS, {"roles": {"z": "number"}}, "z cannot have the role number: not every cell is a"),
    "a role that is none": (NUMBERS, {"roles": {"z": "feature"}}, "there are the roles id, number, category"),
    "a role of the target": (NUMBERS, {"roles": {"y": "id"}}, "y is the target"),
    "a role of nothing": (NUMBERS, {"roles": {"w": "id"}}, "--role: there is no column 'w'"),
    "an order of no dates": (NUMBERS, {"day_first": ("x",)}, "--day-first x: not every cell is such a date"),
    "no file of text": (b"PK\x03\x04zip", {}, "a zip archive or an Excel workbook"),
    "one column": ("y\na\nb\n", {}, "has one column with , ; tab or | between cells; give another with --separator"),
    "another separator": (NUMBERS, {"separator": ";"}, "has one column with the separator ';'"),
    "a separator of two": (NUMBERS, {"separator": "::"}, "--separator must be one sign"),
    "an encoding that is none": (NUMBERS, {"encoding": "klingon"}, "there is no encoding 'klingon'"),
    "UTF-16": ("x,y\n1,a\n".encode("utf-16"), {}, "UTF-16 text; save it as UTF-8"),
    "a decimal sign that is none": (NUMBERS, {"decimal": "'"}, "--decimal must be a point or a comma"),
    "a ragged row": (NUMBERS + "1,2\n", {}, "line 62 has 2 cells, the first line has 3"),
    "an open quote": (NUMBERS + '"1,a,yes\n', {}, "line 62 opens a quote that is never closed"),
    "a header alone": ("x,y\n", {}, "has a header and no rows"),
}


@pytest.mark.parametrize(("content", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_used_is_refused_with_a_sentence(examined, content, options, message):
    with pytest.raises(UserError, match=message) as error:
        examined(content, **options)

    assert "\n" not in str(error.value)


def test_five_hundred_columns(examined):
    found = examined(
        csv(**{f"x{place}": [f"{number * place % 61}.5" for number in range(ROWS)] for place in range(1, 501)})
    )

    assert len({column.field for column in found.columns}) == 501


def test_the_table_fits_a_terminal(examined):
    console = Console(width=80, record=True, file=io.StringIO())
    table(examined(csv(a_long_name=some("1.5", "NA"), z=[*some("12", "3")[1:], "A12"]))).print(console)

    text = console.export_text()
    assert re.search(r"^a_long_name +number +number +30 1.5 to 1.5 +only numbers", text, re.MULTILINE)
    assert "line 61 is 'A12'" in " ".join(text.split())


@pytest.mark.parametrize(
    ("name", "task", "ignored"),
    [
        ("iris", "multiclass", set()),
        ("wine", "multiclass", set()),
        ("breast_cancer", "binary", set()),
        ("digits", "multiclass", {"pixel_0_0", "pixel_4_0", "pixel_4_7"}),
        ("diabetes", "regression", set()),
    ],
)
def test_the_datasets_of_scikit_learn(tmp_path, name, task, ignored):
    import sklearn.datasets

    frame = getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame
    frame.to_csv(tmp_path / "in.csv", index=False)

    found = examine(tmp_path / "in.csv", Options(target="target"))

    assert (found.task, found.questions, found.rows) == (task, (), len(frame))
    assert {column.role for column in found.columns} == {"number", "target"} | ({"ignore"} if ignored else set())
    assert {column.name for column in found.columns if column.role == "ignore"} == ignored


def test_the_genuine_files_of_a_competition_need_no_flags(kaggle):
    found = examine(kaggle / "train.csv", Options(target="Survived"), kaggle / "test.csv")

    assert (found.task, found.labels, found.questions, found.predict_rows) == ("binary", (0, 1), (), 418)
    roles = {role: [column.name for column in found.of_role(role)] for role in ("id", "category", "text", "ignore")}
    assert roles == {
        "id": ["PassengerId"],
        "category": ["Sex", "Embarked"],
        "text": ["Name"],
        "ignore": ["Ticket", "Cabin"],
    }
    assert one(found, "Fare").found.missing_to_predict == 1


def test_it_imports_no_scikit_learn():
    import subprocess
    import sys

    code = "import sys, dvckit.new.columns; print([name for name in sys.modules if name.startswith('sklearn')])"

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_dates_are_a_time_where_a_person_says_so(examined):
    found = examined(csv(x=some("1.5", "2"), t=some("2020-01-31", "2020-02-01")), roles={"t": "time"})

    assert (one(found, "t").role, one(found, "t").kind) == ("time", "date")


def test_an_answered_question_is_not_asked_again(examined):
    options = Options(target="y", roles={"z": "ignore"}, keep=("z",))

    for choice in asked(examined(csv(x=distinct(), z=some("1", "2"))), "x").choices[:1]:
        options = options.answered(choice)

    assert options == Options(target="y", roles={"z": "ignore", "x": "id"}, keep=("z",))
