"""The work of stage split: divide labelled rows into training and hold-out."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from dvckit.core.errors import UserError
from dvckit.core.files import write_table
from dvckit.core.layout import FEATURES, PROCESSED, TRAIN
from dvckit.core.params import Section, Seed
from dvckit.models.roles import Roles, Rows, check_count, counts_of, latest, whole_groups
from dvckit.tables.schema import Schema
from dvckit.tasks import task_of
from dvckit.tasks.base import Task

FINEST = 20  # parts of whole groups, of which some are the hold-out: its size is a multiple of 5 % of the rows


Refit = Literal["all", "train"]  # the labelled rows that the stored model learns from


class Split(Section, extra="ignore"):
    """The parameters of section `train` that decide which rows are held out."""

    test_size: float = Field(ge=0.05, le=0.5)
    seed: Seed


def split_tables(names: Iterable[str], schema: Schema, params: Split) -> None:
    """Do the work of the stage: data/features -> data/processed; `names` are the tables, and that to predict stays whole."""
    if (FEATURES / f"{TRAIN}.parquet").is_dir():
        from dvckit.models.partitions import split_partitions

        split_partitions([*names], schema, params)
        return
    tables = {name: pd.read_parquet(FEATURES / f"{name}.parquet") for name in names}
    task = task_of(schema.labels)
    tables[TRAIN], tables["holdout"] = split(tables[TRAIN], schema, task, test_size=params.test_size, seed=params.seed)
    for name, table in tables.items():
        write_table(PROCESSED / f"{name}.parquet", table)


def split(
    table: pd.DataFrame, schema: Schema, task: Task, *, test_size: float, seed: int, since: Any = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (train, holdout), each in the order of `table`.

    The hold-out is drawn by the seed and stratified by the target; of the role group it has whole groups. With the role
    time it is the latest rows, whatever the seed; rows of its groups are then in neither part. UserError if a part would
    lack a class or nearly all of its rows. `since` is the first instant of the hold-out, where the rows are not all.
    """
    roles, strata = Roles.of(table, schema), task.strata(table[schema.target])
    for units in roles.given:
        check_count(units, 2, "a hold-out")
    if roles.time is not None:
        first = latest(counts_of(roles.time), test_size * len(table)) if since is None else since
        outside = (roles.time >= first).to_numpy()
    elif roles.group is not None:
        outside = _groups(strata, roles.group, test_size, seed)
    else:
        outside = table.index.isin(table.groupby(strata).sample(frac=test_size, random_state=seed).index)
    train, holdout = table[roles.to_learn_from(~outside, outside)], table[outside]
    if train.empty:
        raise UserError(
            f"every value of {schema.group} has one of the latest rows, so none is left to learn from; in the schema, keep "
            f"the role group if a model is for new ones, or the role time if it is for later rows of the same"
        )
    if any(task.scarcity(part[schema.target])[0] < 1 for part in (train, holdout)):
        raise UserError(
            f"train.test_size {test_size} of the labels {strata.value_counts().to_dict()}{_by(schema)} leaves a part "
            f"without one of them; bring more rows{' or change it' if _by(schema) else ''}"
        )
    _check_sizes(outside, roles, test_size)
    return train, holdout


def _groups(strata: pd.Series, group: pd.Series, test_size: float, seed: int) -> Rows:
    """Return the rows of groups that are about `test_size` of all rows, drawn by the seed."""
    finest = min(FINEST, group.nunique(), max(2, int(strata.value_counts().max())))
    share = Fraction(test_size).limit_denominator(finest) or Fraction(1, finest)
    parts = whole_groups(strata, group, share.denominator, seed)
    # the first part always has the largest group, so that the seed must say where to start
    starts = np.random.default_rng(seed).permutation(share.denominator)
    candidates = [(parts - start) % share.denominator < share.numerator for start in starts]

    def unsuitable(outside: Rows) -> tuple[int, float]:
        lacking = sum(strata[part].nunique() < strata.nunique() for part in (outside, ~outside))
        return lacking, round(abs(outside.mean() - test_size), 2)

    return min(candidates, key=unsuitable)


def _check_sizes(outside: Rows, roles: Roles, test_size: float) -> None:
    """Raise a UserError if a part has less than half of the rows that it should have."""
    share, units = outside.mean(), roles.group if roles.time is None else roles.time
    if units is not None and not test_size / 2 <= share <= (1 + test_size) / 2:
        counts = units.value_counts()
        raise UserError(
            f"{counts.iloc[0]} of {len(units)} rows have the {units.name} {counts.index[0]}, so that the hold-out cannot have "
            f"about {test_size:.0%} of them; bring more of others, or give {units.name} another role in the schema"
        )


def _by(schema: Schema) -> str:
    names = [name for name in (schema.group, schema.time) if name]
    return f", kept together by {' and '.join(names)}," if names else ""
