"""Pairs of recipes whose difference is known, fitted and scored as the stages do: what the tests of `compare` are held to.

A row has two equally useful columns, noise, and a target by a logistic or linear model. One recipe sees the one column, the
other the other: the two are equally good by symmetry, and no two predictions are alike. For the power, one recipe sees the
second column alone and the other sees both, and `extra` is the weight of the first. Rows may come in groups, which share a
part of their columns and of what is left to chance; then a group is on one side of every split. Run as a program, it prints
the false alarms and the power that docs/docs/versions.md quotes; exit code 1 where there are more alarms than there may be.
"""

import math
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GroupKFold, StratifiedKFold
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from dvckit.tasks import task_of
from dvckit.tasks.base import Task
from dvckit.tasks.significance import SHARED_TRAINING, SIGNIFICANT, Difference

ROWS, NOISE, FOLDS = 891, 6, 5
COMMON = list(range(2, 2 + NOISE))
KINDS = ("equal splits", "other splits", "other seeds")
LABELS = {"binary": (0, 1), "multiclass": (0, 1, 2), "regression": ()}
RECIPES = {
    "logistic": lambda seed: LogisticRegression(max_iter=200, random_state=seed),
    "linear": lambda _: LinearRegression(),
    "tree": lambda seed: DecisionTreeClassifier(max_depth=4, random_state=seed),
    "regression tree": lambda seed: DecisionTreeRegressor(max_depth=4, random_state=seed),
}
OF_TASK = {
    "binary": ("logistic", "tree"),
    "multiclass": ("logistic", "tree"),
    "regression": ("linear", "regression tree"),
}


def most(count: int) -> int:
    """Return how many of `count` equal pairs may differ: 5 %, and two standard errors."""
    return math.ceil(SIGNIFICANT * count + 2 * math.sqrt(count * SIGNIFICANT * (1 - SIGNIFICANT)))


class Pair(NamedTuple):
    """The truth, what two models say of the same rows, and whether these are stored models on one hold-out."""

    task: Task
    truth: np.ndarray
    reference: np.ndarray
    new: np.ndarray
    stored: bool
    groups: np.ndarray | None  # of each row, where rows come in groups

    def tests(self) -> dict[str, Difference]:
        """Test every metric as `compare` does."""
        tests = {metric.name: metric.compare(*self[1:4], self.groups) for metric in self.task.metrics}
        return tests if self.stored else {name: test.widened(SHARED_TRAINING) for name, test in tests.items()}

    def exact(self) -> dict[str, Difference]:
        """Test every metric by swapping the models' answers to single rows.

        Of two models that are mirror images, either could have given either answer: this test errs in 5 % of all draws. What
        it finds in some draws is a property of these, and only what another test finds beyond that is its error.
        """
        rows = np.arange(len(self.truth))
        return {metric.name: metric.compare(*self[1:4], rows) for metric in self.task.metrics}


class Rows(NamedTuple):
    """Columns, the useful two first, the target, and the group of each row."""

    columns: np.ndarray
    truth: np.ndarray
    groups: np.ndarray


