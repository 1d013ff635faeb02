import hashlib
import json
import os
import shutil
import signal
import sqlite3
import time
import zipfile
from contextlib import closing
from importlib.metadata import packages_distributions
from io import StringIO

import pandas as pd
import pytest

from dvckit.core.errors import UserError
from dvckit.core.layout import MODEL
from dvckit.publish.mirror import collect
from dvckit.repository.programs import git
from dvckit.repository.revision import Revision

pytestmark = pytest.mark.system
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
    project.ok("dvckit", "publish", "mlflow", "v1", "bands")
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
    output = project.ok("python", "-c", script, MLFLOW_TRACKING_URI=f"sqlite:///{project.root}/mlflow.db")
    records = json.loads(output[output.index("found ") + 6 :])
    return {run["tags.mlflow.runName"]: run for run in records}


def test_two_revisions_are_side_by_side_in_mlflow(published):
    by_name = runs(published)

    assert set(by_name) == {"v1", "bands"}
    for mirror in collect(published.root, ["v1", "bands"]):
        run = by_name[mirror.name]
        metrics = json.loads(git(published.root, "show", f"{mirror.commit}:reports/metrics.json"))
        assert run["metrics.holdout.accuracy"] == metrics["holdout"]["accuracy"]
        assert run["metrics.cv.roc_auc"] == metrics["cv"]["roc_auc"]
        assert run["tags.mlflow.source.git.commit"] == mirror.commit
        assert run["tags.dirty"] == "no"
        assert run["tags.stage.train"] == "python -m dvckit.stage titanic.modeling.train"
        assert run[f"tags.md5.{FEATURES}"] == Revision(published.root, mirror.commit).md5s[FEATURES]
        assert run["start_time"] == run["end_time"] == mirror.time * 1000
    assert (by_name["v1"]["params.train.n_estimators"], by_name["bands"]["params.train.n_estimators"]) == ("5", "3")
    assert by_name["v1"]["tags.mlflow.source.git.repoURL"] == "https://git.localhost/titanic.git"


def test_what_an_experiment_did_not_run_is_left_out_and_named(published):
    v1, bands = collect(published.root, ["v1", "bands"])

    assert "reports/report.html" in v1.attached
    assert not {"reports/report.html", "reports/diagnostics.json"} & set(bands.attached)
    assert bands.stale == ["reports/dvc.yaml:diagnose", "reports/dvc.yaml:report"]
    assert bands.params["features.age_bands"] == [16, 40]
    assert Revision(published.root, bands.commit).params["features.age_bands"] == [16, 40]


def test_artifacts_are_the_files_of_the_revision(published):
    tables = {f"tables/{plot}.json" for plot in ("calibration", "confusion", "precision_recall", "roc")}
    for name, run in runs(published).items():
        (mirror,) = collect(published.root, [name])
        folder = published.root.joinpath(run["artifact_uri"].removeprefix("file://"))
        logged = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

        assert logged == {"stages.json", *mirror.attached} | tables
        assert (folder / "reports/plots/roc.csv").read_bytes() == mirror.read("reports/plots/roc.csv")
        outs = json.loads((folder / "stages.json").read_text())["train"]["outs"]
        assert {"path": MODEL.as_posix(), "md5": mirror.md5s[MODEL.as_posix()]}.items() <= outs[-1].items()


def test_publishing_again_changes_nothing(history):
    before = rows(history)

    output = history.ok("dvckit", "publish", "mlflow", "v1", "bands", "HEAD")

    assert rows(history) == before
    assert output.count("already published, as v1\n") == 2
    assert output.count("already published, as bands\n") == 1


def test_an_interrupted_run_is_replaced(history):
    with closing(sqlite3.connect(history.root / "mlflow.db")) as database:
        database.execute("UPDATE runs SET status = 'RUNNING' WHERE name = 'bands'")
        database.commit()
    before = rows(history)

    v1, bands, _ = history.ok("dvckit", "publish", "mlflow", "v1", "--all-experiments").splitlines()

    assert v1.endswith(": already published, as v1")
    assert bands.endswith(": published")
    assert set(runs(history)) == {"v1", "bands"}
    after = rows(history)
    assert after["runs"] == before["runs"] + 1  # the old one is in MLflow's bin
    assert after["model_versions"] == before["model_versions"]


def test_a_database_is_there_whole_or_not_at_all(history, tmp_path):
    store = tmp_path / "new.db"
    command = ("dvckit", "publish", "mlflow", "HEAD", "--uri", f"sqlite:///{store}")
    with history.start(*command) as process:
        while process.poll() is None and not store.exists():
            time.sleep(0.001)
        os.killpg(process.pid, signal.SIGKILL)

    history.ok(*command)


