"""Splits obey the roles group and time: the hold-out, the folds and the learning curve."""

from typing import Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier

from dvckit.core.errors import UserError
from dvckit.models import leaks
from dvckit.models.divisions import divisions
from dvckit.models.evaluation import _predictions
from dvckit.models.folds import Recipe, summary
from dvckit.models.roles import Roles
from dvckit.models.split import split
from dvckit.tables.schema import Record, Schema, column
from dvckit.tasks import task_of


class Visit(Record):
    Key: int = column("id")
    Ill: Literal[0, 1] = column("target")
    Patient: str = column("ignore")
    Day: int = column("ignore")
    Dose: float = column("number")


class OfPatient(Visit):
    Patient: str = column("group")


class OfDay(Visit):
    Day: int = column("time")


class OfBoth(OfPatient):
    Day: int = column("time")


BINARY = task_of((0, 1))
PLAIN, BY_GROUP, BY_TIME, BY_BOTH = map(Schema, (Visit, OfPatient, OfDay, OfBoth))


def visits(patients, days, labels=(0, 1)):
    """Visits of these patients on these days; the labels alternate."""
    rows = len(patients)
    labels = np.resize(labels, rows)
    patients = [str(patient) for patient in patients]
    return pd.DataFrame({"Key": range(rows), "Ill": labels, "Patient": patients, "Day": days, "Dose": 1.0})


def drawn(rows=200, patients=40, days=50, seed=1):
    draw = np.random.default_rng(seed)
    return visits(draw.integers(patients, size=rows), draw.integers(days, size=rows), draw.integers(2, size=rows))


def halves(table, schema, test_size=0.2, seed=1):
    return split(table, schema, BINARY, test_size=test_size, seed=seed)


def recipe(schema):
    return Recipe(schema, BINARY, DummyClassifier())


@pytest.fixture
def fits(monkeypatch):
    """The rows of each fit."""
    rows = []
    monkeypatch.setattr(Recipe, "fit", lambda self, table: rows.append(table) or self._replace(pipeline=table))
    monkeypatch.setattr(Recipe, "predict", lambda _, table: np.linspace(0.1, 0.9, len(table)))
    return rows


# --- the hold-out


def test_without_roles_the_hold_out_is_a_stratified_sample():
    table = drawn()

    train, holdout = halves(table, PLAIN)

    sample = table.groupby("Ill").sample(frac=0.2, random_state=1).sort_index()
    pd.testing.assert_frame_equal(holdout, sample)
    pd.testing.assert_frame_equal(train, table.drop(index=sample.index))


def test_a_patient_is_on_one_side():
    train, holdout = halves(drawn(), BY_GROUP)

    assert not set(train["Patient"]) & set(holdout["Patient"])
    assert len(train) + len(holdout) == 200


@pytest.mark.parametrize("test_size", [0.05, 0.2, 0.3, 0.5])
def test_whole_groups_are_about_the_share_that_is_asked_for_and_stratified(test_size):
    table = drawn(rows=1_000, patients=200)

    _, holdout = halves(table, BY_GROUP, test_size)

    assert len(holdout) == pytest.approx(1_000 * test_size, abs=10)
    assert holdout["Ill"].mean() == pytest.approx(table["Ill"].mean(), abs=0.03)


def test_the_seed_draws_the_groups():
    table = drawn()
    largest = table["Patient"].value_counts().index[0]

    drawings = [halves(table, BY_GROUP, seed=seed)[1] for seed in range(10)]

    assert drawings[1].equals(halves(table, BY_GROUP, seed=1)[1])
    assert not drawings[1].equals(drawings[2])
    assert 0 < sum(largest in set(holdout["Patient"]) for holdout in drawings) < 8


def test_the_latest_rows_are_held_out_whatever_the_seed():
    table = visits(range(10), range(10)).sample(frac=1, random_state=1)

    train, holdout = halves(table, BY_TIME)

    assert sorted(holdout["Day"]) == [8, 9]
    assert train["Key"].tolist() == [key for key in table["Key"] if key < 8]
    assert holdout.equals(halves(table, BY_TIME, seed=2)[1])


