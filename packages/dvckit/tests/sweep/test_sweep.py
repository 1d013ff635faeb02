"""`dvckit sweep`: experiments that are DVC's in every respect, and a user whose files stay as they are."""

import json
import os
import re
import shutil
import signal
import time
from datetime import datetime
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from dvckit.cli import app
from dvckit.core.errors import UserError
from dvckit.core.mappings import leaves
from dvckit.testing import Repository

# DVC's own, of the library with which it looks at .dvcignore
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")


def experiments(project):
    """The commit of each experiment by name."""
    listed = project.ok("git", "for-each-ref", "--format=%(refname:lstrip=4) %(objectname)", "refs/exps/*/*/*")
    return dict(line.split() for line in listed.splitlines())


def sweep(project, *overrides, options=()):
    """Run a sweep that must succeed; return the names of all experiments, and what it printed."""
    arguments = [argument for override in overrides for argument in ("-S", override)]
    result = dvckit(project, "sweep", *arguments, *options)
    assert result.exit_code == 0, f"{result.output}\n{result.exception}"
    return sorted(experiments(project)), result.output


def dvckit(project, *arguments):
    """Run the command in this process, which has imported it; its workers are processes."""
    with patch.dict(os.environ, project.environment, clear=True), pytest.MonkeyPatch.context() as here:
        here.chdir(project.root)
        return CliRunner().invoke(app, arguments)


def state(project):
    """What must stay as it is: every file of the user's, git's index and its branches."""
    private = {".git", ".dvc", "__pycache__"}
    files = (path for path in project.root.rglob("*") if path.is_file() and private.isdisjoint(path.parts))
    git = (["ls-files", "--stage"], ["show-ref", "--heads"], ["stash", "list"])
    return (
        {path: path.read_bytes() for path in files if path.stem != "sweep"},
        [project.ok("git", *command) for command in git],
    )


def noted(project, rev):
    """What `dvc exp show` has of an experiment: what the sweep noted, or else what DVC reads now."""
    code = "import sys; from dvc.repo import Repo; from dvc.repo.experiments.collect import collect_rev as c; "
    exists = (project.root / f".dvc/tmp/exps/cache/{rev[:2]}/{rev[2:]}").is_file()
    note = json.loads(project.ok("python", "-c", code + "print(c(Repo(), sys.argv[1]).data.as_bytes().decode())", rev))
    assert datetime.fromisoformat(note.pop("timestamp")).timestamp() == int(
        project.ok("git", "show", "--no-patch", "--format=%ct", rev)
    )
    assert note.pop("rev") == rev
    return {(key, repr(value)) for key, value in leaves(note)}, exists


def unlike(project, ours, theirs):
    """Return what the note of a sweep says otherwise than DVC's own; it must be already done DVC has looked."""
    (our_note, exists), (their_note, _) = noted(project, ours), noted(project, theirs)
    assert exists
    return sorted(our_note ^ their_note)


def commit_of(project, rev):
    return project.ok("git", "log", "-1", "--format=%T %P %an %ae %B", rev)


# the first and the last with the tests, the others with the long ones
CONFIGURATIONS = [
    ["train.pipeline=random_forest", "train.n_estimators=7"],
    ["train.pipeline=gradient_boosting", "train.seed=3"],
    ["train.pipeline=logistic_regression", "features.age_bands=[16,40]"],
    ["train.pipeline=neural_network", "train.neural_network.x_size=3", "train.neural_network.max_iter=500"],
    ["train.pipeline=voting", "dataset.seed=2", "train.max_depth=null"],
    ["train.pipeline=baseline", "validate.max_rejected_share=0.1", "evaluate.folds=3"],
]


