"""The interface of a task: the kind of answer that a model gives, and how it is scored, compared, checked and plotted.

Code outside of `dvckit.tasks` iterates over `task.metrics` and never names a metric, a label or a number of classes.
`truth` is the target of some rows as `Task.truth` returns it: a class is its place among the labels, 0, 1, ..., a value is
itself. `predictions` are an array with an item for each of these rows, whose content only the task knows. What has a
`target` instead gets the column of a table, with labels as the data have them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from dvckit.tasks import BASELINES
from dvckit.tasks.clustered import Groups, interval_clustered, mean_clustered
from dvckit.tasks.significance import Difference, bootstrap_paired
from dvckit.tasks.uncertainty import Floats, Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dvckit.tasks.tells import Tell

    # of a curve, with the result of `Task.names`
    Drawing = Callable[[Axes, pd.DataFrame, Mapping[str, str]], None]

PREFIX, PREDICTION = (
    "probability_",
    "prediction",
)  # of columns with predictions of labels; the column of those of values
DIGITS = 6  # of stored scores
INK, FAINT = "#1d4f91", "#767676"  # the colours of every figure

Labels = npt.NDArray[Any]
Score = Callable[[Labels, Floats], float]
Test = Callable[[Labels, Floats, Floats], Difference]
ClusteredTest = Callable[[Labels, Floats, Floats, Groups], Difference]
PerRow = Callable[[Labels, Floats], npt.NDArray[Any]]
IntervalOf = Callable[[Labels, Floats], Interval]


@dataclass(frozen=True)
class Words:
    """The wording of a project's report page and summary."""

    title: str  # of the report page
    rows: str  # the plural noun for rows
    labels: Mapping[Any, str] = field(default_factory=dict)  # the meaning of a label that does not say it
    baselines: Mapping[str, str] = field(default_factory=dict)  # the name of each baseline of the project


class Metric(NamedTuple):
    """A score by which models are compared, from `least` to `most`; `sign` is 1 if higher is better, else -1.

    `score`, `interval` and `test` get the truth and predictions of the same rows, `test` those of the reference before
    those of the new model; `clustered` is the test of rows that come in groups.
    """

    name: str
    title: str
    sign: int
    least: float
    most: float
    score: Score
    test: Test
    test_name: str
    interval: IntervalOf
    clustered: ClusteredTest

    def compare(self, truth: Labels, reference: Floats, new: Floats, groups: Groups | None) -> Difference:
        """Test the difference of two models, with the group of each row where rows come in groups."""
        if groups is None:
            return self.test(truth, reference, new)
        return self.clustered(truth, reference, new, groups)

    def uncertainty(self, truth: Labels, predictions: Floats, groups: Groups | None) -> Interval:
        """Return the interval of a score, with the group of each row where rows come in groups."""
        plain = self.interval(truth, predictions)
        if groups is None:
            return plain
        return interval_clustered(
            lambda rows: self.score(truth[rows], predictions[rows]), groups, plain, (self.least, self.most)
        )

    @property
    def cost(self) -> str:
        """What a worse model does to the score."""
        return "lost" if self.sign > 0 else "added"


class Plot(NamedTuple):
    """How DVC plots the data of a curve: an entry under `plots` of dvc.yaml."""

    title: str
    template: str
    x: str
    y: str
    x_label: str
    y_label: str


def mean(per_row: PerRow) -> Score:
    """Return the score that is the mean of a value for each row."""
    return lambda truth, predictions: float(per_row(truth, predictions).mean())


def paired(test: Callable[..., Difference], per_row: PerRow) -> Callable[..., Difference]:
    """Return the test of a difference of such means, of independent rows or, with their groups, of rows in groups."""
    return lambda truth, reference, new, *groups: test(per_row(truth, reference), per_row(truth, new), *groups)


def of_rows(
    name: str,
    title: str,
    per_row: PerRow,
    interval: IntervalOf,
    *,
    score: Score | None = None,
    sign: int = -1,
    bounds: Interval = (0.0, np.inf),
) -> Metric:
    """Return a metric, a loss by default, that is the mean of a value for each row; a `score` given is so to first order."""
    tests = paired(bootstrap_paired, per_row), "paired bootstrap"
    clustered = paired(mean_clustered, per_row)
    return Metric(name, title, sign, *bounds, score or mean(per_row), *tests, interval, clustered)


