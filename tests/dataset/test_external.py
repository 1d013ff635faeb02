import json
import shutil
import sys
from pathlib import Path

import pytest

from titanic.dataset import external
from titanic.dataset.external import add, lists_in, verdict
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

    paths = [mine / "to_predict.csv", mine / "passengers.csv", mine / "gender_submission.csv"]

    files, _ = lists_in(paths)
    found = verdict(paths)

    assert {name: path.name for name, path in files.items()} == {
        "train": "passengers.csv",
        "test": "to_predict.csv",
        "gender_submission": "gender_submission.csv",
    }
    assert found.problems == []
    assert {name: checked.rows for name, checked in found.checked.items()} == {
        "train": 891,
        "test": 418,
        "gender_submission": 418,
    }


def test_every_fault_of_every_file_is_told(mine):
    spoil(mine / "passengers.csv")
    spoil(mine / "to_predict.csv")

    told = "\n".join(verdict([mine]).problems)

    assert "passengers.csv: 1 of 891 rows are bad; mend them\n  row 3: Sex is " in told
    assert "to_predict.csv: 1 of 418 rows are bad; mend them: each must get its prediction\n  row 3: Sex is " in told


@pytest.mark.parametrize(
    ("paths", "told"),
    [
        (["nowhere.csv"], "is not there"),
        (["passengers.csv", "passengers.csv"], "are both lists with Survived; name one of them"),
        (["to_predict.csv", "to_predict.csv"], "are both lists without Survived"),
    ],
)
def test_paths_that_cannot_be_are_told(mine, paths, told):
    (problem,) = lists_in([mine / path for path in paths])[1]

    assert told in problem


def test_every_file_that_is_none_is_told(mine):
    for path in mine.iterdir():
        path.write_bytes(b"\x1f\x8b")

    problems = lists_in([mine])[1]

    assert [problem.rpartition("/")[2] for problem in problems] == [
        f"{name}.csv is a gzip archive; unpack it" for name in ("passengers", "to_predict")
    ]


def test_of_a_folder_the_usual_names_are_meant(mine):
    (mine / "other.csv").write_text("a,b\n")
    (mine / "passengers.csv").rename(mine / "train.csv")

    assert lists_in([mine]) == ({"train": mine / "train.csv"}, [])


def test_a_submission_for_other_people_is_told(small, mine):
    text = (small.root / "data/raw/gender_submission.csv").read_text()
    (mine / "gender_submission.csv").write_text(text.replace("\n1309,", "\n2000,"))

    (told,) = verdict([mine / name for name in ("gender_submission.csv", "to_predict.csv")]).problems

    assert "gender_submission.csv: the PassengerIds are not those of " in told


def test_a_folder_without_files_is_told(tmp_path):
    assert lists_in([tmp_path]) == ({}, [f"the folder {tmp_path} has no file that ends in .csv"])


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
    (mine / "passengers.csv").write_text((mine / "passengers.csv").read_text().replace(",male,", ",female,", 1))
    small.ok("titanic", "data", "add", str(mine))
    assert small.ok("git", "status", "--porcelain") == " M data/external/mine.dvc\n"
    small.commit("a new version of my data")
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
    header, *lines = path.read_text().splitlines()
    cells = [line.split(",") for line in lines]
    for row in cells[:20]:
        row[-4] = "[/red] :smile:"
    path.write_text("\n".join([header, *map(",".join, cells)]) + "\n")

    done = small.run("titanic", "data", "check", str(path), COLUMNS="200")

    assert done.code == 0
    assert "[/red] :smile: (20)" in done.said


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
        (["passengers.csv", "to_predict.csv"], "titanic", "data/external/titanic is there already, and not by"),
        (["passengers.csv", "to_predict.csv"], "../mine", "cannot be the name of a folder"),
        (["passengers.csv", "to_predict.csv"], "x.dvc", "cannot be the name of a folder"),
        (["passengers.csv", "to_predict.csv"], "x" * 101, "cannot be the name of a folder"),
        (["passengers.csv", "to_predict.csv"], ".hidden", "cannot be the name of a folder"),
    ],
)
def test_what_cannot_be_added_is_answered(small, mine, files, name, told):
    with pytest.raises(UserError, match=told):
        add(small.root, [mine / file for file in files], name)

    assert left(small) == ["titanic"]


def test_data_that_were_changed_since_are_not_overwritten(small, mine):
    small.ok("titanic", "data", "add", str(mine))
    (small.root / "data/external/mine/train.csv").write_text("mine\n")

    done = small.run("titanic", "data", "add", str(mine))

    assert done.code == 1
    assert "data/external/mine was changed since it was added" in done.said
    assert (small.root / "data/external/mine/train.csv").read_text() == "mine\n"


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
    assert "passengers.csv, 891 rows, 0 of them bad" in good.said.replace("\n", "")
    assert bad.code == 1
    assert '"ok": false' in bad.said
    assert left(small) == ["titanic"]


@pytest.mark.parametrize("path", ["passengers.csv", "nowhere.csv", "empty", "https://host/train.csv"])
def test_the_verdict_is_json_for_any_file(small, mine, path):
    (mine / "passengers.csv").write_bytes(b"\x1f\x8b")
    (mine / "empty").mkdir()

    done = small.run("sh", "-c", f"cd {mine} && titanic data check --json {path} to_predict.csv 2>/dev/null")

    found = json.loads(done.said)
    assert done.code == 1
    assert not found["ok"]
    assert path.rpartition("/")[2] in found["problems"][0]
    assert found["files"]["test"]["rows"] == 418


def test_check_needs_no_project(tmp_path, small, mine):
    done = small.run("sh", "-c", f"cd {tmp_path} && {Path(sys.executable).parent}/titanic data check {mine}")

    assert done.code == 0
