import csv
import shutil

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvckit.core.errors import UserError
from dvckit.core.files import write_table
from dvckit.tables import reading
from dvckit.tables.sources import folder as local
from dvckit.tables.validation import check, refusal, rejected_rows, type_cells
from titanic.schema import RULES, Clean

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
def test_a_bad_cell_is_reported_once_with_row_and_rule(judge, old, new, sentence):
    _, checked = judge(HEADER, CUMINGS, BRAUND.replace(old, new))

    assert checked.rejected == {2: [sentence]}
    first, second = refusal(checked, 0, "; the cure").splitlines()
    assert first == f"{checked.path}: 1 of 2 rows is bad; fix them; the cure"
    assert second == f"  row 2: {sentence}"


def test_all_faults_of_a_row_are_reported_at_once_in_column_order(judge):
    _, checked = judge(HEADER, BRAUND.replace("male,22", "man,x"), CUMINGS.replace(",C85,C", ",C85,Z"))

    assert checked.rejected == {
        1: ["Sex is 'man': must be one of female, male", "Age is 'x': must be a number"],
        2: ["Embarked is 'Z': must be one of C, Q, S"],
    }


def test_a_repeated_key_is_reported_for_both_rows(judge):
    clean, checked = judge(HEADER, BRAUND, CUMINGS, BRAUND)

    assert checked.rejected == {row: ["PassengerId is '1': must be unique"] for row in (1, 3)}
    assert clean[Clean.PassengerId].tolist() == [2]


def test_a_key_in_two_batches_is_reported_for_both_rows(judge, monkeypatch):
    monkeypatch.setattr(reading, "BLOCK", 120)
    rows = [BRAUND.replace("1,0,3", f"{key},0,3") for key in (5, 6, 7, 8, 5)]

    _, checked = judge(HEADER, *rows)

    assert checked.rejected == {row: ["PassengerId is '5': must be unique"] for row in (1, 5)}


def test_a_long_report_is_cut(judge):
    _, checked = judge(HEADER, *[BRAUND.replace("1,0,3", f"{key},0,9") for key in range(1, 31)])

    assert len(checked.rejected) == 30
    assert refusal(checked, 0).endswith("\n  and 10 more")


def test_a_long_value_is_cut(judge):
    _, checked = judge(HEADER, BRAUND.replace("Braund", "B" * 600))

    assert len(checked.rejected[1][0]) < 150


@pytest.mark.parametrize("block", [1 << 20, 130])
def test_ragged_rows_have_their_numbers_and_shift_no_other(judge, monkeypatch, block):
    monkeypatch.setattr(reading, "BLOCK", block)
    rows = [BRAUND.replace("1,0,3", f"{key},0,3") for key in range(1, 8)]
    rows[1] += ",1"
    rows[2] = rows[2].replace("male", "boy")
    rows[4] = "5,0"
    rows[6] = rows[6].replace("male", "boy")

    clean, checked = judge(HEADER, *rows)

    kinds = {row: reasons[0].split(":")[0] for row, reasons in checked.rejected.items()}
    assert kinds == {
        2: "has 13 cells, the header has 12",
        3: "Sex is 'boy'",
        5: "has 2 cells, the header has 12",
        7: "Sex is 'boy'",
    }
    assert list(kinds) == [2, 3, 5, 7]
    assert clean[Clean.PassengerId].tolist() == [1, 4, 6]


def test_bad_rows_up_to_the_share_are_accepted_and_stored_unchanged(judge, tmp_path):
    bad = CUMINGS.replace("female,38", "lady,old")

    clean, checked = judge("", HEADER, "", BRAUND, bad, "5,0,3", end="\r\n")

    assert refusal(checked, 0.66) != ""
    assert refusal(checked, 0.67) == ""
    assert clean[Clean.PassengerId].tolist() == [1]
    write_table(tmp_path / "rejected.csv", rejected_rows(checked))
    assert list(csv.reader((tmp_path / "rejected.csv").read_text().splitlines())) == [
        ["file", "row", "reasons", "content"],
        ["train.csv", "2", "Sex is 'lady': must be one of female, male; Age is 'old': must be a number", bad],
        ["train.csv", "3", "has 3 cells, the header has 12", "5,0,3"],
    ]


def test_nothing_rejected_leaves_a_header(judge, tmp_path):
    _, checked = judge(HEADER, BRAUND)

    write_table(tmp_path / "rejected.csv", rejected_rows(checked))
    assert (tmp_path / "rejected.csv").read_bytes() == b"file,row,reasons,content\n"


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

    local.copy(folder, RULES, folder / "raw")
    try:
        checked = check(folder / "raw/train.csv", folder / "clean.parquet", RULES.schema, RULES.fields("train"))
    except UserError as error:
        assert "NUL" in str(error)  # noqa: PT017 - the one character that refuses the file
        assert any("\0" in text for person in people for text in person.values())
        return

    table = pd.read_parquet(folder / "clean.parquet").set_index(Clean.PassengerId)
    for key, person in enumerate(people, start=1):
        if key in checked.rejected:
            assert all(reason.split()[0] in person for reason in checked.rejected[key])
        else:
            assert person == table.loc[key, list(person)].fillna("").to_dict()


def test_the_genuine_files_pass(kaggle, tmp_path):
    train = check(kaggle / "train.csv", tmp_path / "train.parquet", RULES.schema, RULES.fields("train"))
    test = check(kaggle / "test.csv", tmp_path / "test.parquet", RULES.schema, RULES.fields("test"))

    assert (train.accepted, len(train.rejected), test.accepted, len(test.rejected)) == (891, 0, 418, 0)
    assert int(pd.read_parquet(tmp_path / "train.parquet")[Clean.Age].isna().sum()) == 177
    assert int(pd.read_parquet(tmp_path / "test.parquet")[Clean.Fare].isna().sum()) == 1
