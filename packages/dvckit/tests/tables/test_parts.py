"""Tables in parts: the same rows, judged and divided the same, however many files they came in and in what order."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import csv, parquet
from pydantic import ValidationError

from dvckit.core.errors import UserError
from dvckit.core.pool import pool
from dvckit.tables.partitions import in_partitions, map_tables, partitioned, places
from dvckit.tables.parts import Division, first_row
from dvckit.tables.schema import Record, Rules, Schema, column
from dvckit.tables.sources import parts
from dvckit.tables.sources.folder import copy
from dvckit.tables.validation import judge, judge_parts
from dvckit.tasks import task_of
from titanic.dataset.synthetic import write_passengers
from titanic.features import FeaturesParams, featurize
from titanic.schema import LABELS, RULES, Clean

PARTITIONS = 3
TABLES = {"train": "train.csv", "test": "test.csv"}


class Ward(Record):
    Bed: int = column("id", ge=1)
    Ward: str = column("group")
    Stay: float | None = column("target")


class Sale(Record):
    Price: float | None = column("target")
    Area: float = column("number")


@pytest.fixture(scope="module")
def running(tmp_path_factory, source):
    """Two processes, which run the tasks of all tests here."""
    with pytest.MonkeyPatch.context() as patch, pool(source) as running:
        patch.setenv("DVCKIT_WORKERS", "2")
        yield running


@pytest.fixture
def whole(tmp_path):
    """A folder with 2,000 synthetic passengers in two files."""
    folder = tmp_path / "whole"
    folder.mkdir()
    write_passengers(1912, 2000, folder / "train.csv", folder / "test.csv")
    return folder


@pytest.fixture
def divided(whole, tmp_path):
    """The same in parts, as stage ingest leaves them: of the training rows four."""

    def divided(name="divided", order=(0, 1, 2, 3)):
        folder = tmp_path / name
        lines = (whole / "train.csv").read_text().splitlines(keepends=True)
        for table in TABLES.values():
            (folder / table).mkdir(parents=True)
        for place, number in enumerate(order):
            rows = lines[1:][number::4]
            (folder / "train.csv" / f"day{place}.csv").write_text("".join([lines[0], *rows]))
        shutil.copyfile(whole / "test.csv", folder / "test.csv/day.csv")
        return folder

    return divided


@pytest.fixture
def verdict(tmp_path, running, monkeypatch):
    """Judge tables in parts; what is written lies in a folder of that name."""
    monkeypatch.chdir(tmp_path)

    def verdict(folder, to="clean", share=0.0, rules=RULES, tables=("train", "test")):
        (tmp_path / to).mkdir()
        files = {name: folder / f"{name}.csv" for name in tables}
        return judge_parts(files, tmp_path / to, rules, task_of(rules.schema.labels), share, running, PARTITIONS)

    return verdict


def rows_of(table, key):
    return pd.concat([table.table(place, key) for place in range(table.count)])


def test_tables_in_parts_are_judged_as_whole_ones(whole, divided, verdict, tmp_path):
    (tmp_path / "one").mkdir()
    expected = judge({name: whole / f"{name}.csv" for name in TABLES}, tmp_path / "one", RULES, task_of(LABELS))

    found = verdict(divided())

    assert found.problems == expected.problems == []
    assert found.report == expected.report
    clean = pd.read_parquet(tmp_path / "one/train.parquet")
    rows = rows_of(partitioned(tmp_path / "clean/train.parquet"), Clean.PassengerId)
    pd.testing.assert_frame_equal(rows.sort_values(Clean.PassengerId, ignore_index=True), clean)


def test_the_order_and_the_names_of_parts_change_nothing(divided, verdict, tmp_path):
    verdict(divided(), "one")
    verdict(divided("reversed", (3, 2, 1, 0)), "other")

    one, other = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("train.parquet/*")}
        for folder in (tmp_path / "one", tmp_path / "other")
    )
    assert len(one) == 4
    assert one == other


def test_bad_rows_are_told_by_their_file_and_line(divided, verdict):
    folder = divided()
    file = folder / "train.csv/day2.csv"
    file.write_text(file.read_text().replace(",female,", ",woman,", 1))
    line = next(number for number, text in enumerate(file.read_text().splitlines(), 1) if ",woman," in text)

    found = verdict(folder)

    assert "".join(found.problems).splitlines() == [
        f"{folder}/train.csv: 1 of 1361 rows is bad; fix them, or raise validate.max_rejected_share",
        f"  day2.csv line {line}: Sex is 'woman': must be one of female, male",
    ]
    assert found.as_json()["files"]["train"]["rejected"][0]["file"] == "day2.csv"


def test_a_key_in_two_parts_is_bad_in_both(divided, verdict):
    folder = divided()
    first = (folder / "train.csv/day0.csv").read_text().splitlines()[1]
    with (folder / "train.csv/day3.csv").open("a") as file:
        file.write(f"{first}\n")

    found = verdict(folder, share=0.1)

    assert found.problems == []
    assert {place[0] for place in found.checked["train"].rejected} == {"day0.csv", "day3.csv"}
    assert found.report["train"]["rows"] == {"read": 1362, "accepted": 1360, "rejected": 2}
    assert found.report["checks"]["key_unique"]["found"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("header\n", "day1.csv has a header and no rows"),
        ("", "day1.csv is empty"),
        (None, "day1.csv: the header is wrong (missing: 'Age'; unknown: 'Years')"),
    ],
)
def test_a_part_that_is_no_part_is_named(divided, verdict, content, sentence):
    folder = divided()
    file = folder / "train.csv/day1.csv"
    text = file.read_text()
    file.write_text(
        text.replace("Age", "Years", 1) if content is None else content.replace("header", text.splitlines()[0])
    )

    assert sentence in verdict(folder).problems[0]


def test_a_part_that_is_there_twice_is_named(divided, verdict):
    folder = divided()
    shutil.copyfile(folder / "train.csv/day1.csv", folder / "train.csv/again.csv")

    with pytest.raises(UserError, match=r"again.csv and .*day1.csv are the same; remove one"):
        verdict(folder)


def test_keys_of_both_tables_and_people_twice_are_found_over_parts(divided, verdict):
    folder = divided()
    person = (folder / "train.csv/day0.csv").read_text().splitlines()[1]
    _, _, rest = person.partition(",")
    with (folder / "train.csv/day1.csv").open("a") as file:
        file.write(f"5000,{rest}\n")
    with (folder / "test.csv/day.csv").open("a") as file:
        file.write(f"5000,{rest.partition(',')[2]}\n")

    checks = verdict(folder).report["checks"]

    assert checks["shared_keys"]["found"] == ["train and test: 1 PassengerIds are in both, such as 5000"]
    assert "1 people appear more than once" in checks["same_person_twice"]["found"][0]


def test_rows_of_a_group_are_in_one_partition(verdict, tmp_path):
    (tmp_path / "wards/train.csv").mkdir(parents=True)
    for part in range(2):
        rows = [f"{1 + bed},w{bed % 7},{bed}.5" for bed in range(part, 200, 2)]
        (tmp_path / f"wards/train.csv/{part}.csv").write_text("\n".join(["Bed,Ward,Stay", *rows, ""]))

    assert verdict(tmp_path / "wards", rules=Rules(Schema(Ward), predict=False), tables=["train"]).problems == []

    table = partitioned(tmp_path / "clean/train.parquet")
    groups = [set(table.table(place, "Bed")["Ward"]) for place in range(PARTITIONS)]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 7


def test_unchanged_parts_are_not_checked_again(divided, verdict, tmp_path):
    folder = divided()
    verdict(folder, "one")
    written = {path.name: path.stat().st_ino for path in (tmp_path / "one/train.parquet").iterdir()}
    with (folder / "train.csv/day1.csv").open("a") as file:
        file.write('9000,0,3,"New, Mr. Day",male,22,1,0,A/5 21171,7.25,,S\n')

    verdict(folder, "other")

    again = {path.name: path.stat().st_ino for path in (tmp_path / "other/train.parquet").iterdir()}
    assert len(written.items() & again.items()) == 3


def test_a_part_that_was_written_to_is_checked_again(divided, verdict, tmp_path):
    folder = divided()
    verdict(folder, "one")
    before = {path.name: path.read_bytes() for path in (tmp_path / "one/train.parquet").iterdir()}
    for path in (tmp_path / "one/train.parquet").iterdir():
        path.write_bytes(b"damaged")

    verdict(folder, "other")

    assert {path.name: path.read_bytes() for path in (tmp_path / "other/train.parquet").iterdir()} == before


def test_features_are_computed_part_by_part(whole, divided, verdict, tmp_path):
    work = partial(featurize, params=FeaturesParams(age_bands=(13, 18)))
    verdict(divided())
    (tmp_path / "one").mkdir()
    judge({name: whole / f"{name}.csv" for name in TABLES}, tmp_path / "one", RULES, task_of(LABELS))

    for folder in ("clean", "one"):
        map_tables(TABLES, tmp_path / folder, tmp_path / f"features-{folder}", work)

    whole_table = pd.read_parquet(tmp_path / "features-one/train.parquet")
    rows = rows_of(partitioned(tmp_path / "features-clean/train.parquet"), Clean.PassengerId)
    pd.testing.assert_frame_equal(rows.sort_values(Clean.PassengerId, ignore_index=True), whole_table)


def test_a_partition_follows_from_the_value_alone():
    values = pa.array([3, None, 1, 2, None], pa.int64())

    alone = [places(values.slice(row, 1), PARTITIONS)[0] for row in range(5)]

    assert places(values, PARTITIONS).tolist() == alone
    assert places(pa.array(["a", "b"]), PARTITIONS).tolist() == [
        places(pa.array([name]), PARTITIONS)[0] for name in "ab"
    ]


def test_partitions_are_about_equal():
    sizes = np.bincount(places(pa.array(range(100_000)), 16))

    assert sizes.min() > 5_900
    assert sizes.max() < 6_600


def test_a_file_without_partitions_is_refused(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "a.parquet")

    with pytest.raises(UserError, match="is no part of a table in partitions; run `dvc repro`"):
        partitioned(tmp_path)


def test_files_of_other_partitions_do_not_mix(tmp_path):
    schema = pa.schema([("a", pa.int64())])
    for count in (2, 3):
        with in_partitions(tmp_path / f"{count}.parquet", schema, "a", "a", count) as writer:
            writer.write_batch(pa.record_batch([pa.array([1, 2])], schema=schema))

    with pytest.raises(UserError, match="are not of one run; run `dvc repro`"):
        partitioned(tmp_path)


# ---- cutting a file


def cut(tmp_path, text, size, monkeypatch):
    monkeypatch.setattr(parts, "BLOCK", 40)
    (tmp_path / "whole.csv").write_bytes(text.encode())
    (tmp_path / "cut").mkdir()
    parts.cut(tmp_path / "whole.csv", tmp_path / "cut", size)
    return sorted((tmp_path / "cut").iterdir())


def test_a_file_is_cut_at_the_end_of_rows(tmp_path, monkeypatch):
    rows = [f'{number},"a, b\n""{number}"""\n' if number % 3 else f"{number},plain\r\n\r\n" for number in range(1, 40)]

    files = cut(tmp_path, "".join(["n,text\n", *rows]), 100, monkeypatch)

    assert len(files) > 3
    tables = [pd.read_csv(file) for file in files]
    assert [first_row(file) for file in files] == [table["n"].iloc[0] for table in tables]
    assert pd.concat(tables)["n"].tolist() == list(range(1, 40))


