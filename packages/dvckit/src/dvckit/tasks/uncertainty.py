"""95 % intervals of scores, for a hold-out and for cross-validation."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special  # scipy.stats takes a second to load, so only scores of the stages' models use it

LEVEL = 0.95
NORMAL = float(special.ndtri(0.5 + LEVEL / 2))  # the standard errors of an interval on either side

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]


def wilson(right: int, rows: int) -> Interval:
    """Return the interval of a share, `right` of `rows` (at least 1), by Wilson (1927): valid for few rows and near 0 or 1."""
    from scipy.stats import binomtest

    low, high = binomtest(right, rows).proportion_ci(LEVEL, "wilson")
    return float(low), float(high)


def positive_mean_interval(values: Floats, *, most_freedom: float = np.inf) -> Interval:
    """Return the interval of a mean of values that are never negative, such as losses, by Satterthwaite (1946).

    The mean is treated as a multiple of a chi-square variable with the same variance: skewed as such means are, above 0,
    and exact for the squares of normal errors, where `most_freedom` is their number. A single value is treated as one.
    """
    mean, count = float(values.mean()), len(values)
    variance = float(values.var(ddof=1)) / count if count > 1 else 2 * mean**2
    if (variance == 0 and np.isinf(most_freedom)) or mean == 0:
        return mean, mean
    freedom = min(most_freedom, 2 * mean**2 / variance if variance else np.inf)
    outside = (1 - LEVEL) / 2
    low, high = freedom * mean / special.chdtri(freedom, [outside, 1 - outside])
    return float(low), float(high)


def delong(truth: npt.ArrayLike, scores: Floats) -> tuple[Floats, Floats]:
    """Return the ROC AUC of models, shape (models,), and their covariance, shape (models, models).

    `truth` has the labels 0 and 1, shape (rows,), both at least once; `scores` are those of the models for the rows, shape (models, rows).
    DeLong, DeLong & Clarke-Pearson (1988), by the mid-ranks of Sun & Xu (2014). NaN if a label has one row.
    """
    labels = np.asarray(truth)
    ones, zeros = scores[:, labels == 1], scores[:, labels == 0]
    ranks = _ranks(np.hstack([ones, zeros]))
    # of each row of label 1, the share of label 0 that scored lower; of each row of label 0, of label 1 that scored higher
    above = (ranks[:, : ones.shape[1]] - _ranks(ones)) / zeros.shape[1]
    below = 1 - (ranks[:, ones.shape[1] :] - _ranks(zeros)) / ones.shape[1]
    return above.mean(axis=1), _covariance_of_mean(above) + _covariance_of_mean(below)


def _ranks(scores: Floats) -> Floats:
    ranks: Floats = pd.DataFrame(scores).rank(axis=1).to_numpy()
    return ranks


def _covariance_of_mean(parts: Floats) -> Floats:
    covariance: Floats = pd.DataFrame(parts.T).cov(min_periods=2).to_numpy() / parts.shape[1]
    return covariance


def roc_auc_interval(truth: npt.ArrayLike, scores: Floats) -> Interval:
    """Return the interval of one model's ROC AUC, on the logit scale so that it stays within 0 and 1.

    Without a spread (a perfect ranking, or one row of a label) it is (0, 1).
    """
    auc, covariance = (part.item() for part in delong(truth, scores[np.newaxis]))
    if not (0 < auc < 1 and covariance > 0):
        return 0.0, 1.0
    reach = NORMAL * np.sqrt(covariance) / (auc * (1 - auc))
    low, high = special.expit(special.logit(auc) + np.array([-reach, reach])).tolist()
    return low, high


def folds_interval(scores: pd.Series, folds: int) -> Interval:
    """Return the interval of a mean over (repeated) `folds`-fold cross-validation, a score for each fold.

    Folds share training rows, so the plain variance of the mean is too small; corrected after Nadeau & Bengio (2003) by
    the ratio of held-out to training rows, 1 / (folds - 1).
    """
    count = len(scores)
    reach = special.stdtrit(count - 1, 0.5 + LEVEL / 2) * np.sqrt(scores.var() * (1 / count + 1 / (folds - 1)))
    return float(scores.mean() - reach), float(scores.mean() + reach)


def calibration(truth: npt.ArrayLike, probability: npt.ArrayLike, bins: int) -> pd.DataFrame:
    """Return mean probability (`predicted`), share of label 1 (`observed`) and `rows` for each of `bins` equal bins.

    Bins without rows are left out.
    """
    table = pd.DataFrame({"predicted": np.asarray(probability), "observed": np.asarray(truth)})
    places = np.minimum((table["predicted"] * bins).astype(int), bins - 1)
    groups = table.groupby(places)
    return groups.mean().assign(rows=groups.size()).reset_index(drop=True)


def calibration_error(of_bins: pd.DataFrame) -> float:
    """Return the expected calibration error of the result of `calibration`: |observed - predicted|, weighted by rows."""
    return float(np.average((of_bins["observed"] - of_bins["predicted"]).abs(), weights=of_bins["rows"]))
