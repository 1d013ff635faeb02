"""Pairs of recipes whose difference is known, fitted and scored as the stages do: what the tests of `compare` are held to.

A row has two equally useful columns, noise, and a label by a logistic model. One recipe sees the one column, the other the
other: the two are equally good by symmetry, and no two predictions are alike. For the power, one recipe sees the second
column alone and the other sees both, and `extra` is the weight of the first. Run as a program, it prints the false alarms
and the power that docs/docs/versions.md quotes.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

from dvckit.tasks.binary import Binary
from dvckit.tasks.significance import SHARED_TRAINING, SIGNIFICANT, Difference

ROWS, NOISE, FOLDS = 891, 6, 5
TASK = Binary()
RECIPES = {
    "logistic": lambda seed: LogisticRegression(max_iter=200, random_state=seed),
    "tree": lambda seed: DecisionTreeClassifier(max_depth=4, random_state=seed),
}


class Pair(NamedTuple):
    """The truth, what two models say of the same rows, and whether these are stored models on one hold-out."""

    truth: np.ndarray
    reference: np.ndarray
    new: np.ndarray
    stored: bool

    def tests(self) -> dict[str, Difference]:
        """Test every metric as `compare` does."""
        tests = {metric.name: metric.test(self.truth, self.reference, self.new) for metric in TASK.metrics}
        return tests if self.stored else {name: test.widened(SHARED_TRAINING) for name, test in tests.items()}


COMMON = list(range(2, 2 + NOISE))


def draw(seed: int, extra: float | None = None, rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Draw columns, the useful two first, and labels."""
    random = np.random.default_rng(seed)
    columns = random.normal(size=(rows, 2 + NOISE))
    logit = columns[:, 0] * (1 if extra is None else extra) + columns[:, 1] + 0.3 * columns[:, 2] - 0.4
    return columns, (random.random(rows) < 1 / (1 + np.exp(-logit))).astype(int)


def out_of_sample(columns: np.ndarray, truth: np.ndarray, recipe: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what is said of each row by a model that has not seen it, and which rows the stored model says it of."""
    held_out = pd.Series(truth).groupby(truth).sample(frac=0.2, random_state=seed).index.to_numpy()
    train = np.setdiff1d(np.arange(len(truth)), held_out)
    predictions = np.empty(len(truth))
    model = RECIPES[recipe](seed).fit(columns[train], truth[train])
    predictions[held_out] = TASK.predict(model, columns[held_out])
    for inside, outside in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(train, truth[train]):
        model = RECIPES[recipe](seed).fit(columns[train[inside]], truth[train[inside]])
        predictions[train[outside]] = TASK.predict(model, columns[train[outside]])
    return predictions, held_out


def views(extra: float | None) -> tuple[list[int], list[int]]:
    """Return the columns that the reference sees, and those that the new recipe sees."""
    return [1, *COMMON], ([0, *COMMON] if extra is None else [0, 1, *COMMON])


def pairs(kind: str, recipe: str, count: int, extra: float | None = None) -> Iterator[Pair]:
    """Give pairs of one kind: `equal splits` (stored models), `other splits` (two recipes) or `other seeds` (one recipe)."""
    for seed in range(count):
        columns, truth = draw(seed, extra)
        first, second = (columns[:, view] for view in views(extra))
        if kind == "other seeds":
            old, _ = out_of_sample(columns, truth, recipe, 2 * seed)
            new, _ = out_of_sample(columns, truth, recipe, 2 * seed + 1)
            yield Pair(truth, old, new, stored=False)
        elif kind == "other splits":
            old, _ = out_of_sample(first, truth, recipe, 1)
            new, _ = out_of_sample(second, truth, recipe, 2)
            yield Pair(truth, old, new, stored=False)
        else:
            held_out = pd.Series(truth).groupby(truth).sample(frac=0.2, random_state=1).index.to_numpy()
            train = np.setdiff1d(np.arange(len(truth)), held_out)
            model = RECIPES[recipe](1).fit(first[train], truth[train])
            # the mirror image of a model is exactly as good, as no column says more than the other
            other = model if extra is None else RECIPES[recipe](1).fit(second[train], truth[train])
            old, new = TASK.predict(model, first[held_out]), TASK.predict(other, second[held_out])
            yield Pair(truth[held_out], old, new, stored=True)


def alarms(kind: str, recipe: str, count: int, extra: float | None = None) -> dict[str, int]:
    """Count the pairs that each test tells apart."""
    tests = [pair.tests() for pair in pairs(kind, recipe, count, extra)]
    return {metric.name: sum(test[metric.name].p_value < SIGNIFICANT for test in tests) for metric in TASK.metrics}


def difference(recipe: str, extra: float, fits: int = 20) -> dict[str, float]:
    """Return the true difference of the two recipes, each fitted `fits` times, on very many rows."""
    columns, truth = draw(10**6, extra, rows=100_000)
    scores = []
    for seed in range(fits):
        train, labels = draw(seed, extra, rows=570)
        models = [RECIPES[recipe](1).fit(train[:, view], labels) for view in views(extra)]
        predictions = [TASK.predict(model, columns[:, view]) for model, view in zip(models, views(extra), strict=True)]
        scores.append([TASK.scores(truth, one) for one in predictions])
    return {name: float(np.mean([new[name] - old[name] for old, new in scores])) for name in scores[0][0]}


if __name__ == "__main__":
    for recipe in RECIPES:
        for kind in ("equal splits", "other splits", "other seeds"):
            print(f"{recipe:10} {kind:13} false alarms in 1,000 equal pairs: {alarms(kind, recipe, 1_000)}", flush=True)
    for extra in (0.3, 0.4, 0.5, 0.6):
        print(f"a column of weight {extra} more: {difference('logistic', extra)}")
        for kind in ("equal splits", "other splits"):
            power = {name: count / 500 for name, count in alarms(kind, "logistic", 500, extra).items()}
            print(f"  {kind}: found in {power}", flush=True)