def test_rows_of_one_instant_stay_together():
    _, holdout = halves(visits(range(10), [0, 1, 2, 3, 4, 5, 6, 7, 7, 7]), BY_TIME)

    assert holdout["Day"].tolist() == [7, 7, 7]


@pytest.mark.parametrize("days", [pd.date_range("2020-01-01", periods=10), [f"2020-01-{day:02}" for day in range(10)]])
def test_dates_and_text_are_times(days):
    assert halves(visits(range(10), days), BY_TIME)[1]["Key"].tolist() == [8, 9]


def test_with_both_roles_earlier_rows_of_later_patients_are_in_neither_part():
    train, holdout = halves(visits([*"abcdefgh", *"ax"], range(10)), BY_BOTH)

    assert holdout["Key"].tolist() == [8, 9]
    assert train["Key"].tolist() == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("schema", "table", "message"),
    [
        (BY_GROUP, visits("aaaaaaaaaa", range(10)), "2 values of Patient, and there is 1"),
        (BY_TIME, visits(range(10), [3] * 10), "2 values of Day, and there is 1"),
        (BY_GROUP, visits("aaaaaaaaaaaaaaaaaabc", range(20), [0, 1, 1]), "18 of 20 rows have the Patient a"),
        (
            BY_GROUP,
            visits("aabbccddee", range(10), [1, 1, *[0] * 8]),
            "kept together by Patient, leaves a part without",
        ),
        (BY_TIME, visits(range(10), range(10), [*[0] * 8, 1, 1]), "kept together by Day, leaves a part without"),
        (BY_TIME, visits(range(10), [*[1] * 9, 2], [0, 1]), "leaves a part without"),
        (BY_TIME, visits(range(40), [*[1] * 37, 2, 2, 2], [0, 1]), "37 of 40 rows have the Day 1"),
        (BY_BOTH, visits("ababababab", range(10)), "every value of Patient has one of the latest rows"),
        (BY_GROUP, visits("abcdefghij", range(10)).replace({"Patient": {"c": None}}), "Patient is missing in 1 of 10"),
        (BY_TIME, visits(range(10), [None, *range(9)]), "Day is missing in 1 of 10 rows, and the role time needs it"),
    ],
)
def test_a_hold_out_that_cannot_be_is_refused(schema, table, message):
    with pytest.raises(UserError, match=message):
        halves(table, schema)


# --- folds


def test_folds_without_roles_predict_every_row_once():
    folds = recipe(PLAIN).folds(drawn(), folds=5, seed=1, repeats=2)

    assert folds.predictions.index.tolist() == list(range(200))
    assert (len(folds.scores), folds.rows) == (10, 160)


def test_folds_have_whole_groups(fits):
    table = drawn()

    folds = recipe(BY_GROUP).folds(table, folds=5, seed=1)

    parts = folds.predictions["part"]
    assert parts.index.tolist() == list(range(200))
    assert parts.groupby(table["Patient"]).nunique().max() == 1
    for number, inside in enumerate(fits, 1):
        assert sorted(inside.index) == parts.index[parts != f"fold {number}"].tolist()


def test_repeats_have_other_groups_and_the_seed_draws_them(fits):
    table = drawn()
    recipe(BY_GROUP).folds(table, folds=4, seed=1, repeats=2)
    recipe(BY_GROUP).folds(table, folds=4, seed=1, repeats=2)

    indexes = [tuple(inside.index) for inside in fits]

    assert len(set(indexes[:8])) == 8
    assert indexes[:8] == indexes[8:]


