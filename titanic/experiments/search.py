"""The search of a sweep: Optuna asks for points, each near those that were good, and is told what came of them.

A trial is pruned when its mean score after a fold is worse than the median of those that were run whole, as by Optuna's
MedianPruner. What it must reach is fixed when it is asked for, so that it can run anywhere.

Each value is drawn from a seed of its own, made of `--seed`, the trial's number and the key, and trials are told in their
order: so a search that was interrupted, even while it asked, goes on as if it had not been, and with the same number of
workers it is the same search each time.
"""

import hashlib
import random
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from statistics import median
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import OptunaError
from optuna.samplers import TPESampler
from optuna.study import StudyDirection
from optuna.trial import Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from titanic.experiments.points import Axis, Point
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
        # where the folds themselves are tried their scores say nothing of one another
        self.prunes = not any(axis.key.startswith("evaluate.") for axis in axes)
        self._waiting: deque[Trial | None] = deque()

    def open(self, storage: str, base: str) -> None:
        """Open the study of this search in a database; `base` names what the points start from.

        UserError where the database cannot be used.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.storage = storage
        told = repr([base, [axis.written for axis in self.axes], self.aim.metric, self.seed])
        name = f"sweep-{hashlib.sha256(told.encode()).hexdigest()[:12]}"
        direction = StudyDirection.MINIMIZE if self.aim.minimised else StudyDirection.MAXIMIZE
        with self._answered():
            self.study = optuna.create_study(storage=storage, study_name=name, direction=direction, load_if_exists=True)

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """Turn what the database refuses into UserError."""
        try:
            yield
        except (SQLAlchemyError, OptunaError, ImportError) as error:
            raise UserError(f"--storage {self.storage}: {' '.join(str(error).split())}") from None

    def ends(self) -> Iterator[str]:
        """Give the assignments of the ends of every interval."""
        for key, drawn in self.drawn.items():
            if isinstance(drawn, IntDistribution | FloatDistribution):
                yield from (f"{key}={end}" for end in (drawn.low, drawn.high))

    def asked(self) -> Iterator[Ask]:
        """Give the points of trials: those done before, those that an interrupted search has left open, and new ones."""
        for number in range(self.trials):
            with self._answered():
                ask = self._asked(number)
            yield ask

    def _asked(self, number: int) -> Ask:
        known = self.study.get_trials(deepcopy=False)
        found = known[number] if number < len(known) else None
        if found and found.state.is_finished():
            self._waiting.append(None)
            means = found.intermediate_values.values() if found.state == TrialState.PRUNED else ()
            return Ask(self._point(found.params), pruned_means=tuple(means))
        # of a trial that was left open Optuna gives the handle by its private number alone
        trial = Trial(self.study, found._trial_id) if found else self.study.ask()  # noqa: SLF001
        for key, drawn in self.drawn.items():
            seed = random.Random(f"{self.seed} {number} {key}").getrandbits(32)  # noqa: S311
            self.study.sampler = TPESampler(seed=seed)
            trial._suggest(key, drawn)  # noqa: SLF001 - what `ask` does; a value that is there stays
        if FLOOR not in trial.user_attrs:
            trial.set_user_attr(FLOOR, self._floor())
        self._waiting.append(trial)
        means = tuple(trial.user_attrs[FLOOR])
        return Ask(self._point(trial.params), Floor(self.aim.fold_metric, self.aim.minimised, means) if means else None)

    def _point(self, params: dict[str, Any]) -> Point:
        return tuple(f"{axis.key}={_text(params[axis.key])}" for axis in self.axes)

    def _floor(self) -> list[float]:
        """Return the median score, after each fold but the last, of the trials that were run whole; none at first."""
        whole = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        means = [list(trial.intermediate_values.values()) for trial in whole if trial.intermediate_values]
        if len(means) < STARTUP or not self.prunes:
            return []
        return [median(scores) for scores in zip(*means, strict=True)][:-1]

    def tell(self, outcome: Outcome) -> None:
        """Take what came of the point that was given first of those that are open."""
        trial = self._waiting.popleft()
        if trial is None:
            return
        with self._answered(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna tells of folds that were reported before a break
            for fold, mean in enumerate(outcome.means or self._means(outcome), 1):
                trial.report(mean, fold)
            if outcome.scores:
                self.study.tell(trial, outcome.scores[self.aim.metric])
            else:
                self.study.tell(trial, state=TrialState.PRUNED if outcome.means else TrialState.FAIL)

    def _means(self, outcome: Outcome) -> Iterator[float]:
        """Give the mean score after each fold, where folds have the metric."""
        scores = outcome.evaluation.get(f"folds.{self.aim.fold_metric}", ())
        return (total / fold for fold, total in enumerate(accumulate(scores), 1))


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
