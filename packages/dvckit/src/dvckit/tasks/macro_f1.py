"""Macro F1: the mean over the classes of F1, twice the hits over the rows plus the predictions of a class.

Only classes that have rows count, so that two models are always scored on the same ones. Labels are places, 0, 1, ...
"""

import numpy as np
import numpy.typing as npt

from dvckit.tasks.clustered import Groups, swapped
from dvckit.tasks.significance import RESAMPLES, SEED, Difference
from dvckit.tasks.uncertainty import LEVEL, NORMAL, Floats, Interval

Places = npt.NDArray[np.int64]


def confusion(truth: Places, answers: Places, kinds: int) -> Floats:
    """Return how many rows of each class (first axis) were given each label (second axis)."""
    return np.bincount(truth * kinds + answers, minlength=kinds**2).reshape(kinds, kinds).astype("float64")


def macro_f1(counts: Floats) -> float:
    """Return macro F1 by the result of `confusion`."""
    return float(_mean(np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)))


def _mean(hits: Floats, predicted: Floats, actual: Floats) -> Floats:
    """Return macro F1 by hits and predictions, shape (..., classes), and rows of the classes."""
    there = actual > 0
    scores: Floats = (2 * hits[..., there] / (actual + predicted)[..., there]).mean(axis=-1)
    return scores


def macro_f1_interval(counts: Floats) -> Interval:
    """Return the interval by the delta method of Takahashi et al. (2022), Applied Intelligence 52.

    As Agresti & Coull (1998) do with a share, two rows that are right and two that are wrong are added, so that the interval
    of a perfect score has a width.
    """
    there = counts.sum(axis=1) > 0
    shares, kinds = there * counts.sum(axis=1) / counts.sum(), int(there.sum())
    wrong = np.outer(shares, there) * (1 - np.eye(len(counts))) / max(1, kinds - 1)
    added = counts + NORMAL**2 / 2 * (np.diag(shares) + wrong)
    rows, both = added.sum(), added.sum(axis=0) + added.sum(axis=1)
    each = np.divide(2 * np.diag(added), both, out=np.zeros(len(both)), where=there)
    # what a row of a class that gets a label adds to the score, times the number of rows
    weights = np.divide(rows, kinds * both, out=np.zeros(len(both)), where=there)
    influence = np.diag(2 * weights) - (weights * each)[:, np.newaxis] - weights * each
    reach = NORMAL * np.sqrt((added * influence**2).sum()) / rows
    middle, value = each[there].mean(), macro_f1(counts)
    return float(max(0.0, min(middle - reach, value))), float(min(1.0, max(middle + reach, value)))


def macro_f1_paired(truth: Places, reference: Places, new: Places, kinds: int) -> Difference:
    """Compare two models by a permutation test: where they differ on a row, either could have given either answer.

    Only the number of rows matters in which the new model gives the one of two labels, and not the other: a binomial number
    for each pair of labels, and for whether one of them is right.
    """
    actual = np.bincount(truth, minlength=kinds).astype("float64")
    value = macro_f1(confusion(truth, new, kinds)) - macro_f1(confusion(truth, reference, kinds))
    differ = reference != new
    if not differ.any():
        return Difference(0.0, 0.0, 0.0, 1.0)
    one, other = np.minimum(reference, new)[differ], np.maximum(reference, new)[differ]
    which = (truth[differ] == one) + 2 * (truth[differ] == other)  # of the two is right
    cells, rows = np.unique((one * kinds + other) * 3 + which, return_counts=True)
    one, other, which = cells // 3 // kinds, cells // 3 % kinds, cells % 3
    same = confusion(truth[~differ], new[~differ], kinds)
    kind = np.eye(kinds)
    draws = np.random.default_rng(SEED).binomial(rows, 0.5, size=(RESAMPLES, len(rows))).astype("float64")

    def score(others: Floats) -> Floats:
        """Return macro F1 of a model that gives the other label in so many rows of each cell, shape (..., cells)."""
        ones = rows - others
        hits = (
            np.diag(same) + ones @ (kind[one] * (which == 1)[:, None]) + others @ (kind[other] * (which == 2)[:, None])
        )
        return _mean(hits, same.sum(axis=0) + ones @ kind[one] + others @ kind[other], actual)

    drawn = np.abs(score(draws) - score(rows - draws))
    reach = float(np.quantile(drawn, LEVEL))
    beyond = int((drawn >= abs(value) - 1e-12).sum())
    return Difference(value, value - reach, value + reach, (beyond + 1) / (RESAMPLES + 1))


def macro_f1_clustered(truth: Places, reference: Places, new: Places, kinds: int, groups: Groups) -> Difference:
    """Compare two models on rows that come in groups."""
    actual, kind = np.bincount(truth, minlength=kinds).astype("float64"), np.eye(kinds)

    def sums(answers: Places) -> Floats:
        """Return hits and predictions of each class, shape (rows, 2 * classes)."""
        return np.hstack([kind[answers] * (answers == truth)[:, np.newaxis], kind[answers]])

    def score(of_rows: Floats) -> Floats:
        return _mean(of_rows[..., :kinds], of_rows[..., kinds:], actual)

    return swapped(sums(reference), sums(new), groups, score=score)