def test_data_are_references_or_files(history):
    references = runs(history)["bands"]["tags.data"]

    history.ok("dvckit", "publish", "mlflow", "bands", "--with-data")

    files = runs(history)["bands"]
    assert (references, files["tags.data"]) == ("references", "files")
    raw = history.root.joinpath(files["artifact_uri"].removeprefix("file://"), "data/raw/train.csv")
    assert raw.read_bytes() == (history.root / "data/raw/train.csv").read_bytes()
    assert "already published" in history.ok("dvckit", "publish", "mlflow", "bands")


LOADED = """
import builtins, mlflow, pandas as pd, sys
real, libraries = builtins.__import__, set()
def watching(name, of=None, *rest, **named):
    if (of or {}).get("__name__", "").startswith(("dvckit.", "titanic.")):
        libraries.add(name.partition(".")[0])
    return real(name, of, *rest, **named)
builtins.__import__ = watching
model = mlflow.pyfunc.load_model("models:/survival/1")
print(model.predict(pd.read_parquet(sys.argv[1])).to_csv(index=False))
print(model.metadata.get_output_schema().input_names(), *(sys.modules[name].__file__ for name in ("titanic", "dvckit")))
print(*(libraries - sys.stdlib_module_names - {"titanic", "dvckit"}))
"""


def test_the_registered_model_loads_and_predicts_as_dvckit_does(published, tmp_path):
    published.ok("dvckit", "predict", "data/raw/test.csv", str(tmp_path / "ours.csv"), "--rev", "v1")
    ours = pd.read_csv(tmp_path / "ours.csv")
    store = f"sqlite:///{published.root}/mlflow.db"
    elsewhere = type(published)(tmp_path)

    output = elsewhere.ok("python", "-c", LOADED, str(published.root / FEATURES), MLFLOW_TRACKING_URI=store)

    table, _, loaded = output[output.index("Survived,") :].partition("\n\n")
    theirs = pd.read_csv(StringIO(table))
    assert theirs.round(6).to_numpy().tolist() == ours[theirs.columns].to_numpy().tolist()
    assert str([*theirs.columns]) in loaded
    assert "/code/titanic/__init__.py" in loaded  # the code of the revision, not what is installed
    assert "/code/dvckit/__init__.py" in loaded
    requirements = next((published.root / "mlartifacts").glob("models/*/artifacts/requirements.txt"))
    names = {line.partition("==")[0] for line in requirements.read_text().splitlines()}
    packages = packages_distributions()
    imported = {packages[library][0].lower() for library in loaded.splitlines()[-1].split()}
    assert {"pydantic", "scikit-learn"} < imported <= names
    assert not list((published.root / "mlartifacts").rglob("*.pkl"))


def test_another_store_is_named_by_option_or_environment(history, tmp_path):
    store = f"sqlite:///{tmp_path}/other.db"

    first = history.ok("dvckit", "publish", "mlflow", "v1", "--uri", store)
    again = history.ok("dvckit", "publish", "mlflow", "v1", MLFLOW_TRACKING_URI=store)

    assert ": published\n" in first
    assert "already published" in again
    assert (tmp_path / "mlartifacts").is_dir()


def test_clearml_gets_an_offline_session_once(history):
    (mirror,) = collect(history.root, ["bands"])
    session = history.root / f"clearml/{mirror.commit}.zip"

    first = history.ok("dvckit", "publish", "clearml", "bands")
    content = session.read_bytes()
    again = history.ok("dvckit", "publish", "clearml", "--all-experiments")

    assert first == f"bands ({mirror.commit[:7]}): recorded in clearml/{mirror.commit}.zip\n"
    assert again == f"bands ({mirror.commit[:7]}): already recorded in clearml/{mirror.commit}.zip\n"
    assert session.read_bytes() == content
    with zipfile.ZipFile(session) as archive:
        task = json.loads(archive.read("task.json"))
        reported = [event for line in archive.read("metrics.jsonl").splitlines() for event in json.loads(line)]
        files = {name.rpartition("/")[2]: archive.read(name) for name in archive.namelist()}
    assert (task["name"], task["project_name"], task["tags"]) == ("bands", "titanic", [mirror.commit])
    assert task["hyperparams"]["params"]["train.n_estimators"]["value"] == "3"
    assert task["hyperparams"]["md5"][FEATURES]["value"] == mirror.md5s[FEATURES]
    assert "python -m dvckit.stage titanic.modeling.train" in task["configuration"]["stages"]["value"]
    assert 'TicketPrefix = "str"' in task["configuration"]["model"]["value"]
    assert {event["variant"]: event["value"] for event in reported if event["metric"] == "Summary"} == mirror.metrics
    kinds = {
        event["metric"]: json.loads(event["plot_str"])["data"][0]["type"] for event in reported if "plot_str" in event
    }
    assert kinds == {"calibration": "scatter", "confusion": "heatmap", "precision_recall": "scatter", "roc": "scatter"}
    assert hashlib.sha256(files["model.skops"]).hexdigest() == mirror.card["sha256"]
    assert files["roc.csv"] == mirror.read("reports/plots/roc.csv")


