"""The example project at several revisions, compared through real tables of predictions."""

import json
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from dvckit.compare.compare import compare, compare_revisions, read_revisions
from dvckit.compare.evidence import gather
from dvckit.compare.report import render_md, write_page
from dvckit.core.errors import UserError
from dvckit.repository.revision import Revision
from dvckit.tables.load import table_at
from titanic.schema import KEY, TARGET

RAW = "data/raw/train.csv"
SEED = "  seed: 1                       # seed of the split"
METRICS = ("accuracy", "roc_auc", "log_loss")
DECK = (
    ('    Deck: str | None = column("category", "First letter of the cabin", min_length=1, max_length=1)\n', ""),
    ("            Features.Deck: deck(clean[Clean.Cabin]),\n", ""),
)


def version(project, name, *edits, path="params.yaml"):
    """Reproduce and commit the project, edited, under a tag, and go back to where it was."""
    project.edit(path, *edits)
    project.ok("dvc", "repro")
    project.commit(name)
    project.ok("git", "tag", name)
    project.ok("git", "checkout", "--quiet", "v1")
    project.ok("dvc", "checkout")


@pytest.fixture(scope="module")
def history(_small, tmp_path_factory):
    """The tag v1, and others that differ from it in one thing each. It is read, never written."""
    project = type(_small)(tmp_path_factory.mktemp("history") / "titanic")
    shutil.copytree(_small.root, project.root, symlinks=True)
    project.ok("git", "tag", "v1")
    version(project, "trees", ("n_estimators: 5", "n_estimators: 6"))
    version(project, "seed2", (SEED, SEED.replace("1", "2")))
    version(project, "older", *DECK, path="titanic/features.py")
    renumbered(project)
    version(project, "renumbered", ("source: synthetic", "source: files"), ("[13, 18, 35, 60]", "[30]"))
    return project


def renumbered(project):
    """Bring v1's rows with other keys in another order, the last 91 replaced, and the label of one turned."""
    rows = pd.read_csv(project.root / RAW, dtype=str, keep_default_na=False)
    rows.loc[0, TARGET] = "10"[int(rows.loc[0, TARGET])]
    other = rows.iloc[-91:].assign(Name="Doe, Mr. John", Ticket=[str(n) for n in range(91)])
    rows = pd.concat([rows.iloc[:-91], other]).sample(frac=1, random_state=1)
    rows.assign(**{KEY: range(1, 892)}).to_csv(project.root / "data/external/titanic/train.csv", index=False)
    shutil.copy(project.root / "data/raw/test.csv", project.root / "data/external/titanic/test.csv")


@pytest.fixture
def project(history, tmp_path):
    """A copy of that history, to be changed."""
    shutil.copytree(history.root, tmp_path / "titanic", symlinks=True)
    return type(history)(tmp_path / "titanic")


def rewrite(project, change):
    """Change the table of predictions in the workspace."""
    file = project.root / "data/processed/predictions.parquet"
    table = change(pd.read_parquet(file))
    file.unlink()
    table.to_parquet(file)


def test_equal_splits_are_compared_on_the_hold_out(history):
    data = compare(history.root, ["v1", "trees"]).as_json()

    (one,) = data["compared"]
    metrics = json.loads((history.root / "reports/metrics.json").read_text())["holdout"]
    assert (data["how"]["compared"], data["how"]["rows"], data["how"]["holdout_rows"]) == ("hold-out", 178, 178)
    assert {name: one["metrics"][name]["reference"] for name in METRICS} == {name: metrics[name] for name in METRICS}
    for test in one["metrics"].values():
        assert test["difference"] == pytest.approx(test["value"] - test["reference"], abs=2e-6)
        assert test["low"] <= test["difference"] <= test["high"]
    assert json.loads(json.dumps(data)) == data


