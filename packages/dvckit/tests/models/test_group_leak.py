"""A planted group leak: rows of one entity on both sides inflate the score of a random split, and not of ours."""

from typing import Literal

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

from dvckit.core.errors import UserError
from dvckit.models.folds import Recipe
from dvckit.models.inflation import inflation
from dvckit.models.split import split
from dvckit.tables.schema import Record, Schema, column
from dvckit.tasks import task_of


class Recording(Record):
    Key: int = column("id")
    Ill: Literal[0, 1] = column("target")
    Person: str = column("ignore")
    Height: float = column("number")
    Pitch: float = column("number")
    Loudness: float = column("number")


class OfPerson(Recording):
    Person: str = column("group")


BINARY = task_of((0, 1))
RANDOM, OURS = Schema(Recording), Schema(OfPerson)


def recordings(seed, people=60, each=8, *, known=True):
    """Recordings of people who are ill by lot; `known`: height and pitch tell who it is, and nothing tells more."""
    draw = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), each)
    ill = draw.integers(2, size=people)[person]
    height, pitch = (draw.normal(size=people if known else len(person)) for _ in range(2))
    if known:
        height, pitch = height[person], pitch[person] + draw.normal(0, 0.05, len(person))
    columns = {"Height": height, "Pitch": pitch, "Loudness": draw.normal(size=len(person))}
    if not known:  # a row is ill or not whoever it is
        ill = (draw.random(len(person)) < 1 / (1 + np.exp(-height))).astype(int)
    return pd.DataFrame({"Key": range(len(person)), "Ill": ill, "Person": [f"p{n}" for n in person], **columns})


def recipe(schema):
    return Recipe(schema, BINARY, RandomForestClassifier(20, random_state=1))


def holdout_accuracy(schema, seed):
    train, holdout = split(recordings(seed), schema, BINARY, test_size=0.25, seed=seed)
    predictions = recipe(schema).fit(train).predict(holdout)
    return BINARY.scores(holdout["Ill"].to_numpy(), predictions)["accuracy"]


def test_a_random_hold_out_is_inflated_and_ours_is_not():
    random = np.mean([holdout_accuracy(RANDOM, seed) for seed in range(4)])
    ours = np.mean([holdout_accuracy(OURS, seed) for seed in range(4)])

    assert random > 0.9
    assert ours == pytest.approx(0.5, abs=0.15)


def test_random_folds_are_inflated_and_ours_are_not():
    random, ours = (recipe(schema).folds(recordings(1), folds=4, seed=1).scores for schema in (RANDOM, OURS))

    assert random["accuracy"].mean() > 0.85
    assert ours["accuracy"].mean() == pytest.approx(0.5, abs=0.15)


def test_the_inflation_is_measured_with_its_interval():
    result = inflation(recipe(OURS), recordings(1), "Person", folds=4, seed=1)

    assert result.found
    assert result.metric.name == "accuracy"
    assert result.random - result.kept == pytest.approx(result.difference.value) == pytest.approx(0.4, abs=0.2)
    assert 0.1 < result.difference.low < result.difference.value < result.difference.high


def test_a_column_that_says_nothing_inflates_nothing():
    results = [inflation(recipe(OURS), recordings(seed, known=False), "Person", folds=4, seed=1) for seed in range(5)]

    assert sum(result.found for result in results) == 0
    assert all(abs(result.difference.value) < 0.06 for result in results)


def test_a_column_with_fewer_values_than_folds_is_refused():
    with pytest.raises(UserError, match="needs rows of 4 values of Person, and there are 3"):
        inflation(recipe(OURS), recordings(1, people=3), "Person", folds=4, seed=1)
