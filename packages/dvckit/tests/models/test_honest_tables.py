"""The leak checks leave honest tables alone, whatever the strength of the signal."""

from collections import Counter
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from pydantic import create_model
from sklearn.linear_model import LinearRegression, LogisticRegression

from dvckit.core.layout import EVALUATION
from dvckit.models import diagnostics
from dvckit.models.evaluation import evaluate
from dvckit.models.folds import Recipe
from dvckit.models.split import split
from dvckit.tables.schema import Record, Schema, column
from dvckit.tasks import task_of
from dvckit.tasks.base import rounded

TABLES, ROWS, COLUMNS = 100, 100, ["a", "b", "c", "d"]


def honest(labels, seed):
    """A table of two numbers, one skewed, and two columns of few categories, and what follows from their sum."""
    draw = np.random.default_rng(seed)
    inputs = np.column_stack(
        [draw.normal(size=ROWS), draw.lognormal(size=ROWS), draw.integers(4, size=ROWS), draw.integers(2, size=ROWS)]
    )
    scaled = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    target = scaled @ draw.normal(size=4) * draw.choice([0.2, 0.7, 1.5]) + draw.logistic(size=ROWS)
    if labels:
        target = pd.cut(target, [-np.inf, *np.linspace(0, 1.5, len(labels) - 1), np.inf], labels=labels).astype("str")
    kind = Literal[labels] if labels else float
    fields = {"row": (int, column("id")), "target": (kind, column("target"))}
    fields |= {name: (float, column("number")) for name in COLUMNS}
    table = pd.DataFrame({"row": range(ROWS), "target": target, **dict(zip(COLUMNS, inputs.T, strict=True))})
    return Schema(create_model("Honest", __base__=Record, **fields)), task_of(labels), table


def findings(labels, seed):
    """The names of the checks that fire."""
    schema, task, table = honest(labels, seed)
    train, holdout = split(table, schema, task, test_size=0.2, seed=1)
    model = LogisticRegression(max_iter=1_000) if labels else LinearRegression()
    recipe = Recipe(schema, task, model).fit(train)
    training = rounded(task.scores(task.truth(train["target"]), recipe.predict(train)))
    tables = {"clean": table, "features": table, "train": train, "holdout": holdout}
    outs = evaluate(recipe, {"training": training}, tables, baselines={}, folds=5, seed=1)
    further = diagnostics.leak_checks(recipe, {}, tables, lambda clean: clean, folds=5, seed=seed)
    return [name for name, check in (outs[EVALUATION]["checks"] | further).items() if not check["ok"]]


@pytest.mark.faults
@pytest.mark.parametrize("labels", [("a", "b"), ("a", "b", "c"), ()])
def test_few_honest_tables_raise_an_alarm(labels):
    alarms = Counter(name for seed in range(TABLES) for name in findings(labels, seed))

    # one, and two standard errors
    assert max(alarms.values(), default=0) <= 3
