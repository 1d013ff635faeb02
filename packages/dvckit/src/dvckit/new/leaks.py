"""Whether one column alone tells the target."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from dvckit.new.cells import Cells
from dvckit.new.grammar import Typed, positions
from dvckit.tables.quality import FEW, LEAK, gives_away

Floats = npt.NDArray[np.float64]


def tells(cells: Cells, kind: Typed, truth: Floats, task: str) -> bool:
    """Return whether a column tells the target of 98 % of the rows; `truth` is of `target.truth`."""
    labelled = ~np.isnan(truth)
    codes, known = cells.own[labelled], truth[labelled]
    order = None if kind.kind == "text" else positions(kind.measures)
    if task == "regression":
        return tells_values(codes, order, known)
    labels = np.unique(known, return_inverse=True)[1]
    classes = int(labels.max()) + 1
    counts = np.bincount((codes + 1) * classes + labels, minlength=(len(cells.texts) + 1) * classes).reshape(
        -1, classes
    )
    values = np.concatenate([[np.nan], np.arange(len(cells.texts)) if order is None else order])
    places = np.argsort(values)
    places = places[counts.sum(axis=1)[places] > 0]
    return gives_away(pd.DataFrame(counts[places], values[places]), numeric=order is not None)


# Task.gives_away of dvckit.tasks replaces it.
def tells_values(codes: npt.NDArray[np.int32], order: Floats | None, truth: Floats) -> bool:
    """Return whether R² is at least 0.98 where each row is predicted by others.

    Those are the rows with the same text, or for numbers its two neighbours in their order; the prediction is their mean.
    """
    present = codes >= 0
    codes, truth = codes[present], truth[present]
    if len(truth) < max(FEW, len(present) / 2):
        return False
    by = [_mean_of_others(codes, truth)] + ([] if order is None else [_mean_of_neighbours(order[codes], truth)])
    return any(_r2(truth, predicted, len(present)) >= LEAK for predicted in by)


def _mean_of_others(codes: npt.NDArray[np.int32], truth: Floats) -> Floats:
    """Return NaN for a row that is alone."""
    rows, sums = np.bincount(codes), np.bincount(codes, truth)
    with np.errstate(invalid="ignore"):
        return np.asarray((sums[codes] - truth) / np.where(rows > 1, rows - 1, np.nan)[codes])


def _mean_of_neighbours(values: Floats, truth: Floats) -> Floats:
    """Rows with equal values are in no order of the file's: it may be sorted by the target."""
    shuffled = np.random.default_rng(0).permutation(len(values))
    order = shuffled[np.argsort(values[shuffled], kind="stable")]
    ordered = truth[order]
    predicted = np.empty_like(truth)
    predicted[order[1:-1]] = (ordered[:-2] + ordered[2:]) / 2
    predicted[order[0]], predicted[order[-1]] = ordered[1], ordered[-2]
    return predicted


def _r2(truth: Floats, predicted: Floats, rows: int) -> float:
    known = ~np.isnan(predicted)
    total = float(((truth[known] - truth[known].mean()) ** 2).sum()) if known.sum() >= rows / 2 else 0.0
    return 1 - float(((truth - predicted)[known] ** 2).sum()) / total if total else 0.0