def test_folds_of_a_time_are_expanding_windows_and_the_first_rows_are_not_predicted(fits):
    table = visits(range(12), range(12)).sample(frac=1, random_state=1)

    folds = recipe(BY_TIME).folds(table, folds=5, seed=1)

    outside = folds.predictions.assign(Day=table["Day"].to_numpy()[folds.predictions.index])
    assert [sorted(of) for _, of in outside.groupby("part")["Day"]] == [[2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]
    assert [sorted(inside["Day"]) for inside in fits] == [list(range(count)) for count in (2, 4, 6, 8, 10)]
    assert folds.rows == 6


def test_windows_have_whole_instants_however_unequal(fits):
    table = visits(range(20), [*[0] * 2, *[1] * 10, *[2] * 2, *[3] * 6])

    folds = recipe(BY_TIME).folds(table, folds=3, seed=1)

    assert [len(inside) for inside in fits] == [2, 12, 14]
    assert folds.predictions.groupby("part").size().tolist() == [10, 2, 6]


def test_repeats_of_a_time_are_the_same_windows_and_are_counted_once():
    folds = recipe(BY_TIME).folds(drawn(), folds=4, seed=1, repeats=3)

    assert len(folds.scores) == 4
    assert summary(BINARY, folds.scores, 4)["fits"] == 4


def test_with_both_roles_a_window_is_predicted_from_other_patients(fits):
    table = drawn(patients=150)

    folds = recipe(BY_BOTH).folds(table, folds=3, seed=1)

    for (_, outside), inside in zip(folds.predictions.groupby("part"), fits, strict=True):
        assert not set(table["Patient"][outside.index]) & set(inside["Patient"])
        assert inside["Day"].max() < table["Day"][outside.index].min()


@pytest.mark.parametrize(
    ("schema", "table", "message"),
    [
        (BY_GROUP, visits("abcd" * 5, range(20)), "5 values of Patient, and there are 4"),
        (BY_TIME, visits(range(20), [*"abcde"] * 4), "6 values of Day, and there are 5"),
        (
            BY_TIME,
            visits(range(20), range(20), [*[0] * 10, *[1] * 10]),
            "5 folds by Day leave a part without rows of class 1",
        ),
        (BY_GROUP, visits(sorted("abcde" * 4), range(20), [*[0] * 8, *[1] * 12]), "by Patient leave a part without"),
        (BY_BOTH, visits("abcde" * 12, range(60)), "lower `folds`, or keep one of these roles"),
    ],
)
def test_folds_that_cannot_be_are_refused(schema, table, message):
    with pytest.raises(UserError, match=message):
        recipe(schema).folds(table, folds=5, seed=1)


# --- the learning curve


def test_a_share_of_the_groups_is_learned_from(fits):
    table = drawn()
    recipe(BY_GROUP).folds(table, folds=4, seed=1, share=0.5)

    for inside in fits:
        chosen = table[table["Patient"].isin(inside["Patient"])]
        assert len(chosen) == pytest.approx(75, abs=10)
        assert inside.index.isin(chosen.index).all()


def test_the_latest_rows_are_learned_from(fits):
    recipe(BY_TIME).folds(visits(range(12), range(12)), folds=2, seed=1, share=0.5)

    assert [sorted(inside["Day"]) for inside in fits] == [[2, 3], [4, 5, 6, 7]]


def test_a_share_has_every_class(fits):
    recipe(BY_TIME).folds(visits(range(12), range(12), [0, 1, 1, 0, 0, 0]), folds=2, seed=1, share=0.1)

    assert all(inside["Ill"].nunique() == 2 for inside in fits)


# --- the table of predictions


def table_of_predictions(schema, table):
    train, holdout = halves(table, schema)
    folds = recipe(schema).folds(train, folds=3, seed=1)
    tables = {"clean": table, "train": train, "holdout": holdout}
    return _predictions(recipe(schema), tables, folds.predictions, np.full(len(holdout), 0.5))


@pytest.mark.parametrize("schema", [BY_TIME, BY_BOTH])
def test_rows_that_are_never_outside_are_not_in_the_table(schema):
    table = drawn(patients=150)

    predictions = table_of_predictions(schema, table).set_index("key")

    train, holdout = halves(table, schema)
    assert predictions.index[predictions["part"] == "holdout"].tolist() == holdout["Key"].tolist()
    of_folds = predictions[predictions["part"] != "holdout"]
    assert set(of_folds.index) < set(train["Key"])
    assert table["Day"][of_folds.index].groupby(of_folds["part"]).max().is_monotonic_increasing
    assert (predictions["truth"] == table["Ill"][predictions.index]).all()


def test_the_table_names_the_group_of_each_row_where_rows_have_groups():
    table = drawn()

    predictions = table_of_predictions(BY_GROUP, table)

    assert predictions["key"].tolist() == list(range(200))
    assert predictions["group"].tolist() == table["Patient"].tolist()
    assert "group" not in table_of_predictions(PLAIN, table)


# --- the leak checks


@pytest.mark.parametrize("schema", [PLAIN, BY_GROUP, BY_TIME, BY_BOTH])
def test_a_split_that_obeys_the_roles_has_no_finding(schema):
    assert list(leaks.in_both(*halves(drawn(patients=150), schema), schema)) == []


def test_a_patient_in_both_parts_is_found():
    train, holdout = visits("abc", range(3)), visits("cdc", range(3)).assign(Key=[7, 8, 9], Dose=2.0)

    assert list(leaks.in_both(train, holdout, BY_GROUP)) == ["2 hold-out rows have a training row of the same Patient"]


def test_training_rows_as_late_as_the_hold_out_are_found():
    train, holdout = visits("abc", [3, 5, 6]), visits("def", [5, 7, 8]).assign(Key=[7, 8, 9], Dose=2.0)

    assert list(leaks.in_both(train, holdout, BY_TIME)) == [
        "2 training rows are not earlier than the first hold-out row (Day)"
    ]


def test_a_feature_of_a_patients_other_visits_is_found():
    clean = drawn().assign(Day=pd.Timestamp("2020-01-01"))
    counted = clean.assign(Dose=clean.groupby("Patient").cumcount())

    def count(rows):
        return rows.assign(Dose=rows.groupby("Patient").cumcount())

    assert list(leaks.across_rows(lambda rows: rows, clean, clean)) == []
    assert next(leaks.across_rows(count, clean, counted)).startswith("Dose depends on other rows")


# --- what holds for any table

tables = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15), st.integers(0, 1)), min_size=20, max_size=80)


