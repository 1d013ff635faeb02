"""Checks for leaks: what a model must not know. Each returns a sentence for each finding, nothing where all is well.

Stage evaluate runs the cheap ones, stage diagnose those that refit the model.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from scipy import stats

from titanic.dataset.quality import Alone, tells_target
from titanic.schema import KEY, MODEL_INPUT, TARGET, PassengerFeatures, kind

# Share of the hold-out that may equal a training row in every column but the key; families and twins do.
TWINS = 0.05
# Parts of a table in which a statistic of the whole table is another one.
PARTS = (slice(0, None, 2), slice(1, None, 2), slice(0, None, 7), slice(0, 20))
# Scores of shuffled labels beyond this quantile of chance are taken for a leak: one honest run in a thousand.
CHANCE = 0.999

Floats = npt.NDArray[np.float64]


def in_both(train: pd.DataFrame, holdout: pd.DataFrame) -> Iterator[str]:
    """Look for hold-out rows in the training rows, by their key and by all other columns."""
    shared = int(holdout[KEY].isin(train[KEY]).sum())
    if shared:
        yield f"{shared} hold-out rows stand in the training rows as well ({KEY})"
    inside, outside = (pd.util.hash_pandas_object(rows.drop(columns=KEY), index=False) for rows in (train, holdout))
    equal = int(outside.isin(inside).sum())
    if equal > TWINS * len(holdout):
        yield f"{equal} of {len(holdout)} hold-out rows equal a training row in every column but {KEY}"


def tells(table: pd.DataFrame) -> Iterator[str]:
    """Look for features that tell the target alone, as `titanic.dataset.quality` does for the raw columns."""
    rows = pa.Table.from_pandas(table[[*MODEL_INPUT, TARGET]], preserve_index=False)
    for name in MODEL_INPUT:
        counts = rows.group_by(name, use_threads=False).aggregate([([], "count_all"), (TARGET, "sum")]).sort_by(name)
        counts = counts.rename_columns([name, "rows", "ones"])
        if tells_target(counts, name, Alone(0, 0), numeric=kind(PassengerFeatures, name) is not str):
            yield f"{name} alone tells {TARGET} nearly always; is it known before that?"


def too_good(holdout: dict[str, Any], folds: dict[str, Any]) -> Iterator[str]:
    """Look for hold-out scores far above those of cross-validation: 95 % intervals that do not meet."""
    for name in ("accuracy", "roc_auc"):
        seen, expected = holdout[name], folds[name]
        if seen["low"] > expected["high"]:
            yield (
                f"hold-out {name} {seen['value']:.3f} is far above {expected['value']:.3f} of cross-validation; "
                "does the model know hold-out rows?"
            )


def across_rows(
    featurize: Callable[[pd.DataFrame], pd.DataFrame], clean: pd.DataFrame, features: pd.DataFrame
) -> Iterator[str]:
    """Look for features that change with the other rows of the table: statistics fitted before the split.

    `features` is what stage featurize made of all rows of `clean`; any part of the rows must give the same.
    """
    apart: set[str] = set()
    for rows in PARTS:
        whole = features.iloc[rows].reset_index(drop=True)
        part = featurize(clean.iloc[rows]).reset_index(drop=True).astype(whole.dtypes)
        apart |= {str(name) for name in whole if not part[name].equals(whole[name])}
    for name in sorted(apart):
        yield f"{name} depends on other rows of the table; what is learned from data belongs into the pipeline"


def above_chance(scores: pd.DataFrame, ones: int, zeros: int) -> Iterator[str]:
    """Look at the `roc_auc` of each fold of one cross-validation with shuffled labels, of which there are so many.

    Their mean has the variance of Mann and Whitney's statistic where nothing is to be known.
    """
    sd = np.sqrt((ones + zeros + len(scores)) / (12 * ones * zeros))
    most = 0.5 + stats.norm.ppf(CHANCE) * sd
    if (mean := scores["roc_auc"].mean()) > most:
        yield f"with shuffled labels the ROC AUC is {mean:.3f}, above {most:.3f}: the features know the target"


def other_recipe(stored: Floats, refitted: Floats) -> Iterator[str]:
    """Look for a stored model whose chances differ from those of its recipe, fitted again on the training rows."""
    if not np.allclose(stored, refitted, rtol=0, atol=1e-9):
        differ = int((np.abs(stored - refitted) > 1e-9).sum())
        yield f"the stored model is not what its recipe learns from the training rows: {differ} chances differ"


def checked(**found: Iterator[str]) -> dict[str, Any]:
    """Return {"ok", "found"} for each check, and print what was found."""
    told = {name: list(sentences) for name, sentences in found.items()}
    for name, sentences in told.items():
        for sentence in sentences:
            print(f"leak check {name}: {sentence}")
    return {name: {"ok": not sentences, "found": sentences} for name, sentences in told.items()}
