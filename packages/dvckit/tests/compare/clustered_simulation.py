"""Pairs of recipes as in simulation.py, on rows that come in groups: what the tests of `compare` and of folds are held to.

The rows of a group have alike columns and, beyond them, a label in common that no column explains. So both recipes err alike on the rows
of a group. Hold-out and folds keep groups together, as the stages do. Run as a program, it prints false alarms and power.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from dvckit.models.folds import Recipe
from dvckit.models.split import split
from dvckit.tables.schema import Record, Schema, column
from dvckit.tasks import task_of
from dvckit.tasks.clustered import Groups
from dvckit.tasks.significance import SHARED_TRAINING, SIGNIFICANT, Difference, resampled_t

GROUPS, FOLDS = 150, 5


class Row(Record):
    Key: int = column("id")
    Label: Literal[0, 1] = column("target")
    Group: int = column("group")
    First: float = column("number")
    Second: float = column("number")
    Noise: float = column("number")
    More: float


TASK = task_of((0, 1))
SCHEMA = Schema(Row)
MODELS = {
    "logistic": lambda: LogisticRegression(max_iter=200),
    "tree": lambda: DecisionTreeClassifier(max_depth=4, random_state=1),
}


def draw(seed: int, extra: float | None = None, groups: int = GROUPS) -> pd.DataFrame:
    """Draw groups of 1 to some 30 rows, 6 on average; `extra` is the weight of the first column, by default that of the second."""
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), random.geometric(1 / 6, size=groups))
    rows = len(group)
    columns = (random.normal(size=(groups, 4))[group] + random.normal(size=(rows, 4))) / np.sqrt(2)
    unexplained = random.normal(size=groups)[group]
    logit = columns[:, 0] * (1 if extra is None else extra) + columns[:, 1] + unexplained - 0.4
    label = (random.random(rows) < 1 / (1 + np.exp(-logit))).astype(int)
    table = pd.DataFrame(columns, columns=["First", "Second", "Noise", "More"])
    return table.assign(Key=range(rows), Group=group, Label=label)


def recipes(model: str, extra: float | None) -> list[Recipe]:
    """Return the reference, which sees the second column, and the new recipe, which sees the first one, or both."""
    views = [["Second", "Noise", "More"], [*(["Second"] if extra else []), "First", "Noise", "More"]]
    columns = [make_column_transformer(("passthrough", view)) for view in views]
    return [Recipe(SCHEMA, TASK, make_pipeline(of_view, MODELS[model]())) for of_view in columns]


class Pair(NamedTuple):
    """Labels, groups, and what two models say of the same rows."""

    truth: np.ndarray
    groups: Groups | None
    reference: np.ndarray
    new: np.ndarray
    stored: bool

    def tests(self) -> dict[str, Difference]:
        """Test every metric as `compare` does."""
        tests = {
            metric.name: metric.compare(self.truth, self.reference, self.new, self.groups) for metric in TASK.metrics
        }
        return tests if self.stored else {name: test.widened(SHARED_TRAINING) for name, test in tests.items()}


def out_of_sample(recipe: Recipe, table: pd.DataFrame, seed: int) -> np.ndarray:
    """Return what is said of each row by a model that has not seen its group."""
    train, held_out = split(table, SCHEMA, TASK, test_size=0.2, seed=seed)
    said = pd.Series(0.0, index=table.index)
    said[held_out.index] = recipe.fit(train).predict(held_out)
    of_folds = recipe.folds(train, folds=FOLDS, seed=seed).predictions
    said[train.index[of_folds.index]] = TASK.from_columns(of_folds)
    return said.to_numpy()


def pairs(kind: str, model: str, count: int, extra: float | None = None) -> Iterator[Pair]:
    """Give pairs of one kind: `equal splits` (stored models on one hold-out) or `other splits` (two recipes)."""
    for seed in range(count):
        table, (one, other) = draw(seed, extra), recipes(model, extra)
        if kind == "equal splits":
            train, held_out = split(table, SCHEMA, TASK, test_size=0.2, seed=1)
            old = one.fit(train)
            # the mirror image of a model is exactly as good, as no column says more than the other
            mirrored = held_out.rename(columns={"First": "Second", "Second": "First"})
            said = old.predict(mirrored) if extra is None else other.fit(train).predict(held_out)
            truth, groups = held_out["Label"].to_numpy(), held_out["Group"].to_numpy()
            yield Pair(truth, groups, old.predict(held_out), said, stored=True)
        else:
            said = [out_of_sample(recipe, table, seed) for seed, recipe in enumerate((one, other), 1)]
            yield Pair(table["Label"].to_numpy(), table["Group"].to_numpy(), *said, stored=False)


def alarms(kind: str, model: str, count: int, extra: float | None = None, *, plain: bool = False) -> dict[str, int]:
    """Count the pairs that each test tells apart, or each test of independent rows."""
    drawn = pairs(kind, model, count, extra)
    tests = [(pair._replace(groups=None) if plain else pair).tests() for pair in drawn]
    return {metric.name: sum(test[metric.name].p_value < SIGNIFICANT for test in tests) for metric in TASK.metrics}


def alarms_over_folds(model: str, count: int, schema: Schema = SCHEMA) -> dict[str, int]:
    """Count the pairs of equal recipes that the corrected t test tells apart by their scores over folds."""
    counts = {metric.name: 0 for metric in TASK.metrics}
    for seed in range(count):
        table = draw(seed)
        scores = [
            recipe._replace(schema=schema).folds(table, folds=FOLDS, seed=1).scores for recipe in recipes(model, None)
        ]
        for name in counts:
            counts[name] += resampled_t(scores[1][name] - scores[0][name], FOLDS).p_value < SIGNIFICANT
    return counts


if __name__ == "__main__":
    for model in MODELS:
        print(
            f"{model:10} over folds     false alarms in 1,000 equal pairs: {alarms_over_folds(model, 1_000)}",
            flush=True,
        )
        for kind in ("equal splits", "other splits"):
            print(f"{model:10} {kind:14} false alarms in 1,000 equal pairs: {alarms(kind, model, 1_000)}", flush=True)
        print(f"  as if rows were independent: {alarms('equal splits', model, 1_000, plain=True)}", flush=True)
    for extra in (0.4, 0.6, 0.8, 1.0):
        for kind in ("equal splits", "other splits"):
            power = {name: count / 300 for name, count in alarms(kind, "logistic", 300, extra).items()}
            print(f"a column of weight {extra} more, {kind}: found in {power}", flush=True)
