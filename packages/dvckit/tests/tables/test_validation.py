import csv
import shutil
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvckit.core.errors import UserError
from dvckit.core.files import write_table
from dvckit.tables import reading
from dvckit.tables.rows import check, check_source, type_cells
from dvckit.tables.schema import Dialect
from dvckit.tables.sources import folder as local
from dvckit.tables.validation import judge as judge_tables
from dvckit.tables.validation import refusal, rejected_rows
from dvckit.tasks import task_of
from titanic.schema import LABELS, RULES, Clean

HEADER = "PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked"
BRAUND = '1,0,3,"Braund, Mr. Owen Harris",male,22,1,0,A/5 21171,7.25,,S'
CUMINGS = '2,1,1,"Cumings, Mrs. John ""Flo"" Bradley",female,38,1,0,PC 17599,71.2833,C85,C'


@pytest.fixture
def write(tmp_path):
    def write(*lines, end="\n", encoding="utf-8"):
        path = tmp_path / "train.csv"
        path.write_bytes((end.join(lines) + end).encode(encoding))
        return path

    return write


@pytest.fixture
def judge(write, tmp_path):
    """Check the lines of a file; return the good rows and what became of the others."""

    def judge(*lines, **form):
        checked = check(write(*lines, **form), tmp_path / "clean.parquet", RULES.schema, RULES.fields("train"))
        return pd.read_parquet(tmp_path / "clean.parquet"), checked

    return judge


def test_clean_rows_pass_with_their_types(judge):
    clean, checked = judge(HEADER, BRAUND, CUMINGS)

    assert checked.rejected == {}
    assert checked.rows == 2
    assert clean[Clean.Age].tolist() == [22.0, 38.0]
    assert clean[Clean.Name][1] == 'Cumings, Mrs. John "Flo" Bradley'
    assert clean[Clean.Cabin].isna().tolist() == [True, False]
    assert [str(clean[name].dtype) for name in (Clean.Pclass, Clean.Age, Clean.Cabin)] == ["int64", "float64", "str"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("male,22", "Male,22", "Sex is 'Male': must be one of female, male"),
        ("male,22", "male,-3", "Age is '-3': must be at least 0"),
        ("male,22", "male,NA", "Age is 'NA': must be a number"),
        ("1,0,3,", "1,,3,", "Survived is missing"),
        ("A/5 21171", "", "Ticket is missing"),
    ],
)
def test_a_bad_cell_is_reported_once_with_line_and_rule(judge, old, new, sentence):
    _, checked = judge(HEADER, CUMINGS, BRAUND.replace(old, new))

    assert checked.rejected == {3: [sentence]}
    first, second = refusal(checked, 0, "; the cure").splitlines()
    assert first == f"{checked.path}: 1 of 2 rows is bad; fix them; the cure"
    assert second == f"  line 3: {sentence}"


def test_all_faults_of_a_row_are_reported_at_once_in_column_order(judge):
    _, checked = judge(HEADER, BRAUND.replace("male,22", "man,x"), CUMINGS.replace(",C85,C", ",C85,Z"))

    assert checked.rejected == {
        2: ["Sex is 'man': must be one of female, male", "Age is 'x': must be a number"],
        3: ["Embarked is 'Z': must be one of C, Q, S"],
    }


def test_a_repeated_key_is_reported_for_both_rows(judge):
    clean, checked = judge(HEADER, BRAUND, CUMINGS, BRAUND)

    assert checked.rejected == {line: ["PassengerId is '1': must be unique"] for line in (2, 4)}
    assert clean[Clean.PassengerId].tolist() == [2]


def test_a_key_in_two_batches_is_reported_for_both_rows(judge, monkeypatch):
    monkeypatch.setattr(reading, "BLOCK", 120)
    rows = [BRAUND.replace("1,0,3", f"{key},0,3") for key in (5, 6, 7, 8, 5)]

    _, checked = judge(HEADER, *rows)

    assert checked.rejected == {line: ["PassengerId is '5': must be unique"] for line in (2, 6)}


def test_lines_are_those_of_an_editor(judge):
    bad = BRAUND.replace("male,22", "boy,22")
    tall = CUMINGS.replace("Mrs. John", "Mrs.\n\nJohn").replace("2,1,1", "7,1,1")

    _, checked = judge("", HEADER, "", tall, bad, "", bad.replace("1,0,3", "5,0,3"), end="\r\n")

    assert list(checked.rejected) == [4, 7, 9]
    assert [row.split(",")[0] for row in rejected_rows(checked)["content"]] == ["7", "1", "5"]


