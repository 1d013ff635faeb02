import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from dvckit.core.errors import UserError
from dvckit.data.add import add, tables_in, verdict
from dvckit.tables.summary import print_quality
from dvckit.testing import Repository
from titanic.project import PROJECT

RULES = PROJECT.rules
ROOT = Path(__file__).parents[4]


@pytest.fixture
def raw(_small):
    """The folder with the files of the source; not to be written to."""
    return _small.root / "data/raw"


@pytest.fixture
def mine(raw, tmp_path):
    """A folder with good files under names of the user's own."""
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(raw / "train.csv", folder / "passengers.csv")
    shutil.copy(raw / "test.csv", folder / "to_predict.csv")
    return folder


def spoil(path, row=3):
    lines = path.read_text().splitlines(keepends=True)
    lines[row] = lines[row].replace("male", "mael")
    path.write_text("".join(lines))


def test_columns_decide_which_table_a_file_is(mine, raw):
    shutil.copy(raw / "gender_submission.csv", mine)

    paths = [mine / "to_predict.csv", mine / "passengers.csv", mine / "gender_submission.csv"]

    files, _ = tables_in(RULES, paths)
    result = verdict(ROOT, PROJECT, paths)

    assert {name: path.name for name, path in files.items()} == {
        "train": "passengers.csv",
        "test": "to_predict.csv",
        "gender_submission": "gender_submission.csv",
    }
    assert result.problems == []
    assert {name: checked.rows for name, checked in result.checked.items()} == {
        "train": 891,
        "test": 418,
        "gender_submission": 418,
    }


def test_every_fault_of_every_file_is_reported(mine):
    spoil(mine / "passengers.csv")
    spoil(mine / "to_predict.csv")

    problems = "\n".join(verdict(ROOT, PROJECT, [mine]).problems)

    assert "passengers.csv: 1 of 891 rows is bad; fix them\n  line 4: Sex is " in problems
    assert "to_predict.csv: 1 of 418 rows is bad; fix them: each must get its prediction\n  line 4: Sex is " in problems


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (["nowhere.csv"], "is not there"),
        (
            ["passengers.csv", "passengers.csv"],
            "are both tables with Survived; name one of them, or remove Survived from the one to predict",
        ),
        (["to_predict.csv", "to_predict.csv"], "are both tables without Survived"),
    ],
)
def test_paths_that_cannot_be_used_are_reported(mine, paths, reason):
    (problem,) = tables_in(RULES, [mine / path for path in paths])[1]

    assert reason in problem


def test_of_two_files_of_one_table_the_wrong_header_is_the_cause(mine):
    text = (mine / "passengers.csv").read_text()
    (mine / "passengers.csv").write_text(text.replace("Survived", "Label", 1))

    files, (problem,) = tables_in(RULES, [mine])

    assert problem.startswith(f"{mine / 'passengers.csv'}: the header is wrong (unknown: 'Label'")
    assert files == {"test": mine / "to_predict.csv"}


@pytest.mark.parametrize("name", ["survived", "SURVIVED", " Survived"])
def test_a_target_in_another_case_is_a_header_to_fix(mine, name):
    text = (mine / "passengers.csv").read_text()
    (mine / "passengers.csv").write_text(text.replace("Survived", name, 1))

    (problem,) = verdict(ROOT, PROJECT, [mine]).problems

    assert f"passengers.csv: the header has {name!r} for 'Survived'; rename" in problem


def test_every_file_that_is_not_a_table_is_reported(mine):
    for path in mine.iterdir():
        path.write_bytes(b"\x1f\x8b")

    problems = tables_in(RULES, [mine])[1]

    assert [problem.rpartition("/")[2] for problem in problems] == [
        f"{name}.csv is a gzip archive; unpack it" for name in ("passengers", "to_predict")
    ]


def test_in_a_folder_the_usual_names_are_used(mine):
    (mine / "other.csv").write_text("a,b\n")
    (mine / "passengers.csv").rename(mine / "train.csv")

    assert tables_in(RULES, [mine]) == ({"train": mine / "train.csv"}, [])


def test_a_submission_for_other_keys_is_reported(mine, raw):
    text = (raw / "gender_submission.csv").read_text()
    (mine / "gender_submission.csv").write_text(text.replace("\n1309,", "\n2000,"))

    (problem,) = verdict(ROOT, PROJECT, [mine / name for name in ("gender_submission.csv", "to_predict.csv")]).problems

    assert "gender_submission.csv: the PassengerIds are not those of " in problem


def test_a_folder_without_files_is_reported(tmp_path):
    assert tables_in(RULES, [tmp_path]) == ({}, [f"the folder {tmp_path} has no file that ends in .csv"])


