import shutil
import sys
from pathlib import Path

import pytest

from titanic.dataset import external
from titanic.dataset.external import add, verdict
from titanic.stage import UserError


@pytest.fixture
def mine(small, tmp_path):
    """A folder with good files under names of the user's own."""
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(small.root / "data/raw/train.csv", folder / "passengers.csv")
    shutil.copy(small.root / "data/raw/test.csv", folder / "to_predict.csv")
    return folder


def spoil(path, row=3):
    lines = path.read_text().splitlines(keepends=True)
    lines[row] = lines[row].replace("male", "mael")
    path.write_text("".join(lines))


def test_what_a_file_is_its_columns_tell(mine, small):
    shutil.copy(small.root / "data/raw/gender_submission.csv", mine)

    found = verdict([mine])

    assert found.problems == []
    assert {name: path.name for name, path in found.files.items()} == {
        "gender_submission": "gender_submission.csv",
        "train": "passengers.csv",
        "test": "to_predict.csv",
    }
    assert found.as_json()["report"]["train"]["rows"]["read"] == 891


def test_every_fault_of_every_file_is_told(mine):
    spoil(mine / "passengers.csv")
    (mine / "to_predict.csv").write_bytes(b"\x1f\x8b")

    found = verdict([mine])

    assert len(found.problems) == 2
    assert "row 3: Sex is " in found.problems[0]
    assert "gzip archive" in found.problems[1]
    assert not found.as_json()["ok"]


@pytest.mark.parametrize(
    ("paths", "told"),
    [(["nowhere.csv"], "is not there"), (["passengers.csv", "passengers.csv"], "are both a list with Survived")],
)
def test_paths_that_cannot_be_are_told(mine, paths, told):
    assert told in verdict([mine / path for path in paths]).problems[0]


def test_a_folder_without_files_is_told(tmp_path):
    with pytest.raises(UserError, match=r"has no file that ends in \.csv"):
        verdict([tmp_path])


def test_labels_of_one_kind_are_a_problem(mine):
    lines = (mine / "passengers.csv").read_text().splitlines(keepends=True)
    died = [line for line in lines[1:] if line.split(",")[1] == "0"]
    (mine / "passengers.csv").write_text("".join([lines[0], *died]))

    assert "a model needs both labels" in verdict([mine]).problems[0]


def test_added_data_can_be_trained_on(small, mine):
    said = small.ok("titanic", "data", "add", str(mine))

    assert "dvc exp run -S dataset.source=files -S dataset.path=data/external/mine" in said
    assert "added data/external/mine: train.csv (891 rows), test.csv (418 rows)" in said
    assert (small.root / "data/external/mine/train.csv").read_bytes() == (mine / "passengers.csv").read_bytes()
    small.ok("git", "add", "data/external/mine.dvc", "data/external/.gitignore")
    small.commit("my data")
    assert small.ok("git", "status", "--porcelain") == ""
    small.ok("dvc", "exp", "run", "-S", "dataset.source=files", "-S", "dataset.path=data/external/mine", "--temp", "-q")
    assert small.ok("dvc", "exp", "list").count("\n") >= 2


def test_a_file_of_which_every_row_is_bad_is_told(small, mine):
    path = mine / "passengers.csv"
    path.write_text(path.read_text().replace("male,", "mael,"))

    done = small.run("titanic", "data", "check", str(path))

    assert done.code == 1
    assert "891 of 891 rows are bad" in done.said
    assert "Traceback" not in done.said


def test_values_are_shown_as_they_are(small, mine):
    path = mine / "passengers.csv"
    header, first, second, *rows = path.read_text().splitlines()
    cells = [line.split(",") for line in (first, second)]
    for line in cells:
        line[-4] = "[/red] :smile:"
    path.write_text("\n".join([header, *map(",".join, cells), *rows]) + "\n")

    done = small.run("titanic", "data", "check", str(path), COLUMNS="200")

    assert done.code == 0
    assert "[/red] :smile: (2)" in done.said


def left(project):
    return sorted(path.name for path in (project.root / "data/external").iterdir())


@pytest.mark.parametrize("at_fault", ["passengers.csv", "to_predict.csv"])
def test_nothing_is_copied_when_a_file_is_bad(small, mine, at_fault):
    spoil(mine / at_fault)

    done = small.run("titanic", "data", "add", str(mine))

    assert done.code == 1
    assert "row 3: Sex is " in done.said
    assert "Traceback" not in done.said
    assert left(small) == ["titanic"]


@pytest.mark.parametrize(
    ("files", "name", "told"),
    [
        (["passengers.csv"], None, "missing is one without Survived, to predict"),
        (["to_predict.csv"], None, "missing is one with Survived, to learn from"),
        (["passengers.csv", "to_predict.csv"], "titanic", "there is a data/external/titanic already"),
        (["passengers.csv", "to_predict.csv"], "../mine", "cannot be the name of a folder"),
        (["passengers.csv", "to_predict.csv"], ".hidden", "cannot be the name of a folder"),
    ],
)
def test_what_cannot_be_added_is_answered(small, mine, files, name, told):
    with pytest.raises(UserError, match=told):
        add(small.root, [mine / file for file in files], name)

    assert left(small) == ["titanic"]


def test_a_failure_of_dvc_leaves_nothing_behind(small, mine, monkeypatch):
    def fail(*_):
        raise UserError("disk full")

    monkeypatch.setattr(external, "dvc", fail)

    with pytest.raises(UserError, match="disk full"):
        add(small.root, [mine], "mine")

    assert left(small) == ["titanic"]


def test_check_tells_without_adding(small, mine):
    good = small.run("titanic", "data", "check", str(mine / "passengers.csv"))
    spoil(mine / "passengers.csv")
    bad = small.run("titanic", "data", "check", str(mine), "--json")

    assert good.code == 0
    assert "train: 891 rows, 0 of them bad" in good.said
    assert "all rows are good" in good.said
    assert bad.code == 1
    assert '"ok": false' in bad.said
    assert left(small) == ["titanic"]


def test_check_needs_no_project(tmp_path, small, mine):
    done = small.run("sh", "-c", f"cd {tmp_path} && {Path(sys.executable).parent}/titanic data check {mine}")

    assert done.code == 0
