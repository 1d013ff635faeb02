"""The stages split and train for tables in partitions: one model for each, and their mean as the stored model.

Each partition is split by itself, by the seed and its rows alone. One model is fitted on each partition, and the stored
model averages their probabilities or values in the order of the partitions: it is the same bytes whoever fits them, which
no method is that shares one fit between workers. What that costs in accuracy is in the documentation, "More rows".
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from dvckit.core.errors import UserError
from dvckit.core.files import put, scratch_folder, write_parquet
from dvckit.core.layout import FEATURES, PROCESSED, TRAIN
from dvckit.core.pool import Pool, pool
from dvckit.models.ensembles import combined
from dvckit.models.folds import Recipe
from dvckit.models.roles import counts_of, latest
from dvckit.models.split import Split, split
from dvckit.tables.partitions import partitioned
from dvckit.tables.schema import Schema
from dvckit.tasks import task_of

LEAST_ROWS = 2_000  # labelled rows of a partition
HOLDOUT = "holdout"


def is_partitioned(folder: Path) -> bool:
    """Tell whether the tables in a folder are in partitions."""
    return (folder / f"{TRAIN}.parquet").is_dir()


def partition(folder: Path, name: str, number: int) -> Path:
    """Return the file of a partition of a table that stage split has written."""
    return folder / f"{name}.parquet" / f"{number:03d}.parquet"


def count_of(folder: Path) -> int:
    """Return the number of partitions of the tables in a folder that stage split has written."""
    return len(list((folder / f"{TRAIN}.parquet").iterdir()))


def read_partition(name: str, number: int) -> pd.DataFrame:
    """Return the rows of a partition of a table in data/processed."""
    return pd.read_parquet(partition(PROCESSED, name, number))


# ---- split


def split_partitions(names: Sequence[str], schema: Schema, params: Split) -> None:
    """Do the work of the stage: data/features -> data/processed, where each table has a file for each partition."""
    table = partitioned(FEATURES / f"{TRAIN}.parquet")
    check_sizes(table.sizes())
    with scratch_folder(PROCESSED / ".split.tmp") as folder, pool(Path.cwd()) as running:
        counts = instants(running, FEATURES, schema, table.count)
        since = None if counts is None else latest(counts, params.test_size * counts.sum())
        for name in [*names, HOLDOUT]:
            (folder / f"{name}.parquet").mkdir()
        work = partial(_split, folder=folder, names=names, schema=schema, params=params, since=since)
        running.map(work, range(table.count), "split")
        for name in [*names, HOLDOUT]:
            put(folder / f"{name}.parquet", PROCESSED / f"{name}.parquet")


def check_sizes(sizes: Sequence[int]) -> None:
    """Raise a UserError where a partition has too few labelled rows for a model of its own."""
    if (fewest := min(sizes)) < LEAST_ROWS:
        most = max(1, sum(sizes) * 9 // 10 // LEAST_ROWS)  # they are not quite equal
        raise UserError(
            f"dataset.partitions {len(sizes)} leaves {fewest} labelled rows in a partition, and a model needs {LEAST_ROWS}; "
            f"{sum(sizes)} rows are enough for {'one partition' if most == 1 else f'about {most}'}"
        )


def instants(running: Pool, folder: Path, schema: Schema, count: int) -> "pd.Series[int] | None":
    """Return how many labelled rows each instant has, over all partitions; None where rows have no time."""
    if schema.time is None:
        return None
    found = running.map(partial(_instants, folder=folder, schema=schema), range(count), "time")
    return pd.concat(found).groupby(level=0).sum()


def _instants(number: int, folder: Path, schema: Schema) -> "pd.Series[int]":
    time = schema.time or ""
    if folder == FEATURES:
        column = partitioned(folder / f"{TRAIN}.parquet").read(number, [time])[time].to_pandas()
    else:
        column = read_partition(TRAIN, number)[time]
    return counts_of(column)


def _split(  # noqa: PLR0917
    number: int, folder: Path, names: Sequence[str], schema: Schema, params: Split, since: Any
) -> None:
    """Split a partition of the labelled rows, and write that of each table."""
    tables = {name: partitioned(FEATURES / f"{name}.parquet").table(number, schema.key) for name in names}
    with in_partition(number):
        tables[TRAIN], tables[HOLDOUT] = split(
            tables[TRAIN], schema, task_of(schema.labels), test_size=params.test_size, seed=params.seed, since=since
        )
    for name, table in tables.items():
        write_parquet(partition(folder, name, number), [table])


@contextmanager
def in_partition(number: int) -> Iterator[None]:
    """Say in an error in which partition it is."""
    try:
        yield
    except UserError as error:
        raise UserError(f"partition {number + 1} of dataset.partitions: {error}") from None


# ---- train


def fit_partitions(schema: Schema, pipeline: Pipeline, tables: Sequence[str], running: Pool) -> Pipeline:
    """Return the mean of the models of all partitions, each fitted on the rows of its tables."""
    work = partial(_fit, schema=schema, pipeline=pipeline, tables=tables)
    models = running.map(work, range(count_of(PROCESSED)), "train")
    return combined(task_of(schema.labels), models)


def _fit(number: int, schema: Schema, pipeline: Pipeline, tables: Sequence[str]) -> Pipeline:
    rows = pd.concat([read_partition(name, number) for name in tables], ignore_index=True)
    with in_partition(number):
        return fit(Recipe(schema, task_of(schema.labels), pipeline), rows).pipeline


def fit(recipe: Recipe, rows: pd.DataFrame) -> Recipe:
    """Return a recipe fitted on rows of a partition; UserError if they lack a class."""
    fewest, rows_of = recipe.task.scarcity(rows[recipe.schema.target])
    if fewest < 1:
        raise UserError(f"it has no {rows_of}; use fewer partitions, or bring more rows")
    return recipe.fit(rows)


def scores_of(model: Pipeline, schema: Schema, tables: Sequence[str], running: Pool) -> dict[str, float]:
    """Return the mean over partitions of each metric, on all rows of some tables, weighted by the rows."""
    work = partial(_scores, model=model, schema=schema, tables=tables)
    found = running.map(work, range(count_of(PROCESSED)), "scores")
    return mean_of(found)


def _scores(number: int, model: Pipeline, schema: Schema, tables: Sequence[str]) -> tuple[dict[str, float], int]:
    rows = pd.concat([read_partition(name, number) for name in tables], ignore_index=True)
    recipe = Recipe(schema, task_of(schema.labels), model)
    return recipe.task.scores(recipe.task.truth(rows[schema.target]), recipe.predict(rows)), len(rows)


def mean_of(scores: Iterable[tuple[dict[str, float], int]]) -> dict[str, float]:
    """Return the mean of scores, weighted by the rows that each is of."""
    values, rows = zip(*scores, strict=True)
    return {name: float(np.average([one[name] for one in values], weights=rows)) for name in values[0]}