def test_other_splits_compare_the_recipes_on_every_row(history):
    comparison = compare(history.root, ["v1", "seed2"])

    how, (one,) = comparison.as_json()["how"], comparison.candidates
    assert (how["compared"], how["rows"], one.overall) == ("recipes", 891, "indistinguishable")
    assert how["holdout_rows"] < 100
    assert "- the recipes are compared, not single models: the hold-outs share only " in render_md(comparison)


def test_every_row_was_predicted_by_a_model_that_had_not_seen_it(history):
    predictions = Revision(history.root, "v1").table("data/processed/predictions.parquet")
    processed = table_at(Revision(history.root, "v1"), "processed/holdout")

    assert len(predictions) == 891
    assert set(predictions["key"][predictions["part"] == "holdout"]) == set(processed[KEY])


def test_rows_are_matched_by_what_they_say_and_not_by_their_keys(history):
    evidence = gather([Revision(history.root, name) for name in ("v1", "renumbered")])

    # 891, less 91 that are replaced, less the one that has two labels
    assert len(evidence.truth) == 891 - 91 - 1
    tables = [Revision(history.root, name).table("data/processed/predictions.parquet") for name in ("v1", "renumbered")]
    raws = [table_at(Revision(history.root, name), "raw").set_index(KEY) for name in ("v1", "renumbered")]
    names = [
        dict(zip(table["row"], raw.loc[table["key"].astype(str), "Name"], strict=True))
        for table, raw in zip(tables, raws, strict=True)
    ]
    shared = set(names[0]) & set(names[1])
    assert len(shared) == 800
    assert {row: names[0][row] for row in shared} == {row: names[1][row] for row in shared}


def test_data_of_different_sources_are_named_first(history):
    comparison = compare(history.root, ["v1", "renumbered"])

    assert comparison.as_json()["sources"] == {"v1": "synthetic", "renumbered": "files in data/external/titanic"}
    first = render_md(comparison).splitlines()[2]
    assert first.startswith("- the data differ: synthetic (v1), files in data/external/titanic (renumbered); only rows")


def test_a_model_of_other_columns_is_compared(history):
    comparison = compare(history.root, ["v1", "older"])

    (one,) = comparison.candidates
    assert comparison.as_json()["how"]["rows"] == 178
    assert one.changes["features"] == {"Deck": {"old": "str"}}
    assert one.changes["code"] == {"titanic/features.py": {"added": 0, "removed": 2}}
    assert "- features: Deck removed\n- code: titanic/features.py +0 -2\n" in render_md(comparison)


def test_a_source_with_another_column_is_compared_on_the_columns_that_both_have(project):
    """The rows of a revision are hashed with all of its columns; here one revision has a column more."""
    project.edit(
        "data/interim/train_metadata.yaml", ("  Embarked:", "  Berth:\n    dtype: str\n    nullable: true\n  Embarked:")
    )
    table = pd.read_parquet(project.root / "data/interim/train.parquet").assign(Berth="top")
    (project.root / "data/interim/train.parquet").unlink()
    table.to_parquet(project.root / "data/interim/train.parquet")
    rewrite(project, lambda table: table.assign(row=[f"{n:016x}" for n in range(len(table))]))

    comparison = compare(project.root, ["v1"])

    assert comparison.as_json()["how"]["rows"] == 178


@pytest.mark.faults
def test_data_without_a_common_row_cannot_be_compared(project):
    version(project, "strangers", ("seed: 1912", "seed: 7"))

    with pytest.raises(
        UserError, match=r"v1 .* and strangers .* share only 0 labelled rows, too few to compare models on"
    ):
        compare(project.root, ["v1", "strangers"])