def test_an_unreachable_clearml_server_is_reported_and_the_session_stored(history):
    server = {
        f"CLEARML_{name}": "http://127.0.0.1:9" if name.endswith("HOST") else "none"
        for name in ("API_HOST", "WEB_HOST", "FILES_HOST", "API_ACCESS_KEY", "API_SECRET_KEY")
    }

    result = history.run("dvckit", "publish", "clearml", "v1", **server)

    assert result.code == 1
    assert result.output.splitlines()[-1] == (
        "error: the ClearML server http://127.0.0.1:9 is out of reach (Connection refused); the sessions are in clearml/"
    )
    assert len(list((history.root / "clearml").glob("*.zip"))) == 1


@pytest.mark.parametrize(("extra", "name"), [("mlflow", "MLflow"), ("clearml", "ClearML")])
def test_without_the_extra_there_is_one_error(published, extra, name):
    script = (
        f"import sys; sys.modules['{extra}'] = None; sys.argv = ['dvckit', 'publish', '{extra}', 'v1']; "
        "from dvckit.cli import main; main()"
    )

    result = published.run("python", "-c", script)

    assert result == (1, f"error: {name} is not installed; run `uv sync --extra {extra}`\n")


@pytest.mark.parametrize(
    "store", ["nonsense://x", "sqlite:////proc/x.db", "sqlite:///params.yaml", "http://[bad", "oracle://x"]
)
def test_a_wrong_store_gives_one_error(published, store):
    result = published.run("dvckit", "publish", "mlflow", "v1", "--uri", store)

    assert result.code == 1
    assert result.output.startswith("error: ")
    assert store in result.output
    assert result.output.count("\n") == 1


def test_a_password_is_not_shown(published):
    result = published.run("dvckit", "publish", "mlflow", "v1", "--uri", "oracle://someone:secret@127.0.0.1:9/x")

    assert result.output.startswith("error: MLflow at oracle://127.0.0.1:9/x: ")
    assert "secret" not in result.output


def test_no_revision_and_an_unknown_one_give_an_error(small):
    with pytest.raises(UserError, match=r"^name a revision to publish$"):
        collect(small.root, [])
    with pytest.raises(UserError, match=r"^there is no experiment; `dvc exp run` makes one$"):
        collect(small.root, [], all_experiments=True)
    with pytest.raises(UserError, match=r"^there is no revision 'v9'"):
        collect(small.root, ["v9"])


def test_a_revision_without_a_finished_run_gives_an_error(small):
    small.edit("params.yaml", ("n_estimators: 5", "n_estimators: 4"))
    small.ok("dvc", "repro", "train")
    small.commit("trained, not evaluated")

    with pytest.raises(UserError, match=r"has no finished run: reports/metrics\.json is of an earlier run"):
        collect(small.root, ["HEAD"])


def test_the_model_of_a_revision_without_a_project_is_left_out_with_a_note(history, tmp_path):
    history.edit("dvc.yaml", ("      project: titanic.project:PROJECT\n", ""))
    history.commit("no project")
    store = f"sqlite:///{tmp_path}/other.db"

    report = history.ok("dvckit", "publish", "mlflow", "HEAD", "--uri", store)

    assert ": published without its model: dvc.yaml names no project that could load it\n" in report
    assert ": already published, as " in history.ok("dvckit", "publish", "mlflow", "HEAD", "--uri", store)


@pytest.mark.parametrize(
    ("pyproject", "name"), [("[project]\nname = 'other'\n", "other"), ("[project]\n", None), ("[", None)]
)
def test_a_tracker_knows_the_project_by_the_name_in_pyproject_or_of_the_folder(small, pyproject, name):
    (small.root / "pyproject.toml").write_text(pyproject)
    small.commit("another name")

    (mirror,) = collect(small.root, ["HEAD"])

    assert mirror.project == (name or small.root.name)
    assert mirror.name == mirror.commit[:7]


def test_the_address_of_a_database_holds_no_letters_of_the_path_to_it(tmp_path, monkeypatch):
    """MLflow makes a folder of what SQLAlchemy escapes in an address."""
    from dvckit.publish.mlflow import _address

    root = tmp_path / "a?b#c%20d"
    (root / "reports").mkdir(parents=True)
    monkeypatch.chdir(root / "reports")

    assert _address(root / "mlflow.db") == "sqlite:///../mlflow.db"
