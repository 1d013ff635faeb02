import json
import shutil
from types import SimpleNamespace

import pandas as pd
import pytest

from dvckit.core.errors import UserError
from dvckit.data.diff import CHANGES, data_diff, diff_tables, print_diff, render_md


def table(**columns):
    return pd.DataFrame({"id": [1, 2, 3], "age": [30.0, None, 5.0], "port": ["S", "C", None]} | columns)


def diff(old, new):
    return SimpleNamespace(**diff_tables(old, new, "id"))


def shifts(old, new):
    return [SimpleNamespace(**shift) for shift in diff(old, new).shifts]


def as_report(difference):
    """What `data_diff` returns where one table changed so."""
    changed = {"state": "changed", "key": "id", **vars(difference)}
    return {"compared": "v1 (1234567) -> workspace", "key": "id", "tables": {"clean": changed}}


def test_a_table_has_no_difference_from_itself():
    difference = diff(table(), table())

    assert [change for change in CHANGES if vars(difference)[change]] == []


def test_added_and_removed_rows_are_reported_by_key():
    difference = diff(table(), table(id=[1, 3, 4]).assign(age=[30.0, 5.0, 1.0], port=["S", None, "S"]))

    assert (difference.added, difference.removed, difference.cells, difference.reordered) == ([4], [2], [], False)
    assert difference.rows == {"old": 3, "new": 3}


def test_each_changed_cell_is_reported_and_missing_on_both_sides_is_no_change():
    difference = diff(table(), table(age=[31.0, None, None], port=["S", "Q", None]))

    assert difference.cells == [
        {"key": 1, "occurrence": 1, "column": "age", "old": 30.0, "new": 31.0},
        {"key": 2, "occurrence": 1, "column": "port", "old": "C", "new": "Q"},
        {"key": 3, "occurrence": 1, "column": "age", "old": 5.0, "new": None},
    ]
    assert difference.changed == 3


def test_rows_are_paired_by_key_and_their_order_is_reported():
    difference = diff(table(), table().iloc[[2, 0, 1]])

    assert [change for change in CHANGES if vars(difference)[change]] == ["reordered"]


def test_repeated_keys_are_reported_and_paired_in_order_of_appearance():
    difference = diff(table(id=[1, 1, 2]), table(id=[1, 1, 1], age=[30.0, None, 7.0]))

    assert difference.repeated == {"old": [1], "new": [1]}
    assert (difference.added, difference.removed, difference.cells) == ([1], [2], [])


def test_rows_without_a_key_are_paired_in_order_of_appearance():
    difference = diff(table(id=[1, None, None]), table(id=[1, None, None], age=[30.0, 2.0, 5.0]))

    assert difference.cells == [{"key": None, "occurrence": 1, "column": "age", "old": None, "new": 2.0}]
    assert difference.repeated == {"old": [None], "new": [None]}


def test_a_whole_number_as_key_is_the_same_beside_fractions_and_missing_ones():
    assert diff(table(), table(id=[1.0, 2.0, None])).removed == [3]
    assert diff(table(), table(id=[1.0, 2.0, 2.5])).removed == [3]


def test_added_and_removed_columns_are_reported():
    difference = diff(table(fare=1.0), table(deck="A"))

    assert (difference.columns_added, difference.columns_removed, difference.cells) == (["deck"], ["fare"], [])


def test_a_number_that_became_text_is_a_change_of_type_and_not_of_cells():
    difference = diff(table(), table(age=["30", None, "five"]))

    assert difference.types == {"age": {"old": "float64", "new": "str"}}
    assert difference.cells == [{"key": 3, "occurrence": 1, "column": "age", "old": 5.0, "new": "five"}]


def test_a_key_that_became_text_still_pairs_the_rows():
    difference = diff(table(id=[1, 2, None]), table(id=["1", "2", None]))

    assert difference.types == {"id": {"old": "float64", "new": "str"}}
    assert (difference.added, difference.removed, difference.cells) == ([], [], [])


