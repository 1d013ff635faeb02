"""Leak checks: does a model use what it must not know? Each check yields a sentence for each finding.

Stage evaluate runs the cheap ones, stage diagnose those that refit the model.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dvckit.core.screen import say
from dvckit.tables.schema import Schema
from dvckit.tasks.base import Task
from dvckit.tasks.uncertainty import Floats

Featurize = Callable[[pd.DataFrame], pd.DataFrame]  # the features of clean rows

# Share of the hold-out that may equal a training row in every column but the key, as twins and families do.
TWINS = 0.05
# Parts of a table in which a statistic differs from that of the whole table.
PARTS = (slice(0, None, 2), slice(1, None, 2), slice(0, None, 7), slice(0, 20))


class Shared(NamedTuple):
    """What the hold-out has in common with the training rows; of partitions the sums."""

    keys: int  # hold-out rows whose key a training row has
    equal: int  # hold-out rows that equal a training row in every column but the key
    groups: int  # hold-out rows whose group a training row has
    late: int  # training rows that are not earlier than the first hold-out row
    rows: int  # of the hold-out


def in_both(train: pd.DataFrame, holdout: pd.DataFrame, schema: Schema) -> Iterator[str]:
    """Look for hold-out rows in the training rows, by their key and by all other columns, and for broken roles."""
    inside, outside = (hashes(rows, schema.key) for rows in (train, holdout))
    equal = int(outside.isin(inside).sum())
    late = int((train[schema.time] >= holdout[schema.time].min()).sum()) if schema.time else 0
    found = Shared(
        shared_in(train, holdout, schema.key), equal, shared_in(train, holdout, schema.group), late, len(holdout)
    )
    both = pd.concat([train, holdout])
    yield from told(found, schema, lambda: are_copies(*pairs_in(both, schema), both[schema.target].value_counts()))


def shared_in(train: pd.DataFrame, holdout: pd.DataFrame, column: str | None) -> int:
    """Return how many hold-out rows have a value of a column that a training row has."""
    return int(holdout[column].isin(train[column]).sum()) if column else 0


def told(found: Shared, schema: Schema, copies: Callable[[], bool]) -> Iterator[str]:
    """Yield a sentence for each finding; `copies` tells whether rows that are equal are copies."""
    key = schema.key
    if found.keys:
        yield f"{found.keys} hold-out rows are in the training rows as well ({key})"
    if found.equal > TWINS * found.rows and copies():
        yield f"{found.equal} of {found.rows} hold-out rows equal a training row in every column but {key}"
    if found.groups:
        yield f"{found.groups} hold-out rows have a training row of the same {schema.group}"
    if found.late:
        yield f"{found.late} training rows are not earlier than the first hold-out row ({schema.time})"


def hashes(rows: pd.DataFrame, *but: str) -> pd.Series:
    """Return a hash of each row without some columns."""
    return pd.util.hash_pandas_object(rows.drop(columns=[*but]), index=False)


def pairs_in(table: pd.DataFrame, schema: Schema) -> tuple[int, int]:
    """Return how many pairs of rows are equal but for key and target, and how many but for the key."""
    equal, alike = (pairs_of(hashes(table, *but)) for but in ((schema.key, schema.target), (schema.key,)))
    return equal, alike


def pairs_of(values: pd.Series) -> int:
    """Return how many pairs of rows have the same value, each counted twice."""
    counts = values.value_counts()
    return int((counts * (counts - 1)).sum())


def are_copies(equal: int, alike: int, labels: pd.Series) -> bool:
    """Whether rows that are equal but for key and target have the same target, in nine of ten pairs where others have not.

    In a table of a few categories, most rows equal another one, and their targets differ. `labels` counts the rows of each
    value of the target.
    """
    others = np.square(labels / labels.sum()).sum()
    return bool(alike >= (1 - (1 - others) / 10) * equal)


def tells(table: pd.DataFrame, schema: Schema, task: Task, columns: Iterable[str] = ()) -> Iterator[str]:
    """Look for features that give the target away, like `dvckit.tables.quality` for the raw columns."""
    for name in columns or schema.inputs:
        if task.gives_away(table[name], table[schema.target], numeric=schema.kind(name) is not str):
            yield f"{name} alone predicts {schema.target} nearly always; is it known before that?"


def too_good(holdout: dict[str, Any], folds: dict[str, Any], task: Task) -> Iterator[str]:
    """Look for hold-out scores far above those of cross-validation: 95 % intervals that do not overlap.

    That fires on 0.5 % of honest tables. The interval of the difference (Zou & Donner 2008), as seldom beyond 0, finds a fifth
    fewer of the models that know the hold-out.
    """
    for metric in task.metrics:
        seen, expected = holdout[metric.name], folds[metric.name]
        better = seen["low"] > expected["high"] if metric.sign > 0 else seen["high"] < expected["low"]
        if better:
            yield (
                f"hold-out {metric.name} {seen['value']:.3f} is far better than {expected['value']:.3f} of "
                "cross-validation; does the model know hold-out rows?"
            )


def across_rows(featurize: Featurize, clean: pd.DataFrame, features: pd.DataFrame) -> Iterator[str]:
    """Look for features that change with the other rows of the table: statistics fitted before the split.

    `features` is the result of stage featurize for all rows of `clean`; any part of the rows must give the same.
    """
    apart: set[str] = set()
    for rows in PARTS:
        whole = features.iloc[rows].reset_index(drop=True)
        part = featurize(clean.iloc[rows]).reset_index(drop=True).astype(whole.dtypes)
        apart |= {str(name) for name in whole if not part[name].equals(whole[name])}
    for name in sorted(apart):
        yield f"{name} depends on other rows of the table; what is learned from data belongs into the pipeline"


def other_recipe(stored: Floats, refitted: Floats) -> Iterator[str]:
    """Look for a stored model whose predictions differ from those of its recipe, refitted on the same rows."""
    if differ := int((~np.isclose(stored, refitted, rtol=0, atol=1e-9)).sum()):
        yield f"the stored model is not what its recipe learns from the same rows: {differ} predictions differ"


def report(**checks: Iterator[str]) -> dict[str, Any]:
    """Return {"ok", "found"} for each check, and print the findings."""
    findings = {name: list(sentences) for name, sentences in checks.items()}
    for name, sentences in findings.items():
        for sentence in sentences:
            say(f"leak check {name}: {sentence}")
    return {name: {"ok": not sentences, "found": sentences} for name, sentences in findings.items()}