class Task(ABC):
    """A kind of answer. Models are compared by `metrics`, the headline first."""

    name: str  # in the terms of Hugging Face
    noun: str  # what predictions of this kind are called in messages
    metrics: tuple[Metric, ...]
    decides: str  # the default metric of sweeps and searches
    constants: tuple[str, ...]  # the names of the constant models
    target_check: str  # the name of the check of the target in reports/data_quality.json
    statistic: str  # the name of what `describe` returns
    template: str  # of its parts of the report page
    drawings: "Mapping[str, Drawing]"  # a function that plots each of the curves
    overlays: Mapping[str, str]  # curves that are plotted for several models in one figure, with their captions
    slice_digits = 3  # of the scores of slices

    def __init__(self, classes: Sequence[Any] = ()) -> None:
        """Set the labels of the classes, whole numbers or text, in their order; none where the target has values."""
        self.classes = tuple(classes)

    @property
    def baselines(self) -> dict[str, str]:
        """The title of each constant model, by name."""
        return {name: BASELINES[name] for name in self.constants}

    def names(self, words: Words) -> dict[str, str]:
        """Return each label as the data of the plots have it, with its meaning, or else itself."""
        return {str(label): words.labels.get(label, str(label)) for label in self.classes}

    @property
    @abstractmethod
    def plots(self) -> dict[str, Plot]:
        """The entry under `plots` of dvc.yaml for each of the curves."""

    @abstractmethod
    def truth(self, target: pd.Series) -> Labels:
        """Return the target as everything that scores needs it; -1 is a label that the task does not have."""

    @abstractmethod
    def predict(self, model: Any, inputs: pd.DataFrame) -> Floats:
        """Return a fitted model's predictions for rows of its input."""

    def none(self) -> Floats:
        """Return the predictions for no row."""
        shape = (0, len(self.classes)) if len(self.classes) > 2 else (0,)
        return np.empty(shape)

    @abstractmethod
    def columns(self, predictions: Floats) -> dict[str, Floats]:
        """Return predictions as columns of a table."""

    @abstractmethod
    def from_columns(self, table: pd.DataFrame) -> Floats:
        """Return the predictions in a table: the inverse of `columns`."""

    @abstractmethod
    def labels(self, predictions: Floats) -> Labels:
        """Return the predicted value of the target for each row, as the data have it."""

    @abstractmethod
    def scarcity(self, target: pd.Series) -> tuple[int, str]:
        """Return how many rows the rarest part of the target has, and what to call them, such as "rows of class 'a'"."""

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
    def constant_models(self) -> dict[str, Any]:
        """Return unfitted scikit-learn models that give the best constant answers, by name."""

    @abstractmethod
    def describe(self, truth: Labels) -> float:
        """Return a statistic of the target in some rows."""

    @abstractmethod
    def curves(self, truth: Labels, predictions: Floats) -> dict[str, pd.DataFrame]:
        """Return the data of the plots, by name."""

    @abstractmethod
    def predicts_shuffled(self, over_folds: pd.DataFrame, target: pd.Series) -> Iterator[str]:
        """Check scores over folds of a shuffled target; yield a finding if they are too good for it."""

    @abstractmethod
    def tell(self, *, numeric: bool) -> "Tell":
        """Return what finds out whether a column of numbers, or one of text, alone tells the target."""

    @abstractmethod
    def strata(self, target: pd.Series) -> pd.Series:
        """Return the stratum of each row, for stratified splits and folds."""

    def gives_away(self, values: pd.Series, target: pd.Series, *, numeric: bool) -> bool:
        """Return whether one column alone tells the target."""
        tell = self.tell(numeric=numeric)
        tell.add(values, target)
        return tell.found()

    def scores(self, truth: Labels, predictions: Floats) -> dict[str, float]:
        """Return the value of every metric, by name."""
        return {metric.name: float(metric.score(truth, predictions)) for metric in self.metrics}

    def overall(self, scores: pd.Series, rows: pd.Series) -> float:
        """Return the headline metric of all rows, from that of parts with so many `rows`."""
        return float(np.average(scores, weights=rows))

    def answer(self, target: str, predictions: Floats) -> dict[str, Labels]:
        """Return the columns of an answer: the predicted target, and beside a label the probability of each."""
        beside = self.columns(predictions) if self.classes else {}
        return {target: self.labels(predictions), **beside}


def rounded(scores: Mapping[str, float]) -> dict[str, float]:
    """Round scores to the stored number of digits."""
    return {name: round(float(score), DIGITS) for name, score in scores.items()}


def with_interval(value: float, interval: Interval) -> dict[str, float]:
    """Return a score with its interval, for JSON."""
    return rounded({"value": value, "low": interval[0], "high": interval[1]})
