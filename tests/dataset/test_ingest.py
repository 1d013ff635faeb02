import csv
import io
from collections import Counter

import pytest

from titanic.config import Dataset
from titanic.dataset import ingest
from titanic.dataset.synthetic import passengers
from titanic.schema import Clean
from titanic.stage import UserError


def dataset(source, path="."):
    return Dataset(source=source, path=str(path), seed=1912)


def rows(content):
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_the_synthetic_list_has_the_size_and_the_columns_of_the_real_one():
    tables = ingest.synthetic(dataset("synthetic"))

    train, test = rows(tables["train.csv"]), rows(tables["test.csv"])
    assert (len(train), len(test)) == (891, 418)
    assert list(train[0]) == list(Clean)
    assert list(test[0]) == [name for name in Clean if name != Clean.Survived]
    assert [row[Clean.PassengerId] for row in train + test] == [str(key) for key in range(1, 1310)]


def test_a_seed_gives_one_list_and_another_seed_another():
    assert list(passengers(1, 50)) == list(passengers(1, 50))
    assert list(passengers(1, 50)) != list(passengers(2, 50))


def test_women_and_the_first_class_survive_more_often():
    share = {}
    everyone = list(passengers(1912, 4_000))
    for column in (Clean.Sex, Clean.Pclass):
        survived = Counter(p[column] for p in everyone if p[Clean.Survived])
        share |= {value: survived[value] / count for value, count in Counter(p[column] for p in everyone).items()}

    assert share["female"] > 0.65
    assert share["male"] < 0.3
    assert share[1] > share[2] > share[3]


def test_values_are_missing_as_often_as_in_the_real_list():
    everyone = list(passengers(1912, 4_000))

    missing = {column: sum(p[column] is None for p in everyone) / 4_000 for column in Clean}

    assert missing[Clean.Age] == pytest.approx(177 / 891, abs=0.03)
    assert missing[Clean.Cabin] == pytest.approx(687 / 891, abs=0.03)
    assert {column for column, share in missing.items() if share} == {
        *(Clean.Age, Clean.Cabin, Clean.Embarked, Clean.Fare)
    }


def test_the_files_of_a_user_stay_as_they_are(tmp_path):
    content = b"PassengerId,Sex\r\n7,female\r\n8,male\r\n"
    (tmp_path / "train.csv").write_bytes(b"any\r\n")
    (tmp_path / "test.csv").write_bytes(content)

    tables = ingest.files(dataset("files", tmp_path))

    assert tables == {"train.csv": b"any\r\n", "test.csv": content}
    assert ingest.gender_submission(content) == b"PassengerId,Survived\n7,1\n8,0\n"


def test_a_submission_that_is_there_is_taken(tmp_path):
    for name in ("train.csv", "test.csv", "gender_submission.csv"):
        (tmp_path / name).write_bytes(name.encode())

    assert ingest.files(dataset("files", tmp_path))["gender_submission.csv"] == b"gender_submission.csv"


@pytest.mark.parametrize(("there", "missing"), [([], "train.csv and no test.csv"), (["train.csv"], "test.csv")])
def test_a_folder_without_the_files_is_answered(tmp_path, there, missing):
    for name in there:
        (tmp_path / name).touch()

    with pytest.raises(UserError, match=f"has no {missing}; put both files there"):
        ingest.files(dataset("files", tmp_path))


@pytest.mark.parametrize("content", [b"Id,Sex\n1,male\n", b"PassengerId\n1\n", b"\xff\xfe"])
def test_a_test_file_that_is_no_list_is_answered(content):
    with pytest.raises(UserError, match=r"test\.csv is no CSV table"):
        ingest.gender_submission(content)
