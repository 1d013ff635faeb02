"""The search: what a trial must reach, and that a break changes nothing."""

import random
import re
import sqlite3
from contextlib import closing
from functools import partial
from types import SimpleNamespace

import pytest
from optuna.trial import TrialState

from dvckit.core.errors import UserError
from dvckit.sweep.command import STUDIES, Options, _search
from dvckit.sweep.configurations import parse_axes
from dvckit.sweep.search import CURE, OTHER, STARTUP, Search
from dvckit.sweep.trial import Aim, BelowThreshold, Outcome, Trial, Watcher


@pytest.fixture
def search(tmp_path):
    def search(trials, metric="cv.roc_auc", *, also="train.n_estimators=interval(1,1000)"):
        axes = parse_axes(["train.max_depth=interval(1,1000)", also])
        storage = f"sqlite:///{tmp_path}/studies.db"
        return Search(axes, {"train.max_depth": 3}, Aim(metric), trials=trials, seed=1, storage=storage, base="base")

    return search


def whole(trial, *folds, metric="roc_auc"):
    evaluation = {f"folds.{metric}": list(folds)}
    return Outcome(
        "name", trial.configuration, "new", scores={f"cv.{metric}": sum(folds) / len(folds)}, evaluation=evaluation
    )


def test_a_trial_must_reach_the_median_of_the_complete_trials(search):
    trials = (study := search(STARTUP + 2)).trials()
    thresholds = []
    for trial, last in zip(trials, (0.8, 0.7, 0.9, 0.6, 1.0, 0.8), strict=False):
        thresholds.append(trial.threshold)
        study.tell(whole(trial, last, last, last - 0.3))

    assert thresholds == [()] * STARTUP + [(0.8, 0.8)]


def test_a_pruned_trial_sets_no_threshold_and_is_not_run_again(search):
    trials = (study := search(STARTUP + 2)).trials()
    for _ in range(STARTUP):
        study.tell(whole(next(trials), 0.8, 0.8))
    study.tell(Outcome("name", next(trials).configuration, "pruned", means=(0.1,)))

    assert next(trials).threshold == (0.8,)
    again = list(search(STARTUP + 1).trials())
    assert [trial.pruned for trial in again] == [()] * STARTUP + [(0.1,)]
    assert [trial.state for trial in study.study.trials[-2:]] == [TrialState.PRUNED, TrialState.RUNNING]


def test_an_interrupted_trial_must_reach_the_same_threshold(search):
    trials = (study := search(STARTUP + 1)).trials()
    for _ in range(STARTUP):
        study.tell(whole(next(trials), 0.8, 0.8))
    left = next(trials)

    (*_, again) = (after := search(STARTUP + 1)).trials()

    assert again == left
    for _ in range(STARTUP):
        after.tell(whole(again, 0.1))  # these have ended
    after.tell(whole(again, 0.9, 0.9))
    assert after.study.best_value == 0.9


def test_a_metric_that_is_not_a_mean_over_folds_prunes_nothing(search):
    study = search(STARTUP + 1, "holdout.roc_auc")
    for trial in study.trials():
        assert trial.threshold == ()
        study.tell(whole(trial, 0.5, metric="roc_auc")._replace(scores={"holdout.roc_auc": 0.5}))


@pytest.mark.parametrize(
    ("metric", "scores", "means"), [("roc_auc", (0.7, 0.5), [0.7, 0.6]), ("brier", (0.6, 0.8), [0.6, 0.7])]
)
def test_folds_end_where_their_mean_is_worse_than_the_threshold(metric, scores, means):
    watch = Watcher(Trial((), Aim(f"cv.{metric}"), (0.65, 0.65)))
    seen = [{metric: score} for score in scores]
    watch(seen[:1])

    with pytest.raises(BelowThreshold):
        watch(seen)

    assert watch.means == pytest.approx(means)


def test_the_last_fold_ends_nothing():
    watch = Watcher(Trial((), Aim("cv.roc_auc"), (0.5,)))

    watch([{"roc_auc": 0.6}])
    watch([{"roc_auc": 0.6}, {"roc_auc": 0.0}])

    assert watch.means == [0.6]


