"""Cross-validation: a recipe is refitted on folds and scored on rows that it has not seen."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import Pipeline

from dvckit.core.errors import UserError
from dvckit.tables.schema import Schema
from dvckit.tasks.base import Floats, Task, with_interval
from dvckit.tasks.uncertainty import folds_interval

Watcher = Callable[[list[dict[str, float]]], None]  # called with the scores so far after each fold; it may raise


class Folds(NamedTuple):
    """The result of cross-validation: a row of scores for each fold, and a prediction for each row of the table.

    `predictions` and `fold` (from 1) are of the first repeat, in the order of the table.
    """

    scores: pd.DataFrame
    predictions: Floats
    fold: "np.ndarray[Any, np.dtype[np.int64]]"


class Recipe(NamedTuple):
    """What is refitted on folds: the schema of the table, the task, and a pipeline."""

    schema: Schema
    task: Task
    pipeline: Pipeline

    def fit(self, table: pd.DataFrame) -> Pipeline:
        """Return an unfitted copy of the pipeline, fitted on all rows of a table."""
        return clone(self.pipeline).fit(table[list(self.schema.inputs)], table[self.schema.target])

    def predict(self, model: Pipeline, table: pd.DataFrame) -> Floats:
        """Return a fitted pipeline's predictions for the rows of a table."""
        return self.task.predict(model, table[list(self.schema.inputs)])

    def folds(
        self,
        table: pd.DataFrame,
        *,
        folds: int,
        seed: int,
        repeats: int = 1,
        share: float = 1.0,
        watcher: Watcher | None = None,
    ) -> Folds:
        """Refit on (repeated) stratified folds of a table, on a `share` of each fold's training rows.

        UserError if there are more folds than rows of a class.
        """
        target, strata = self.schema.target, self.task.strata(table[self.schema.target])
        count, part = self.task.scarcity(table[target])
        if count < folds:
            raise UserError(
                f"{folds} folds need {folds} training rows of each {part}, and one has {count}; lower `folds`"
            )
        parts = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed).split(table, strata)
        scores: list[dict[str, float]] = []
        predictions, fold = np.empty(len(table)), np.zeros(len(table), dtype="int64")
        for number, (inside, outside) in enumerate(parts, 1):
            model = self.fit(self._share(table.iloc[inside], share, seed))
            predicted = self.predict(model, table.iloc[outside])
            if number <= folds:
                predictions[outside], fold[outside] = predicted, number
            scores.append(self.task.scores(table[target].iloc[outside].to_numpy(), predicted))
            if watcher:
                watcher(scores)
        return Folds(pd.DataFrame(scores), predictions, fold)

    def _share(self, table: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
        if share >= 1:
            return table
        rows = table.groupby(self.task.strata(table[self.schema.target]))
        return pd.concat([part.sample(max(1, round(share * len(part))), random_state=seed) for _, part in rows])


def summary(task: Task, scores: pd.DataFrame, folds: int, *, difference: bool = False) -> dict[str, Any]:
    """Return the mean over folds of each score, with its interval, clipped to the range of the score or of a difference."""
    means = {}
    for name, column in scores.items():
        most = task.metric(str(name)).most
        low, high = np.clip(folds_interval(column, folds), -most if difference else 0.0, most)
        means[str(name)] = with_interval(column.mean(), (low, high))
    return {"fits": len(scores), **means}
