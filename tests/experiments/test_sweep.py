"""`titanic sweep`: experiments that are DVC's in every respect, and a user whose files stay as they are."""

import json
import os
import shutil
import signal
import subprocess
import time
from datetime import datetime

import pytest

from titanic.config import leaves


def experiments(project):
    """The commit of each experiment by name."""
    listed = project.ok("git", "for-each-ref", "--format=%(refname:lstrip=4) %(objectname)", "refs/exps/*/*/*")
    return dict(line.split() for line in listed.splitlines())


def sweep(project, *points, options=()):
    """Run a sweep that must succeed; return the names of all experiments, and what was said."""
    arguments = [argument for point in points for argument in ("-S", point)]
    said = project.ok("titanic", "sweep", *arguments, *options)
    return sorted(experiments(project)), said


def state(project):
    """What must stay as it is: every file that git or the user knows, git's index and its branches."""
    listed = project.ok("git", "ls-files", "--stage")
    files = {path: (project.root / path).read_bytes() for path in project.ok("git", "ls-files").splitlines()}
    return (
        listed,
        files,
        project.outputs(),
        project.ok("git", "show-ref", "--heads"),
        project.ok("git", "stash", "list"),
    )


def noted(project, rev):
    """What `dvc exp show` has of an experiment: what the sweep noted, or else what DVC reads now."""
    code = "import sys; from dvc.repo import Repo; from dvc.repo.experiments.collect import collect_rev as c; "
    there = (project.root / f".dvc/tmp/exps/cache/{rev[:2]}/{rev[2:]}").is_file()
    told = json.loads(project.ok("python", "-c", code + "print(c(Repo(), sys.argv[1]).data.as_bytes().decode())", rev))
    assert datetime.fromisoformat(told.pop("timestamp")).timestamp() == int(
        project.ok("git", "show", "--no-patch", "--format=%ct", rev)
    )
    assert told.pop("rev") == rev
    return {(key, repr(value)) for key, value in leaves(told)}, there


def unlike(project, ours, theirs):
    """Return what the note of a sweep says otherwise than DVC's own; it must be there before DVC has looked."""
    (our_note, there), (their_note, _) = noted(project, ours), noted(project, theirs)
    assert there
    return sorted(our_note ^ their_note)


def told_commit(project, rev):
    return project.ok("git", "log", "-1", "--format=%T %P %an %ae %B", rev)


# the first and the last with the tests, the others with the long ones
POINTS = [
    ["train.pipeline=random_forest", "train.n_estimators=7"],
    ["train.pipeline=gradient_boosting", "train.seed=3"],
    ["train.pipeline=logistic_regression", "features.age_bands=[16,40]"],
    ["train.pipeline=neural_network", "train.x_size=3", "train.max_iter=500"],
    ["train.pipeline=voting", "dataset.seed=2", "train.max_depth=null"],
    ["train.pipeline=baseline", "validate.max_rejected_share=0.1", "evaluate.folds=3"],
]


@pytest.mark.parametrize(
    "point",
    [POINTS[0], *(pytest.param(point, marks=pytest.mark.faults) for point in POINTS[1:-1]), POINTS[-1]],
    ids=lambda point: point[0].partition("=")[2],
)
def test_an_experiment_is_the_one_that_dvc_makes_to_the_byte(small, point):
    before = state(small)
    (ours,), _ = sweep(small, *point)
    assert state(small) == before

    small.ok("dvc", "exp", "run", "--name", "theirs", *(word for value in point for word in ("-S", value)))

    found = experiments(small)
    assert unlike(small, found[ours], found["theirs"]) == []
    assert small.ok("git", "show", f"{found[ours]}:dvc.lock") == small.ok("git", "show", f"{found['theirs']}:dvc.lock")
    assert told_commit(small, found[ours]) == told_commit(small, found["theirs"])


def test_after_apply_nothing_is_left_to_do(small):
    (name,), _ = sweep(small, "train.seed=2", "train.max_depth=3")
    shutil.rmtree(small.root / "data/processed")

    small.ok("dvc", "exp", "apply", name)

    assert "Data and pipelines are up to date." in small.ok("dvc", "repro")
    assert "max_depth: 3 " in (small.root / "params.yaml").read_text()