@pytest.mark.parametrize("dtype", ["Int64", "category", "bool", "datetime64[ns]", object])
def test_columns_of_every_type_are_compared(dtype):
    old, new = (table(value=pd.Series(values).astype(dtype)) for values in ([0, 1, 1], [0, 1, 0]))

    assert [(cell["key"], cell["column"]) for cell in diff(old, new).cells] == [(3, "value")]


def test_a_shift_of_numbers_has_means_and_the_ks_statistic():
    ages = pd.DataFrame({"id": range(100), "age": [float(n) for n in range(100)]})

    (shift,) = shifts(ages, ages.assign(age=ages.age + 50))

    assert (shift.mean, shift.ks) == ({"old": 49.5, "new": 99.5}, 0.5)
    assert shift.p_value < 1e-9
    assert shift.missing == {"old": 0.0, "new": 0.0}


def test_a_shift_of_categories_has_the_shares_that_moved():
    old = pd.DataFrame({"id": range(4), "port": ["S", "S", "C", "Q"]})

    (shift,) = shifts(old, old.assign(port=["S", "C", "C", "Q"]))

    assert shift.total_variation == 0.25
    assert shift.shares == {"C": {"old": 0.25, "new": 0.5}, "S": {"old": 0.5, "new": 0.25}}


def test_text_of_many_values_and_empty_columns_have_their_missing_share_alone():
    old = pd.DataFrame({"id": range(30), "name": [str(n) for n in range(30)], "age": [1.0] * 30})
    new = old.assign(name=[None] * 15 + ["x"] * 15, age=None)

    name, age = shifts(old, new)

    assert (name.missing, name.total_variation) == ({"old": 0.0, "new": 0.5}, None)
    assert (age.missing, age.mean) == ({"old": 0.0, "new": 1.0}, None)


def test_empty_tables_are_compared():
    difference = diff(table().iloc[:0], table())

    assert (difference.added, difference.removed, difference.rows) == ([1, 2, 3], [], {"old": 0, "new": 3})


def test_a_table_without_the_key_is_reported():
    with pytest.raises(UserError, match="without the column id"):
        diff(table(), table().drop(columns="id"))


def test_a_reader_sees_the_first_twenty_and_how_many_more():
    old = pd.DataFrame({"id": range(100), "age": 1.0, "name": "a|b [red]"})
    new = old.assign(age=2.0, name=old.name.where(old.id > 0, "c|d")).drop(index=range(75, 100))

    text = render_md(as_report(diff(old, new)))

    assert text.splitlines()[0] == "## Data: v1 (1234567) -> workspace"
    assert "- 100 -> 75 rows: 0 added, 25 removed, 75 changed in 76 cells\n" in text
    assert "- rows removed: 75, 76," in text
    assert "94 and 5 more\n" in text
    assert "changed cells, the first 20 of 76:\n" in text
    assert "| 0 | name | a\\|b \\[red\\] | c\\|d |\n" in text
    assert text.count("| age | 1.0 | 2.0 |") == 19
    assert "| age | mean 1 -> 2, KS 1 (p " in text
    assert "| name | total variation 0.0133 (a\\|b \\[red\\] 1 -> 0.9867, c\\|d 0 -> 0.01333) |" in text


def test_each_kind_of_change_has_its_line():
    old = table(id=[1, 1, 2], gone=1)
    new = table(id=[2, 1, 1], age=["1", "2", "3"], come=1)

    text = render_md(as_report(diff(old, new)))

    assert "- columns added: come\n- columns removed: gone\n- types: age float64 -> str\n" in text
    assert "- old keys in several rows, paired in order of appearance: 1\n" in text
    assert "- common rows or columns are in another order\n" in text


def test_the_terminal_shows_data_that_looks_like_markup(capsys):
    old = table(port=["[red]", "C", "C"])

    print_diff(as_report(diff(old, table(port=["[bold]", "C", "C"]))))

    output = capsys.readouterr().out
    assert output.startswith("data: v1 (1234567) -> workspace\nclean: 3 -> 3 rows: 0 added, 0 removed, 1 changed in 1 ")
    assert "[red]" in output
    assert "[bold]" in output