@pytest.mark.parametrize(
    "configuration",
    [
        CONFIGURATIONS[0],
        *(pytest.param(configuration, marks=pytest.mark.faults) for configuration in CONFIGURATIONS[1:]),
    ],
    ids=lambda configuration: configuration[0].partition("=")[2],
)
def test_an_experiment_is_byte_for_byte_dvcs_own(small, configuration):
    before = state(small)
    (ours,), _ = sweep(small, *configuration)
    assert state(small) == before

    small.ok("dvc", "exp", "run", "--name", "theirs", *(word for value in configuration for word in ("-S", value)))

    shas = experiments(small)
    assert unlike(small, shas[ours], shas["theirs"]) == []
    assert small.ok("git", "show", f"{shas[ours]}:dvc.lock") == small.ok("git", "show", f"{shas['theirs']}:dvc.lock")
    assert commit_of(small, shas[ours]) == commit_of(small, shas["theirs"])


def test_after_apply_nothing_is_left_to_do(small):
    (name,), _ = sweep(small, "train.seed=2", "train.max_depth=3")
    shutil.rmtree(small.root / "data/processed")

    small.ok("dvc", "exp", "apply", name)

    assert "Data and pipelines are up to date." in small.ok("dvc", "repro")
    assert "max_depth: 3 " in (small.root / "params.yaml").read_text()


@pytest.mark.faults
def test_experiments_are_in_dvcs_own_tables(small):
    names, _ = sweep(small, "train.n_estimators=3,4", "train.max_depth=range(2,4)")

    shown = json.loads(small.ok("dvc", "exp", "show", "--json"))
    rows = {row["name"]: row["revs"][0]["data"] for rev in shown for row in rev.get("experiments") or ()}
    assert sorted(rows) == names
    assert len(names) == 4
    params = {(data["params"]["params.yaml"]["data"]["train"]["n_estimators"],) for data in rows.values()}
    assert params == {(3,), (4,)}
    scores = {row["name"]: row["scores"]["cv.roc_auc"] for row in trials(small)}
    assert scores == {
        name: data["metrics"]["reports/metrics.json"]["data"]["cv"]["roc_auc"] for name, data in rows.items()
    }
    difference = json.loads(small.ok("dvc", "exp", "diff", names[0], names[1], "--json"))
    assert difference["params"]["params.yaml"].keys() <= {"train.n_estimators", "train.max_depth"}
    assert difference["params"]["params.yaml"]


def test_what_is_already_done_is_not_run_again(small):
    sweep(small, "train.n_estimators=3")
    before = experiments(small)

    names, output = sweep(small, "train.n_estimators=3,4")

    assert "1 new, 1 already done, 0 failed" in output
    assert len(names) == 2
    assert before.items() <= experiments(small).items()


def test_a_failed_trial_is_reported_and_the_sweep_goes_on(small):
    names, output = sweep(small, "dataset.rows=60", "evaluate.folds=40,2")

    assert "failed: 40 folds need at least 40 rows of class" in output
    assert "2 trials: 1 new, 0 already done, 1 failed" in output
    assert len(names) == 1
    written = json.loads((small.root / "reports/sweep.json").read_text())
    assert [trial["state"] for trial in written["trials"]] == ["failed", "new"]
    assert "40 folds" in written["trials"][0]["reason"]


@pytest.mark.faults
def test_the_last_lines_name_the_best_its_interval_and_the_next_commands(small):
    _, output = sweep(small, "train.max_depth=1,2,3", options=("--metric", "cv.log_loss"))

    rows = json.loads((small.root / "reports/sweep.json").read_text())["trials"]
    best = min(rows, key=lambda row: row["scores"]["cv.log_loss"])
    assert f"best cv.log_loss: {best['scores']['cv.log_loss']:.6f} (95 % interval" in output
    assert "of 2 others are indistinguishable from the best, fold by fold" in output
    assert f"{best['scores']['holdout.log_loss']:.6f}" in output
    assert f"dvc exp apply {best['name']}" in output
    assert f"dvckit compare HEAD {best['name']}" in output


