import hashlib
import json
import shutil
import sqlite3
import zipfile
from contextlib import closing
from io import StringIO

import pandas as pd
import pytest

from titanic.config import MODEL
from titanic.experiments.facts import collect
from titanic.stage import UserError
from titanic.versions.repository import git, locked_outputs, locked_params

pytestmark = [pytest.mark.xdist_group("mirrors"), pytest.mark.system]
FEATURES = "data/features/test.parquet"


@pytest.fixture(scope="module")
def published(_small, tmp_path_factory):
    """The tag v1 on HEAD, and an experiment on it that ran the first pipeline alone, both published to MLflow."""
    root = tmp_path_factory.mktemp("published") / "titanic"
    shutil.copytree(_small.root, root, symlinks=True)
    project = type(_small)(root)
    project.ok("git", "remote", "add", "origin", "https://someone:secret@git.localhost/titanic.git")
    project.ok("git", "tag", "v1")
    project.ok("dvc", "exp", "run", "--name", "bands", "-S", "features.age_bands=[16,40]", "-S", "train.n_estimators=3")
    project.ok("git", "restore", ".")
    project.ok("dvc", "checkout")
    project.ok("titanic", "publish", "mlflow", "v1", "bands")
    return project


@pytest.fixture
def history(published, tmp_path):
    """A copy of that project; its MLflow still keeps artifacts where the project was at first."""
    shutil.copytree(published.root, tmp_path / "titanic", symlinks=True)
    return type(published)(tmp_path / "titanic")