def test_experiments_stand_in_dvcs_own_tables(small):
    names, _ = sweep(small, "train.n_estimators=3,4", "train.max_depth=range(2,4)")

    shown = json.loads(small.ok("dvc", "exp", "show", "--json"))
    found = {row["name"]: row["revs"][0]["data"] for rev in shown for row in rev.get("experiments") or ()}
    assert sorted(found) == names
    assert len(names) == 4
    params = {(data["params"]["params.yaml"]["data"]["train"]["n_estimators"],) for data in found.values()}
    assert params == {(3,), (4,)}
    assert all(data["metrics"]["reports/metrics.json"]["data"]["cv"]["roc_auc"] for data in found.values())
    told = json.loads(small.ok("dvc", "exp", "diff", names[0], names[1], "--json"))
    assert told["params"]["params.yaml"].keys() <= {"train.n_estimators", "train.max_depth"}
    assert told["params"]["params.yaml"]


def test_a_point_that_is_there_is_not_run_again(small):
    sweep(small, "train.n_estimators=3")
    before = experiments(small)

    names, said = sweep(small, "train.n_estimators=3,4")

    assert "1 new, 1 there before, 0 failed" in said
    assert len(names) == 2
    assert before.items() <= experiments(small).items()


def test_a_failed_trial_is_told_and_the_sweep_goes_on(small):
    names, said = sweep(small, "dataset.rows=60", "evaluate.folds=40,2")

    assert "failed: 40 folds need as many training rows of each label" in said
    assert "2 points: 1 new, 0 there before, 1 failed" in said
    assert len(names) == 1
    told = json.loads((small.root / "reports/sweep.json").read_text())
    assert [point["state"] for point in told["points"]] == ["failed", "new"]
    assert "40 folds" in told["points"][0]["reason"]


def test_the_end_tells_the_best_how_sure_it_is_and_what_to_do(small):
    _, said = sweep(small, "train.max_depth=1,2,3", options=("--metric", "cv.log_loss"))

    rows = json.loads((small.root / "reports/sweep.json").read_text())["points"]
    best = min(rows, key=lambda row: row["scores"]["cv.log_loss"])
    assert f"best cv.log_loss: {best['scores']['cv.log_loss']:.6f} (95 % interval" in said
    assert "of 2 others are indistinguishable from the best, fold by fold" in said
    assert f"{best['scores']['holdout.log_loss']:.6f}" in said
    assert f"dvc exp apply {best['name']}" in said
    assert f"titanic compare HEAD {best['name']}" in said


def test_only_the_best_are_kept_and_nothing_is_run_twice(small):
    names, _ = sweep(small, "train.max_depth=1,2,3", options=("--keep", "best:1"))
    rows = json.loads((small.root / "reports/sweep.json").read_text())["points"]
    assert names == [max(rows, key=lambda row: row["scores"]["cv.roc_auc"])["name"]]

    again, _ = sweep(small, "train.max_depth=1,2,3", options=("--keep", "best:2"))

    assert len(again) == 2
    assert set(names) < set(again)
    assert "Data and pipelines are up to date." in apply_and_repro(small, again[0])


@pytest.mark.faults
def test_what_was_not_kept_is_not_run_again_either(small):
    sweep(small, "train.max_depth=1,2", options=("--keep", "best:1"))
    journal = small.root / ".dvc/tmp/sweep/finished.jsonl"
    cut = journal.read_text()[:-30]  # as a kill may leave it
    journal.write_text(cut)

    names, said = sweep(small, "train.max_depth=1,2,3")

    assert len(names) == 3
    assert "3 points: " in said
    assert "Data and pipelines are up to date." in apply_and_repro(small, names[0])
    assert cut.splitlines()[1] in journal.read_text()


@pytest.mark.faults
def test_what_another_pipeline_measures_is_noted_as_dvc_does(small):
    small.edit("dvc.yaml", ("\nmetrics:\n", "\nmetrics:\n  - reports/data_quality.json\n"))
    small.commit("more metrics")

    (ours,), _ = sweep(small, "dataset.seed=5")

    small.ok("dvc", "exp", "run", "--name", "theirs", "-S", "dataset.seed=5")
    found = experiments(small)
    assert unlike(small, found[ours], found["theirs"]) == []


def apply_and_repro(project, name):
    project.ok("dvc", "exp", "apply", name)
    return project.ok("dvc", "repro")


def test_a_dry_run_lists_the_points_and_runs_none(small):
    names, said = sweep(small, "train.max_depth=1,2", options=("--dry",))

    assert names == []
    assert said.splitlines()[1].endswith("  train.max_depth=2")