@pytest.mark.faults
def test_only_the_best_are_stored_and_nothing_is_run_twice(small):
    names, _ = sweep(small, "train.max_depth=1,2,3", options=("--keep", "best:1"))
    rows = json.loads((small.root / "reports/sweep.json").read_text())["trials"]
    assert names == [max(rows, key=lambda row: row["scores"]["cv.roc_auc"])["name"]]

    again, _ = sweep(small, "train.max_depth=1,2,3", options=("--keep", "best:2"))

    assert len(again) == 2
    assert set(names) < set(again)
    assert "Data and pipelines are up to date." in apply_and_repro(small, again[0])


@pytest.mark.faults
def test_what_was_not_stored_is_not_run_again_either(small):
    sweep(small, "train.max_depth=1,2", options=("--keep", "best:1"))
    journal = small.root / ".dvc/tmp/sweep/finished.jsonl"
    cut = journal.read_text()[:-30]  # as a kill may leave it
    journal.write_text(cut)

    names, output = sweep(small, "train.max_depth=1,2,3")

    assert len(names) == 3
    assert "3 trials: " in output
    assert "Data and pipelines are up to date." in apply_and_repro(small, names[0])
    assert cut.splitlines()[1] in journal.read_text()


@pytest.mark.faults
def test_what_another_pipeline_measures_is_noted_as_dvc_does(small):
    small.edit("dvc.yaml", ("\nmetrics:\n", "\nmetrics:\n- reports/data_quality.json\n"))
    small.commit("more metrics")

    (ours,), _ = sweep(small, "dataset.seed=5")

    small.ok("dvc", "exp", "run", "--name", "theirs", "-S", "dataset.seed=5")
    shas = experiments(small)
    assert unlike(small, shas[ours], shas["theirs"]) == []


@pytest.mark.faults
def test_metrics_in_dvcs_cache_are_noted_of_each_trial(small):
    counted = "cmd: wc -l < data/raw/train.csv > rows.json\n    deps: [data/raw/train.csv]\n    metrics: [rows.json]"
    small.edit("dvc.yaml", ("stages:\n", f"stages:\n  count:\n    {counted}\n"))
    small.edit(".gitignore", ("/out/", "/out/\n/rows.json"))
    small.ok("dvc", "repro")
    small.commit("a metric that git does not have")

    sweep(small, "dataset.rows=200,300", "train.max_depth=2")
    sweep(small, "train.max_depth=3")

    shown = json.loads(small.ok("dvc", "exp", "show", "--json"))
    rows = [row["revs"][0]["data"] for rev in shown for row in rev.get("experiments") or ()]
    noted = {
        data["params"]["params.yaml"]["data"]["dataset"]["rows"]: data["metrics"]["rows.json"]["data"] for data in rows
    }
    assert noted == {200: 137, 300: 205, 1309: 892}


def apply_and_repro(project, name):
    project.ok("dvc", "exp", "apply", name)
    return project.ok("dvc", "repro")


def test_a_dry_run_lists_the_trials_and_runs_none(small):
    names, output = sweep(small, "train.max_depth=1,2", options=("--dry",))

    assert names == []
    assert output.splitlines()[1].endswith("  train.max_depth=2")


@pytest.mark.faults
def test_uncommitted_changes_are_included_and_named(small):
    small.edit("titanic/modeling/split.py", ('"""Stage split', '"""The stage split'))
    small.edit("params.yaml", ("folds: 2 ", "folds: 3 "))
    small.edit("README.md", ("# titanic", "# Titanic"))
    before = state(small)

    (ours,), output = sweep(small, "train.max_depth=2")

    assert state(small) == before
    assert "uncommitted changes are included, as with `dvc exp run`: params.yaml, titanic/modeling/split.py\n" in output
    small.ok("dvc", "exp", "run", "--name", "theirs", "-S", "train.max_depth=2")
    shas = experiments(small)
    assert commit_of(small, shas[ours]) == commit_of(small, shas["theirs"])


def same_as_dvc(project, *overrides):
    """Sweep one configuration, let DVC run it, too, and tell whether both gave the same."""
    (ours,), _ = sweep(project, *overrides)
    project.ok("dvc", "exp", "run", "--name", "theirs", *(word for override in overrides for word in ("-S", override)))
    commits = experiments(project)
    return commit_of(project, commits[ours]) == commit_of(project, commits["theirs"])


