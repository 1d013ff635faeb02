"""The search of a sweep: Optuna asks for points, each near those that were good, and is told what came of them.

Each trial draws from a seed of its own, made of `--seed` and its number, and trials are told in their order: so a search that was
interrupted goes on as if it had not been, and with the same number of workers it is the same search each time.
"""

import hashlib
from collections import deque
from collections.abc import Iterator
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import OptunaError
from optuna.study import StudyDirection
from optuna.trial import Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from titanic.experiments.points import Axis, Point
from titanic.experiments.sweep import Aim, Outcome
from titanic.stage import UserError


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
        self._waiting: deque[int] = deque()

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

    def points(self) -> Iterator[Point]:
        """Give the points of trials: those done before, those that an interrupted search has left open, and new ones."""
        known = self.study.get_trials(deepcopy=False)[: self.trials]
        for trial in known:
            self._waiting.append(trial.number)
            yield self._point(trial.params)
        for number in range(len(known), self.trials):
            self.study.sampler = optuna.samplers.TPESampler(seed=(self.seed * 1_000_003 + number) % 2**32)
            asked: Trial = self.study.ask(self.drawn)
            self._waiting.append(asked.number)
            yield self._point(asked.params)

    def _point(self, params: dict[str, Any]) -> Point:
        return tuple(f"{axis.key}={_text(params[axis.key])}" for axis in self.axes)

    def tell(self, outcome: Outcome) -> None:
        """Take what came of the point that was given first of those that are open."""
        number = self._waiting.popleft()
        if outcome.scores:
            self.study.tell(number, outcome.scores[self.aim.metric], skip_if_finished=True)
        else:
            self.study.tell(number, state=TrialState.FAIL, skip_if_finished=True)


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