def test_a_file_whose_last_row_has_no_line_end_is_cut(tmp_path, monkeypatch):
    files = cut(tmp_path, "n\n" + "\n".join(map(str, range(100))), 60, monkeypatch)

    assert pd.concat(map(pd.read_csv, files))["n"].tolist() == list(range(100))


@pytest.mark.parametrize(("name", "number"), [("rows-0000000012", 12), ("rows-12", 1), ("rows-may", 1), ("2026", 1)])
def test_only_the_names_of_cut_parts_have_a_number(name, number):
    assert first_row(Path(f"{name}.csv")) == number


def test_what_follows_an_open_quote_stays_together(tmp_path, monkeypatch):
    files = cut(tmp_path, "n\n" + "1\n" * 100 + '"open\n' + "2\n" * 300, 60, monkeypatch)

    assert files[-1].read_text().endswith('"open\n' + "2\n" * 300)


# ---- sources


@pytest.fixture
def ingested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVCKIT_WORKERS", "2")

    def ingested(folder, rules=RULES, partitions=PARTITIONS):
        (tmp_path / "raw").mkdir()
        copy(str(folder), rules, tmp_path / "raw", partitions)
        return tmp_path / "raw"

    return ingested


def test_parts_in_csv_and_parquet_become_plain_csv(whole, ingested):
    lines = (whole / "train.csv").read_text().splitlines(keepends=True)
    (whole / "train").mkdir()
    (whole / "train/a.csv").write_text("".join(lines[:500]))
    (whole / "b.csv").write_text("".join([lines[0], *lines[500:]]))
    kinds = csv.ConvertOptions(column_types={Clean.Ticket: pa.string()}, strings_can_be_null=True)
    parquet.write_table(csv.read_csv(whole / "b.csv", convert_options=kinds), whole / "train/b.parquet")
    (whole / "train/_SUCCESS").touch()
    (whole / "train.csv").unlink()

    raw = ingested(whole)

    assert sorted(path.name for path in raw.rglob("*.csv") if path.is_file()) == [
        "a.csv",
        "b.csv",
        "rows-0000000001.csv",
    ]
    one, other = (pd.read_csv(file, dtype=str) for file in (raw / "train.csv/b.csv", whole / "b.csv"))
    numbers = [Clean.Age, Clean.Fare]
    pd.testing.assert_frame_equal(
        one.astype(dict.fromkeys(numbers, float)), other.astype(dict.fromkeys(numbers, float))
    )


