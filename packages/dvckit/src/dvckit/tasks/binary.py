"""Two classes, 0 and 1: predictions are the probability of class 1, shape (rows,)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from dvckit.tasks.base import Labels, Metric, Task, mean, paired, paired_clustered
from dvckit.tasks.binary_drawings import DRAWINGS
from dvckit.tasks.clustered import mcnemar_clustered, mean_clustered, roc_auc_clustered
from dvckit.tasks.significance import bootstrap_paired, delong_paired, mcnemar
from dvckit.tasks.uncertainty import Floats, Interval, calibration, calibration_error, delong, roc_auc_interval, wilson

CALIBRATION_BINS = 10
# Scores of shuffled labels beyond this quantile count as a leak: a false alarm in one of 1,000 runs.
CHANCE = 0.999


def right(truth: Labels, predictions: Floats) -> npt.NDArray[np.bool_]:
    """Return whether the label of each row is right."""
    equal: npt.NDArray[np.bool_] = truth == (predictions > 0.5)
    return equal


def _interval(truth: Labels, predictions: Floats) -> Interval:
    return wilson(int(right(truth, predictions).sum()), len(truth))


def roc_auc(truth: Labels, predictions: Floats) -> float:
    """Return the area under the ROC curve; NaN if a class has no row."""
    return float(delong(truth, predictions[np.newaxis])[0].item())


def losses(truth: Labels, predictions: Floats) -> Floats:
    """Return the log loss of each row; like scikit-learn, clip probabilities of 0 to the smallest positive one."""
    probability = np.where(truth == 1, predictions, 1 - predictions)
    values: Floats = -np.log(np.clip(probability, np.finfo(float).eps, 1.0))
    return values


class Binary(Task):
    """Two classes, 0 and 1."""

    name = "tabular-classification"
    metrics = (
        Metric(
            "accuracy",
            "accuracy",
            1,
            1.0,
            mean(right),
            paired(mcnemar, right),
            "McNemar, mid-p",
            paired_clustered(mcnemar_clustered, right),
            _interval,
        ),
        Metric("roc_auc", "ROC AUC", 1, 1.0, roc_auc, delong_paired, "DeLong", roc_auc_clustered, roc_auc_interval),
        Metric(
            "log_loss",
            "log loss",
            -1,
            np.inf,
            mean(losses),
            paired(bootstrap_paired, losses),
            "paired bootstrap",
            paired_clustered(mean_clustered, losses),
        ),
    )
    decides = "roc_auc"
    target_check = "both_labels"
    statistic = "positive"
    template = "tasks/binary.html.jinja"
    drawings = DRAWINGS
    overlays = {  # noqa: RUF012 - nobody writes to it
        "roc": "ROC: true over false positive rate; guessing gives the diagonal",
        "precision_recall": "Precision over recall",
        "calibration": "Observed share over predicted probability; a perfectly calibrated model gives the diagonal",
    }

    def predict(self, model: Any, inputs: pd.DataFrame) -> Floats:
        """Return the probability of class 1, shape (rows,)."""
        probabilities: Floats = model.predict_proba(inputs)[:, 1]
        return probabilities

    def columns(self, predictions: Floats) -> dict[str, Floats]:
        """Return a probability for each class."""
        return {"probability_0": 1 - predictions, "probability_1": predictions}

    def from_columns(self, table: pd.DataFrame) -> Floats:
        """Return the probability of class 1."""
        return table["probability_1"].to_numpy(dtype="float64")

    def labels(self, predictions: Floats) -> Labels:
        """Return the more probable class, 0 for a tie, as scikit-learn's `predict` does."""
        return (predictions > 0.5).astype("int64")

    def scarcity(self, truth: pd.Series) -> tuple[int, str]:
        """Return the number of rows of the rarer class."""
        return int(truth.value_counts().reindex([0, 1], fill_value=0).min()), "class"

    def target_faults(self, profile: dict[str, Any]) -> Iterator[str]:
        """Yield a fault if the target has only one class."""
        if profile["distinct"] == 1:
            yield f"is {next(iter(profile['top']))} in every row; a model needs both labels"

    def further_scores(self, truth: Labels, predictions: Floats) -> dict[str, float]:
        """Return F1, precision and recall of class 1."""
        from sklearn.metrics import precision_recall_fscore_support

        precision, recall, f1, _ = precision_recall_fscore_support(
            truth, self.labels(predictions), average="binary", zero_division=0.0
        )
        return {"f1": f1, "precision": precision, "recall": recall}

    def details(self, truth: Labels, predictions: Floats) -> dict[str, float]:
        """Return average precision, Brier score and the expected calibration error."""
        from sklearn.metrics import average_precision_score, brier_score_loss

        return {
            "average_precision": average_precision_score(truth, predictions),
            "brier": brier_score_loss(truth, predictions),
            "calibration_error": calibration_error(calibration(truth, predictions, CALIBRATION_BINS)),
        }

    def majority_model(self) -> Any:
        """Return a model that predicts the shares of the classes, and so labels every row with the majority class."""
        from sklearn.dummy import DummyClassifier

        return DummyClassifier()

    def describe(self, truth: Labels) -> float:
        """Return the share of class 1."""
        return float(np.mean(truth))

    def curves(self, truth: Labels, predictions: Floats) -> dict[str, pd.DataFrame]:
        """Return ROC, precision and recall, calibration and confusion."""
        from sklearn.metrics import precision_recall_curve, roc_curve

        false_positive, true_positive, _ = roc_curve(truth, predictions)
        precision, recall, _ = precision_recall_curve(truth, predictions)
        return {
            "roc": pd.DataFrame({"false_positive_rate": false_positive, "true_positive_rate": true_positive}),
            "precision_recall": pd.DataFrame({"recall": recall, "precision": precision}),
            "calibration": calibration(truth, predictions, CALIBRATION_BINS),
            "confusion": pd.DataFrame({"actual": np.asarray(truth), "predicted": self.labels(predictions)}),
        }

    def knows_shuffled(self, over_folds: pd.DataFrame, truth: pd.Series) -> Iterator[str]:
        """Compare the mean ROC AUC with the variance of the Mann-Whitney statistic under no association."""
        ones = int(truth.sum())
        zeros = len(truth) - ones
        sd = np.sqrt((ones + zeros + len(over_folds)) / (12 * ones * zeros))
        most = 0.5 + special.ndtri(CHANCE) * sd
        if (area := over_folds["roc_auc"].mean()) > most:
            yield f"with shuffled labels the ROC AUC is {area:.3f}, above {most:.3f}: the features know the target"
