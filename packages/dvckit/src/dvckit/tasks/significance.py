"""Paired, two-sided tests for a difference of two models, each with a 95 % interval of the difference.

A difference is the score of the new model minus that of the reference.
"""

from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from dvckit.tasks.uncertainty import LEVEL, NORMAL, Floats, delong, folds_interval

SIGNIFICANT = 0.05  # p values below this
RESAMPLES = 10_000
SEED = 1912  # of the resamples: the same models give the same answer
LARGE = 20_000  # rows from which on a mean is as good as normal, and the bootstrap would take seconds
CELLS = 1 << 18  # drawn at once: what fits into the cache of a processor
# Errors of out-of-fold predictions are correlated, because the models of the folds share training rows. This is how much
# larger the variance of a difference is than with as many independent rows. 1 + J n2/n1 of Nadeau & Bengio (2003), for J parts of n2 rows
# each, of which all others (n1) were trained on, tends to 2; tests/compare/simulation.py tests it.
SHARED_TRAINING = 2.0


class Difference(NamedTuple):
    """A difference with its interval, and its p value: how often equal models give one as large."""

    value: float
    low: float
    high: float
    p_value: float

    def widened(self, factor: float) -> Self:
        """Return the difference with `factor` times its variance, and the p value of a normal deviate."""
        root = float(np.sqrt(factor))
        low, high = self.value - root * (self.value - self.low), self.value + root * (self.high - self.value)
        p_value = float(2 * special.ndtr(special.ndtri(self.p_value / 2) / root))
        return self._replace(low=low, high=high, p_value=p_value)


def mcnemar(reference: npt.NDArray[np.bool_], new: npt.NDArray[np.bool_]) -> Difference:
    """Compare two shares of correct answers, `reference` and `new` for the same rows, by the mid-p McNemar test.

    On 200 rows the exact test errs in 3 of 100 cases instead of 5, and so has less power; mid-p comes closer. The interval is
    that of Bonett & Price (2012), which has a width even if the two agree on every row, and which may disagree with the test
    near 5 %. Fagerland, Lydersen & Laake (2013) recommend both.
    """
    gained, lost, rows = int((new & ~reference).sum()), int((reference & ~new).sum()), len(new)
    few = min(gained, lost)
    # on either side the probability of fewer and half of that of exactly so many, of a fair coin; it is NaN below 0
    p_value = float(np.nansum(special.bdtr([few, few - 1], gained + lost, 0.5)))
    up, down = (gained + 1) / (rows + 2), (lost + 1) / (rows + 2)
    reach = NORMAL * np.sqrt((up + down - (up - down) ** 2) / (rows + 2))
    low, high = np.clip([up - down - reach, up - down + reach], -1.0, 1.0).tolist()
    return Difference((gained - lost) / rows, low, high, min(1.0, p_value))


def delong_paired(truth: npt.ArrayLike, reference: Floats, new: Floats) -> Difference:
    """Compare two ROC AUCs on the same rows; `truth` has the labels 0 and 1, each at least twice."""
    areas, covariance = delong(truth, np.array([reference, new]))
    value = float(areas[1] - areas[0])
    error = float(np.sqrt(max(0.0, covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])))
    if error < 1e-12:  # they rank every pair alike, or every pair differently
        return Difference(value, value, value, float(abs(value) < 1e-12))
    return _normal(value, error)


def _normal(value: float, error: float) -> Difference:
    reach = NORMAL * error
    return Difference(value, value - reach, value + reach, float(2 * special.ndtr(-abs(value) / error)))


def bootstrap_paired(reference: Floats, new: Floats) -> Difference:
    """Compare two mean losses, one value for each of the same rows, by the symmetric studentised bootstrap.

    The difference is divided by its standard error, in the rows and in each resample (Hall 1988): with a few large losses,
    the plain bootstrap is overconfident. With very many rows, a normal deviate replaces it.
    """
    differences = new - reference
    value, error = differences.mean(), differences.std() / np.sqrt(len(differences))
    if error == 0:
        return Difference(float(value), float(value), float(value), float(value == 0))
    if len(differences) > LARGE:
        return _normal(float(value), float(error))
    draws = np.abs(np.concatenate(list(_studentised(differences - value))))
    reach = np.quantile(draws, LEVEL) * error
    beyond = int((draws >= abs(value) / error).sum())
    return Difference(float(value), float(value - reach), float(value + reach), (beyond + 1) / (len(draws) + 1))


def _studentised(centred: Floats) -> Iterator[Floats]:
    """Yield the means of resamples divided by their standard errors, some resamples at a time."""
    draw, rows = np.random.default_rng(SEED), len(centred)
    part = min(RESAMPLES, max(1, CELLS // rows))
    for start in range(0, RESAMPLES, part):
        size = (min(part, RESAMPLES - start), rows)
        sample = centred[draw.integers(rows, size=size, dtype=np.uint32)]
        means = sample.mean(axis=1)
        errors = np.sqrt(np.maximum(np.square(sample).mean(axis=1) - means**2, 0.0) / rows)
        # a resample of a single repeated row has no spread: infinitely far out
        yield np.divide(means, errors, out=np.full(len(means), np.inf), where=errors > 0)


def resampled_t(differences: pd.Series, folds: int) -> Difference:
    """Test the differences of two recipes over (repeated) folds by the corrected t test of Nadeau & Bengio (2003)."""
    value = float(differences.mean())
    low, high = folds_interval(differences, folds)
    if high - low < 1e-12:
        return Difference(value, value, value, float(abs(value) < 1e-12))
    freedom = len(differences) - 1
    t = value / ((high - low) / 2) * special.stdtrit(freedom, 0.5 + LEVEL / 2)
    return Difference(value, low, high, float(2 * special.stdtr(freedom, -abs(t))))


def holm(p_values: list[float]) -> list[float]:
    """Return p values adjusted for multiple comparisons (Holm 1979)."""
    rising = pd.Series(p_values).sort_values(kind="stable")
    adjusted: list[float] = (rising * np.arange(len(rising), 0, -1)).cummax().clip(upper=1.0).sort_index().tolist()
    return adjusted
