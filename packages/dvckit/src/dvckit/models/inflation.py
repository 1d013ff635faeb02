"""What a random split would flatter: scores over folds that share the values of a column, and over folds that do not."""

from typing import NamedTuple

import pandas as pd

from dvckit.models.divisions import divisions
from dvckit.models.folds import Recipe
from dvckit.models.roles import Roles, complete
from dvckit.tasks.base import Metric
from dvckit.tasks.significance import SHARED_TRAINING, SIGNIFICANT, Difference


class Inflation(NamedTuple):
    """The headline score of out-of-fold predictions: of random folds, of folds that keep values together, and the first less the second."""

    metric: Metric
    random: float
    kept: float
    difference: Difference

    @property
    def found(self) -> bool:
        """Whether random folds are significantly better, which no new value of the column would be."""
        return self.difference.p_value < SIGNIFICANT and self.difference.value * self.metric.sign > 0


def inflation(recipe: Recipe, table: pd.DataFrame, column: str, *, folds: int, seed: int) -> Inflation:
    """Fit a recipe once on each fold of both kinds, on all rows of a table; roles of its schema are not looked at.

    Rows of one value are swapped together in the test, and the variance is doubled, as `dvckit compare` does. UserError if
    a value is missing or there are fewer values than folds.
    """
    target, group = table[recipe.schema.target], complete(table, column, "group")
    kinds = (Roles(None, None), Roles(group, None))
    divided = [divisions(recipe.task, target, roles, folds=folds, repeats=1, seed=seed) for roles in kinds]
    random, kept = (recipe.task.from_columns(recipe.over(table, parts, folds=folds).predictions) for parts in divided)
    metric, truth = recipe.task.metrics[0], recipe.task.truth(target)
    difference = metric.compare(truth, kept, random, pd.factorize(group)[0]).widened(SHARED_TRAINING)
    return Inflation(metric, metric.score(truth, random), metric.score(truth, kept), difference)