def test_uncommitted_changes_go_along_and_are_named(small):
    small.edit("titanic/modeling/split.py", ('"""Stage split', '"""The stage split'))
    small.edit("params.yaml", ("folds: 2 ", "folds: 3 "))
    small.edit("README.md", ("# titanic", "# Titanic"))
    before = state(small)

    (ours,), said = sweep(small, "train.max_depth=2")

    assert state(small) == before
    assert "uncommitted changes go along, as with `dvc exp run`: params.yaml, titanic/modeling/split.py\n" in said
    small.ok("dvc", "exp", "run", "--name", "theirs", "-S", "train.max_depth=2")
    found = experiments(small)
    assert told_commit(small, found[ours]) == told_commit(small, found["theirs"])


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
        found = experiments(small)
        ours = next(ours for ours in names if told_commit(small, found[ours]) == told_commit(small, found[name]))
        assert unlike(small, found[ours], found[name]) == []
        assert "Doe, Miss. Jane" in (small.root / "data/raw/train.csv").read_text()
        small.ok("git", "reset", "--quiet", "--hard")
        small.ok("dvc", "checkout", "--quiet", "--force", "dvc.yaml")


@pytest.fixture
def added(small):
    """The project with a list that `titanic data add` has put under DVC, as the one that it is trained on."""
    small.ok("titanic", "data", "add", "data/raw", "--name", "mine")
    small.edit("params.yaml", ("source: synthetic", "source: files"))
    small.edit("params.yaml", ("path: data/external/titanic", "path: data/external/mine"))
    small.commit("a list of my own")
    return small


def test_data_that_were_added_are_found(added):
    (ours,), _ = sweep(added, "train.max_depth=2")

    added.ok("dvc", "exp", "run", "--name", "theirs", "-S", "train.max_depth=2")
    found = experiments(added)
    assert told_commit(added, found[ours]) == told_commit(added, found["theirs"])


@pytest.mark.parametrize("how", ["edited", "not there"])
def test_added_data_that_are_not_those_of_the_commit_are_answered(added, how):
    folder = added.root / "data/external/mine"
    if how == "edited":
        (folder / "test.csv").unlink()
        shutil.copy(added.root / "data/raw/train.csv", folder / "test.csv")
    else:
        shutil.rmtree(folder)

    done = added.run("titanic", "sweep", "-S", "train.max_depth=2")

    assert done.code == 1
    assert done.said.startswith("error: data/external/mine ")
    assert "mine.dvc" in done.said
    assert len(done.said.splitlines()) == 1
    assert experiments(added) == {}


def test_a_clone_that_has_pulled_nothing_makes_the_same(small, tmp_path):
    (ours,), _ = sweep(small, "train.max_depth=2")
    clone = small.clone(tmp_path / "clone")

    (theirs,), _ = sweep(clone, "train.max_depth=2")

    assert theirs == ours
    trees = {project.ok("git", "rev-parse", f"{experiments(project)[ours]}^{{tree}}") for project in (small, clone)}
    assert len(trees) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-S", "train.n_estimator=5"], "did you mean train.n_estimators?"),
        (["-S", "train.seed=range(3,3)"], "names no value"),
        (["-S", "train.seed=1", "--metric", "cv.auc"], "there is no metric 'cv.auc'; there are holdout.accuracy"),
        (["-S", "train.seed=range(0,200)", "-S", "evaluate.seed=range(0,51)"], "that are 10200 points; if you mean it"),
        (["-S", "train.seed=1", "--keep", "20"], "--keep is '20'; it must be all, or best:N"),
        (["-S", "train.max_depth=interval(1,3)"], "a grid cannot try every value of an interval"),
        (["-S", "dataset.path=nowhere"], "nowhere"),
        (["-S", "train.max_depth=interval(0,3)", "--trials", "2"], "train.max_depth is 0; it must be greater than"),
        (["-S", "train.max_depth=interval(5,3)", "--trials", "2"], "-S train.max_depth=interval(5,3): "),
        (["-S", "train.seed=1", "--trials", "2", "--storage", "nothing://x"], "--storage nothing://x: "),
        (["-S", "train.seed=1", "--storage", "sqlite://"], "--storage is for a search; add --trials N"),
    ],
)
def test_a_mistake_is_told_before_anything_runs(small, arguments, told):
    before = state(small)

    done = small.run("titanic", "sweep", *arguments)

    assert done.code == 1
    assert done.said.startswith("error: ")
    assert told in done.said
    assert len(done.said.splitlines()) == 1
    assert experiments(small) == {}
    assert state(small) == before


