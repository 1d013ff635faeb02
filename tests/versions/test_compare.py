import json
import shutil

import numpy as np
import pandas as pd
import pytest

from titanic.schema import KEY, TARGET
from titanic.stage import UserError
from titanic.versions.compare import METRICS, compare, overall, read_revisions, verdicts
from titanic.versions.compared import print_comparison, render_md, write_page
from titanic.versions.contenders import contenders, features, raw_rows, truth, unseen
from titanic.versions.tables import load

pytestmark = pytest.mark.xdist_group("compare")  # the history is made once

RAW = "data/raw/train.csv"
SEED = "  seed: 1                       # draws the split"


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
    without_deck = ("if name not in (KEY, TARGET))", 'if name not in (KEY, TARGET, "Deck"))')
    version(project, "older", without_deck, path="titanic/schema.py")
    renumbered(project)
    version(project, "renumbered", ("source: synthetic", "source: files"), ("[13, 18, 35, 60]", "[30]"))
    return project


def renumbered(project):
    """Bring v1's list with other keys in another order, the last 91 people replaced, and the label of one turned."""
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


def people(table):
    """What a row says, apart from its key and label."""
    cells = table.drop(columns=[KEY, TARGET]).astype("str")
    return set(map(tuple, cells.to_numpy()))


def holdout(history, rev, monkeypatch):
    monkeypatch.chdir(history.root)
    raw = load("raw", rev)
    return raw[raw[KEY].isin(load("processed/holdout", rev)[KEY].astype(str))]


def test_more_trees_are_compared_on_the_hold_out_that_both_share(history, monkeypatch):
    found = compare(history.root, ["v1", "trees"])

    (one,) = found.told["compared"]
    metrics = json.loads((history.root / "reports/metrics.json").read_text())["holdout"]
    assert found.told["how"]["rows"] == len(holdout(history, "v1", monkeypatch)) == len(found.truth)
    assert {name: one["metrics"][name]["reference"] for name in METRICS} == {name: metrics[name] for name in METRICS}
    for test in one["metrics"].values():
        assert test["difference"] == pytest.approx(test["value"] - test["reference"], abs=2e-6)
        assert test["low"] <= test["difference"] <= test["high"]
    assert json.loads(json.dumps(found.told)) == found.told


def test_two_seeds_of_one_pipeline_are_indistinguishable(history):
    found = compare(history.root, ["v1", "seed2"])

    how, (one,) = found.told["how"], found.told["compared"]
    assert (how["refitted"], how["rows"], one["overall"]) == (True, 891, "indistinguishable")
    assert how["unseen_rows"] < 100
    assert {test["verdict"] for test in one["metrics"].values()} == {"indistinguishable"}
    assert "labelled rows are new to all of the models (it takes 100" in render_md(found.told)


def test_rows_are_known_by_what_they_say_and_not_by_their_keys(history, monkeypatch):
    found = contenders(history.root, ["v1", "renumbered"])
    kept = unseen(found)

    expected = people(holdout(history, "v1", monkeypatch)) | people(holdout(history, "renumbered", monkeypatch))
    for rev in ("v1", "renumbered"):
        raw = load("raw", rev)
        expected -= people(raw[raw[KEY].isin(load("processed", rev)[KEY].astype(str))])
    assert len(kept) == len(expected) > 0
    assert len(truth(found)) == 891 + 91 - 1  # the one with two labels is left out


def test_a_model_gets_rows_that_its_revision_did_not_have_with_its_own_parameters(history):
    found = contenders(history.root, ["v1", "renumbered"])

    new = truth(found).index.difference(found[0].rows.index)
    first, second = features(history.root, found, new)

    assert len(new) == 91
    assert {"0-12", "60+"} <= set(first["AgeBand"]) <= {"0-12", "13-17", "18-34", "35-59", "60+", np.nan}
    assert set(second["AgeBand"]) <= {"0-29", "30+", np.nan}
    assert first.drop(columns="AgeBand").equals(second.drop(columns="AgeBand"))


def test_a_model_of_other_columns_is_asked_about_the_rows_of_its_own_tables(history):
    found = compare(history.root, ["v1", "older"])

    (one,) = found.told["compared"]
    assert found.told["how"]["rows"] == 178
    assert one["changes"]["features"] == {"Deck": {"old": "str"}}
    assert one["changes"]["code"] == {"titanic/schema.py": {"added": 1, "removed": 1}}
    assert "- features: Deck removed\n- code: titanic/schema.py +1 -1\n- the same: params, data, packages\n" in (
        render_md(found.told)
    )