def test_labels_of_one_kind_are_a_problem(mine):
    lines = (mine / "passengers.csv").read_text().splitlines(keepends=True)
    died = [line for line in lines[1:] if line.split(",")[1] == "0"]
    (mine / "passengers.csv").write_text("".join([lines[0], *died]))

    assert "a model needs both labels" in verdict(ROOT, PROJECT, [mine]).problems[0]


@pytest.mark.faults
def test_added_data_can_be_trained_on(small, mine):
    output = small.ok("dvckit", "data", "add", str(mine))

    assert "dvc exp run -S dataset.source=files -S dataset.path=data/external/mine" in output
    assert "added data/external/mine: train.csv (891 rows), test.csv (418 rows)" in output
    assert (small.root / "data/external/mine/train.csv").read_bytes() == (mine / "passengers.csv").read_bytes()
    small.ok("git", "add", "data/external/mine.dvc", "data/external/.gitignore")
    small.commit("my data")
    assert small.ok("git", "status", "--porcelain") == ""
    (mine / "passengers.csv").write_text((mine / "passengers.csv").read_text().replace(",male,", ",female,", 1))
    small.ok("dvckit", "data", "add", str(mine))
    assert small.ok("git", "status", "--porcelain") == " M data/external/mine.dvc\n"
    small.commit("a new version of my data")
    small.ok("dvc", "exp", "run", "-S", "dataset.source=files", "-S", "dataset.path=data/external/mine", "--temp", "-q")
    assert small.ok("dvc", "exp", "list").count("\n") >= 2


def test_a_file_with_nothing_but_bad_rows_is_reported(mine):
    path = mine / "passengers.csv"
    path.write_text(path.read_text().replace("male,", "mael,"))

    (problem,) = verdict(ROOT, PROJECT, [path]).problems

    assert "891 of 891 rows are bad" in problem


def test_values_are_shown_as_they_are(mine, monkeypatch, capsys):
    path = mine / "passengers.csv"
    header, *lines = path.read_text().splitlines()
    cells = [line.split(",") for line in lines]
    for row in cells[:20]:
        row[-4] = "[/red] :smile:"
    path.write_text("\n".join([header, *map(",".join, cells)]) + "\n")
    monkeypatch.setenv("COLUMNS", "200")

    print_quality(verdict(ROOT, PROJECT, [path]).report)

    assert "[/red] :smile: (20)" in capsys.readouterr().out


def left(project):
    return sorted(path.name for path in (project.root / "data/external").iterdir())


@pytest.mark.parametrize("bad", ["passengers.csv", "to_predict.csv"])
def test_nothing_is_copied_when_a_file_is_bad(small, mine, bad):
    spoil(mine / bad)

    with pytest.raises(UserError, match=r"^nothing was added:\n.*1 of .* rows is bad.*\n  line 4: Sex is "):
        add(small.root, PROJECT, [mine], None)

    assert left(small) == ["titanic"]


@pytest.mark.parametrize(
    ("files", "name", "reason"),
    [
        (["passengers.csv"], None, "missing is one without Survived, to predict"),
        (["to_predict.csv"], None, "missing is one with Survived, to learn from"),
        (["passengers.csv", "to_predict.csv"], "titanic", "data/external/titanic exists, and not by"),
        (["passengers.csv", "to_predict.csv"], "../mine", "cannot be the name of a folder"),
        (["passengers.csv", "to_predict.csv"], "x.dvc", "cannot be the name of a folder"),
        (["passengers.csv", "to_predict.csv"], "x" * 101, "cannot be the name of a folder"),
        (["passengers.csv", "to_predict.csv"], ".hidden", "cannot be the name of a folder"),
    ],
)
def test_what_cannot_be_added_gives_an_error(small, mine, files, name, reason):
    with pytest.raises(UserError, match=reason):
        add(small.root, PROJECT, [mine / file for file in files], name)

    assert left(small) == ["titanic"]


def test_data_that_were_changed_since_are_not_overwritten(small, mine):
    add(small.root, PROJECT, [mine], None)
    (small.root / "data/external/mine/train.csv").write_text("mine\n")

    with pytest.raises(UserError, match="data/external/mine was changed since it was added"):
        add(small.root, PROJECT, [mine], None)

    assert (small.root / "data/external/mine/train.csv").read_text() == "mine\n"


def test_check_reports_without_adding(small, mine):
    good = small.run("dvckit", "data", "check", str(mine / "passengers.csv"))
    spoil(mine / "passengers.csv")
    bad = small.run("dvckit", "data", "check", str(mine), "--json")

    assert good.code == 0
    assert "train: 891 rows, 0 of them bad" in good.output
    assert "passengers.csv, 891 rows, 0 of them bad" in good.output.replace("\n", "")
    assert bad.code == 1
    assert '"ok": false' in bad.output
    assert left(small) == ["titanic"]


