"""Paired tests for rows that come in groups, such as the visits of a patient: models err alike on the rows of one.

Tests of independent rows then find differences that are none. These swap the two models' answers in whole groups, drawn at
random, and ask how often the scores differ as much: of equal models either could have given the answers of a group. Of
groups of very unequal sizes, t tests with clustered errors raise up to twice the false alarms, and Obuchowski's (1997) test of
ROC AUCs half as many again; these stay near 5 %. `groups` are whole numbers from 0, shape (rows,).
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from dvckit.tasks.significance import CELLS, RESAMPLES, SEED, Difference, mcnemar
from dvckit.tasks.uncertainty import LEVEL, Floats, Interval

TEST_NAME = "swaps of whole groups"
BLOCKS = 50  # of groups, at most: so many scores make an interval
Groups = npt.NDArray[np.int64]


def codes(table: pd.DataFrame, column: str | None) -> Groups | None:
    """Return the group of each row of a table, from 0; None where it has no column of groups."""
    return pd.factorize(table[column])[0] if column else None


def least_p(groups: int) -> float:
    """Return the least p value of so many groups: of all their swaps, two differ as much as swapping none."""
    return float(min(1.0, 2.0 ** (1 - groups)))


def _total(sums: Floats) -> Floats:
    totals: Floats = sums[..., 0]
    return totals


def swapped(
    reference: Floats,
    new: Floats,
    groups: Groups,
    *,
    score: Callable[[Floats], Floats] = _total,
    ties: float = 1.0,
) -> Difference:
    """Compare two scores that are a function of sums over the rows.

    `reference` and `new` are what each row adds to these sums, shape (rows, sums); `score` gets sums, shape (..., sums).
    `ties` is how much a draw counts that differs exactly as much as the models do.
    """
    half, middle = _sums(new - reference, groups) / 2, (reference + new).sum(axis=0) / 2
    value = float(score(middle + half.sum(axis=0)) - score(middle - half.sum(axis=0)))
    half = half[half.any(axis=1)]  # where the models agree there is nothing to swap
    if not len(half):
        return Difference(0.0, 0.0, 0.0, 1.0)
    drawn = np.abs(np.concatenate([score(middle + sums) - score(middle - sums) for sums in _drawn(half)]))
    reach = float(np.quantile(drawn, LEVEL))
    near = 1e-9 * abs(value) + 1e-15  # sums of equal numbers may differ in their last digits
    beyond, tied = (drawn > abs(value) + near).sum(), (abs(drawn - abs(value)) <= near).sum()
    p_value = (beyond + tied * (ties if abs(value) > near else 1.0) + 1) / (len(drawn) + 1)
    return Difference(value, value - reach, value + reach, float(max(p_value, least_p(int(groups.max()) + 1))))


def _sums(rows: Floats, groups: Groups) -> Floats:
    """Return the sums of each group, shape (groups, sums)."""
    return np.column_stack([np.bincount(groups, weights=column) for column in rows.T])


def _drawn(sums: Floats) -> Iterator[Floats]:
    """Yield the sum over all groups, each with a sign drawn at random, some draws at a time; shape (draws, sums)."""
    draw, part = np.random.default_rng(SEED), max(1, CELLS // len(sums))
    for start in range(0, RESAMPLES, part):
        signs = draw.integers(2, size=(min(part, RESAMPLES - start), len(sums)), dtype=np.int8)
        yield (2.0 * signs - 1) @ sums


def mean_clustered(reference: Floats, new: Floats, groups: Groups) -> Difference:
    """Compare two means of a value for each row, such as losses."""
    return swapped(reference[:, np.newaxis] / len(groups), new[:, np.newaxis] / len(groups), groups)


def mcnemar_clustered(reference: npt.NDArray[np.bool_], new: npt.NDArray[np.bool_], groups: Groups) -> Difference:
    """Compare two shares of correct answers, with the mid-p value as `mcnemar`, whose interval is the least one."""
    plain, rows = mcnemar(reference, new), len(groups)
    test = swapped(reference[:, np.newaxis] / rows, new[:, np.newaxis] / rows, groups, ties=0.5)
    return test._replace(low=min(test.low, plain.low), high=max(test.high, plain.high))


def roc_auc_clustered(truth: npt.ArrayLike, reference: Floats, new: Floats, groups: Groups) -> Difference:
    """Compare two ROC AUCs; `truth` has the labels 0 and 1, each at least once.

    The ranks are swapped, as Venkatraman & Begg (1996) and Bandos, Rockette & Gur (2005) do, so that the scales of the models do not
    matter. If a pair of rows is swapped together, the difference of the areas changes its sign, and if one of them is, the
    comparisons across the models do: the difference is a sum over the rows, of how both models' ranks of the other label
    compare with either rank of the row.
    """
    ones = np.asarray(truth) == 1
    models = pd.DataFrame({"reference": reference, "new": new}).rank().to_numpy()
    above, below = models[ones], models[~ones]
    pairs = 2 * len(above) * len(below)
    rows = np.empty_like(models)
    rows[ones] = _lower(above, below) / pairs
    rows[~ones] = _lower(-below, -above) / pairs
    return swapped(rows[:, :1], rows[:, 1:], groups)


def _lower(ranks: Floats, others: Floats) -> Floats:
    """Return how many of `others` are lower than each of `ranks`, equal ones by half."""
    ordered = np.sort(others, axis=None)
    counts: Floats = (np.searchsorted(ordered, ranks) + np.searchsorted(ordered, ranks, side="right")) / 2
    return counts


def interval_clustered(
    score: Callable[[npt.NDArray[np.bool_]], float], groups: Groups, plain: Interval, bounds: Interval
) -> Interval:
    """Return the interval of a score by the jackknife over blocks of whole groups, at least that of independent rows.

    `score` is that of some of the rows, `plain` the interval of independent rows, `bounds` what the score can be. Where the
    score of the other blocks cannot be computed, it is `bounds`.
    """
    _, numbers = np.unique(groups, return_inverse=True)
    total = int(numbers.max()) + 1
    blocks, count = np.random.default_rng(SEED).permutation(total)[numbers] % BLOCKS, min(BLOCKS, total)
    if count < 2:
        return bounds
    without = np.array([score(blocks != block) for block in range(count)])
    error = np.sqrt((count - 1) / count * np.square(without - without.mean()).sum())
    if not np.isfinite(error):
        return bounds
    value, reach = score(np.ones(len(groups), dtype=bool)), special.stdtrit(count - 1, 0.5 + LEVEL / 2) * error
    low, high = np.clip([min(value - reach, plain[0]), max(value + reach, plain[1])], *bounds).tolist()
    return low, high