def test_lines_of_a_dialect_are_those_of_its_own_file(tmp_path):
    rules = replace(RULES, dialect=Dialect(";", header=False, encoding="latin-1"))
    good = BRAUND.replace("Braund, ", "Br\u00fcnd, ").replace(",", ";")
    path = tmp_path / "mine.csv"
    path.write_bytes("\r\n".join([good, "", good.replace("1;0;3", "2;0;9")]).encode("latin-1"))

    checked = check_source(path, tmp_path / "clean.parquet", rules, "train")

    assert (checked.path, list(checked.rejected)) == (path, [3])


CAUSES = {
    "a wrong header above an end that may be cut": (
        [HEADER.replace("Sex", "Gender"), BRAUND[:-1].rstrip("S")],
        "the header is wrong (missing: 'Sex'; unknown: 'Gender')",
    ),
    "a wrong header above a byte that is no text": (
        [HEADER.replace("Fare", "Price"), BRAUND.replace("Braund", "Br\u00fcnd")],
        "the header is wrong (missing: 'Fare'; unknown: 'Price')",
    ),
    "names in another case": (
        [HEADER.replace("Survived", "survived").replace("Sex", "SEX "), BRAUND],
        "the header has 'survived' for 'Survived', 'SEX ' for 'Sex'; rename the columns",
    ),
    "no label": ([HEADER, BRAUND.replace("1,0,3", "1,,3")], "Survived is missing in every row; fill it in, or remove"),
    "the first line of Excel": (["sep=,", HEADER, BRAUND], "is a table below a line `sep=` of Excel; delete that line"),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_the_cause_is_reported_alone(write, tmp_path, cause):
    lines, sentence = CAUSES[cause]
    path = write(*lines, encoding="latin-1")
    path.write_bytes(path.read_bytes().rstrip(b"\n"))

    (problem,) = judge_tables({"train": path}, tmp_path, RULES, task_of(LABELS)).problems

    assert sentence in problem
    assert "cut off" not in problem


def test_one_label_left_by_bad_rows_is_not_reported_beside_them(write, tmp_path):
    path = write(HEADER, BRAUND, CUMINGS.replace("female", "woman"))

    (problem,) = judge_tables({"train": path}, tmp_path, RULES, task_of(LABELS)).problems

    assert "1 of 2 rows is bad" in problem


def test_numbers_in_several_forms_are_the_cause_of_bad_rows(write, tmp_path):
    rows = [BRAUND.replace("1,0,3", f"{key},{key % 2},3") for key in range(1, 9)]
    path = write(HEADER, *rows[1:], rows[0].replace("7.25", "5.123.292"))

    cause, bad = judge_tables({"train": path}, tmp_path, RULES, task_of(LABELS)).problems
    accepted = judge_tables({"train": path}, tmp_path, RULES, task_of(LABELS), 0.5)

    assert cause.startswith(f"{path}: Fare is written in several forms, such as '5.123.292' (1 cell); if a spreadsheet")
    assert "1 of 8 rows is bad" in bad
    assert accepted.problems == []
    assert len(accepted.report["checks"]["mixed_scale"]["found"]) == 1


def test_a_long_report_is_cut(judge):
    _, checked = judge(HEADER, *[BRAUND.replace("1,0,3", f"{key},0,9") for key in range(1, 31)])

    assert len(checked.rejected) == 30
    assert refusal(checked, 0).endswith("\n  and 10 more")


def test_a_long_value_is_cut(judge):
    _, checked = judge(HEADER, BRAUND.replace("Braund", "B" * 600))

    assert len(checked.rejected[2][0]) < 150


@pytest.mark.parametrize("block", [1 << 20, 130])
def test_ragged_rows_have_their_lines_and_shift_no_other(judge, monkeypatch, block):
    monkeypatch.setattr(reading, "BLOCK", block)
    rows = [BRAUND.replace("1,0,3", f"{key},0,3") for key in range(1, 8)]
    rows[1] += ",1"
    rows[2] = rows[2].replace("male", "boy")
    rows[4] = "5,0"
    rows[6] = rows[6].replace("male", "boy")

    clean, checked = judge(HEADER, *rows)

    kinds = {line: reasons[0].split(":")[0] for line, reasons in checked.rejected.items()}
    assert kinds == {
        3: "has 13 cells, the header has 12",
        4: "Sex is 'boy'",
        6: "has 2 cells, the header has 12",
        8: "Sex is 'boy'",
    }
    assert list(kinds) == [3, 4, 6, 8]
    assert clean[Clean.PassengerId].tolist() == [1, 4, 6]


def test_bad_rows_up_to_the_share_are_accepted_and_stored_unchanged(judge, tmp_path):
    bad = CUMINGS.replace("female,38", "lady,old")

    clean, checked = judge("", HEADER, "", BRAUND, bad, "5,0,3", end="\r\n")

    assert refusal(checked, 0.66) != ""
    assert refusal(checked, 0.67) == ""
    assert clean[Clean.PassengerId].tolist() == [1]
    write_table(tmp_path / "rejected.csv", rejected_rows(checked))
    assert list(csv.reader((tmp_path / "rejected.csv").read_text().splitlines())) == [
        ["file", "line", "reasons", "content"],
        ["train.csv", "5", "Sex is 'lady': must be one of female, male; Age is 'old': must be a number", bad],
        ["train.csv", "6", "has 3 cells, the header has 12", "5,0,3"],
    ]


def test_nothing_rejected_leaves_a_header(judge, tmp_path):
    _, checked = judge(HEADER, BRAUND)

    write_table(tmp_path / "rejected.csv", rejected_rows(checked))
    assert (tmp_path / "rejected.csv").read_bytes() == b"file,line,reasons,content\n"


def test_batches_give_the_same_as_the_whole(judge, monkeypatch):
    rows = [BRAUND.replace("1,0,3", f"{key},0,3") for key in range(1, 60)]
    whole, _ = judge(HEADER, *rows)

    monkeypatch.setattr(reading, "BLOCK", 200)
    batched, _ = judge(HEADER, *rows)

    pd.testing.assert_frame_equal(whole, batched)


def test_the_input_is_not_changed():
    text = pa.record_batch({Clean.Age: pa.array(["1", "x", None])})

    typed, faults = type_cells(text, RULES.schema)

    assert text[Clean.Age].to_pylist() == ["1", "x", None]
    assert typed[Clean.Age].to_pylist() == [1.0, None, None]
    assert faults == [(1, Clean.Age, "must be a number")]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.fixed_dictionaries({name: st.text() for name in (Clean.Name, Clean.Ticket, Clean.Cabin)}), min_size=1)
)
def test_any_text_survives_unchanged_or_is_rejected_by_name(tmp_path_factory, people):
    folder = tmp_path_factory.mktemp("text")
    with (folder / "train.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, RULES.fields("train"), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        good = dict(zip(RULES.fields("train"), next(csv.reader([BRAUND])), strict=True))
        writer.writerows(good | person | {Clean.PassengerId: key} for key, person in enumerate(people, start=1))

    shutil.copy(folder / "train.csv", folder / "test.csv")
    (folder / "raw").mkdir()

    local.copy(str(folder), RULES, folder / "raw", 1)
    try:
        checked = check(folder / "raw/train.csv", folder / "clean.parquet", RULES.schema, RULES.fields("train"))
    except UserError as error:
        assert "NUL" in str(error)  # noqa: PT017 - the one character that refuses the file
        assert any("\0" in text for person in people for text in person.values())
        return

    table = pd.read_parquet(folder / "clean.parquet").set_index(Clean.PassengerId)
    assert all(reason.split()[0] in people[0] for reasons in checked.rejected.values() for reason in reasons)
    assert len(table) == len(people) - len(checked.rejected)
    for key, person in enumerate(people, start=1):
        if key in table.index:
            assert person == table.loc[key, list(person)].fillna("").to_dict()


def test_the_genuine_files_pass(kaggle, tmp_path):
    train = check(kaggle / "train.csv", tmp_path / "train.parquet", RULES.schema, RULES.fields("train"))
    test = check(kaggle / "test.csv", tmp_path / "test.parquet", RULES.schema, RULES.fields("test"))

    assert (train.accepted, len(train.rejected), test.accepted, len(test.rejected)) == (891, 0, 418, 0)
    assert int(pd.read_parquet(tmp_path / "train.parquet")[Clean.Age].isna().sum()) == 177
    assert int(pd.read_parquet(tmp_path / "test.parquet")[Clean.Fare].isna().sum()) == 1