def test_the_studies_are_in_the_project_whatever_its_path(tmp_path):
    root = tmp_path / "a?b#c%20d ü"
    (root / STUDIES).parent.mkdir(parents=True)
    base = SimpleNamespace(root=root, values=SimpleNamespace(start={"train.max_depth": 3}), name=lambda _: "base")
    texts = ["train.max_depth=interval(1,9)"]
    options = Options(
        texts, "cv.roc_auc", None, "", 1, dry=False, yes=True, trials=2, seed=1, storage=None, scheduler=None
    )

    _search(base, parse_axes(texts), Aim("cv.roc_auc"), options)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [root / STUDIES]


def tell_all(search):
    for trial in search.trials():
        search.tell(whole(trial, 0.8, 0.8))


def answer(search):
    """What a search says that cannot be done; nothing where it can be."""
    try:
        tell_all(search(3))
    except UserError as error:
        return str(error)
    return ""


CURED = re.compile(rf"--storage sqlite:///.*/studies\.db: .{{1,200}}; if it is damaged, remove it: {CURE}")


def damages(content):
    """A study's file as a kill, a disk or a stranger may leave it."""
    draws = random.Random(1912)
    yield content.replace(b'"log": false', b'"log": fals}')
    yield content.replace(b"IntDistribution", b"IntDistributiox")
    yield content.replace(b"COMPLETE", b"COMPLETX")
    yield bytes(len(content))
    yield b"\xff\x00 no database"
    for _ in range(8):
        yield content[: draws.randrange(1, len(content))]
        place = draws.randrange(len(content))
        yield content[:place] + draws.randbytes(300) + content[place + 300 :]
        yield content[:place] + bytes(4096) + content[place + 4096 :]


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of connections to what is no database
def test_a_damaged_study_is_one_sentence_or_the_same_search(search, tmp_path):
    tell_all(search(2))
    studies = tmp_path / "studies.db"
    content, sentences = studies.read_bytes(), []

    for damaged in damages(content):
        studies.write_bytes(damaged)
        sentences.append(answer(search))

    assert len([text for text in sentences if text]) > 15
    assert all(CURED.fullmatch(text) for text in sentences if text)


def execute(search, tmp_path, *statements):
    tell_all(search(2))
    with closing(sqlite3.connect(tmp_path / "studies.db")) as database, database:
        for statement in statements:
            database.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alembic_version SET version_num = 'v9.9.9.z'",
        "UPDATE version_info SET schema_version = 1, library_version = '0.1.0'",
        "UPDATE version_info SET library_version = 'no version'",
        "DROP TABLE trials",
        "ALTER TABLE trial_params RENAME COLUMN distribution_json TO other",
        "UPDATE trial_params SET distribution_json = 'null'",
        "UPDATE trial_params SET distribution_json = '{\"name\": 5}'",
        "UPDATE trials SET state = 'LOST'",
        "UPDATE trials SET number = 7",
    ],
)
def test_a_study_of_another_version_or_with_other_content_is_one_sentence(search, tmp_path, statement):
    execute(search, tmp_path, statement)

    text = answer(search)

    assert text in {"", OTHER} or CURED.fullmatch(text)


def test_a_study_that_another_program_holds_is_not_to_be_removed(search, tmp_path, monkeypatch):
    tell_all(search(2))
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, timeout=0.1))
    with closing(sqlite3.connect(tmp_path / "studies.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(UserError, match=r"studies\.db: database is locked$"):
            tell_all(search(3))


def test_one_of_two_equal_searches_on_one_database_is_told(search):
    one, other = search(4), search(4)
    trials, others = one.trials(), other.trials()
    first, same = next(trials), next(others)
    one.tell(whole(first, 0.8, 0.8))

    with pytest.raises(UserError, match="the same search is running elsewhere"):
        other.tell(whole(same, 0.8, 0.8))

    next(trials)
    assert len(one.study.trials) == 2


def test_a_killed_trial_is_not_recorded(search):
    (trial, *_) = (killed := search(2)).trials()

    with pytest.raises(UserError, match="the same command goes on from there"):
        killed.tell(trial.killed("its worker was killed"))

    assert [trial.state for trial in search(2).study.trials] == [TrialState.RUNNING] * 2