@pytest.mark.faults
def test_new_files_in_a_folder_that_stages_read_are_included_and_ignored_ones_count(small):
    core = small.root / "packages/dvckit/src/dvckit/core"
    (core / "__pycache__").mkdir(exist_ok=True)
    (core / "__pycache__/nothing.pyc").write_bytes(b"")  # ignored by git and DVC
    (core / ".notes.tmp").write_text("ignored by git")
    (core / "new.py").write_text("")

    assert same_as_dvc(small, "train.max_depth=2")
    assert "core/new.py" in small.ok("git", "ls-tree", "-r", "--name-only", experiments(small)["theirs"])


@pytest.mark.faults
def test_a_stage_may_be_any_command(small):
    counted = "cmd: wc -l < data/interim/rejected.csv > count.txt\n    deps: [data/interim/rejected.csv]\n    outs: [count.txt]"
    small.edit("dvc.yaml", ("stages:\n", f"stages:\n  count:\n    {counted}\n"))
    small.edit(".gitignore", ("/out/", "/out/\n/count.txt"))
    small.commit("a stage that is no Python")

    assert same_as_dvc(small, "train.max_depth=2")


def test_stages_are_imported_from_the_copy_and_not_from_where_the_user_goes_on_editing(small):
    small.environment["PYTHONPATH"] = str(small.root / "packages/dvckit/src")
    with (small.root / "titanic/modeling/split.py").open("a") as split:
        split.write("import dvckit.core\nraise ImportError(f'{__file__} and {dvckit.core.__file__}')\n")

    result = small.run("dvckit", "sweep", "-S", "train.seed=7")

    stage, library = re.search(r"ImportError: (.*) and (.*)", result.output).groups()
    assert f"{small.root}/.dvc/tmp/sweep/running-" in stage
    assert library == stage.replace("titanic/modeling/split.py", "packages/dvckit/src/dvckit/core/__init__.py")


def test_a_repository_without_a_project_needs_a_metric_and_has_no_types(small):
    small.edit("dvc.yaml", ("      project: titanic.project:PROJECT\n", ""))
    small.commit("no project")

    without = dvckit(small, "sweep", "-S", "train.n_estimators=0")
    result = dvckit(small, "sweep", "-S", "train.n_estimators=0,3", "--metric", "cv.accuracy")

    assert "--metric with one of holdout.accuracy, " in str(without.exception)
    assert "2 trials: 1 new, 0 already done, 1 failed" in result.output
    assert "best cv.accuracy" in result.output


@pytest.mark.faults
def test_a_folder_outside_of_the_repository_is_found(small):
    mine = small.root.parent / "mine"
    mine.mkdir()
    for name in ("train.csv", "test.csv"):
        shutil.copy(small.root / "data/raw" / name, mine)
    with (mine / "train.csv").open("a") as rows:
        rows.write('9999,1,1,"Doe, Miss. Jane",female,20,0,0,X 1,10,,S\n')
    small.edit("params.yaml", ("source: synthetic", "source: files"))
    small.commit("files")

    names, _ = sweep(small, f"dataset.path=../mine,{mine}")

    for name, path in {"relative": "../mine", "absolute": str(mine)}.items():
        small.ok("dvc", "exp", "run", "--name", name, "-S", f"dataset.path={path}")
        shas = experiments(small)
        ours = next(ours for ours in names if commit_of(small, shas[ours]) == commit_of(small, shas[name]))
        assert unlike(small, shas[ours], shas[name]) == []
        assert "Doe, Miss. Jane" in (small.root / "data/raw/train.csv").read_text()
        small.ok("git", "reset", "--quiet", "--hard")
        small.ok("dvc", "checkout", "--quiet", "--force", "dvc.yaml")


