"""Cross-validation: a recipe is refitted on folds and scored on rows that it has not seen."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import InvalidParameterError

from dvckit.core.errors import UserError, one_line
from dvckit.core.progress import progress
from dvckit.models.divisions import Division, divisions
from dvckit.models.ensembles import combined, partitions_of, recipe_of
from dvckit.models.roles import Roles
from dvckit.tables.partitions import places
from dvckit.tables.schema import Schema
from dvckit.tasks.base import Task, with_interval
from dvckit.tasks.uncertainty import Floats, folds_interval

NO_COLUMN = "Some column names are not columns"  # begins what scikit-learn says of a ColumnTransformer
Tables = Mapping[str, pd.DataFrame]  # by name, such as clean, train and holdout
Watcher = Callable[[list[dict[str, float]]], None]  # called with the scores so far after each fold; it may raise


class Folds(NamedTuple):
    """The result of cross-validation: a row of scores for each fold, and a row of predictions for each row that was outside.

    `predictions` has the columns of the task and `part`, which is `fold N`, of the first repeat; its index is the place of the row
    in the table. With the role time, rows of the first window have no prediction.
    """

    scores: pd.DataFrame
    predictions: pd.DataFrame
    rows: float  # that a fold learns from, on average


class Recipe(NamedTuple):
    """A pipeline, fitted or not, with the schema of its tables and the task."""

    schema: Schema
    task: Task
    pipeline: Pipeline

    def fit(self, table: pd.DataFrame) -> Self:
        """Return the recipe with an unfitted copy of its pipeline, fitted on all rows of a table.

        Of a mean of models, each is fitted on the rows of its partition. UserError if the pipeline uses a column that is no
        input, or has a parameter that scikit-learn refuses.
        """
        if (count := partitions_of(self.pipeline)) > 1:
            one = self._replace(pipeline=recipe_of(self.pipeline))
            of_rows = places(pa.array(table[self.schema.group or self.schema.key]), count)
            models = [one.fit(table[of_rows == place]).pipeline for place in range(count)]
            return self._replace(pipeline=combined(self.task, models))
        try:
            fitted = clone(self.pipeline).fit(table[list(self.schema.inputs)], table[self.schema.target])
        except InvalidParameterError as error:
            raise UserError(f"scikit-learn refuses a parameter of the pipeline: {one_line(error)}") from None
        except ValueError as error:
            if NO_COLUMN not in str(error):
                raise
            columns = str(error).rpartition("{")[2].rstrip("}")
            raise UserError(
                f"a pipeline uses the column {columns}, which is no input of the model; its role is another one: change "
                "the role in the schema, or the pipeline"
            ) from None
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

        With the role group each fold has whole groups. With the role time each fold is later than the rows that are learned
        from, and there is nothing to repeat. UserError if rows, groups or instants are too few.
        """
        roles = Roles.of(table, self.schema)
        parts = divisions(self.task, table[self.schema.target], roles, folds=folds, repeats=repeats, seed=seed)
        return self.over(
            table, parts, folds=folds, keep=lambda inside: self._share(inside, share, seed), watcher=watcher
        )

    def over(
        self,
        table: pd.DataFrame,
        divided: Sequence[Division],
        *,
        folds: int,
        keep: Callable[[pd.DataFrame], pd.DataFrame] = lambda inside: inside,
        watcher: Watcher | None = None,
    ) -> Folds:
        """Refit on the rows of a table that `keep` keeps of each division's inside, and predict its outside."""
        truth = table[self.schema.target]
        scores: list[dict[str, float]] = []
        parts, rows = [], []
        with progress("cross-validation", "folds", len(divided)) as advance:
            for number, (inside, outside) in enumerate(divided, 1):
                predictions = self.fit(keep(table.iloc[inside])).predict(table.iloc[outside])
                scores.append(self.task.scores(self.task.truth(truth.iloc[outside]), predictions))
                parts.append(pd.DataFrame({"part": f"fold {number}", **self.task.columns(predictions)}, index=outside))
                rows.append(len(inside))
                advance(1)
                if watcher:
                    watcher(scores)
        return Folds(pd.DataFrame(scores), pd.concat(parts[:folds]).sort_index(), float(np.mean(rows)))

    def _share(self, table: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
        """Return a share of rows with every label: drawn by the seed, whole groups of them, or the latest of them."""
        if share >= 1:
            return table
        roles, strata = Roles.of(table, self.schema), self.task.strata(table[self.schema.target])
        if not roles.given:
            rows = table.groupby(strata)
            return pd.concat([part.sample(max(1, round(share * len(part))), random_state=seed) for _, part in rows])
        turns = pd.Series(roles.turns(seed), index=table.index)
        every = turns.groupby(strata).min().max() if self.task.classes else 0  # with this turn each label has had a row
        last = int(max(np.quantile(turns, share, method="inverted_cdf"), every))
        return table[turns <= last]


def summary(task: Task, scores: pd.DataFrame, folds: int, *, difference: bool = False) -> dict[str, Any]:
    """Return the mean over folds of each metric, with its interval, clipped to the range of the score or of a difference."""
    means = {}
    for metric in task.metrics:
        column, reach = scores[metric.name], metric.most - metric.least
        least, most = (-reach, reach) if difference else (metric.least, metric.most)
        low, high = np.clip(folds_interval(column, folds), least, most)
        means[metric.name] = with_interval(column.mean(), (low, high))
    return {"fits": len(scores), **means}
