"""The work of stage split: divide labelled rows into training and hold-out."""

import pandas as pd

from dvckit.core.errors import UserError
from dvckit.tables.schema import Schema
from dvckit.tasks.base import Task


def split(
    table: pd.DataFrame, schema: Schema, task: Task, *, test_size: float, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (train, holdout), each in the order of `table`, stratified by the target.

    UserError if a part would lack a class.
    """
    strata = task.strata(table[schema.target])
    holdout = table.groupby(strata).sample(frac=test_size, random_state=seed).sort_index()
    train = table.drop(index=holdout.index)
    if any(task.scarcity(part[schema.target])[0] < 1 for part in (train, holdout)):
        counts = strata.value_counts().to_dict()
        raise UserError(
            f"train.test_size {test_size} of the labels {counts} leaves a part without one of them; bring more rows"
        )
    return train, holdout
