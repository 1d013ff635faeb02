"""Cross-validation: a recipe is refitted on folds and scored on rows that it has not seen."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import Pipeline

from dvckit.core.errors import UserError
from dvckit.tables.schema import Schema
from dvckit.tasks.base import Task, with_interval
from dvckit.tasks.uncertainty import Floats, folds_interval

Tables = Mapping[str, pd.DataFrame]  # by name, such as clean, train and holdout
Watcher = Callable[[list[dict[str, float]]], None]  # called with the scores so far after each fold; it may raise


class Folds(NamedTuple):
    """The result of cross-validation: a row of scores for each fold, and a row of predictions for each row of the table.

    `predictions` has the columns of the task and `part`, which is `fold N`, of the first repeat.
    """

    scores: pd.DataFrame
    predictions: pd.DataFrame


class Recipe(NamedTuple):
    """A pipeline, fitted or not, with the schema of its tables and the task."""

    schema: Schema
    task: Task
    pipeline: Pipeline

    def fit(self, table: pd.DataFrame) -> Self:
        """Return the recipe with an unfitted copy of its pipeline, fitted on all rows of a table."""
        fitted = clone(self.pipeline).fit(table[list(self.schema.inputs)], table[self.schema.target])
        return self._replace(pipeline=fitted)

    def predict(self, table: pd.DataFrame) -> Floats:
        """Return the fitted pipeline's predictions for the rows of a table."""
        return self.task.predict(self.pipeline, table[list(self.schema.inputs)])

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

        UserError if there are more folds than rows of the rarest part of the target.
        """
        truth = table[self.schema.target]
        count, rows = self.task.scarcity(truth)
        if count < folds:
            raise UserError(f"{folds} folds need at least {folds} {rows}; there are {count}; lower `folds`")
        splits = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
        scores: list[dict[str, float]] = []
        parts = []
        for number, (inside, outside) in enumerate(splits.split(table, self.task.strata(truth)), 1):
            predictions = self.fit(self._share(table.iloc[inside], share, seed)).predict(table.iloc[outside])
            scores.append(self.task.scores(self.task.truth(truth.iloc[outside]), predictions))
            parts.append(pd.DataFrame({"part": f"fold {number}", **self.task.columns(predictions)}, index=outside))
            if watcher:
                watcher(scores)
        return Folds(pd.DataFrame(scores), pd.concat(parts[:folds]).sort_index())

    def _share(self, table: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
        if share >= 1:
            return table
        rows = table.groupby(self.task.strata(table[self.schema.target]))
        return pd.concat([part.sample(max(1, round(share * len(part))), random_state=seed) for _, part in rows])


def summary(task: Task, scores: pd.DataFrame, folds: int, *, difference: bool = False) -> dict[str, Any]:
    """Return the mean over folds of each metric, with its interval, clipped to the range of the score or of a difference."""
    means = {}
    for metric in task.metrics:
        column, reach = scores[metric.name], metric.most - metric.least
        least, most = (-reach, reach) if difference else (metric.least, metric.most)
        low, high = np.clip(folds_interval(column, folds), least, most)
        means[metric.name] = with_interval(column.mean(), (low, high))
    return {"fits": len(scores), **means}
