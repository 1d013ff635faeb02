"""How cross-validation divides the rows of a table: what is learned from, and what is predicted."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.utils import check_random_state

from dvckit.core.errors import UserError
from dvckit.models.roles import Numbers, Roles, check_count, counts_of, whole_groups, window_starts
from dvckit.tasks.base import Task

Starts = npt.NDArray[Any]  # instants
Division = tuple[Numbers, Numbers]  # the places of the rows to learn from, and of those to predict


def divisions(
    task: Task, truth: pd.Series, roles: Roles, *, folds: int, repeats: int, seed: int, starts: Starts | None = None
) -> list[Division]:
    """Return the divisions of (repeated) cross-validation in their order; UserError if a part would lack a class.

    `starts` are the first instants of the windows of time, where the rows are not all.
    """
    count, rows_of = task.scarcity(truth)
    if count < folds:
        raise UserError(f"{folds} folds need at least {folds} {rows_of}; there are {count}; lower `folds`")
    strata = task.strata(truth)
    if not roles.given:
        splits = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
        return list(splits.split(truth, strata))
    for units in roles.given:
        check_count(units, folds + (units is roles.time), f"cross-validation with {folds} `folds`")
    divided = list(
        _later(roles, folds, starts) if roles.time is not None else _apart(units, strata, folds, repeats, seed)
    )
    scarce = (task.scarcity(truth.iloc[rows]) for division in divided for rows in division)
    if lacking := [rows_of for fewest, rows_of in scarce if fewest < 1]:
        names = " and ".join(str(units.name) for units in roles.given)
        other = "bring more rows" if len(roles.given) == 1 else "keep one of these roles"
        raise UserError(f"{folds} folds by {names} leave a part without {lacking[0]}; lower `folds`, or {other}")
    return divided


def _apart(group: pd.Series, strata: pd.Series, folds: int, repeats: int, seed: int) -> Iterator[Division]:
    """Yield folds of whole groups, other ones in each repeat."""
    random = check_random_state(seed)
    for _ in range(repeats):
        parts = whole_groups(strata, group, folds, random)
        for number in range(folds):
            yield np.flatnonzero(parts != number), np.flatnonzero(parts == number)


def _later(roles: Roles, folds: int, starts: Starts | None) -> Iterator[Division]:
    """Yield windows of time, each with the rows before it that share no group with it; nothing precedes the first."""
    time = roles.given[-1]
    if starts is None:
        starts = window_starts(counts_of(time), folds + 1)
    window = np.searchsorted(starts, time.to_numpy(), side="right") - 1
    for number in range(1, folds + 1):
        outside = window == number
        yield np.flatnonzero(roles.to_learn_from(window < number, outside)), np.flatnonzero(outside)
