"""The interface of a task: the kind of answer that a model gives, and how it is scored, compared, checked and plotted.

Code outside of `dvckit.tasks` iterates over `task.metrics` and never names a metric, a label or a number of classes.
`predictions` are an array with an item for each row, whose content only the task knows; `truth` is the target of these rows.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy.typing as npt
import pandas as pd

from dvckit.tasks.clustered import Groups
from dvckit.tasks.significance import Difference
from dvckit.tasks.uncertainty import Floats, Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Drawing = Callable[[Axes, pd.DataFrame, "Words"], None]

DIGITS = 6  # of stored scores
INK, FAINT = "#1d4f91", "#767676"  # the colours of every figure

Labels = npt.NDArray[Any]
Score = Callable[[Labels, Floats], float]
Test = Callable[[Labels, Floats, Floats], Difference]
ClusteredTest = Callable[[Labels, Floats, Floats, Groups], Difference]
PerRow = Callable[[Labels, Floats], npt.NDArray[Any]]


@dataclass(frozen=True)
class Words:
    """The wording of a project's report page and summary."""

    title: str  # of the report page
    rows: str  # the plural noun for rows
    labels: Sequence[str] = ()  # the meaning of each label, in order
    baselines: Mapping[str, str] = field(default_factory=dict)  # the name of each baseline of the project


class Metric(NamedTuple):
    """A score by which models are compared, from 0 to `most`; `sign` is 1 if higher is better, else -1.

    `score`, `interval` and `test` get the truth and predictions of the same rows, `test` those of the reference before
    those of the new model; `clustered` is the test of rows that come in groups. The headline has an `interval`; without one, only folds give it.
    """

    name: str
    title: str
    sign: int
    most: float
    score: Score
    test: Test
    test_name: str
    clustered: ClusteredTest
    interval: Callable[[Labels, Floats], Interval] | None = None

    def compare(self, truth: Labels, reference: Floats, new: Floats, groups: Groups | None) -> Difference:
        """Test the difference of two models, with the group of each row where rows come in groups."""
        if groups is None:
            return self.test(truth, reference, new)
        return self.clustered(truth, reference, new, groups)


def mean(per_row: PerRow) -> Score:
    """Return the score that is the mean of a value for each row."""
    return lambda truth, predictions: float(per_row(truth, predictions).mean())


def paired(test: Callable[[Any, Any], Difference], per_row: PerRow) -> Test:
    """Return the test of a difference of such means."""
    return lambda truth, reference, new: test(per_row(truth, reference), per_row(truth, new))


def paired_clustered(test: Callable[[Any, Any, Groups], Difference], per_row: PerRow) -> ClusteredTest:
    """Return the test of such a difference of rows in groups."""
    return lambda truth, reference, new, groups: test(per_row(truth, reference), per_row(truth, new), groups)


class Task(ABC):
    """A kind of answer. Models are compared by `metrics`, the headline first."""

    name: str  # in the terms of Hugging Face
    metrics: tuple[Metric, ...]
    decides: str  # the default metric of sweeps and searches
    target_check: str  # the name of the check of the target in reports/data_quality.json
    statistic: str  # the name of what `describe` returns
    template: str  # of its parts of the report page
    drawings: "Mapping[str, Drawing]"  # a function that plots each of the curves
    overlays: Mapping[str, str]  # curves that are plotted for several models in one figure, with their captions

    @abstractmethod
    def predict(self, model: Any, inputs: pd.DataFrame) -> Floats:
        """Return a fitted model's predictions for rows of its input."""

    @abstractmethod
    def columns(self, predictions: Floats) -> dict[str, Floats]:
        """Return predictions as columns of a table."""

    @abstractmethod
    def from_columns(self, table: pd.DataFrame) -> Floats:
        """Return the predictions in a table: the inverse of `columns`."""

    @abstractmethod
    def labels(self, predictions: Floats) -> Labels:
        """Return the predicted value of the target for each row."""

    @abstractmethod
    def scarcity(self, truth: pd.Series) -> tuple[int, str]:
        """Return how many rows the rarest part of the target has, and what such a part is called."""

    @abstractmethod
    def target_faults(self, profile: dict[str, Any]) -> Iterator[str]:
        """Yield reasons why a model cannot learn the target, from its profile in reports/data_quality.json."""

    @abstractmethod
    def further_scores(self, truth: Labels, predictions: Floats) -> dict[str, float]:
        """Return scores of a hold-out that stand beside the metrics, and by which no models are compared."""

    @abstractmethod
    def details(self, truth: Labels, predictions: Floats) -> dict[str, float]:
        """Return scores of a hold-out that are only written to reports/evaluation.json."""

    @abstractmethod
    def majority_model(self) -> Any:
        """Return an unfitted scikit-learn model that gives the best constant answer."""

    @abstractmethod
    def describe(self, truth: Labels) -> float:
        """Return a statistic of the target in some rows."""

    @abstractmethod
    def curves(self, truth: Labels, predictions: Floats) -> dict[str, pd.DataFrame]:
        """Return the data of the plots, by name."""

    @abstractmethod
    def knows_shuffled(self, over_folds: pd.DataFrame, truth: pd.Series) -> Iterator[str]:
        """Check scores over folds of a shuffled target; yield a finding if they are better than chance."""

    def strata(self, truth: pd.Series) -> pd.Series:
        """Return the stratum of each row, for stratified splits and folds: its label, where the target has labels."""
        return truth

    def scores(self, truth: Labels, predictions: Floats) -> dict[str, float]:
        """Return the value of every metric, by name."""
        return {metric.name: float(metric.score(truth, predictions)) for metric in self.metrics}


def rounded(scores: Mapping[str, float]) -> dict[str, float]:
    """Round scores to the stored number of digits."""
    return {name: round(float(score), DIGITS) for name, score in scores.items()}


def with_interval(value: float, interval: Interval) -> dict[str, float]:
    """Return a score with its interval, for JSON."""
    return rounded({"value": value, "low": interval[0], "high": interval[1]})