@pytest.mark.parametrize("path", ["passengers.csv", "nowhere.csv", "empty", "https://host/train.csv"])
def test_the_verdict_is_json_for_any_file(mine, monkeypatch, path):
    (mine / "passengers.csv").write_bytes(b"\x1f\x8b")
    (mine / "empty").mkdir()
    monkeypatch.chdir(mine)

    report = json.loads(json.dumps(verdict(ROOT, PROJECT, [Path(path), Path("to_predict.csv")]).as_json()))

    assert not report["ok"]
    assert path.rpartition("/")[2] in report["problems"][0]
    assert report["files"]["test"]["rows"] == 418


@pytest.fixture
def parts(raw, tmp_path):
    """A folder whose rows to learn from are in three parts, one of them Parquet, and those to predict in one file."""
    (train := tmp_path / "mine/train").mkdir(parents=True)
    header, *lines = (raw / "train.csv").read_text().splitlines(keepends=True)
    for number, rows in enumerate((lines[:300], lines[300:600], lines[600:])):
        (train / f"day-{number}.csv").write_text("".join([header, *rows]))
    table = pd.read_csv(train / "day-2.csv", dtype="str")
    (train / "day-2.csv").unlink()
    table.to_parquet(train / "day-2.parquet")
    shutil.copy(raw / "test.csv", train.parent)
    return train.parent


def test_tables_in_parts_are_checked_as_one_file_is(parts, raw):
    whole = verdict(ROOT, PROJECT, [raw])

    in_parts = verdict(ROOT, PROJECT, [parts])

    assert in_parts.problems == []
    assert {name: (one.path, one.rows) for name, one in in_parts.checked.items()} == {
        "train": (parts / "train", 891),
        "test": (parts / "test.csv", 418),
    }
    assert in_parts.report["checks"] == whole.report["checks"]


def test_faults_in_parts_are_told_of_the_users_files(parts, monkeypatch):
    spoil(parts / "train/day-1.csv", row=7)
    spoil(parts / "test.csv", row=1)
    table = pd.read_parquet(parts / "train/day-2.parquet")
    table.assign(Sex="mael").to_parquet(parts / "train/day-2.parquet")
    monkeypatch.chdir(parts.parent)

    learned, predicted = verdict(ROOT, PROJECT, [Path("mine")]).problems

    assert learned.startswith("mine/train: 292 of 891 rows are bad; fix them\n  day-1.csv line 8: Sex is ")
    assert "\n  day-2.parquet line 2: Sex is " in learned
    assert predicted.startswith(
        "mine/test.csv: 1 of 418 rows is bad; fix them: each must get its prediction\n  line 2: "
    )


def test_what_is_no_part_is_told_of_the_users_files(parts):
    (parts / "train/day-0.csv").write_text("a,b\n1,2\n")
    (problem, *_) = verdict(ROOT, PROJECT, [parts]).problems
    assert problem.startswith(f"{parts}/train/day-0.csv: the header ")

    shutil.copy(parts / "train/day-1.csv", parts / "train/day-0.csv")
    with pytest.raises(
        UserError, match=rf"^{parts}/train/day-0.csv and {parts}/train/day-1.csv are the same; remove one"
    ):
        verdict(ROOT, PROJECT, [parts])

    (parts / "train/notes.txt").touch()
    with pytest.raises(UserError, match=r"train/notes.txt is no part of a table: parts are .csv or .parquet files"):
        verdict(ROOT, PROJECT, [parts])


def test_a_folder_of_parts_is_added_with_its_parts(small, parts):
    output = small.ok("dvckit", "data", "add", str(parts))

    assert "added data/external/mine: train (891 rows), test.csv (418 rows)" in output
    assert "-S dataset.partitions=2 -S dataset.path=data/external/mine" in output
    added = small.root / "data/external/mine"
    assert sorted(path.name for path in added.rglob("*.*")) == ["day-0.csv", "day-1.csv", "day-2.parquet", "test.csv"]
    small.commit("my data")
    (parts / "train/day-0.csv").unlink()
    assert "train (591 rows)" in small.ok("dvckit", "data", "add", str(parts))
    assert small.ok("git", "status", "--porcelain") == " M data/external/mine.dvc\n"
    result = small.run("dvc", "exp", "run", "-S", "dataset.source=files", "-S", "dataset.path=data/external/mine", "-q")
    assert "mine/train is a folder of parts; set dataset.partitions to 2 or more" in result.output


def test_check_outside_of_a_project_gives_an_error(tmp_path):
    result = Repository(tmp_path).run("dvckit", "data", "check", "train.csv")

    assert result == (1, f"error: {tmp_path} is not inside a DVC project: no folder above it has .dvc or dvc.yaml\n")