def test_params_data_and_packages_that_changed_are_listed(project):
    project.edit("uv.lock", ('name = "tqdm"\nversion = "', 'name = "tqdm"\nversion = "1.'))

    changes = compare(project.root, ["renumbered"]).candidates[0].changes

    assert changes["params"] == {
        "dataset.source": {"old": "files", "new": "synthetic"},
        "features.age_bands": {"old": [30], "new": [13, 18, 35, 60]},
    }
    assert {side["rows"] for side in changes["data"][RAW].values()} == {891}
    assert list(changes["packages"]) == ["tqdm"]
    assert changes["packages"]["tqdm"]["new"] == "1." + changes["packages"]["tqdm"]["old"]
    assert changes["code"] == changes["features"] == {}


def test_head_is_compared_with_the_workspace_by_default(history):
    (one,) = compare(history.root).as_json()["compared"]

    assert one["revision"] == "workspace"
    assert {test["difference"] for test in one["metrics"].values()} == {0.0}
    assert one["changes"] == {"params": {}, "data": {}, "features": {}, "code": {}, "packages": {}}


def test_several_revisions_are_corrected_together(history):
    comparison = compare(history.root, ["v1", "trees", "older"])

    p_values = [one.tests[0].difference.p_value for one in comparison.candidates]
    adjusted = [one.tests[0].p_adjusted for one in comparison.candidates]
    assert min(adjusted) == pytest.approx(min(1, 2 * min(p_values)))
    assert "of each metric, the p values of 2 comparisons are corrected" in render_md(comparison)


def test_the_forest_is_better_than_the_gender_rule_on_the_genuine_data(fresh, write_params, kaggle):
    for name in ("train", "test"):
        shutil.copy(kaggle / f"{name}.csv", fresh.root / "data/external/titanic")
    forest = ("n_estimators: 5 ", "n_estimators: 100 ")
    write_params(
        fresh.root, forest, ("source: synthetic", "source: files"), ("pipeline: random_forest", "pipeline: baseline")
    )
    fresh.ok("dvc", "repro")
    fresh.commit("the gender rule")
    fresh.edit("params.yaml", ("pipeline: baseline", "pipeline: random_forest"))
    fresh.ok("dvc", "repro")
    fresh.commit("a forest")
    new, old = Revision(fresh.root, "HEAD"), Revision(fresh.root, "HEAD~1")

    (candidate,) = compare_revisions([old, new]).candidates
    (reverse,) = compare_revisions([new, old]).candidates

    assert {test.metric.name: test.verdict for test in candidate.tests}["roc_auc"] == "better"
    assert (candidate.overall, reverse.overall) == ("better", "worse")


def test_the_page_has_the_curves_of_all_and_needs_no_network(history, tmp_path):
    write_page(tmp_path / "page.html", compare(history.root, ["v1", "trees", "older"]))

    page = (tmp_path / "page.html").read_text()
    assert page.count("<figure") == 3
    assert page.count("<line ") == 3
    for colour in ("#000000", "#d55e00", "#0072b2"):
        assert page.count(colour) >= 4
    assert "src=" not in page
    assert "href=" not in page.replace('xlink:href="#', "").replace(' href="#', "")
    write_page(tmp_path / "again.html", compare(history.root, ["v1", "trees", "older"]))
    assert (tmp_path / "again.html").read_text() == page


def test_the_command_answers_in_every_form(history, tmp_path):
    (tmp_path / "revs.txt").write_text("# by age\nv1\ntrees  # more of them\n\n")

    printed = history.ok("dvckit", "compare", "v1", "trees", COLUMNS="80")
    as_json = history.ok("dvckit", "compare", "--from", str(tmp_path / "revs.txt"), "--json")
    as_md = history.ok("dvckit", "compare", "v1", "trees", "--md", "--html", str(tmp_path / "page.html"))

    assert "is indistinguishable from v1 (" in printed
    assert "params: train.n_estimators 5 -> 6" in printed
    assert max(map(len, printed.splitlines())) <= 80
    assert [one["revision"] for one in json.loads(as_json)["compared"]] == ["trees"]
    assert as_md.startswith("## trees (")
    assert "<h2>What changed: v1 (" in (tmp_path / "page.html").read_text()


