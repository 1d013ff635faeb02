"""What the tasks with labels have in common: `Binary` and `Multiclass`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dvckit.tasks.base import PREFIX, Labels, Metric, PerRow, Task, mean, of_rows, paired
from dvckit.tasks.clustered import mcnemar_clustered
from dvckit.tasks.significance import mcnemar
from dvckit.tasks.uncertainty import Floats, Interval, positive_mean_interval, wilson

if TYPE_CHECKING:
    from dvckit.tasks.tells import Tell

CALIBRATION_BINS = 10
RARE = 0.999  # the quantile of scores that count as a leak, of models that know nothing of the target


def log_losses(probability: Floats) -> Floats:
    """Return the log loss of each row by the probability of its label; like scikit-learn, clip 0 to the smallest step."""
    values: Floats = -np.log(np.clip(probability, np.finfo(float).eps, 1.0))
    return values


def accuracy(right: PerRow) -> Metric:
    """Return the share of the rows that are `right`."""

    def interval(truth: Labels, predictions: Floats) -> Interval:
        return wilson(int(right(truth, predictions).sum()), len(truth))

    tests = paired(mcnemar, right), "McNemar, mid-p"
    return Metric("accuracy", "accuracy", 1, 0.0, 1.0, mean(right), *tests, interval, paired(mcnemar_clustered, right))


def log_loss(losses: PerRow) -> Metric:
    """Return the mean of the `losses` of rows."""

    def interval(truth: Labels, predictions: Floats) -> Interval:
        return positive_mean_interval(losses(truth, predictions))

    return of_rows("log_loss", "log loss", losses, interval)


class Classes(Task):
    """A target with labels."""

    name = "tabular-classification"
    constants = ("majority",)

    def truth(self, target: pd.Series) -> Labels:
        """Return the place of each row's label among those of the task."""
        places: Labels = pd.Index(self.classes).get_indexer(pd.Index(target))
        return places.astype("int64")

    def decoded(self, places: npt.NDArray[Any]) -> Labels:
        """Return the labels at these places."""
        labels = np.array(self.classes, dtype="int64" if isinstance(self.classes[0], int) else "object")
        decoded: Labels = labels[places]
        return decoded

    def probabilities(self, model: Any, inputs: pd.DataFrame) -> Floats:
        """Return the probability of each label, shape (rows, labels); 0 for one that the model has not seen."""
        places = self.truth(pd.Series(model.classes_))
        probabilities = np.zeros((len(inputs), len(self.classes)))
        probabilities[:, places] = model.predict_proba(inputs)
        return probabilities

    def column_names(self) -> list[str]:
        """Return the name of the column with the probability of each label."""
        return [f"{PREFIX}{label}" for label in self.classes]

    def scarcity(self, target: pd.Series) -> tuple[int, str]:
        """Return the number of rows of the rarest class."""
        counts = np.bincount(self.truth(target), minlength=len(self.classes))
        return int(counts.min()), f"rows of class {self.classes[int(counts.argmin())]!r}"

    def strata(self, target: pd.Series) -> pd.Series:
        """Return the label of each row."""
        return target

    def target_faults(self, profile: dict[str, Any]) -> Iterator[str]:
        """Yield a fault if the target has only one class."""
        if profile["distinct"] == 1:
            needed = "both labels" if len(self.classes) == 2 else "at least two of its labels"
            yield f"is {next(iter(profile['top']))} in every row; a model needs {needed}"

    def constant_models(self) -> dict[str, Any]:
        """Return a model that predicts the shares of the classes, and so labels every row with the majority class."""
        from sklearn.dummy import DummyClassifier

        return {"majority": DummyClassifier()}

    def tell(self, *, numeric: bool) -> "Tell":
        """Return what counts the rows whose label the column tells."""
        from dvckit.tasks.tells import TellsLabel

        return TellsLabel(numeric=numeric)