class Problem(NamedTuple):
    """A kind of target, and how many rows a group has."""

    name: str
    size: int = 1

    @property
    def task(self) -> Task:
        """The task."""
        return task_of(LABELS[self.name])

    def draw(self, seed: int, extra: float | None = None, rows: int = ROWS) -> Rows:
        """Draw rows."""
        random = np.random.default_rng(seed)
        groups = np.arange(rows) // self.size
        columns = self._shared(random.normal(size=(rows, 2 + NOISE)), groups)
        signal = columns[:, 0] * (1 if extra is None else extra) + columns[:, 1] + 0.3 * columns[:, 2]
        return Rows(columns, self._target(random, signal, groups), groups)

    def _shared(self, noise: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Give rows of a group half of the variance of a normal deviate in common."""
        if self.size == 1:
            return noise
        return (noise + noise[groups]) / np.sqrt(2)

    def _target(self, random: np.random.Generator, signal: np.ndarray, groups: np.ndarray) -> np.ndarray:
        rows = len(signal)
        if self.size > 1:
            signal = signal + random.normal(size=rows)[groups]
        if self.name == "binary":
            return (random.random(rows) < 1 / (1 + np.exp(0.4 - signal))).astype(int)
        if self.name == "regression":
            return signal + random.standard_t(4, size=rows)
        logits = np.outer(signal, [-1.2, 0.0, 1.2]) + np.array([0.0, 0.2, -0.6])
        return (logits + random.gumbel(size=(rows, 3))).argmax(axis=1)

    def of_rows(self, groups: np.ndarray) -> np.ndarray | None:
        """Return the groups, where rows come in groups."""
        return groups if self.size > 1 else None

    def holdout(self, rows: Rows, seed: int) -> np.ndarray:
        """Return a fifth of the rows, stratified by the target, or else a fifth of the groups."""
        if self.size == 1:
            target = pd.Series(rows.truth)
            return target.groupby(self.task.strata(target)).sample(frac=0.2, random_state=seed).index.to_numpy()
        groups = np.unique(rows.groups)
        return np.flatnonzero(
            np.isin(rows.groups, np.random.default_rng(seed).choice(groups, len(groups) // 5, replace=False))
        )

    def folds(self, rows: Rows, train: np.ndarray, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Divide training rows into folds."""
        if self.size == 1:
            strata = self.task.strata(pd.Series(rows.truth[train]))
            return StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(train, strata)
        return GroupKFold(FOLDS, shuffle=True, random_state=seed).split(train, groups=rows.groups[train])

    def out_of_sample(self, rows: Rows, columns: np.ndarray, recipe: str, seed: int) -> np.ndarray:
        """Return what is said of each row by a model that has not seen it."""
        task, held_out = self.task, self.holdout(rows, seed)
        train = np.setdiff1d(np.arange(len(columns)), held_out)
        parts = [(train, held_out), *((train[one], train[other]) for one, other in self.folds(rows, train, seed))]
        predictions = np.empty((len(columns), *task.none().shape[1:]))
        for inside, outside in parts:
            model = RECIPES[recipe](seed).fit(columns[inside], rows.truth[inside])
            predictions[outside] = task.predict(model, columns[outside])
        return predictions

    def pairs(self, kind: str, recipe: str, count: int, extra: float | None = None) -> Iterator[Pair]:
        """Give pairs of one kind: `equal splits` (stored models), `other splits` (two recipes), `other seeds` (one recipe)."""
        for seed in range(count):
            rows = self.draw(seed, extra)
            first, second = (rows.columns[:, view] for view in views(extra))
            if kind == "equal splits":
                yield self._stored(rows, first, second, recipe, mirrored=extra is None)
                continue
            seeds, other = ((2 * seed, 2 * seed + 1), first) if kind == "other seeds" else ((1, 2), second)
            old, new = (
                self.out_of_sample(rows, *one) for one in ((first, recipe, seeds[0]), (other, recipe, seeds[1]))
            )
            yield Pair(self.task, rows.truth, old, new, stored=False, groups=self.of_rows(rows.groups))

    def _stored(self, rows: Rows, first: np.ndarray, second: np.ndarray, recipe: str, *, mirrored: bool) -> Pair:
        held_out = self.holdout(rows, 1)
        train = np.setdiff1d(np.arange(len(first)), held_out)
        model = RECIPES[recipe](1).fit(first[train], rows.truth[train])
        # the mirror image of a model is exactly as good, as no column says more than the other
        other = model if mirrored else RECIPES[recipe](1).fit(second[train], rows.truth[train])
        old, new = self.task.predict(model, first[held_out]), self.task.predict(other, second[held_out])
        return Pair(self.task, rows.truth[held_out], old, new, stored=True, groups=self.of_rows(rows.groups[held_out]))

    def alarms(
        self,
        kind: str,
        recipe: str,
        count: int,
        extra: float | None = None,
        tests: Callable[[Pair], dict[str, Difference]] = Pair.tests,
    ) -> dict[str, int]:
        """Count the pairs that each test tells apart."""
        results = [tests(pair) for pair in self.pairs(kind, recipe, count, extra)]
        return {name: sum(result[name].p_value < SIGNIFICANT for result in results) for name in results[0]}

    def difference(self, recipe: str, extra: float, fits: int = 20) -> dict[str, float]:
        """Return the true difference of the two recipes, each fitted `fits` times, on very many rows."""
        task, many = self.task, self.draw(10**6, extra, rows=100_000)
        scores = []
        for seed in range(fits):
            train = self.draw(seed, extra, rows=570)
            models = [RECIPES[recipe](1).fit(train.columns[:, view], train.truth) for view in views(extra)]
            sides = zip(models, views(extra), strict=True)
            predictions = [task.predict(model, many.columns[:, view]) for model, view in sides]
            scores.append([task.scores(many.truth, one) for one in predictions])
        return {name: float(np.mean([new[name] - old[name] for old, new in scores])) for name in scores[0][0]}


def views(extra: float | None) -> tuple[list[int], list[int]]:
    """Return the columns that the reference sees, and those that the new recipe sees."""
    return [1, *COMMON], ([0, *COMMON] if extra is None else [0, 1, *COMMON])


def check(problem: Problem, kind: str, recipe: str) -> bool:
    """Print the false alarms in 1,000 equal pairs; return whether they are no more than they may be.

    Some draws have more pairs that differ by luck, which an exact test then finds, too.
    """
    counts = problem.alarms(kind, recipe, 1_000)
    shown = f"{problem.name} in groups of {problem.size}, {recipe}, {kind}: false alarms in 1,000 equal pairs"
    print(f"{shown}: {counts}", flush=True)
    if max(counts.values()) <= most(1_000):
        return True
    exact = problem.alarms(kind, recipe, 1_000, tests=Pair.exact)
    print(f"  of an exact test: {exact}", flush=True)
    return kind == KINDS[0] and all(count <= max(most(1_000), exact[name] + 5) for name, count in counts.items())


def main(names: list[str]) -> int:
    """Print false alarms and power of each task; return the exit code."""
    right = True
    for name in names or LABELS:
        problem = Problem(name)
        for recipe in OF_TASK[name]:
            for one, kind in [*((problem, kind) for kind in KINDS), (Problem(name, size=6), KINDS[0])]:
                right &= check(one, kind, recipe)
        for extra in (0.3, 0.4, 0.5, 0.6):
            print(f"{name}, a column of weight {extra} more: {problem.difference(OF_TASK[name][0], extra)}")
            for kind in KINDS[:2]:
                counts = problem.alarms(kind, OF_TASK[name][0], 500, extra)
                power = {metric: count / 500 for metric, count in counts.items()}
                print(f"  {kind}: found in {power}", flush=True)
    return int(not right)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