def test_a_repository_that_dvc_is_busy_with_is_answered(small):
    import fcntl

    with (small.root / ".dvc/tmp/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        done = small.run("titanic", "sweep", "-S", "train.max_depth=2")

    assert done.code == 1
    assert done.said == "error: another DVC command is at work in this repository; run the sweep when it has ended\n"


def test_without_an_identity_a_clean_tree_will_do_and_a_dirty_one_not(small):
    for name in [name for name in small.environment if name.startswith("GIT_")]:
        del small.environment[name]
    names, _ = sweep(small, "train.max_depth=2")
    small.edit("README.md", ("# titanic", "# Titanic"))

    done = small.run("titanic", "sweep", "-S", "train.max_depth=3")

    assert done.code == 1
    assert done.said.startswith("error: git does not know who you are")
    assert sorted(experiments(small)) == names


def stopped(project, number, after, *arguments):
    """Start a sweep, send it a signal when so many points are done, and return its code and words."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command = ["titanic", "sweep", *arguments]
    with subprocess.Popen(
        command,
        cwd=project.root,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        said = "".join(process.stdout.readline() for _ in range(after))
        os.kill(process.pid, number)
        said += process.stdout.read()
    return process.returncode, said


def test_ctrl_c_keeps_what_is_finished(small):
    arguments = ["-S", "train.max_depth=range(1,30)"]

    code, said = stopped(small, signal.SIGINT, 3, *arguments)

    assert code == 130
    assert "best cv.roc_auc" in said
    assert "interrupted" in said
    assert "Traceback" not in said
    assert len(experiments(small)) >= 3
    assert list((small.root / ".dvc/tmp/sweep").glob("at-work-*")) == []


@pytest.mark.faults
def test_a_killed_sweep_goes_on(small):
    before = state(small)
    arguments = ["-S", "train.max_depth=range(1,9)"]

    code, _ = stopped(small, signal.SIGKILL, 3, *arguments)
    time.sleep(0.5)

    assert code == -signal.SIGKILL
    assert state(small) == before
    done = experiments(small)
    assert len(done) >= 3
    names, said = sweep(small, "train.max_depth=range(1,9)")
    assert f"{8 - len(done)} new, {len(done)} there before" in said
    assert len(names) == 8
    assert done.items() <= experiments(small).items()
    assert list((small.root / ".dvc/tmp/sweep").glob("at-work-*")) == []


SEARCH = ["-S", "train.max_depth=interval(1,9)", "-S", "train.test_size=interval(0.1,0.3)", "-S", "train.seed=1,2"]


def told(project):
    return json.loads((project.root / "reports/sweep.json").read_text())["points"]


def results(project):
    """What came of each trial; what was run before a break is there after it."""
    return [(row["point"], row["scores"], row["means"]) for row in told(project)]


@pytest.fixture
def undisturbed(small, tmp_path):
    """A search on the project, of 14 trials by two workers, and what comes of it where nobody disturbs it."""
    small.edit("params.yaml", ("folds: 2 ", "folds: 4 "))
    small.commit("four folds")
    search = ("titanic", "sweep", "--trials", "14", "-j", "2", *SEARCH)
    alone = small.clone(tmp_path / "alone")
    alone.ok(*search)
    return search, results(alone)


@pytest.mark.faults
def test_a_killed_search_goes_on_as_if_nobody_had_killed_it(small, undisturbed):
    search, whole = undisturbed
    for after in (1, 5, 9):
        stopped(small, signal.SIGKILL, after, *search[2:])

    said = small.ok(*search)

    pruned = sum(row["state"] == "pruned" for row in told(small))
    assert results(small) == whole
    assert 0 < pruned < 10
    assert f" {pruned} pruned, 0 failed" in said
    assert len(experiments(small)) == len({row["name"] for row in told(small) if row["scores"]})


@pytest.mark.faults
def test_a_search_that_keeps_the_best_is_the_same_search(small, undisturbed):
    search, whole = undisturbed

    small.ok(*search, "--keep", "best:2")

    assert results(small) == whole
    assert len(experiments(small)) == 2


@pytest.mark.faults
def test_another_seed_is_another_search(small):
    found = []
    for seed in ("1", "2"):
        small.ok("titanic", "sweep", "--trials", "2", "-j", "1", "--seed", seed, *SEARCH)
        found.append([row["point"] for row in told(small)])

    assert found[0] != found[1]
