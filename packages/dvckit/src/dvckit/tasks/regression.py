"""A value: predictions are the value of each row, shape (rows,)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from dvckit.tasks.base import PREDICTION, Labels, Plot, Task, of_rows
from dvckit.tasks.classes import RARE
from dvckit.tasks.regression_drawings import DRAWINGS
from dvckit.tasks.uncertainty import LEVEL, Floats, Interval, positive_mean_interval

if TYPE_CHECKING:
    from dvckit.tasks.tells import Tell

STRATA, STRATUM = 10, 50  # the most strata, and rows of each: as many as there may be folds
SPREAD = 0.01  # a smaller range of the target would leave scores with too few digits
POINTS = 1_000  # rows at most in the data of a plot


def absolute(truth: Labels, predictions: Floats) -> Floats:
    """Return the absolute error of each row."""
    errors: Floats = np.abs(truth - predictions)
    return errors


def squared(truth: Labels, predictions: Floats) -> Floats:
    """Return the squared error of each row."""
    errors: Floats = np.square(truth - predictions)
    return errors


def rmse(truth: Labels, predictions: Floats) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(squared(truth, predictions).mean()))


def r2(truth: Labels, predictions: Floats) -> float:
    """Return the share of the target's variance that is explained; where it has none, 1 if there is no error, else 0."""
    variance, error = float(np.var(truth)), float(squared(truth, predictions).mean())
    return 1 - error / variance if variance else float(error == 0)


def of_rmse(truth: Labels, predictions: Floats) -> Floats:
    """Return what each row contributes to RMSE, to first order: their mean is RMSE, their spread makes its error."""
    root, errors = rmse(truth, predictions), squared(truth, predictions)
    contributions: Floats = (errors / root + root) / 2 if root else errors
    return contributions


def of_r2(truth: Labels, predictions: Floats) -> Floats:
    """Return what each row contributes to R², to first order, as with RMSE."""
    variance, errors = float(np.var(truth)), squared(truth, predictions)
    if not variance:
        return np.full(len(truth), r2(truth, predictions))
    contributions: Floats = 1 - errors / variance + errors.mean() / variance * _off_mean(truth)
    return contributions


def _off_mean(truth: Labels) -> Floats:
    """Return how much more than the mean a row contributes to the variance of the target, as a share of that."""
    off_mean: Floats = np.square(truth - truth.mean()) / np.var(truth) - 1
    return off_mean


def _rmse_interval(truth: Labels, predictions: Floats) -> Interval:
    low, high = positive_mean_interval(squared(truth, predictions), most_freedom=len(truth))
    return float(np.sqrt(low)), float(np.sqrt(high))


def _mae_interval(truth: Labels, predictions: Floats) -> Interval:
    return positive_mean_interval(absolute(truth, predictions))


def _r2_interval(truth: Labels, predictions: Floats) -> Interval:
    """Return the interval by the delta method, on the logarithm of the share that is not explained: it ends below 1."""
    value, errors = r2(truth, predictions), squared(truth, predictions)
    rows = len(truth)
    if rows < 2 or not errors.any() or not np.var(truth):
        return value, value
    influence = errors / errors.mean() - 1 - _off_mean(truth)
    reach = np.exp(special.stdtrit(rows - 1, 0.5 + LEVEL / 2) * influence.std(ddof=1) / np.sqrt(rows))
    return float(1 - (1 - value) * reach), float(1 - (1 - value) / reach)


METRICS = (
    of_rows("rmse", "RMSE", of_rmse, _rmse_interval, score=rmse),
    of_rows("mae", "MAE", absolute, _mae_interval),
    of_rows("r2", "R²", of_r2, _r2_interval, score=r2, sign=1, bounds=(-np.inf, 1.0)),
)


