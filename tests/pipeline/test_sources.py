"""Every source and the quarantine, through DVC's own commands."""

import csv
import functools
import hashlib
import http.server
import json
import shutil
import threading

import pytest

NAMES = ("train.csv", "test.csv")


@pytest.fixture
def mine(small, tmp_path):
    """A folder with the small project's lists."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in NAMES:
        shutil.copy(small.root / "data/raw" / name, folder)
    return folder


@pytest.fixture
def mirror(mine):
    """The folder as a web page on the loopback interface."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=mine))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def run(project, *overrides):
    settings = [part for override in overrides for part in ("-S", override)]
    return project.run("dvc", "exp", "run", *settings, no_proxy="127.0.0.1")


def from_web(mine, mirror):
    sha256 = {name[:-4]: hashlib.sha256((mine / name).read_bytes()).hexdigest() for name in NAMES}
    return [
        "dataset.source=web",
        f"dataset.mirrors=[{mirror}]",
        *(f"dataset.sha256.{k}={v}" for k, v in sha256.items()),
    ]


@pytest.mark.faults
def test_a_table_from_the_web_is_the_pinned_one(small, mine, mirror):
    text = (mine / "train.csv").read_text()
    (mine / "train.csv").write_text(text.replace("male", "female", 1).replace("fefemale", "male", 1))

    result = run(small, *from_web(mine, mirror))

    assert result.code == 0, result.output
    assert {name: (small.root / "data/raw" / name).read_bytes() for name in NAMES} == {
        name: (mine / name).read_bytes() for name in NAMES
    }


def test_other_bytes_from_the_web_stop_the_run_and_leave_the_old_table(small, mine, mirror):
    before = small.outputs()
    overrides = from_web(mine, mirror)
    (mine / "test.csv").write_text("PassengerId\n")

    result = run(small, *overrides)

    assert result.code != 0
    assert f"error: no mirror gave test.csv ({mirror}: other bytes" in result.output
    assert "Traceback" not in result.output
    assert small.outputs() == before


def test_kaggle_without_a_token_gives_an_error(small):
    before = small.outputs()

    result = run(small, "dataset.source=kaggle")

    assert result.code != 0
    assert "error: Kaggle needs a token" in result.output
    assert small.outputs() == before


def spoil(path):
    """Make row 3 bad in two ways, and row 5 too long."""
    lines = path.read_text().splitlines(keepends=True)
    cells = next(csv.reader([lines[3]]))
    bad = f"{cells[0]},{cells[1]},{cells[2]},{cells[8]},mael,x,{','.join(cells[6:])}\n"
    lines[3], lines[5] = bad, lines[5].replace("\n", ",1\n")
    path.write_text("".join(lines))
    return bad.rstrip("\n"), lines[5].rstrip("\n")


@pytest.mark.faults
def test_bad_training_rows_up_to_the_share_are_set_aside(small, mine):
    third, fifth = spoil(mine / "train.csv")
    overrides = ["dataset.source=files", f"dataset.path={mine}"]

    refused = run(small, *overrides)
    result = run(small, *overrides, "validate.max_rejected_share=0.01")

    assert refused.code != 0
    assert "2 of 891 rows are bad; fix them, or raise validate.max_rejected_share" in refused.output
    assert "line 4: Sex is 'mael': must be one of female, male; Age is 'x': must be a number" in refused.output
    assert "line 6: has 13 cells, the header has 12" in refused.output
    assert result.code == 0, result.output
    with (small.root / "data/interim/rejected.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["line"], row["content"]) for row in rows] == [
        ("train.csv", "4", third),
        ("train.csv", "6", fifth),
    ]
    quality = json.loads((small.root / "reports/data_quality.json").read_text())
    assert quality["train"]["rows"] == {"read": 891, "accepted": 889, "rejected": 2}
    assert quality["checks"]["schema"] == {"ok": False, "found": ["train: 2 rows rejected"]}


def test_bad_rows_to_predict_are_never_set_aside_and_both_files_are_reported(small, mine):
    for name in NAMES:
        (mine / name).write_text((mine / name).read_text().replace(",male,", ",mael,", 1))

    result = run(small, "dataset.source=files", f"dataset.path={mine}", "validate.max_rejected_share=0.0")
    test_alone = run(small, "dataset.source=files", f"dataset.path={mine}", "validate.max_rejected_share=0.5")

    assert "data/raw/train.csv: 1 of 891 rows is bad" in result.output
    assert "data/raw/test.csv: 1 of 418 rows is bad; fix them: each must get its prediction" in result.output
    assert "data/raw/train.csv: " not in test_alone.output
    assert "data/raw/test.csv: 1 of 418 rows is bad" in test_alone.output


def test_two_unreadable_files_are_both_reported(small, mine):
    for name in NAMES:
        (mine / name).write_bytes(b"\x1f\x8b")

    result = run(small, "dataset.source=files", f"dataset.path={mine}")

    assert "data/raw/train.csv is a gzip archive" in result.output
    assert "data/raw/test.csv is a gzip archive" in result.output


@pytest.mark.faults
def test_any_number_of_people_is_drawn(small):
    result = run(small, "dataset.rows=3000", "dataset.seed=7")

    assert result.code == 0, result.output
    assert len((small.root / "data/raw/train.csv").read_text().splitlines()) == 1 + round(3000 * 891 / 1309)
    assert len((small.root / "data/processed/submission.csv").read_text().splitlines()) == 1 + 3000 - 2042