@pytest.fixture
def added(small):
    """The project with a list that `dvckit data add` has put under DVC, as the one that it is trained on."""
    small.ok("dvckit", "data", "add", "data/raw", "--name", "mine")
    small.edit("params.yaml", ("source: synthetic", "source: files"))
    small.edit("params.yaml", ("path: data/external/titanic", "path: data/external/mine"))
    small.commit("a list of my own")
    return small


@pytest.mark.faults
def test_data_that_were_added_are_found(added):
    assert same_as_dvc(added, "train.max_depth=2")


@pytest.mark.parametrize("how", ["edited", "not there"])
def test_added_data_that_are_not_those_of_the_commit_are_an_error(added, how):
    folder = added.root / "data/external/mine"
    if how == "edited":
        (folder / "test.csv").unlink()
        shutil.copy(added.root / "data/raw/train.csv", folder / "test.csv")
    else:
        shutil.rmtree(folder)

    result = added.run("dvckit", "sweep", "-S", "train.max_depth=2")

    assert result.code == 1
    assert result.output.startswith("error: data/external/mine ")
    assert "mine.dvc" in result.output
    assert len(result.output.splitlines()) == 1
    assert experiments(added) == {}


@pytest.mark.faults
def test_a_clone_that_pulled_nothing_gives_the_same_experiments(small, tmp_path):
    (ours,), _ = sweep(small, "train.max_depth=2")
    clone = small.clone(tmp_path / "clone")

    (theirs,), _ = sweep(clone, "train.max_depth=2")

    assert theirs == ours
    trees = {project.ok("git", "rev-parse", f"{experiments(project)[ours]}^{{tree}}") for project in (small, clone)}
    assert len(trees) == 1


@pytest.fixture(scope="module")
def unchanged(_small, tmp_path_factory):
    """A copy of the project for tests that change nothing in it."""
    root = tmp_path_factory.mktemp("unchanged") / _small.root.name
    shutil.copytree(_small.root, root, symlinks=True)
    return Repository(root)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-S", "train.n_estimator=5"], "did you mean train.n_estimators?"),
        (["-S", "train.seed=range(3,3)"], "names no value"),
        (
            ["-S", "train.seed=1", "--metric", "cv.auc"],
            "there is no metric 'cv.auc' in reports/metrics.json; known: holdout.accuracy",
        ),
        (
            ["-S", "train.seed=range(0,200)", "-S", "evaluate.seed=range(0,51)"],
            "this grid has 10,200 trials; pass --yes to run it",
        ),
        (["-S", "train.seed=1", "--keep", "20"], "--keep is '20'; it must be all, or best:N"),
        (["-S", "train.max_depth=interval(1,3)"], "a grid cannot try every value of an interval"),
        (["-S", "dataset.path=nowhere"], "nowhere"),
        (["-S", "train.max_depth=interval(0,3)", "--trials", "2"], "train.max_depth is 0; it must be greater than"),
        (["-S", "train.max_depth=interval(5,3)", "--trials", "2"], "-S train.max_depth=interval(5,3): "),
        (["-S", "train.seed=1", "--trials", "2", "--storage", "nothing://x"], "--storage nothing://x: "),
        (["-S", "train.seed=1", "--storage", "sqlite://"], "--storage is for a search; add --trials N"),
    ],
)
def test_a_mistake_is_reported_before_anything_runs(unchanged, arguments, message):
    before = state(unchanged)

    result = dvckit(unchanged, "sweep", *arguments)

    assert isinstance(result.exception, UserError)
    assert message in str(result.exception)
    assert result.output == ""
    assert len(str(result.exception).splitlines()) == 1
    assert experiments(unchanged) == {}
    assert state(unchanged) == before


