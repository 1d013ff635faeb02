"""The search of a sweep: Optuna draws configurations, each near those that were good, from the outcomes so far.

A trial is pruned when its mean score after a fold is worse than the median of those that were run whole, as by Optuna's
MedianPruner. Its threshold is fixed when it is drawn, so that it can run anywhere.

Each value is drawn from a seed of its own, made of `--seed`, the trial's number and the key, and Optuna gets the outcomes
in the order of the trials: so a search that was interrupted, even while it drew, goes on as if it had not been, and with
the same number of workers it is the same search each time.
"""

import random
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from statistics import median
from typing import Any

import optuna
from optuna import distributions
from optuna.trial import TrialState

from dvckit.core.addresses import address
from dvckit.core.errors import UserError, one_line
from dvckit.repository.dvc_internals import dict_sha256
from dvckit.sweep.configurations import Axis, Configuration
from dvckit.sweep.trial import Aim, Outcome, Trial

STARTUP = 5  # trials that are run whole, before any is pruned
OTHER = "the same search is running elsewhere, on the same database; repeat the command when that has ended"
CURE = "the same command then starts again, and runs no trial again that is an experiment"
OF_DISK = tuple(f"SQLITE_{name}" for name in ("BUSY", "CANTOPEN", "FULL", "IOERR", "LOCKED", "PERM", "READONLY"))
THRESHOLD = "threshold"  # the attribute of a trial that holds what it must reach after each fold


def distribution(axis: Axis, current: Any) -> distributions.BaseDistribution:
    """Return what Optuna draws from: of an interval whole numbers, unless its key holds a fraction; UserError if empty."""
    if axis.interval is None:
        return distributions.CategoricalDistribution([value.partition("=")[2] for value in axis.values])
    low, high, log = float(axis.interval.start), float(axis.interval.end), "log" in axis.interval.tags
    try:
        if not isinstance(current, float) and low.is_integer() and high.is_integer():
            return distributions.IntDistribution(int(low), int(high), log=log)
        return distributions.FloatDistribution(low, high, log=log)
    except ValueError as error:
        raise UserError(f"-S {axis.written}: {error}") from None


class Search:
    """A study of so many trials. Outcomes must come in the order of the trials."""

    def __init__(
        self, axes: list[Axis], values: dict[str, Any], aim: Aim, *, trials: int, seed: int, storage: str, base: str
    ) -> None:
        """Open the study, or UserError; `values` are the present ones, and `base` names what the trials start from."""
        self.axes, self.aim, self.count, self.seed, self.storage = axes, aim, trials, seed, storage
        self.distributions = {axis.key: distribution(axis, values.get(axis.key)) for axis in axes}
        # where the folds themselves are tried, their scores say nothing about one another
        self.prunes = not any(axis.key.startswith("evaluate.") for axis in axes)
        self._waiting: deque[optuna.Trial | None] = deque()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        same = {"base": base, "axes": [axis.written for axis in axes], "metric": aim.metric, "seed": seed}
        same |= {} if aim.lower is None else {"lower": aim.lower}
        name = f"sweep-{dict_sha256(same)[:12]}"
        direction = optuna.study.StudyDirection.MINIMIZE if aim.minimised else optuna.study.StudyDirection.MAXIMIZE
        with self._answered():
            self.study = optuna.create_study(storage=storage, study_name=name, direction=direction, load_if_exists=True)

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """Turn what the database refuses, or holds damaged, into UserError."""
        try:
            yield
        except (UserError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - Optuna decodes what is in the database, and of garbage anything comes
            raise UserError(f"--storage {address(self.storage)}: {self._reason(error)}") from None

    def _reason(self, error: BaseException) -> str:
        """Return what the database itself says, and where a file may be damaged what to do."""
        while error.__cause__:
            error = error.__cause__
        of_disk = getattr(error, "sqlite_errorname", "").startswith(OF_DISK)
        cure = f"; if it is damaged, remove it: {CURE}" if self.storage.startswith("sqlite:///") and not of_disk else ""
        return f"{one_line(error) or type(error).__name__}{cure}"

    def trials(self) -> Iterator[Trial]:
        """Yield the trials: those done before, those that an interrupted search has left open, and new ones."""
        for number in range(self.count):
            with self._answered():
                trial = self._trial(number)
            yield trial

    def _trial(self, number: int) -> Trial:
        trials = self.study.get_trials(deepcopy=False)
        stored = trials[number] if number < len(trials) else None
        if stored and stored.state.is_finished():
            self._waiting.append(None)
            pruned = tuple(stored.intermediate_values.values()) if stored.state == TrialState.PRUNED else ()
            return Trial(self._configuration(stored.params), pruned=pruned)
        # of a trial that was left open Optuna gives the handle by its private number alone
        trial = optuna.Trial(self.study, stored._trial_id) if stored else self.study.ask()  # noqa: SLF001
        if trial.number != number:
            raise UserError(OTHER)
        for key, drawn_from in self.distributions.items():
            seed = random.Random(f"{self.seed} {number} {key}").getrandbits(32)  # noqa: S311
            self.study.sampler = optuna.samplers.TPESampler(seed=seed)
            trial._suggest(key, drawn_from)  # noqa: SLF001 - what `ask` does; a value that it has stays
        if THRESHOLD not in trial.user_attrs:
            trial.set_user_attr(THRESHOLD, self._threshold())
        self._waiting.append(trial)
        return Trial(self._configuration(trial.params), self.aim, tuple(trial.user_attrs[THRESHOLD]))

    def _configuration(self, params: dict[str, Any]) -> Configuration:
        texts = {key: f"{value:.6g}" if isinstance(value, float) else value for key, value in params.items()}
        return tuple(f"{axis.key}={texts[axis.key]}" for axis in self.axes)

    def _threshold(self) -> list[float]:
        """Return the median score, after each fold but the last, of the trials that were run whole; none at first."""
        whole = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        means = [list(trial.intermediate_values.values()) for trial in whole if trial.intermediate_values]
        if len(means) < STARTUP or not self.prunes:
            return []
        return [median(scores) for scores in zip(*means, strict=True)][:-1]

    def tell(self, outcome: Outcome) -> None:
        """Give Optuna the outcome of the first trial that is still open."""
        trial = self._waiting.popleft()
        if trial is None:
            return
        if outcome.state == "killed":  # recorded, it would make another search of this one
            raise UserError(f"{outcome.name}: {outcome.reason}; the same command goes on from there")
        scores = outcome.evaluation.get(f"folds.{self.aim.fold_metric}", ())
        means = outcome.means or [total / fold for fold, total in enumerate(accumulate(scores), 1)]
        with self._answered(), warnings.catch_warnings():
            if self.study.get_trials(deepcopy=False)[trial.number].state.is_finished():
                raise UserError(OTHER)
            warnings.simplefilter("ignore")  # Optuna's, about folds that were reported before a break
            for fold, mean in enumerate(means, 1):
                trial.report(mean, fold)
            if outcome.scores:
                self.study.tell(trial, outcome.scores[self.aim.metric])
            else:
                self.study.tell(trial, state=TrialState.PRUNED if outcome.means else TrialState.FAIL)
