"""The search of a sweep: Optuna asks for points, each near those that were good, and is told what came of them.

A trial is pruned by the rule of Optuna's MedianPruner: when its mean score after a fold is worse than the median of those
that were run whole. What it must reach is fixed when it is asked for, so that it can run anywhere.

Each trial draws from a seed of its own, made of `--seed` and its number, and trials are told in their order: so a search that was
interrupted goes on as if it had not been, and with the same number of workers it is the same search each time.
"""

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import accumulate
from statistics import median
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import OptunaError
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from titanic.experiments.points import Axis
from titanic.experiments.sweep import Aim, Ask, Outcome
from titanic.experiments.trial import Floor
from titanic.stage import UserError

STARTUP = 5  # trials that are run whole, before any is pruned
FLOOR = "floor"  # the attribute of a trial that holds what it must reach after each fold


def distribution(axis: Axis, current: Any) -> BaseDistribution:
    """Return what Optuna draws an axis from; an interval of whole numbers unless its key holds a fraction now.

    UserError for an interval whose ends are the wrong way round, or cannot be on a logarithmic scale.
    """
    if axis.interval is None:
        return CategoricalDistribution([value.partition("=")[2] for value in axis.values])
    low, high = axis.interval.start, axis.interval.end
    assert low is not None
    assert high is not None
    whole = not isinstance(current, float) and float(low).is_integer() and float(high).is_integer()
    try:
        if whole:
            return IntDistribution(int(low), int(high), log="log" in axis.interval.tags)
        return FloatDistribution(float(low), float(high), log="log" in axis.interval.tags)
    except ValueError as error:
        raise UserError(f"-S {axis.written}: {error}") from None


class Search:
    """A study of so many trials. What is asked for must be told in the same order."""

    def __init__(self, axes: list[Axis], values: dict[str, Any], aim: Aim, *, trials: int, seed: int) -> None:
        """Take the axes, the present value of each key, and the seed."""
        self.axes, self.aim, self.trials, self.seed = axes, aim, trials, seed
        self.drawn = {axis.key: distribution(axis, values.get(axis.key)) for axis in axes}
        self._waiting: deque[Trial | None] = deque()

    def open(self, storage: str, base: str) -> None:
        """Open the study of this search in a database; `base` names what the points start from.

        UserError where the database cannot be used.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        told = repr([base, [axis.written for axis in self.axes], self.aim.metric, self.seed])
        name = f"sweep-{hashlib.sha256(told.encode()).hexdigest()[:12]}"
        direction = StudyDirection.MINIMIZE if self.aim.minimised else StudyDirection.MAXIMIZE
        try:
            self.study = optuna.create_study(storage=storage, study_name=name, direction=direction, load_if_exists=True)
        except (SQLAlchemyError, OptunaError, ImportError) as error:
            raise UserError(f"--storage {storage}: {' '.join(str(error).split())}") from None

    def ends(self) -> Iterator[str]:
        """Give the assignments of the ends of every interval."""
        for key, drawn in self.drawn.items():
            if isinstance(drawn, IntDistribution | FloatDistribution):
                yield from (f"{key}={end}" for end in (drawn.low, drawn.high))

    def asked(self) -> Iterator[Ask]:
        """Give the points of trials: those done before, those that an interrupted search has left open, and new ones."""
        known = self.study.get_trials(deepcopy=False)[: self.trials]
        for found in known:
            # one that has ended takes no more reports; of an open one Optuna gives the handle by its private number alone
            handle = None if found.state.is_finished() else Trial(self.study, found._trial_id)  # noqa: SLF001
            self._waiting.append(handle)
            yield self._ask(found, found.intermediate_values if found.state == TrialState.PRUNED else {})
        for number in range(len(known), self.trials):
            self.study.sampler = optuna.samplers.TPESampler(seed=(self.seed * 1_000_003 + number) % 2**32)
            trial: Trial = self.study.ask(self.drawn)
            trial.set_user_attr(FLOOR, self._floor())
            self._waiting.append(trial)
            yield self._ask(trial, {})

    def _ask(self, trial: Trial | FrozenTrial, pruned: dict[int, float]) -> Ask:
        point = tuple(f"{axis.key}={_text(trial.params[axis.key])}" for axis in self.axes)
        means = trial.user_attrs.get(FLOOR)
        floor = Floor(self.aim.over_folds, self.aim.minimised, tuple(means)) if means else None
        return Ask(point, floor, tuple(pruned.values()))

    def _floor(self) -> list[float]:
        """Return the median score, after each fold but the last, of the trials that were run whole; none at first."""
        whole = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        means = [list(trial.intermediate_values.values()) for trial in whole if trial.intermediate_values]
        return [median(scores) for scores in zip(*means, strict=False)][:-1] if len(means) >= STARTUP else []

    def tell(self, outcome: Outcome) -> None:
        """Take what came of the point that was given first of those that are open."""
        trial = self._waiting.popleft()
        if trial is None:
            return
        for fold, mean in enumerate(outcome.means or self._means(outcome), 1):
            trial.report(mean, fold)
        if outcome.scores:
            self.study.tell(trial, outcome.scores[self.aim.metric])
        else:
            self.study.tell(trial, state=TrialState.PRUNED if outcome.means else TrialState.FAIL)

    def _means(self, outcome: Outcome) -> Sequence[float]:
        """Return the mean score after each fold, where folds have the metric."""
        scores = outcome.evaluation.get(f"folds.{self.aim.over_folds}", ())
        return [total / fold for fold, total in enumerate(accumulate(scores), 1)]


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