def test_a_busy_repository_is_an_error(small):
    import fcntl

    with (small.root / ".dvc/tmp/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        code, output = small.run("dvckit", "sweep", "-S", "train.max_depth=2")

    assert code == 1
    assert output == "error: another DVC command is running in this repository; run the sweep when it has ended\n"


@pytest.mark.faults
def test_without_an_identity_a_clean_tree_will_do_and_a_dirty_one_not(small):
    for name in [name for name in small.environment if name.startswith("GIT_")]:
        del small.environment[name]
    names, _ = sweep(small, "train.max_depth=2")
    small.edit("README.md", ("# titanic", "# Titanic"))

    result = small.run("dvckit", "sweep", "-S", "train.max_depth=3")

    assert result.code == 1
    assert result.output.startswith("error: git does not know who you are")
    assert sorted(experiments(small)) == names


def stopped(project, number, after, *arguments):
    """Start a sweep, send it a signal when so many trials are done, and return its code and what it printed."""
    with project.start("dvckit", "sweep", *arguments) as process:
        output = "".join(process.stdout.readline() for _ in range(after))
        os.kill(process.pid, number)
        output += process.stdout.read()
    return process.returncode, output


@pytest.mark.faults
def test_ctrl_c_keeps_what_is_finished(small):
    arguments = ["-S", "train.max_depth=range(1,30)"]

    code, output = stopped(small, signal.SIGINT, 3, *arguments)

    assert code == 130
    assert "best cv.roc_auc" in output
    assert "interrupted" in output
    assert "Traceback" not in output
    assert len(experiments(small)) >= 3
    assert list((small.root / ".dvc/tmp/sweep").glob("running-*")) == []


@pytest.mark.faults
def test_a_killed_sweep_goes_on(small):
    before = state(small)
    arguments = ["-S", "train.max_depth=range(1,9)"]

    code, _ = stopped(small, signal.SIGKILL, 3, *arguments)
    time.sleep(0.5)

    assert code == -signal.SIGKILL
    assert state(small) == before
    commits = experiments(small)
    assert len(commits) >= 3
    names, output = sweep(small, "train.max_depth=range(1,9)")
    assert f"{8 - len(commits)} new, {len(commits)} already done" in output
    assert len(names) == 8
    assert commits.items() <= experiments(small).items()
    assert list((small.root / ".dvc/tmp/sweep").glob("running-*")) == []


SEARCH = ["-S", "train.max_depth=interval(1,9)", "-S", "train.test_size=interval(0.1,0.3)", "-S", "train.seed=1,2"]


def trials(project):
    return json.loads((project.root / "reports/sweep.json").read_text())["trials"]


def results(project):
    """What came of each trial; what was run before a break is there after it."""
    return [(row["configuration"], row["scores"], row["means"]) for row in trials(project)]


@pytest.fixture
def undisturbed(small, tmp_path):
    """A search on the project, of 14 trials by two workers, and what comes of it where nobody disturbs it."""
    small.edit("params.yaml", ("folds: 2 ", "folds: 4 "))
    small.commit("four folds")
    search = ("dvckit", "sweep", "--trials", "14", "-j", "2", *SEARCH)
    alone = small.clone(tmp_path / "alone")
    alone.ok(*search)
    return search, results(alone)


@pytest.mark.faults
def test_a_killed_search_goes_on_as_if_nobody_had_killed_it(small, undisturbed):
    search, whole = undisturbed
    for after in (1, 5, 9):
        stopped(small, signal.SIGKILL, after, *search[2:])

    output = small.ok(*search)

    pruned = sum(row["state"] == "pruned" for row in trials(small))
    assert results(small) == whole
    assert 0 < pruned < 10
    assert f" {pruned} pruned, 0 failed" in output
    assert len(experiments(small)) == len({row["name"] for row in trials(small) if row["scores"]})


@pytest.mark.faults
def test_a_search_that_keeps_the_best_is_the_same_search(small, undisturbed):
    search, whole = undisturbed

    small.ok(*search, "--keep", "best:2")

    assert results(small) == whole
    assert len(experiments(small)) == 2


@pytest.mark.faults
def test_another_seed_is_another_search(small):
    configurations = []
    for seed in ("1", "2"):
        small.ok("dvckit", "sweep", "--trials", "2", "-j", "1", "--seed", seed, *SEARCH)
        configurations.append([row["configuration"] for row in trials(small)])

    assert configurations[0] != configurations[1]
