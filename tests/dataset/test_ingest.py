import pytest

from dvckit.core.errors import UserError
from titanic.dataset import ingest
from titanic.dataset.ingest import Dataset, Sha256


def dataset(path):
    sha256 = Sha256(train="0" * 64, test="0" * 64)
    return Dataset(
        source="files", path=str(path), partitions=1, seed=1912, rows=50, mirrors=("http://localhost",), sha256=sha256
    )


@pytest.fixture
def folders(tmp_path):
    paths = tmp_path / "mine", tmp_path / "raw"
    for folder in paths:
        folder.mkdir()
    return paths


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_files_of_a_user_stay_as_they_are(folders):
    mine, raw = folders
    (mine / "train.csv").write_bytes(b"any\r\n")
    (mine / "test.csv").write_bytes(b"\xff")
    (mine / "other.csv").touch()

    ingest.SOURCES["files"](dataset(mine), raw)

    assert content(raw) == {"train.csv": b"any\r\n", "test.csv": b"\xff"}


def test_a_submission_is_derived_from_the_sex(folders):
    mine, raw = folders
    (mine / "test.csv").write_bytes(b"\xef\xbb\xbfPassengerId,Sex\r\n7,female\r\n8,male\r\n")

    ingest.write_gender_submission(mine / "test.csv", raw / "out.csv")

    assert content(raw) == {"out.csv": b"PassengerId,Survived\n7,1\n8,0\n"}


def test_the_derived_submission_is_kaggles_own(kaggle, tmp_path):
    ingest.write_gender_submission(kaggle / "test.csv", tmp_path / "out.csv")

    assert (tmp_path / "out.csv").read_bytes() == (kaggle / "gender_submission.csv").read_bytes().replace(
        b"\r\n", b"\n"
    )


def test_an_existing_submission_is_used(folders):
    mine, raw = folders
    for name in ("train.csv", "test.csv", "gender_submission.csv"):
        (mine / name).write_bytes(name.encode())

    ingest.SOURCES["files"](dataset(mine), raw)

    assert content(raw) == content(mine)


@pytest.mark.parametrize(("there", "missing"), [([], "train.csv and no test.csv"), (["train.csv"], "test.csv")])
def test_a_folder_without_the_files_gives_an_error(folders, there, missing):
    mine, raw = folders
    for name in there:
        (mine / name).touch()

    with pytest.raises(UserError, match=f"has no {missing}; put the files there"):
        ingest.SOURCES["files"](dataset(mine), raw)


@pytest.mark.parametrize(
    "text",
    [b"Id,Sex\n1,male\n", b"PassengerId\n1\n", b"\xff\xfe\0", b'PassengerId,Sex\n1,"' + b"x" * 200_000, b"a,b\n\0,1\n"],
)
def test_an_invalid_test_file_is_left_to_validate(folders, text):
    mine, raw = folders
    (mine / "test.csv").write_bytes(text)

    ingest.write_gender_submission(mine / "test.csv", raw / "out.csv")

    assert (raw / "out.csv").read_text().startswith("PassengerId,Survived\n")
