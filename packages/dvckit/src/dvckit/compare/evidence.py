"""The predictions of several revisions for the same rows, on which models are compared.

Keys repeat between data sets, so rows are matched by the hashes of their content in the tables of predictions. Rows with
different labels in two revisions are left out.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from dvckit.core.errors import UserError
from dvckit.core.layout import INTERIM, TRAIN
from dvckit.repository.locks import fresh_stages
from dvckit.repository.revision import Revision
from dvckit.tasks.base import Labels, Metric, Task
from dvckit.tasks.clustered import TEST_NAME, Groups, codes, least_p
from dvckit.tasks.predictions import GROUP, HOLDOUT, check_predictions, row_hashes
from dvckit.tasks.significance import SHARED_TRAINING, Difference
from dvckit.tasks.uncertainty import Floats

ENOUGH = 100  # hold-out rows shared by all revisions, from which on they are compared on these alone
FEWEST = 10  # rows of the rarest class, for any comparison


class Evidence(NamedTuple):
    """Predictions of several models for the same rows, in the order of the models.

    `on_holdout`: whether all of them are of hold-out rows, by the models fitted without these; else some are by
    models of the same recipe that were fitted on other folds.
    """

    task: Task
    truth: Labels
    predictions: list[Floats]
    on_holdout: bool
    holdout: int  # rows that are in every hold-out
    groups: Groups | None = None  # of each row, where rows come in groups

    @property
    def group_count(self) -> int | None:
        """The number of groups."""
        return None if self.groups is None else len(np.unique(self.groups))

    def difference(self, metric: Metric, other: Floats) -> Difference:
        """Test a metric of another model against that of the first, or of its recipe."""
        return self._widened(metric.compare(self.truth, self.predictions[0], other, self.groups))

    def least_p(self, groups: int) -> float:
        """Return the least p value that such a test of so many groups can have."""
        return self._widened(Difference(0.0, 0.0, 0.0, least_p(groups))).p_value

    def _widened(self, difference: Difference) -> Difference:
        return difference if self.on_holdout else difference.widened(SHARED_TRAINING)

    @property
    def tests(self) -> list[tuple[Metric, str]]:
        """Each metric with the name of its test."""
        return [(metric, metric.test_name if self.groups is None else TEST_NAME) for metric in self.task.metrics]


def gather(revisions: list[Revision]) -> Evidence:
    """Read the tables of predictions and match their rows; UserError if a table is missing or too few rows are shared."""
    tables, tasks = zip(*(_table(revision) for revision in revisions), strict=True)
    task, places = _common(revisions, tasks), range(len(revisions))
    indexed = [table.set_index("row") for table in _matched(revisions, list(tables))]
    shared = pd.concat(indexed, axis=1, join="inner", keys=places)  # in the order of the first
    truths = pd.DataFrame({place: shared[place]["truth"] for place in places})
    shared = shared[truths.eq(truths[0], axis=0).all(axis=1)]
    parts = pd.DataFrame({place: shared[place]["part"] for place in places})
    held_out = shared[(parts == HOLDOUT).all(axis=1)]
    on_holdout = len(held_out) >= ENOUGH and task.scarcity(held_out[0]["truth"])[0] >= FEWEST
    chosen = held_out if on_holdout else shared
    truth = chosen[0]["truth"]
    rarest, rows = task.scarcity(truth)
    if rarest < FEWEST:
        raise UserError(
            f"{' and '.join(map(str, revisions))} share only {len(shared)} labelled rows, too few to compare models on "
            f"({FEWEST} {rows} are needed, there are {rarest}); name revisions with the same data"
        )
    predictions = [task.from_columns(pd.DataFrame(chosen[place])) for place in places]
    grouped = next((pd.DataFrame(chosen[place]) for place in places if GROUP in chosen[place]), None)
    groups = None if grouped is None else codes(grouped, GROUP)
    return Evidence(task, task.truth(truth), predictions, on_holdout, len(held_out), groups)


def _common(revisions: list[Revision], tasks: Sequence[Task]) -> Task:
    """Return the task of all revisions; UserError where they have different ones."""
    first = tasks[0]
    for revision, task in zip(revisions, tasks, strict=True):
        if {*task.classes} != {*first.classes}:
            kinds = [", ".join(map(repr, of.classes)) or "values" for of in (first, task)]
            raise UserError(
                f"{revisions[0]} predicts {kinds[0]}, and {revision} {kinds[1]}: models for different targets cannot be "
                "compared; name revisions with the same labels"
            )
    return first


def _table(revision: Revision) -> tuple[pd.DataFrame, Task]:
    path = revision.model.predictions
    if path is None:
        raise UserError(
            f"dvc.yaml {revision.where} names no table of predictions; add `meta: {{predictions: PATH}}` to "
            f"{revision.model.name} under `artifacts`: a table with the columns row, key, part, truth, prediction; "
            "`dvckit init` adds the line"
        )
    maker = next((output.stage for output in revision.outputs if output.path == path), None)
    if maker and maker not in fresh_stages(revision.stages):
        raise UserError(f"{path} {revision.where} is of an earlier run than the model; run `dvc repro` there")
    table = revision.table(path)
    return table, check_predictions(table, f"{path} {revision.where}")


def _matched(revisions: list[Revision], tables: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Hash the rows by the columns that all revisions have, where their clean tables have different ones."""
    columns = [set(revision.columns(TRAIN)) for revision in revisions]
    if all(one == columns[0] for one in columns):
        return tables
    matched = []
    for revision, table in zip(revisions, tables, strict=True):
        clean = revision.table((INTERIM / f"{TRAIN}.parquet").as_posix())
        shared = set.intersection(*columns) - {revision.key, revision.target}
        hashes = row_hashes(clean, shared).set_axis(clean[revision.key])
        matched.append(table.assign(row=hashes[table["key"]].to_numpy()))
    return matched