def rows(project):
    """The number of rows in each table of MLflow; a model version that was deleted leaves an empty row."""
    with closing(sqlite3.connect(project.root / "mlflow.db")) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        counts = {name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
        deleted = "SELECT count(*) FROM model_versions WHERE current_stage = 'Deleted_Internal'"
        return counts | {"model_versions": counts["model_versions"] - database.execute(deleted).fetchone()[0]}


def runs(project):
    """The runs by name, as MLflow's own search finds them."""
    script = (
        "import mlflow; runs = mlflow.search_runs(experiment_names=['titanic']); "
        "print('found', runs.to_json(orient='records'))"
    )
    said = project.ok("python", "-c", script, MLFLOW_TRACKING_URI=f"sqlite:///{project.root}/mlflow.db")
    found = json.loads(said[said.index("found ") + 6 :])
    return {run["tags.mlflow.runName"]: run for run in found}


def test_two_revisions_stand_side_by_side_in_mlflow(published):
    found = runs(published)

    assert set(found) == {"v1", "bands"}
    for facts in collect(published.root, ["v1", "bands"]):
        run = found[facts.name]
        metrics = json.loads(git(published.root, "show", f"{facts.commit}:reports/metrics.json"))
        assert run["metrics.holdout.accuracy"] == metrics["holdout"]["accuracy"]
        assert run["metrics.cv.roc_auc"] == metrics["cv"]["roc_auc"]
        assert run["tags.mlflow.source.git.commit"] == facts.commit
        assert run["tags.dirty"] == "no"
        assert run["tags.stage.train"] == "python -m titanic.stage modeling.train"
        md5 = {output.path: output.md5 for output in locked_outputs(published.root, facts.commit)}
        assert run[f"tags.md5.{FEATURES}"] == md5[FEATURES]
        assert run["start_time"] == run["end_time"] == facts.time * 1000
    assert (found["v1"]["params.train.n_estimators"], found["bands"]["params.train.n_estimators"]) == ("5", "3")
    assert found["v1"]["tags.mlflow.source.git.repoURL"] == "https://git.localhost/titanic.git"


def test_what_an_experiment_did_not_run_is_left_out_and_named(published):
    v1, bands = collect(published.root, ["v1", "bands"])

    assert "reports/report.html" in v1.files
    assert not {"reports/report.html", "reports/diagnostics.json"} & set(bands.files)
    assert bands.stale == ["reports/dvc.yaml:diagnose", "reports/dvc.yaml:report"]
    assert bands.params["features.age_bands"] == [16, 40]
    assert locked_params(published.root, bands.commit)["features.age_bands"] == [16, 40]


def test_artifacts_are_the_files_of_the_revision(published):
    tables = {f"tables/{plot}.json" for plot in ("calibration", "confusion", "precision_recall", "roc")}
    for name, run in runs(published).items():
        (facts,) = collect(published.root, [name])
        folder = published.root.joinpath(run["artifact_uri"].removeprefix("file://"))
        logged = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

        assert logged == {"stages.json", *facts.files} | tables
        assert (folder / "reports/plots/roc.csv").read_bytes() == facts.read("reports/plots/roc.csv")
        outs = json.loads((folder / "stages.json").read_text())["train"]["outs"]
        assert {"path": MODEL.as_posix(), "md5": facts.outputs[MODEL.as_posix()]}.items() <= outs[-1].items()


def test_publishing_again_changes_nothing(history):
    before = rows(history)

    said = history.ok("titanic", "publish", "mlflow", "v1", "bands", "HEAD")

    assert rows(history) == before
    assert said.count("is there already, as v1\n") == 2
    assert said.count("is there already, as bands\n") == 1


def test_a_run_that_was_cut_short_is_made_anew(history):
    with closing(sqlite3.connect(history.root / "mlflow.db")) as database:
        database.execute("UPDATE runs SET status = 'RUNNING' WHERE name = 'bands'")
        database.commit()
    before = rows(history)

    v1, bands, _ = history.ok("titanic", "publish", "mlflow", "v1", "--all-experiments").splitlines()

    assert v1.endswith(": is there already, as v1")
    assert bands.endswith(": published")
    assert set(runs(history)) == {"v1", "bands"}
    after = rows(history)
    assert after["runs"] == before["runs"] + 1  # the old one is in MLflow's bin
    assert after["model_versions"] == before["model_versions"]


def test_data_are_references_or_files(history):
    references = runs(history)["bands"]["tags.data"]

    history.ok("titanic", "publish", "mlflow", "bands", "--with-data")

    files = runs(history)["bands"]
    assert (references, files["tags.data"]) == ("references", "files")
    raw = history.root.joinpath(files["artifact_uri"].removeprefix("file://"), "data/raw/train.csv")
    assert raw.read_bytes() == (history.root / "data/raw/train.csv").read_bytes()
    assert "is there already" in history.ok("titanic", "publish", "mlflow", "bands")


LOADED = """
import mlflow, pandas as pd, sys
model = mlflow.pyfunc.load_model("models:/survival/1")
print(model.predict(pd.read_parquet(sys.argv[1])).to_csv(index=False))
print(model.metadata.get_input_schema().input_names(), sys.modules["titanic"].__file__)
"""


def test_the_registered_model_loads_and_predicts_as_titanic_does(published, tmp_path):
    published.ok("titanic", "predict", "data/raw/test.csv", str(tmp_path / "ours.csv"), "--rev", "v1")
    ours = pd.read_csv(tmp_path / "ours.csv")
    store = f"sqlite:///{published.root}/mlflow.db"
    elsewhere = type(published)(tmp_path)

    said = elsewhere.ok("python", "-c", LOADED, str(published.root / FEATURES), MLFLOW_TRACKING_URI=store)

    table, _, told = said[said.index("Survived,") :].partition("\n\n")
    theirs = pd.read_csv(StringIO(table))
    assert theirs.SurvivalChance.round(6).tolist() == ours.SurvivalChance.tolist()
    assert theirs.Survived.tolist() == ours.Survived.tolist()
    assert "'TicketPrefix'" in told
    assert "/code/titanic/__init__.py" in told  # the code of the revision, not what is installed
    assert not list((published.root / "mlartifacts").rglob("*.pkl"))


def test_another_store_is_named_by_option_or_environment(history, tmp_path):
    store = f"sqlite:///{tmp_path}/other.db"

    first = history.ok("titanic", "publish", "mlflow", "v1", "--uri", store)
    again = history.ok("titanic", "publish", "mlflow", "v1", MLFLOW_TRACKING_URI=store)

    assert ": published\n" in first
    assert "is there already" in again
    assert (tmp_path / "mlartifacts").is_dir()


def test_clearml_gets_an_offline_session_once(history):
    (facts,) = collect(history.root, ["bands"])
    session = history.root / f"clearml/{facts.commit}.zip"

    first = history.ok("titanic", "publish", "clearml", "bands")
    content = session.read_bytes()
    again = history.ok("titanic", "publish", "clearml", "--all-experiments")

    assert first == f"bands ({facts.commit[:7]}): clearml/{facts.commit}.zip\n"
    assert again == f"bands ({facts.commit[:7]}): clearml/{facts.commit}.zip is there already\n"
    assert session.read_bytes() == content
    with zipfile.ZipFile(session) as archive:
        task = json.loads(archive.read("task.json"))
        reported = [event for line in archive.read("metrics.jsonl").splitlines() for event in json.loads(line)]
        files = {name.rpartition("/")[2]: archive.read(name) for name in archive.namelist()}
    assert (task["name"], task["project_name"], task["tags"]) == ("bands", "titanic", [facts.commit])
    assert task["hyperparams"]["params"]["train.n_estimators"]["value"] == "3"
    assert task["hyperparams"]["md5"][FEATURES]["value"] == facts.outputs[FEATURES]
    assert "python -m titanic.stage modeling.train" in task["configuration"]["stages"]["value"]
    assert 'TicketPrefix = "str"' in task["configuration"]["model"]["value"]
    assert {event["variant"]: event["value"] for event in reported if event["metric"] == "Summary"} == facts.metrics
    assert {"calibration", "confusion", "precision_recall", "roc"} <= {event["metric"] for event in reported}
    assert hashlib.sha256(files["model.skops"]).hexdigest() == facts.card["sha256"]
    assert files["roc.csv"] == facts.read("reports/plots/roc.csv")


def test_a_clearml_server_out_of_reach_is_answered_and_the_session_kept(history):
    server = {
        f"CLEARML_{name}": "http://127.0.0.1:9" if name.endswith("HOST") else "none"
        for name in ("API_HOST", "WEB_HOST", "FILES_HOST", "API_ACCESS_KEY", "API_SECRET_KEY")
    }

    done = history.run("titanic", "publish", "clearml", "v1", **server)

    assert done.code == 1
    assert done.said.splitlines()[-1] == (
        "error: the ClearML server http://127.0.0.1:9 is out of reach (Connection refused); the sessions are in clearml/"
    )
    assert len(list((history.root / "clearml").glob("*.zip"))) == 1


@pytest.mark.parametrize(("extra", "name"), [("mlflow", "MLflow"), ("clearml", "ClearML")])
def test_without_the_extra_there_is_one_sentence(published, extra, name):
    script = (
        f"import sys; sys.modules['{extra}'] = None; sys.argv = ['titanic', 'publish', '{extra}', 'v1']; "
        "from titanic.cli import main; main()"
    )

    done = published.run("python", "-c", script)

    assert done == (1, f"error: {name} is not installed; run `uv sync --extra {extra}`\n")


@pytest.mark.parametrize(
    "store", ["nonsense://x", "sqlite:////proc/x.db", "sqlite:///params.yaml", "http://[bad", "oracle://x"]
)
def test_a_wrong_store_is_answered_in_a_sentence(published, store):
    done = published.run("titanic", "publish", "mlflow", "v1", "--uri", store)

    assert done.code == 1
    assert done.said.startswith("error: ")
    assert store in done.said
    assert done.said.count("\n") == 1


def test_a_password_is_not_shown(published):
    done = published.run("titanic", "publish", "mlflow", "v1", "--uri", "oracle://someone:secret@127.0.0.1:9/x")

    assert done.said.startswith("error: MLflow at oracle://127.0.0.1:9/x: ")
    assert "secret" not in done.said


def test_nothing_named_and_unknown_revisions_are_answered(small):
    with pytest.raises(UserError, match=r"^name a revision to publish$"):
        collect(small.root, [])
    with pytest.raises(UserError, match=r"^there is no experiment; `dvc exp run` makes one$"):
        collect(small.root, [], all_experiments=True)
    with pytest.raises(UserError, match=r"^there is no revision 'v9'"):
        collect(small.root, ["v9"])


def test_a_revision_without_a_finished_run_is_answered(small):
    small.edit("params.yaml", ("n_estimators: 5", "n_estimators: 4"))
    small.ok("dvc", "repro", "train")
    small.commit("trained, not evaluated")

    with pytest.raises(UserError, match=r"has no finished run, reports/metrics\.json is missing or of an earlier one"):
        collect(small.root, ["HEAD"])