class Regression(Task):
    """A value."""

    name = "tabular-regression"
    noun = "values"
    metrics = METRICS
    decides = "rmse"
    constants = ("mean", "median")
    target_check = "target_varies"
    statistic = "mean"
    template = "tasks/regression.html.jinja"
    drawings = DRAWINGS
    overlays = {  # noqa: RUF012 - nobody writes to it
        "errors": "Share of the rows over the absolute error that they have at most; a better model is further up",
    }
    slice_digits = 6

    @property
    def plots(self) -> dict[str, Plot]:
        """The entry under `plots` of dvc.yaml for each of the curves."""
        residuals = ("predicted", "residual", "Predicted", "True less predicted")
        return {
            "predicted_true": Plot("Predicted and true", "scatter", "predicted", "true", "Predicted", "True"),
            "residuals": Plot("Residuals", "scatter", *residuals),
            "errors": Plot("Errors", "simple", "absolute_error", "share", "Absolute error", "Share of rows"),
        }

    def truth(self, target: pd.Series) -> Labels:
        """Return the values."""
        return target.to_numpy(dtype="float64")

    def predict(self, model: Any, inputs: pd.DataFrame) -> Floats:
        """Return the predicted value of each row."""
        return np.asarray(model.predict(inputs), dtype="float64")

    def columns(self, predictions: Floats) -> dict[str, Floats]:
        """Return the value."""
        return {PREDICTION: predictions}

    def from_columns(self, table: pd.DataFrame) -> Floats:
        """Return the value."""
        return table[PREDICTION].to_numpy(dtype="float64")

    def labels(self, predictions: Floats) -> Labels:
        """Return the value."""
        return predictions

    def scarcity(self, target: pd.Series) -> tuple[int, str]:
        """Return the number of rows."""
        return len(target), "rows"

    def strata(self, target: pd.Series) -> pd.Series:
        """Return the quantile of each value; equal values are divided by their order, so that no stratum is small."""
        count = min(STRATA, max(1, len(target) // STRATUM))
        places = target.rank(method="first").to_numpy() - 1
        return pd.Series((places * count // len(target)).astype("int64"), index=target.index, name=target.name)

    def target_faults(self, profile: dict[str, Any]) -> Iterator[str]:
        """Yield a fault if the target has only one value, or values too close for the digits of scores."""
        if not profile["distinct"]:
            return
        low, high = (profile[end] for end in ("min", "max"))
        if profile["distinct"] == 1:
            yield f"is {low:g} in every row; a model needs values that differ"
        elif high - low < SPREAD:
            yield f"is {low:g} to {high:g}, too close for the digits of scores; give it in a smaller unit"

    def further_scores(self, truth: Labels, predictions: Floats) -> dict[str, float]:
        """Return the median and the largest absolute error."""
        errors = absolute(truth, predictions)
        return {"median_absolute_error": float(np.median(errors)), "max_error": float(errors.max())}

    def details(self, truth: Labels, predictions: Floats) -> dict[str, float]:
        """Return the bias: how much too large predictions are on average."""
        return {"bias": float((predictions - truth).mean())}

    def constant_models(self) -> dict[str, Any]:
        """Return models that predict the mean and the median of the training rows."""
        from sklearn.dummy import DummyRegressor

        return {name: DummyRegressor(strategy=name) for name in self.constants}

    def describe(self, truth: Labels) -> float:
        """Return the mean."""
        return float(np.mean(truth))

    def curves(self, truth: Labels, predictions: Floats) -> dict[str, pd.DataFrame]:
        """Return true values and residuals over predictions, and the share of rows with at most an absolute error.

        At most 1,000 rows, spaced evenly in the order of the horizontal axis.
        """
        table = pd.DataFrame({"predicted": predictions, "true": truth, "residual": truth - predictions})
        table = _thinned(table.sort_values("predicted", kind="stable"))
        shares = np.arange(1, len(truth) + 1) / len(truth)
        errors = pd.DataFrame({"absolute_error": np.sort(absolute(truth, predictions)), "share": shares})
        return {
            "predicted_true": table[["predicted", "true"]],
            "residuals": table[["predicted", "residual"]],
            "errors": _thinned(errors),
        }

    def predicts_shuffled(self, over_folds: pd.DataFrame, target: pd.Series) -> Iterator[str]:
        """Compare the mean R² with the most that predictions have that do not depend on the target.

        With v times the variance of the target, they have an R² of -v on average, with the variance 4v over the rows; it is
        above z² over the rows in no more cases than a normal deviate is above z, whatever v is.
        """
        most = special.ndtri(RARE) ** 2 / len(target)
        if (score := over_folds["r2"].mean()) > most:
            yield f"with a shuffled target R² is {score:.3f}, above {most:.3f}: the features know the target"

    def tell(self, *, numeric: bool) -> "Tell":
        """Return what sums up the errors of predicting the value by the column."""
        from dvckit.tasks.tells import TellsValue

        return TellsValue(numeric=numeric)

    def overall(self, scores: pd.Series, rows: pd.Series) -> float:
        """Return the RMSE of all rows, from that of parts."""
        return float(np.sqrt(np.average(np.square(scores), weights=rows)))


def _thinned(table: pd.DataFrame) -> pd.DataFrame:
    """Return at most so many rows of a table, the first and the last among them."""
    rows = np.unique(np.linspace(0, len(table) - 1, min(len(table), POINTS)).round().astype(int))
    return table.iloc[rows].reset_index(drop=True)
