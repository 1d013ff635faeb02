"""Whether two models really differ: paired tests, two-sided, each with a 95 % interval of the difference.

A difference is that of the new model from the reference.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from titanic.modeling.uncertainty import LEVEL, Floats, delong, folds_interval

if TYPE_CHECKING:
    import pandas as pd

SIGNIFICANT = 0.05  # a p value below it
RESAMPLES = 10_000
SEED = 1912  # of the resamples: the same models get the same answer
CELLS = 1 << 18  # drawn at once: what a processor keeps at hand


class Difference(NamedTuple):
    """A difference with its interval, and how often chance alone gives one as large."""

    value: float
    low: float
    high: float
    p_value: float


def mcnemar(reference: npt.NDArray[np.bool_], new: npt.NDArray[np.bool_]) -> Difference:
    """Compare two shares of right answers, `reference` and `new` for the same rows, by the mid-p McNemar test.

    On 200 rows the exact test errs in 3 of 100 cases where 5 are allowed, and so finds less; mid-p comes closer. The interval
    is that of Bonett & Price (2012), which has a width also where the two agree on every row, and which near 5 % may say
    otherwise than the test. Fagerland, Lydersen & Laake (2013) recommend both.
    """
    gained, lost, rows = int((new & ~reference).sum()), int((reference & ~new).sum()), len(new)
    few, disagree = min(gained, lost), gained + lost
    # the probability of fewer, and half of that of just so many
    p_value = float(stats.binom.cdf(few, disagree, 0.5) + stats.binom.cdf(few - 1, disagree, 0.5))
    up, down = (gained + 1) / (rows + 2), (lost + 1) / (rows + 2)
    reach = stats.norm.ppf(0.5 + LEVEL / 2) * np.sqrt((up + down - (up - down) ** 2) / (rows + 2))
    low, high = np.clip([up - down - reach, up - down + reach], -1.0, 1.0).tolist()
    return Difference((gained - lost) / rows, low, high, min(1.0, p_value))


def delong_paired(truth: npt.ArrayLike, reference: Floats, new: Floats) -> Difference:
    """Compare two ROC AUCs on the same rows; `truth` has the labels 0 and 1, each twice at least."""
    areas, covariance = delong(truth, np.array([reference, new]))
    value = float(areas[1] - areas[0])
    error = float(np.sqrt(max(0.0, covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])))
    if error < 1e-12:  # they rank every pair alike, or as differently as can be
        return Difference(value, value, value, float(abs(value) < 1e-12))
    reach = float(stats.norm.ppf(0.5 + LEVEL / 2)) * error
    return Difference(value, value - reach, value + reach, float(2 * stats.norm.sf(abs(value) / error)))


def bootstrap_paired(reference: Floats, new: Floats) -> Difference:
    """Compare two mean losses, one value for each of the same rows, by the symmetric studentised bootstrap.

    A difference is measured in its standard error, in the rows and in each resample of them (Hall 1988): a few rows with
    a large loss make the plain bootstrap too sure of itself.
    """
    differences = new - reference
    value, error = differences.mean(), differences.std() / np.sqrt(len(differences))
    if error == 0:
        return Difference(float(value), float(value), float(value), float(value == 0))
    draws = np.abs(np.concatenate(list(_studentised(differences - value))))
    reach = np.quantile(draws, LEVEL) * error
    beyond = int((draws >= abs(value) / error).sum())
    return Difference(float(value), float(value - reach), float(value + reach), (beyond + 1) / (len(draws) + 1))


def _studentised(centred: Floats) -> Iterator[Floats]:
    """Give the mean of resamples over its standard error, a part of the resamples at a time."""
    draw, rows = np.random.default_rng(SEED), len(centred)
    part = min(RESAMPLES, max(1, CELLS // rows))
    for start in range(0, RESAMPLES, part):
        size = (min(part, RESAMPLES - start), rows)
        sample = centred[draw.integers(rows, size=size, dtype=np.uint32)]
        means = sample.mean(axis=1)
        errors = np.sqrt(np.maximum(np.square(sample).mean(axis=1) - means**2, 0.0) / rows)
        # a resample of one row over and over has no spread: as far out as can be
        yield np.divide(means, errors, out=np.full(len(means), np.inf), where=errors > 0)


def resampled_t(differences: "pd.Series[float]", folds: int) -> Difference:
    """Judge the differences of two recipes over (repeated) folds by the corrected t test of Nadeau & Bengio (2003)."""
    value = float(differences.mean())
    low, high = folds_interval(differences, folds)
    if high - low < 1e-12:
        return Difference(value, value, value, float(abs(value) < 1e-12))
    freedom = len(differences) - 1
    t = value / ((high - low) / 2) * stats.t.ppf(0.5 + LEVEL / 2, freedom)
    return Difference(value, low, high, float(2 * stats.t.sf(abs(t), freedom)))


def holm(p_values: list[float]) -> list[float]:
    """Return p values that can be held against one level together, however many there are (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    stepped = np.asarray(p_values)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return [float(value) for value in adjusted]
