"""How sure a score is: 95 % intervals for a hold-out and for cross-validation, each by the method that fits it."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

LEVEL = 0.95

Floats = npt.NDArray[np.float64]


def wilson(right: int, rows: int) -> tuple[float, float]:
    """Return the interval of a share, `right` of `rows` (at least 1), by Wilson (1927): sound for few rows, and near 0 or 1."""
    interval = stats.binomtest(right, rows).proportion_ci(LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def delong(truth: npt.ArrayLike, chances: Floats) -> tuple[Floats, Floats]:
    """Return the ROC AUC of models, shape (models,), and their covariance, shape (models, models).

    `truth` has the labels 0 and 1, shape (rows,), both at least once; `chances` the models' scores, shape (models, rows).
    DeLong, DeLong & Clarke-Pearson (1988), by the mid-ranks of Sun & Xu (2014). NaN where a label has one row.
    """
    labels = np.asarray(truth)
    ones, zeros = chances[:, labels == 1], chances[:, labels == 0]
    ranks = stats.rankdata(np.hstack([ones, zeros]), axis=1)
    # of each survivor: the share of the dead that scored lower; of each of the dead: of the survivors that scored higher
    above = (ranks[:, : ones.shape[1]] - stats.rankdata(ones, axis=1)) / zeros.shape[1]
    below = 1 - (ranks[:, ones.shape[1] :] - stats.rankdata(zeros, axis=1)) / ones.shape[1]
    return above.mean(axis=1), _covariance_of_mean(above) + _covariance_of_mean(below)


def _covariance_of_mean(parts: Floats) -> Floats:
    rows = parts.shape[1]
    if rows < 2:
        return np.full((len(parts), len(parts)), np.nan)
    covariance: Floats = np.atleast_2d(np.cov(parts)) / rows
    return covariance


def roc_auc_interval(truth: npt.ArrayLike, chance: Floats) -> tuple[float, float]:
    """Return the interval of one model's ROC AUC, on the logit scale so that it stays within 0 and 1.

    Without a spread to go by (a perfect ranking, or one row of a label) it is (0, 1).
    """
    auc, covariance = (found.item() for found in delong(truth, chance[np.newaxis]))
    if not (0 < auc < 1 and covariance > 0):
        return 0.0, 1.0
    logit = np.log(auc / (1 - auc))
    reach = stats.norm.ppf(0.5 + LEVEL / 2) * np.sqrt(covariance) / (auc * (1 - auc))
    low, high = (float(1 / (1 + np.exp(-(logit + side * reach)))) for side in (-1, 1))
    return low, high


def folds_interval(scores: "pd.Series[float]", folds: int) -> tuple[float, float]:
    """Return the interval of a mean over (repeated) `folds`-fold cross-validation, a score for each fold.

    Folds share training rows, so the plain variance of the mean is too small; corrected after Nadeau & Bengio (2003) by
    the ratio of held-out to training rows, 1 / (folds - 1).
    """
    count = len(scores)
    reach = stats.t.ppf(0.5 + LEVEL / 2, count - 1) * np.sqrt(scores.var() * (1 / count + 1 / (folds - 1)))
    return float(scores.mean() - reach), float(scores.mean() + reach)


def calibration(truth: npt.ArrayLike, chance: npt.ArrayLike, bins: int) -> pd.DataFrame:
    """Return mean chance (`predicted`), share of ones (`observed`) and `rows` of each of so many equal bins of chance.

    Bins without rows are left out.
    """
    table = pd.DataFrame({"predicted": chance, "observed": truth})
    places = np.minimum((table["predicted"] * bins).astype(int), bins - 1)
    groups = table.groupby(places)
    return groups.mean().assign(rows=groups.size()).reset_index(drop=True)


def calibration_error(of_bins: pd.DataFrame) -> float:
    """Return the expected calibration error of what `calibration` gives: |observed - predicted|, weighted by rows."""
    return float(np.average((of_bins["observed"] - of_bins["predicted"]).abs(), weights=of_bins["rows"]))


def with_interval(value: float, interval: tuple[float, float], digits: int) -> dict[str, Any]:
    """Return a score with its interval for JSON."""
    low, high = interval
    return {"value": round(float(value), digits), "low": round(low, digits), "high": round(high, digits)}