def test_models_of_other_columns_and_other_rows_cannot_be_compared(project):
    """This code does not make the columns of either model, so that each knows the rows of its own tables alone."""
    project.ok("git", "checkout", "--quiet", "older")
    version(project, "older-strangers", ("seed: 1912", "seed: 7"))

    with pytest.raises(UserError, match="only 0 labelled rows can be given to each of these models"):
        compare(project.root, ["older", "older-strangers"])


def test_of_other_data_every_hold_out_row_counts(project):
    version(project, "strangers", ("seed: 1912", "seed: 7"))

    found = compare(project.root, ["v1", "strangers"])

    assert found.told["how"]["rows"] == 2 * 178
    assert set(found.told["compared"][0]["changes"]["data"]) == {RAW, "data/raw/test.csv"}


def test_params_data_and_packages_that_changed_are_told(project):
    project.edit("uv.lock", ('name = "tqdm"\nversion = "', 'name = "tqdm"\nversion = "1.'))

    changes = compare(project.root, ["renumbered"]).told["compared"][0]["changes"]

    assert changes["params"] == {
        "dataset.source": {"old": "files", "new": "synthetic"},
        "features.age_bands": {"old": [30], "new": [13, 18, 35, 60]},
    }
    assert {side["rows"] for side in changes["data"][RAW].values()} == {891}
    assert list(changes["packages"]) == ["tqdm"]
    assert changes["packages"]["tqdm"]["new"] == "1." + changes["packages"]["tqdm"]["old"]
    assert changes["code"] == changes["features"] == {}


def test_head_is_compared_with_the_workspace_by_default(history):
    (one,) = compare(history.root).told["compared"]

    assert one["revision"] == "workspace"
    assert {test["difference"] for test in one["metrics"].values()} == {0.0}
    assert one["changes"] == {"params": {}, "data": {}, "features": {}, "code": {}, "packages": {}}


def test_several_revisions_are_corrected_together(history):
    found = compare(history.root, ["v1", "trees", "older"])

    p_values = [one["metrics"]["accuracy"]["p_value"] for one in found.told["compared"]]
    adjusted = [one["metrics"]["accuracy"]["p_adjusted"] for one in found.told["compared"]]
    assert min(adjusted) == pytest.approx(min(1, 2 * min(p_values)), abs=2e-6)
    assert "of each metric, the p values of 2 comparisons are corrected" in render_md(found.told)


def test_the_forest_is_better_than_the_gender_rule_on_the_genuine_list(fresh, kaggle):
    for name in ("train", "test"):
        shutil.copy(kaggle / f"{name}.csv", fresh.root / "data/external/titanic")
    fresh.edit("params.yaml", ("source: synthetic", "source: files"), ("pipeline: random_forest", "pipeline: baseline"))
    fresh.ok("dvc", "repro", "train")
    fresh.commit("the gender rule")
    fresh.edit("params.yaml", ("pipeline: baseline", "pipeline: random_forest"))
    fresh.ok("dvc", "repro", "train")
    fresh.commit("a forest")

    found = verdicts(fresh.root, "HEAD", "HEAD~1")

    assert (found["roc_auc"], overall(found)) == ("better", "better")
    assert overall(verdicts(fresh.root, "HEAD~1", "HEAD")) == "worse"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (("better", "indistinguishable", "better"), "better"),
        (("indistinguishable", "worse", "indistinguishable"), "worse"),
        (("better", "indistinguishable", "worse"), "indistinguishable"),
        (("indistinguishable",) * 3, "indistinguishable"),
    ],
)
def test_what_some_metrics_say_is_judged_as_a_whole(found, expected):
    assert overall(dict(zip(METRICS, found, strict=True))) == expected


def told(*judged):
    """What `compare` tells of revisions whose metrics are judged so."""
    test = {"reference": 0.8, "value": 0.9, "difference": 0.1, "low": -0.1, "high": 0.3, "p_adjusted": 0.0001}
    return {
        "reference": {"revision": "v1", "commit": "1" * 40},
        "how": {"refitted": False, "rows": 100, "tests": {"accuracy": "McNemar"}},
        "compared": [
            {
                "revision": f"[red]{place}|",
                "commit": "2" * 40,
                "overall": overall(dict(zip(METRICS, verdicts, strict=True))),
                "metrics": {name: test | {"verdict": verdict} for name, verdict in zip(METRICS, verdicts, strict=True)},
                "changes": {"params": {f"key{n}": {"new": None} for n in range(30)}},
            }
            for place, verdicts in enumerate(judged)
        ],
    }


