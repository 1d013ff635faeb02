import re

import pandas as pd
import pytest

from titanic.dataset.validate import check, quality, read_text, typed
from titanic.schema import Clean
from titanic.stage import UserError

HEADER = "PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked"
BRAUND = '1,0,3,"Braund, Mr. Owen Harris",male,22,1,0,A/5 21171,7.25,,S'
CUMINGS = '2,1,1,"Cumings, Mrs. John ""Flo"" Bradley",female,38,1,0,PC 17599,71.2833,C85,C'
COLUMNS = list(Clean)


@pytest.fixture
def write(tmp_path):
    def write(*lines, end="\n", encoding="utf-8"):
        path = tmp_path / "train.csv"
        path.write_bytes((end.join(lines) + end).encode(encoding))
        return path

    return write


def test_clean_rows_pass_with_their_types(write):
    clean, rejected = check(write(HEADER, BRAUND, CUMINGS), COLUMNS, 0)

    assert rejected.empty
    assert clean[Clean.Age].tolist() == [22.0, 38.0]
    assert clean[Clean.Name][1] == 'Cumings, Mrs. John "Flo" Bradley'
    assert clean[Clean.Cabin].isna().tolist() == [True, False]
    assert str(clean[Clean.Pclass].dtype) == "Int64"


def test_windows_line_ends_are_no_part_of_the_values(write):
    clean, _ = check(write(HEADER, BRAUND, end="\r\n"), COLUMNS, 0)

    assert clean[Clean.Embarked].tolist() == ["S"]


@pytest.mark.parametrize("name", ["NA", "null", "None", "nan", "007"])
def test_text_that_looks_like_something_else_stays_text(write, name):
    row = BRAUND.replace('"Braund, Mr. Owen Harris"', name).replace("A/5 21171", "000123")

    clean, _ = check(write(HEADER, row), COLUMNS, 0)

    assert (clean[Clean.Name][0], clean[Clean.Ticket][0]) == (name, "000123")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("male,22", "Male,22", "Sex is 'Male': must be one of female, male"),
        ("male,22", "male,-3", "Age is '-3': must be at least 0"),
        ("male,22", "male,abc", "Age is 'abc': must be a number"),
        ("male,22", "male,NA", "Age is 'NA': must be a number"),
        ("male,22", "male,inf", "Age is 'inf': must be a number"),
        ("male,22", "male, 22", "Age is ' 22': must be a number"),
        ("male,22", "male,1e9", "Age is '1e9': must be at most 120"),
        ("1,0,3,", "1,0,3.0,", "Pclass is '3.0': must be a whole number"),
        ("1,0,3,", "1,,3,", "Survived is missing"),
        ("1,0,3,", "1,2,3,", "Survived is '2': must be one of 0, 1"),
        ("1,0,3,", ",0,3,", "PassengerId is missing"),
        ("1,0,3,", "99999999999999999999,0,3,", "PassengerId is '99999999999999999999': must be a whole number"),
        ("A/5 21171", "", "Ticket is missing"),
        (",,S", ",,X", "Embarked is 'X': must be one of C, Q, S"),
    ],
)
def test_a_bad_cell_is_told_with_row_key_and_rule(write, old, new, sentence):
    path = write(HEADER, CUMINGS, BRAUND.replace(old, new))

    with pytest.raises(UserError, match=re.escape(sentence)) as error:
        check(path, COLUMNS, 0)

    assert f"{path}: 1 of 2 rows are bad" in str(error.value)
    assert "row 2 (PassengerId " in str(error.value)
    assert str(error.value).count(sentence.split(maxsplit=1)[0]) == 1 + (sentence.startswith("PassengerId"))


def test_every_fault_of_a_row_is_told_at_once(write):
    path = write(HEADER, BRAUND.replace("male,22", "man,x"), CUMINGS.replace(",C85,C", ",C85,Z"))

    with pytest.raises(UserError) as error:
        check(path, COLUMNS, 0)

    first, second = str(error.value).splitlines()[1:]
    assert "Age is 'x'" in first
    assert "Sex is 'man'" in first
    assert "Embarked is 'Z'" in second


def test_a_key_that_stands_twice_is_told_for_both_rows(write):
    with pytest.raises(UserError) as error:
        check(write(HEADER, BRAUND, BRAUND), COLUMNS, 0)

    assert str(error.value).count("PassengerId is '1': must be unique") == 2


def test_a_long_list_is_cut(write):
    rows = [BRAUND.replace("1,0,3", f"{key},0,9") for key in range(1, 31)]

    with pytest.raises(UserError, match="and 10 more"):
        check(write(HEADER, *rows), COLUMNS, 0)


def test_bad_training_rows_up_to_the_share_are_set_aside(write):
    path = write(HEADER, BRAUND, CUMINGS.replace("female,38", "lady,old"))

    clean, rejected = check(path, COLUMNS, 0.5)

    assert clean[Clean.PassengerId].tolist() == [1]
    assert rejected.iloc[0][["file", "row", Clean.Age, Clean.Sex]].tolist() == ["train.csv", 2, "old", "lady"]
    assert "Age is 'old'" in rejected.iloc[0]["reasons"]
    assert "Sex is 'lady'" in rejected.iloc[0]["reasons"]
    assert quality(clean, len(rejected))["rows"] == {"read": 2, "accepted": 1, "rejected": 1}


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([HEADER], "has a header and no rows"),
        ([HEADER.replace("Sex", "Gender"), BRAUND], "Gender"),
        ([HEADER.replace(",Cabin", ""), BRAUND.replace(",,S", ",S")], "expected PassengerId, Survived"),
        ([HEADER + ",Extra", BRAUND + ",1"], "Extra; expected"),
        ([HEADER, BRAUND + ",1"], "row 1 has 13 cells, the header has 12"),
        ([HEADER, BRAUND.replace(",,S", "")], "row 1 has 10 cells, the header has 12"),
    ],
)
def test_a_file_of_another_form_is_refused(write, lines, sentence):
    path = write(*lines)

    with pytest.raises(UserError, match=re.escape(sentence)) as error:
        read_text(path, COLUMNS)

    assert str(error.value).startswith(str(path))


def test_bytes_that_are_no_utf8_are_refused(write):
    with pytest.raises(UserError, match=r"train\.csv cannot be read as CSV: .*UTF8"):
        read_text(write(HEADER, BRAUND.replace("Owen", "Öwen"), encoding="latin-1"), COLUMNS)


def test_the_input_is_not_changed():
    text = pd.DataFrame({Clean.Age: ["1", "x", None]}, dtype="str")
    before = text.copy()

    typed(text)

    pd.testing.assert_frame_equal(text, before)


def test_the_genuine_files_pass(kaggle):
    train, rejected = check(kaggle / "train.csv", COLUMNS, 0)
    test, _ = check(kaggle / "test.csv", [name for name in COLUMNS if name != Clean.Survived], 0)

    assert (len(train), len(rejected), len(test)) == (891, 0, 418)
    assert int(train[Clean.Age].isna().sum()) == 177
    assert int(test[Clean.Fare].isna().sum()) == 1
