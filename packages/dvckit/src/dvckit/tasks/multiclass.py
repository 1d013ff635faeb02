"""Several classes: predictions are the probability of each label, shape (rows, labels)."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from dvckit.tasks.base import Labels, Metric, Plot
from dvckit.tasks.classes import CALIBRATION_BINS, RARE, Classes, accuracy, log_loss, log_losses
from dvckit.tasks.clustered import Groups
from dvckit.tasks.macro_f1 import confusion, macro_f1, macro_f1_clustered, macro_f1_interval, macro_f1_paired
from dvckit.tasks.multiclass_drawings import DRAWINGS
from dvckit.tasks.significance import Difference
from dvckit.tasks.uncertainty import Floats, Interval, calibration, calibration_error, delong


def places(predictions: Floats) -> npt.NDArray[np.int64]:
    """Return the place of the most probable label of each row, the first for a tie, as scikit-learn's `predict` does."""
    best: npt.NDArray[np.int64] = predictions.argmax(axis=1)
    return best


def right(truth: Labels, predictions: Floats) -> npt.NDArray[np.bool_]:
    """Return whether the label of each row is right."""
    equal: npt.NDArray[np.bool_] = truth == places(predictions)
    return equal


def losses(truth: Labels, predictions: Floats) -> Floats:
    """Return the log loss of each row."""
    return log_losses(predictions[np.arange(len(truth)), truth])


def _confusion(truth: Labels, predictions: Floats) -> Floats:
    return confusion(truth, places(predictions), predictions.shape[1])


def _macro_f1(truth: Labels, predictions: Floats) -> float:
    return macro_f1(_confusion(truth, predictions))


def _macro_f1_interval(truth: Labels, predictions: Floats) -> Interval:
    return macro_f1_interval(_confusion(truth, predictions))


def _macro_f1_paired(truth: Labels, reference: Floats, new: Floats) -> Difference:
    return macro_f1_paired(truth, places(reference), places(new), reference.shape[1])


def _macro_f1_clustered(truth: Labels, reference: Floats, new: Floats, groups: Groups) -> Difference:
    return macro_f1_clustered(truth, places(reference), places(new), reference.shape[1], groups)


METRICS = (
    accuracy(right),
    Metric(
        "macro_f1",
        "macro F1",
        1,
        0.0,
        1.0,
        _macro_f1,
        _macro_f1_paired,
        "permutation",
        _macro_f1_interval,
        _macro_f1_clustered,
    ),
    log_loss(losses),
)


def _roc(label: str, is_label: Labels, probability: Floats) -> pd.DataFrame:
    from sklearn.metrics import roc_curve

    false_positive, true_positive, _ = roc_curve(is_label, probability[0])
    return pd.DataFrame({"false_positive_rate": false_positive, "true_positive_rate": true_positive, "label": label})