@settings(deadline=None, max_examples=60)
@given(tables, st.sampled_from([BY_GROUP, BY_TIME, BY_BOTH]), st.sampled_from([0.1, 0.2, 0.35]), st.integers(0, 9))
def test_no_group_is_on_two_sides_of_a_hold_out_and_no_training_row_is_later(rows, schema, test_size, seed):
    patients, days, labels = zip(*rows, strict=True)
    try:
        train, holdout = halves(visits(patients, days, labels), schema, test_size, seed)
    except UserError:
        reject()

    assert list(leaks.in_both(train, holdout, schema)) == []
    assert not set(train["Key"]) & set(holdout["Key"])
    if schema.group:
        assert not set(train["Patient"]) & set(holdout["Patient"])
    if schema.time:
        assert train["Day"].max() < holdout["Day"].min()


@settings(deadline=None, max_examples=60)
@given(tables, st.sampled_from([BY_GROUP, BY_TIME, BY_BOTH]), st.integers(2, 4), st.integers(0, 9))
def test_no_group_is_on_two_sides_of_a_fold_and_no_training_row_is_later(rows, schema, folds, seed):
    patients, days, labels = zip(*rows, strict=True)
    table = visits(patients, days, labels)
    try:
        parts = divisions(BINARY, table["Ill"], Roles.of(table, schema), folds=folds, repeats=1, seed=seed)
    except UserError:
        reject()

    assert len(parts) == folds
    for inside, outside in (map(table.iloc.__getitem__, part) for part in parts):
        assert not set(inside["Key"]) & set(outside["Key"])
        if schema.group:
            assert not set(inside["Patient"]) & set(outside["Patient"])
        if schema.time:
            assert inside["Day"].max() < outside["Day"].min()