@pytest.mark.parametrize(
    ("change", "partitions", "sentence"),
    [
        (lambda folder: (folder / "test.csv").unlink(), 3, "has no test.csv and no folder test; put the files there"),
        (
            lambda folder: (folder / "train/notes.txt").touch(),
            3,
            "train/notes.txt is no part of a table: parts are .csv",
        ),
        (lambda folder: (folder / "train/a.parquet").write_text("no"), 3, "has two parts of one name"),
        (lambda folder: (folder / "train/b.parquet").write_text("no"), 3, "b.parquet is not a Parquet table"),
        (lambda _: None, 1, "train is a folder of parts; set dataset.partitions to 2 or more"),
    ],
)
def test_a_source_that_cannot_be_read_is_told_in_one_sentence(whole, ingested, change, partitions, sentence):
    (whole / "train").mkdir()
    (whole / "train.csv").rename(whole / "train/a.csv")
    change(whole)

    with pytest.raises(UserError) as caught:
        ingested(whole, partitions=partitions)

    assert sentence in str(caught.value)


def test_rows_without_an_id_come_in_one_file(tmp_path, ingested):
    (tmp_path / "sales/train").mkdir(parents=True)
    for part in "ab":
        (tmp_path / f"sales/train/{part}.csv").write_text("Price,Area\n1,2\n")

    with pytest.raises(UserError, match="rows without an id cannot be told apart in them; give a column the role id"):
        ingested(tmp_path / "sales", Rules(Schema(Sale), predict=False))


def test_rows_without_an_id_are_numbered_over_the_parts_of_their_file(tmp_path, verdict, monkeypatch):
    rules = Rules(Schema(Sale), predict=False)
    (tmp_path / "sales/train.csv").mkdir(parents=True)
    monkeypatch.setattr(parts, "BLOCK", 100)
    (tmp_path / "whole.csv").write_text("Price,Area\n" + "".join(f"{row},{row % 9}\n" for row in range(1, 301)))
    parts.cut(tmp_path / "whole.csv", tmp_path / "sales/train.csv", 200)

    assert verdict(tmp_path / "sales", rules=rules, tables=["train"]).problems == []

    rows = rows_of(partitioned(tmp_path / "clean/train.parquet"), "row_number").sort_values("row_number")
    assert rows["row_number"].tolist() == list(range(1, 301))
    assert rows["Price"].tolist() == list(range(1, 301))


@pytest.mark.parametrize("value", ["3", 2.5, 0, 1001, True])
def test_the_number_of_partitions_is_a_whole_one(value):
    with pytest.raises(ValidationError):
        Division(partitions=value)