def test_neither_scikit_learn_nor_the_project_is_imported(history):
    """A stranger's clone can be compared before it is trusted."""
    code = (
        "import sys; from pathlib import Path; from dvckit.compare.compare import compare;"
        "compare(Path('.'), ['v1', 'trees']); print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    process = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=history.root, capture_output=True, text=True, check=True
    )

    assert "'pandas'" in process.stdout
    assert "'sklearn'" not in process.stdout
    assert "'titanic'" not in process.stdout


@pytest.mark.parametrize(
    ("revs", "message"),
    [
        (["v1", "v2"], "there is no revision 'v2'"),
        (["v1", "trees", "v1"], "v1 and v1 are the same revision; name each once"),
        (["HEAD", "v1"], "HEAD and v1 are the same revision; name each once"),
        (["workspace"], "workspace and workspace are the same revision"),
    ],
)
def test_a_wrong_revision_gives_an_error(history, revs, message):
    with pytest.raises(UserError, match=message):
        compare(history.root, revs)


def test_a_revision_without_a_lock_gives_an_error(project):
    project.ok("git", "rm", "--quiet", "dvc.lock", "reports/dvc.lock")
    project.commit("no run yet")

    with pytest.raises(
        UserError, match=r"predictions\.parquet is not an output of any stage at HEAD: no dvc\.lock names"
    ):
        compare(project.root, ["v1", "HEAD"])


def test_a_revision_that_names_no_predictions_gets_the_lines_to_add(project):
    project.edit("dvc.yaml", ("      predictions: data/processed/predictions.parquet\n", ""))

    with pytest.raises(
        UserError, match=r"dvc.yaml in the workspace names no table of predictions; add `meta: \{predict"
    ):
        compare(project.root)


def test_predictions_of_an_earlier_model_are_refused(project):
    """`dvc repro train` leaves the predictions of the model before."""
    project.edit("params.yaml", ("n_estimators: 5", "n_estimators: 7"))
    project.ok("dvc", "repro", "train")

    with pytest.raises(UserError, match="in the workspace is of an earlier run than the model; run `dvc repro` there"):
        compare(project.root)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="part"), "it has no column part"),
        (
            lambda table: table.rename(columns={"probability_1": "probability_yes"}),
            "it has a truth of 1, and no column probability_1",
        ),
        (lambda table: pd.concat([table, table]), "several of its rows have the same `row`"),
        (lambda table: table.assign(probability_1=None), "a probability in it is missing or below 0"),
    ],
)
def test_a_table_that_is_not_one_of_predictions_is_refused(project, change, message):
    rewrite(project, change)

    with pytest.raises(UserError, match=f"in the workspace is not a table of predictions.*{message}"):
        compare(project.root)


def test_a_file_that_is_not_a_table_is_refused(project):
    file = project.root / "data/processed/predictions.parquet"
    file.unlink()
    file.write_bytes(b"PAR1")

    with pytest.raises(UserError, match=r"predictions\.parquet cannot be read in the workspace: it is not a table: "):
        compare(project.root)


def test_unreadable_packages_give_an_error(project):
    (project.root / "uv.lock").write_text("<<<<<<< ours\n")

    with pytest.raises(UserError, match=r"uv\.lock cannot be read in the workspace: "):
        compare(project.root)


def test_a_folder_is_not_a_page(history, tmp_path):
    with pytest.raises(UserError, match="is a folder; name a file for the page"):
        write_page(tmp_path, compare(history.root))


def test_a_file_of_revisions_may_not_be_empty_or_binary(tmp_path):
    (tmp_path / "empty").write_text("# nothing\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")

    with pytest.raises(UserError, match="names no revision; write one a line"):
        read_revisions(tmp_path / "empty")
    with pytest.raises(UserError, match="is not UTF-8 text"):
        read_revisions(tmp_path / "binary")
