"""Two classes: predictions are the probability of the second one, the positive one, shape (rows,)."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from dvckit.core.errors import UserError
from dvckit.tasks.base import Labels, Metric, Plot
from dvckit.tasks.binary_drawings import DRAWINGS
from dvckit.tasks.classes import CALIBRATION_BINS, RARE, Classes, accuracy, log_loss, log_losses
from dvckit.tasks.clustered import roc_auc_clustered
from dvckit.tasks.significance import delong_paired
from dvckit.tasks.uncertainty import Floats, calibration, calibration_error, delong, roc_auc_interval


def right(truth: Labels, predictions: Floats) -> npt.NDArray[np.bool_]:
    """Return whether the label of each row is right."""
    equal: npt.NDArray[np.bool_] = truth == (predictions > 0.5)
    return equal


def roc_auc(truth: Labels, predictions: Floats) -> float:
    """Return the area under the ROC curve; UserError if a class has no row."""
    if truth.min() == truth.max():
        raise UserError(
            f"the ROC AUC of {len(truth)} rows of one class is undefined; lower `folds`, or bring more rows"
        )
    return float(delong(truth, predictions[np.newaxis])[0].item())


def losses(truth: Labels, predictions: Floats) -> Floats:
    """Return the log loss of each row."""
    return log_losses(np.where(truth == 1, predictions, 1 - predictions))


METRICS = (
    accuracy(right),
    Metric("roc_auc", "ROC AUC", 1, 0.0, 1.0, roc_auc, delong_paired, "DeLong", roc_auc_interval, roc_auc_clustered),
    log_loss(losses),
)


class Binary(Classes):
    """Two classes."""

    noun = "probabilities of two classes"
    metrics = METRICS
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

    @property
    def plots(self) -> dict[str, Plot]:
        """The entry under `plots` of dvc.yaml for each of the curves."""
        probability, confusion = f"Predicted probability of {self.classes[1]}", ("actual", "predicted")
        return {
            "roc": Plot(
                "ROC",
                "simple",
                "false_positive_rate",
                "true_positive_rate",
                "False positive rate",
                "True positive rate",
            ),
            "precision_recall": Plot("Precision and recall", "simple", "recall", "precision", "Recall", "Precision"),
            "calibration": Plot("Calibration", "simple", "predicted", "observed", probability, "Observed share"),
            "confusion": Plot("Confusion", "confusion", *confusion, "Actual", "Predicted"),
        }

    def predict(self, model: object, inputs: pd.DataFrame) -> Floats:
        """Return the probability of the positive class, shape (rows,)."""
        return self.probabilities(model, inputs)[:, 1]

    def columns(self, predictions: Floats) -> dict[str, Floats]:
        """Return a probability for each class."""
        return dict(zip(self.column_names(), (1 - predictions, predictions), strict=True))

    def from_columns(self, table: pd.DataFrame) -> Floats:
        """Return the probability of the positive class."""
        return table[self.column_names()[1]].to_numpy(dtype="float64")

    def labels(self, predictions: Floats) -> Labels:
        """Return the more probable label, the first for a tie, as scikit-learn's `predict` does."""
        return self.decoded((predictions > 0.5).astype("int64"))

    def further_scores(self, truth: Labels, predictions: Floats) -> dict[str, float]:
        """Return F1, precision and recall of the positive class."""
        from sklearn.metrics import precision_recall_fscore_support

        precision, recall, f1, _ = precision_recall_fscore_support(
            truth, predictions > 0.5, average="binary", zero_division=0.0
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

    def describe(self, truth: Labels) -> float:
        """Return the share of the positive class."""
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
            "confusion": pd.DataFrame({"actual": self.decoded(truth), "predicted": self.labels(predictions)}),
        }

    def predicts_shuffled(self, over_folds: pd.DataFrame, target: pd.Series) -> Iterator[str]:
        """Compare the mean ROC AUC with the variance of the Mann-Whitney statistic under no association."""
        ones = int(self.truth(target).sum())
        zeros = len(target) - ones
        sd = np.sqrt((ones + zeros + len(over_folds)) / (12 * ones * zeros))
        most = 0.5 + special.ndtri(RARE) * sd
        if (area := over_folds["roc_auc"].mean()) > most:
            yield f"with shuffled labels the ROC AUC is {area:.3f}, above {most:.3f}: the features know the target"