class Multiclass(Classes):
    """Several classes."""

    noun = "probabilities of several classes"
    metrics = METRICS
    decides = "log_loss"
    target_check = "several_labels"
    statistic = "majority"
    template = "tasks/multiclass.html.jinja"
    drawings = DRAWINGS
    overlays = {  # noqa: RUF012 - nobody writes to it
        "calibration": "Share that is right over the probability of the predicted label; a perfectly calibrated model gives "
        "the diagonal",
    }

    @property
    def plots(self) -> dict[str, Plot]:
        """The entry under `plots` of dvc.yaml for each of the curves."""
        rates = ("false_positive_rate", "true_positive_rate", "False positive rate", "True positive rate")
        probability = ("predicted", "observed", "Probability of the predicted label", "Share that is right")
        return {
            "roc": Plot("ROC of each class against the others", "scatter", *rates),
            "confusion": Plot("Confusion", "confusion", "actual", "predicted", "Actual", "Predicted"),
            "calibration": Plot("Calibration", "simple", *probability),
        }

    def predict(self, model: object, inputs: pd.DataFrame) -> Floats:
        """Return the probability of each label, shape (rows, labels)."""
        return self.probabilities(model, inputs)

    def columns(self, predictions: Floats) -> dict[str, Floats]:
        """Return a probability for each class."""
        return dict(zip(self.column_names(), predictions.T, strict=True))

    def from_columns(self, table: pd.DataFrame) -> Floats:
        """Return the probability of each label."""
        return table[self.column_names()].to_numpy(dtype="float64")

    def labels(self, predictions: Floats) -> Labels:
        """Return the most probable label, the first for a tie."""
        return self.decoded(places(predictions))

    def further_scores(self, truth: Labels, predictions: Floats) -> dict[str, float]:
        """Return the means over the classes of precision and of recall, which is called balanced accuracy, too."""
        counts = _confusion(truth, predictions)
        actual, predicted = counts.sum(axis=1), counts.sum(axis=0)
        shares = (np.divide(np.diag(counts), of, out=np.zeros(len(of)), where=of > 0) for of in (predicted, actual))
        precision, recall = (float(share[actual > 0].mean()) for share in shares)
        return {"macro_precision": precision, "balanced_accuracy": recall}

    def details(self, truth: Labels, predictions: Floats) -> dict[str, float]:
        """Return the mean ROC AUC of a class against the others, Brier score, calibration error of the predicted label."""
        areas = [float(delong(*one)[0].item()) for one in self._against_the_rest(truth, predictions).values()]
        hits = np.zeros_like(predictions)
        hits[np.arange(len(truth)), truth] = 1
        return {
            **({"macro_roc_auc": float(np.mean(areas))} if areas else {}),
            "brier": float(np.square(predictions - hits).sum(axis=1).mean()),
            "calibration_error": calibration_error(self._calibration(truth, predictions)),
        }

    def _against_the_rest(self, truth: Labels, predictions: Floats) -> dict[str, tuple[Labels, Floats]]:
        """Return whether each row is of the class, and the probability of it, of the classes that have rows."""
        pairs = ((truth == place, predictions[np.newaxis, :, place]) for place in range(len(self.classes)))
        return {str(label): pair for label, pair in zip(self.classes, pairs, strict=True) if 0 < pair[0].mean() < 1}

    def _calibration(self, truth: Labels, predictions: Floats) -> pd.DataFrame:
        return calibration(right(truth, predictions), predictions.max(axis=1), CALIBRATION_BINS)

    def describe(self, truth: Labels) -> float:
        """Return the share of the most frequent class."""
        return float(np.bincount(truth).max() / len(truth))

    def curves(self, truth: Labels, predictions: Floats) -> dict[str, pd.DataFrame]:
        """Return ROC of each class against the others, confusion, and calibration of the most probable label."""
        curves = [_roc(label, *pair) for label, pair in self._against_the_rest(truth, predictions).items()]
        return {
            "roc": pd.concat(curves)
            if curves
            else pd.DataFrame(columns=["false_positive_rate", "true_positive_rate", "label"]),
            "confusion": pd.DataFrame({"actual": self.decoded(truth), "predicted": self.labels(predictions)}),
            "calibration": self._calibration(truth, predictions),
        }

    def predicts_shuffled(self, over_folds: pd.DataFrame, target: pd.Series) -> Iterator[str]:
        """Compare the mean macro F1 with the most that predictions have that do not depend on the label.

        With shares p of the classes and q of the predictions, F1 of a class is 2pq / (p + q); the mean is largest for q = p,
        and then 1 / k, with the variance (k - 1) / k² for each row.
        """
        kinds = target.nunique()
        most = 1 / kinds + special.ndtri(RARE) * np.sqrt((kinds - 1) / len(target)) / kinds
        if (score := over_folds["macro_f1"].mean()) > most:
            yield f"with shuffled labels macro F1 is {score:.3f}, above {most:.3f}: the features know the target"