def test_the_terminal_shows_no_line_beyond_its_width(capsys):
    old = pd.DataFrame({"id": range(100), "age": 1.0, "name": "A name of many words, " * 9})
    new = old.assign(age=2.0, name=old.name.where(old.id > 9, "Another name")).drop(index=range(60, 100))

    print_diff(as_report(diff(old, new)))

    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_a_cell_of_the_source_that_changed_is_found_in_every_table(small, capsys):
    for name in ("train", "test"):
        shutil.copy(small.root / f"data/raw/{name}.csv", small.root / f"data/external/titanic/{name}.csv")
    source = small.root / "data/external/titanic/train.csv"
    clean = pd.read_csv(source).set_index("PassengerId")
    source.write_text(source.read_text().replace(",female,", ",male,", 1))
    passenger = int(clean.index[clean.Sex == "female"][0])
    small.edit("params.yaml", ("source: synthetic", "source: files"))
    small.ok("dvc", "repro", "featurize")

    report = data_diff(small.root)

    assert json.loads(json.dumps(report)) == report
    head = small.ok("git", "rev-parse", "HEAD").strip()
    assert (report["old"], report["new"]) == (
        {"revision": "HEAD", "commit": head},
        {"revision": "workspace", "commit": None},
    )
    assert report["key"] == "PassengerId"
    assert {name: table["state"] for name, table in report["tables"].items()} == {
        "clean": "changed",
        "clean/test": "same",
        "features": "changed",
        "features/test": "same",
    }
    cell = {"key": passenger, "occurrence": 1, "column": "Sex", "old": "female", "new": "male"}
    assert report["tables"]["clean"]["cells"] == [cell]
    assert cell in report["tables"]["features"]["cells"]
    assert "### clean/test\n\n- no difference\n" in render_md(report)
    print_diff(report)
    assert capsys.readouterr().out.startswith(f"data: HEAD ({head[:7]}) -> workspace\nclean: 891 -> 891 rows: ")


def test_a_revision_is_compared_with_the_workspace_and_with_another(small):
    (small.root / "data/interim/test.parquet").unlink()
    small.edit("dvc.lock", ("data/interim/test.parquet", "data/interim/other.parquet"))
    small.commit("a table less")

    with_workspace = data_diff(small.root, ["HEAD~1"])
    backwards = data_diff(small.root, ["HEAD", "HEAD~1"])

    assert with_workspace["tables"]["clean/test"] == {"state": "removed"}
    assert backwards["tables"]["clean/test"] == {"state": "added"}
    assert backwards["tables"]["clean"] == {"state": "same"}
    assert "- the whole table was added" in render_md(backwards)


def test_a_missing_table_gives_an_error(fresh):
    fresh.ok("git", "rm", "--quiet", "dvc.lock", "reports/dvc.lock")
    fresh.commit("no run yet")

    with pytest.raises(UserError, match=r"^no dvc\.lock or \.dvc file names a table .*, HEAD \(.*\) -> workspace$"):
        data_diff(fresh.root)


def test_without_a_key_in_any_schema_one_is_found(small):
    small.ok("git", "rm", "--quiet", "data/interim/train_metadata.yaml")
    small.commit("no schema")
    small.edit("data/raw/test.csv", ("male", "female"))

    table = data_diff(small.root)["tables"]["data/raw/test.csv"]

    assert (table["state"], table["key"], {cell["column"] for cell in table["cells"]}) == (
        "changed",
        "PassengerId",
        {"Sex"},
    )


def test_rows_that_nothing_names_are_paired_by_their_content():
    old, new = (pd.DataFrame({"price": prices}) for prices in ([1.5, 1.5, 2.5, 3.5], [1.5, 1.5, 3.5, 4.5]))

    found = diff_tables(old, new, None)

    assert (found["removed"], found["added"], found["cells"]) == ([3], [4], [])
    assert found["rows"] == {"old": 4, "new": 4}