def test_better_worse_and_both_are_told():
    same = "indistinguishable"
    said = render_md(told(("better", same, "better"), (same, "worse", same), ("better", "worse", same), (same,) * 3))

    assert "- [red]0| (2222222) is better than v1 (1111111) by accuracy, log_loss\n" in said
    assert "- [red]1| (2222222) is worse than v1 (1111111) by roc_auc\n" in said
    assert "- [red]2| (2222222) is better than v1 (1111111) by accuracy, but worse by roc_auc\n" in said
    assert "- [red]3| (2222222) is indistinguishable from v1 (1111111)\n" in said
    assert (
        "| [red]0\\| (2222222) | accuracy | 0.8000 | 0.9000 | +0.1000 | -0.1000 to +0.3000 | <0.001 | better |" in said
    )
    assert "key19 added and 10 more\n" in said


def test_the_terminal_shows_names_that_look_like_markup(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    print_comparison(told(("better",) * 3))

    said = capsys.readouterr().out
    assert said.startswith("[red]0| (2222222) is better than v1 (1111111) by accuracy, roc_auc, log_loss\n")
    assert "what changed: v1 (1111111) -> [red]0| (2222222)\n  params: key0 added; " in said
    assert "\n[red]0| (2222222)\nmetric " in said
    assert "…" not in said


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

    said = history.ok("titanic", "compare", "v1", "trees")
    as_json = history.ok("titanic", "compare", "--from", str(tmp_path / "revs.txt"), "--json")
    as_md = history.ok("titanic", "compare", "v1", "trees", "--md", "--html", str(tmp_path / "page.html"))

    assert "is indistinguishable from v1 (" in said
    assert "params: train.n_estimators 5 -> 6" in said
    assert [one["revision"] for one in json.loads(as_json)["compared"]] == ["trees"]
    assert as_md.startswith("## trees (")
    assert "<h2>What changed: v1 (" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("revs", "said"),
    [
        (["v1", "v2"], "there is no revision 'v2'"),
        (["v1", "trees", "v1"], "v1 and v1 are the same revision; name each once"),
        (["HEAD", "v1"], "HEAD and v1 are the same revision; name each once"),
        (["workspace"], "workspace and workspace are the same revision"),
    ],
)
def test_a_wrong_revision_is_answered(history, revs, said):
    with pytest.raises(UserError, match=said):
        compare(history.root, revs)


def test_a_revision_without_a_lock_is_answered(project):
    project.ok("git", "rm", "--quiet", "dvc.lock", "reports/dvc.lock")
    project.commit("no run yet")

    with pytest.raises(
        UserError, match=r"data/raw/train\.csv is no output of any stage at HEAD: no dvc\.lock names it"
    ):
        compare(project.root, ["v1", "HEAD"])


def test_a_workspace_whose_model_has_seen_other_rows_is_refused(project):
    """A hold-out row may be one of those that the model was trained on."""
    project.edit("params.yaml", (SEED, SEED.replace("1", "3")))
    project.ok("dvc", "repro", "split")

    with pytest.raises(UserError, match=r"the model of workspace does not score on .* what it did when it was trained"):
        compare(project.root)


def test_a_workspace_whose_tables_are_of_different_runs_is_refused(project):
    table = pd.read_csv(project.root / RAW, dtype=str, keep_default_na=False)
    table.head(800).to_csv(project.root / RAW, index=False)

    with pytest.raises(UserError, match="the tables of workspace are of different runs"):
        compare(project.root)


def test_a_list_of_packages_that_cannot_be_read_is_answered(project):
    (project.root / "uv.lock").write_text("<<<<<<< ours\n")

    with pytest.raises(UserError, match=r"uv\.lock cannot be read: "):
        compare(project.root)


def test_a_folder_is_no_page(history, tmp_path):
    with pytest.raises(UserError, match="is a folder; name a file for the page"):
        write_page(tmp_path, compare(history.root))


def test_rows_set_aside_for_their_cells_are_passed_over():
    rows = raw_rows(b'PassengerId,Name,Survived\n1,"Doe, A",0\n2,short\n3,too,1,long\n4,B,1\n')

    assert list(rows.index) == ["1", "4"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe,\xff\n", b"Name,Survived\nA,0\n"])
def test_what_is_no_raw_list_is_answered(content):
    with pytest.raises(UserError, match="a list in data/raw cannot be read: "):
        raw_rows(content)


def test_a_file_of_revisions_may_not_be_empty_or_binary(tmp_path):
    (tmp_path / "empty").write_text("# nothing\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")

    with pytest.raises(UserError, match="names no revision; write one a line"):
        read_revisions(tmp_path / "empty")
    with pytest.raises(UserError, match="is not UTF-8 text"):
        read_revisions(tmp_path / "binary")
