"""A trial of a sweep: what is to be run, what came of it, and the metric that decides."""

from collections.abc import Iterable, Sequence
from signal import Signals
from statistics import fmean
from typing import Any, Literal, NamedTuple

from dvckit.sweep.configurations import Configuration
from dvckit.sweep.pipeline import Entry, Stage
from dvckit.tasks import is_minimised

ROUNDED = 1e-6  # by how much means may differ that are made of stored scores and of those in memory

FROM_OUTSIDE = {Signals.SIGHUP, Signals.SIGINT, Signals.SIGKILL, Signals.SIGTERM}  # no stage sends them to itself


class Result(NamedTuple):
    """What a trial wrote: files by path, those of parameters and dvc.lock among them; those for the cache; the stages that ran."""

    files: dict[str, bytes]
    cached: list[str]
    ran: dict[str, Entry]


class Experiment(NamedTuple):
    """An experiment that DVC has made in a clone of git's repository, with the objects in the cache."""

    clone: str
    commit: str
    objects: list[str]


class Outcome(NamedTuple):
    """What came of a trial; `scores` by the names of metrics, `evaluation` as in reports/evaluation.json by dotted key.

    `means`: of a pruned trial its mean score after each fold that was run. `killed`: it might give a result another
    time. After a trial that a machine error has stopped, no other would give a result.
    """

    name: str
    configuration: Configuration
    state: Literal["new", "done", "pruned", "failed", "killed", "stopped"]
    reason: str = ""
    scores: dict[str, float] = {}  # noqa: RUF012 - nobody writes to it
    evaluation: dict[str, Any] = {}  # noqa: RUF012
    means: tuple[float, ...] = ()


class Aim(NamedTuple):
    """The metric that decides; `lower`: whether lower is better, None where its name tells."""

    metric: str
    lower: bool | None = None

    @property
    def minimised(self) -> bool:
        """Tell whether lower is better."""
        return is_minimised(self.metric) if self.lower is None else self.lower

    @property
    def fold_metric(self) -> str:
        """Return the metric's name among the scores of each fold; nothing where it is not a mean over folds."""
        part, _, name = self.metric.partition(".")
        return name if part == "cv" else ""

    def judged(self, outcome: Outcome) -> Outcome:
        """Return an outcome, without scores where the one that decides is not among them."""
        if not outcome.scores or self.metric in outcome.scores:
            return outcome
        return outcome._replace(scores={}, reason=f"wrote no {self.metric}")

    def ranked(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """Return those with a score, each experiment once, the best first; of equals the one that was first."""
        scored = {outcome.name: outcome for outcome in outcomes if outcome.scores}
        sign = 1 if self.minimised else -1
        return sorted(scored.values(), key=lambda outcome: sign * outcome.scores[self.metric])


class Trial(NamedTuple):
    """A configuration to run.

    `threshold`: what its mean score must reach after each fold, from the first on, or it is pruned; `pruned`: these means
    if a sweep before has pruned it. `name` and `stages` follow from the configuration: the sweep adds them.
    """

    configuration: Configuration
    aim: Aim = Aim("")
    threshold: tuple[float, ...] = ()
    pruned: tuple[float, ...] = ()
    name: str = ""
    stages: Sequence[Stage] = ()

    def failed(self, reason: str) -> Outcome:
        """Return the outcome of a trial that gave no result."""
        return Outcome(self.name, self.configuration, "failed", f"failed: {reason}")

    def stopped(self, reason: str) -> Outcome:
        """Return the outcome of a trial after which no other would give a result."""
        return Outcome(self.name, self.configuration, "stopped", reason)

    def killed(self, reason: str) -> Outcome:
        """Return the outcome of a trial that the machine, or somebody, ended."""
        return Outcome(self.name, self.configuration, "killed", reason)

    def pruned_after(self, means: tuple[float, ...]) -> Outcome:
        """Return the outcome of a trial that was ended below the threshold."""
        reason = f"pruned after fold {len(means)}, where its mean was {means[-1]:.6f}"
        return Outcome(self.name, self.configuration, "pruned", reason, means=means)


class BelowThreshold(Exception):  # noqa: N818 - no error
    """Ends a trial in the midst of its folds."""


class Watcher:
    """Sees the scores of each fold, and ends the trial where their mean is worse than the threshold."""

    def __init__(self, trial: Trial) -> None:
        self.aim, self.threshold = trial.aim, trial.threshold
        self.means: list[float] = []

    def __call__(self, scores: list[dict[str, float]]) -> None:
        """Look at the scores of the folds so far."""
        if len(scores) > len(self.threshold):
            return
        self.means.append(fmean(fold[self.aim.fold_metric] for fold in scores))
        above = self.means[-1] - self.threshold[len(scores) - 1]
        if (-above if self.aim.minimised else above) < -ROUNDED:
            raise BelowThreshold
