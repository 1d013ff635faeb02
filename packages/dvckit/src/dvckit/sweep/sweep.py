"""The trials of a sweep, run by workers, and each result recorded as an experiment."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock, get_ident
from typing import Any, Literal, NamedTuple, Protocol, Self

from dvckit.core.errors import UserError
from dvckit.core.layout import EVALUATION, METRICS
from dvckit.core.mappings import leaves
from dvckit.repository.programs import git_files
from dvckit.sweep.base import Base
from dvckit.sweep.configurations import Configuration
from dvckit.sweep.notes import Notes
from dvckit.sweep.record import Recorder, Unrecorded
from dvckit.sweep.trial import Answer, Failed, Pruned, Trial
from dvckit.tasks import is_minimised


class Outcome(NamedTuple):
    """What came of a trial; `scores` as in reports/metrics.json, `evaluation` as in its namesake, both by dotted key.

    `means`: of a pruned trial its mean score after each fold that was run.
    """

    name: str
    configuration: Configuration
    state: Literal["new", "done", "pruned", "failed"]
    reason: str = ""
    scores: dict[str, float] = {}  # noqa: RUF012 - nobody writes to it
    evaluation: dict[str, Any] = {}  # noqa: RUF012
    means: tuple[float, ...] = ()


class Aim(NamedTuple):
    """The metric that decides."""

    metric: str

    @property
    def minimised(self) -> bool:
        """Tell whether less is better."""
        return is_minimised(self.metric)

    @property
    def fold_metric(self) -> str:
        """Return the metric's name among the scores of each fold; nothing where it is not a mean over folds."""
        part, _, name = self.metric.partition(".")
        return name if part == "cv" else ""

    def ranked(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """Return those with a score, each experiment once, the best first; of equals the one that was first."""
        scored = {outcome.name: outcome for outcome in outcomes if outcome.scores}
        sign = 1 if self.minimised else -1
        return sorted(scored.values(), key=lambda outcome: sign * outcome.scores[self.metric])


class Runner(Protocol):
    """Runs one trial at a time, wherever it is."""

    def run(self, trial: Trial) -> Answer:
        """Return what the trial wrote, or why it wrote nothing."""

    def alive(self) -> bool:
        """Tell whether it can run another trial."""

    def end(self) -> None:
        """Stop it, whatever it does."""


class Sweep:
    """Configurations of one base on their way to being experiments. Used as a context it leaves no worker behind."""

    def __init__(
        self, base: Base, recorder: Recorder, runner: Callable[[int], Runner], jobs: int, *, keep: int | None = None
    ) -> None:
        """Prepare `jobs` runners, which `runner` starts; `keep` says how many of the best become experiments, None all."""
        self.base, self.recorder, self.jobs, self.keep = base, recorder, jobs, keep
        self.notes = Notes(base)
        self._runner = runner
        self._existing = recorder.existing()
        self._outcomes: dict[str, Future[Outcome]] = {}
        self._unrecorded: dict[str, Unrecorded] = recorder.finished()
        self._runners: dict[int, Runner] = {}  # of each thread; one that has died is replaced
        self._started = 0
        self._lock = Lock()
        self._ending = False
        self._pool = ThreadPoolExecutor(jobs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._ending = True
        for runner in self._runners.values():
            runner.end()
        self._pool.shutdown(cancel_futures=True)

    def outcomes(self, trials: Iterable[Trial], window: int, *, eager: bool) -> Iterator[Outcome]:
        """Run trials, at most `window` of them begun, and yield what came of each, in order.

        Eager: as soon as there is something to yield; else not before the window is full, whatever the speed of workers.
        """
        waiting: deque[Future[Outcome]] = deque()
        for trial in trials:
            name = self.base.name(trial.configuration)
            if name not in self._outcomes:
                complete = trial._replace(stages=self.base.stages(trial.configuration))
                self._outcomes[name] = self._pool.submit(self._outcome, name, complete)
            waiting.append(self._outcomes[name])
            while len(waiting) >= window or (eager and waiting and waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _outcome(self, name: str, trial: Trial) -> Outcome:
        configuration = trial.configuration
        if name in self._existing:
            return self._read(name, configuration, "done", self._existing[name])
        if name in self._unrecorded:
            if self.keep is None:
                self.recorder.commit(self._unrecorded[name])
            return self._read(name, configuration, "new", self._unrecorded[name].tree)
        answer = trial.pruned or self._run(trial)
        if isinstance(answer, Pruned):
            reason = f"pruned after fold {len(answer.means)}, where its mean was {answer.means[-1]:.6f}"
            return Outcome(name, configuration, "pruned", reason, means=answer.means)
        if isinstance(answer, Failed):
            if answer.fatal:
                raise UserError(f"{answer.reason}; finished trials are kept, and the same command goes on from there")
            return Outcome(name, configuration, "failed", f"failed: {answer.reason}")
        result = self.recorder.store(name, answer)
        if self.keep:
            self._unrecorded[name] = self.recorder.remember(result)
        else:
            self.notes.put(self.recorder.commit(result), answer)
        return self._read(name, configuration, "new", result.tree)

    def _run(self, trial: Trial) -> Answer:
        with self._lock:
            if self._ending:
                raise UserError("the sweep is ending")
            runner = self._runners.get(get_ident())
            if runner is None or not runner.alive():
                self._started += 1
                runner = self._runners[get_ident()] = self._runner(self._started)
        return runner.run(trial)

    def start(self) -> Outcome:
        """Return what the sweep starts from, as if it were a trial."""
        return self._read("", (), "done", self.base.tree)

    def _read(self, name: str, configuration: Configuration, state: Literal["new", "done"], tree: str) -> Outcome:
        """Return a trial with the scores in its tree of git's."""
        contents = git_files(self.base.root, [(tree, str(METRICS)), (tree, str(EVALUATION))])
        metrics, evaluation = (dict(leaves(json.loads(content or b"{}"))) for content in contents)
        return Outcome(name, configuration, state, scores=metrics, evaluation=evaluation)

    def keep_best(self, aim: Aim, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """Make experiments of the best, where not all are kept; return those that are experiments."""
        ranked = aim.ranked(outcomes)[: self.keep]
        for outcome in ranked:
            if outcome.name in self._unrecorded:
                self.recorder.commit(self._unrecorded[outcome.name])
        return ranked
