"""`titanic sweep`: many points run by workers, and each result recorded as an experiment."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any, Literal, NamedTuple, Protocol, Self

from titanic.config import EVALUATION, METRICS, leaves
from titanic.experiments.base import Base
from titanic.experiments.notes import Notes
from titanic.experiments.pipeline import Stage
from titanic.experiments.points import Point
from titanic.experiments.record import Recorder, Unrecorded
from titanic.experiments.snapshot import git
from titanic.experiments.trial import Failed, Floor, Pruned, Result
from titanic.stage import UserError

MINIMISED = ("log_loss", "accuracy_sd")  # every other metric is the better the higher


class Ask(NamedTuple):
    """A point to run, to its end or as long as it stays above the floor; `pruned_means`: where it has been pruned before."""

    point: Point
    floor: Floor | None = None
    pruned_means: tuple[float, ...] = ()


class Outcome(NamedTuple):
    """What came of a point; `scores` as in reports/metrics.json, `evaluation` as its namesake there, both by dotted key.

    `means`: of a pruned one its mean score after each fold that was run.
    """

    name: str
    point: Point
    state: Literal["new", "there", "pruned", "failed"]
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
        return self.metric.rpartition(".")[2] in MINIMISED

    @property
    def fold_metric(self) -> str:
        """Return the metric's name among the scores of each fold; nothing where it is not a mean over folds."""
        part, _, name = self.metric.partition(".")
        return name if part == "cv" else ""

    def order(self, outcome: Outcome) -> float:
        """Return a number that is the higher the better."""
        score = outcome.scores[self.metric]
        return -score if self.minimised else score

    def ranked(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """Return those with a score, each experiment once, the best first; of equals the one that was first."""
        scored = {found.name: found for found in outcomes if found.scores}
        return sorted(scored.values(), key=self.order, reverse=True)


class Runner(Protocol):
    """Runs one trial at a time, wherever it is."""

    def run(self, point: Point, stages: list[Stage], floor: Floor | None) -> Result | Pruned | Failed:
        """Return what the trial made, or why it made nothing."""

    def alive(self) -> bool:
        """Tell whether it can run another trial."""

    def end(self) -> None:
        """Stop it, whatever it does."""


class Sweep:
    """Points of one base on their way to being experiments. Use it as a context: at its end no worker is left."""

    def __init__(
        self, base: Base, recorder: Recorder, runner: Callable[[int], Runner], jobs: int, *, keep: int | None = None
    ) -> None:
        """Take how to start a runner, how many there are, and how many of the best are to be kept (None: all)."""
        self.base, self.recorder, self.keep = base, recorder, keep
        self.notes = Notes(base)
        self._runner = runner
        self._existing = recorder.existing()
        self._found: dict[str, Future[Outcome]] = {}
        self._unrecorded: dict[str, Unrecorded] = recorder.finished()
        self._idle: SimpleQueue[Runner] = SimpleQueue()
        self._runners: list[Runner] = []
        self._lock = threading.Lock()
        self._ending = False
        self._pool = ThreadPoolExecutor(jobs)
        self.jobs = jobs

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._ending = True
        for runner in self._runners:
            runner.end()
        self._pool.shutdown(cancel_futures=True)

    def _start(self) -> Runner:
        """Start a runner, of which no more are needed than there are threads; one that has died is replaced."""
        with self._lock:
            if self._ending:
                raise UserError("the sweep is ending")
            self._runners.append(self._runner(len(self._runners)))
            return self._runners[-1]

    def outcomes(self, asked: Iterable[Ask], window: int, *, eager: bool) -> Iterator[Outcome]:
        """Run points, at most `window` of them begun, and give what came of each, in order.

        Eager: as soon as there is something to give; else not before the window is full, whatever the speed of workers.
        """
        waiting: deque[Future[Outcome]] = deque()
        for ask in asked:
            name = self.base.name(ask.point)
            if name not in self._found:
                self._found[name] = self._pool.submit(self._outcome, name, ask, self.base.stages(ask.point))
            waiting.append(self._found[name])
            while len(waiting) >= window or (eager and waiting and waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _outcome(self, name: str, ask: Ask, stages: list[Stage]) -> Outcome:
        point = ask.point
        if name in self._existing:
            return self._told(name, point, "there", self._existing[name])
        if name in self._unrecorded:
            if self.keep is None:
                self.recorder.commit(self._unrecorded[name])
            return self._told(name, point, "new", self._unrecorded[name].tree)
        result = Pruned(ask.pruned_means) if ask.pruned_means else self._trial(ask, stages)
        if isinstance(result, Pruned):
            reason = f"pruned after fold {len(result.means)}, where its mean was {result.means[-1]:.6f}"
            return Outcome(name, point, "pruned", reason, means=result.means)
        if isinstance(result, Failed):
            if result.fatal:
                raise UserError(
                    f"{result.reason}; what has been recorded stays, and the same command goes on from there"
                )
            return Outcome(name, point, "failed", f"failed: {result.reason}")
        made = self.recorder.store(name, result)
        if self.keep:
            self._unrecorded[name] = self.recorder.remember(made)
        else:
            self.notes.put(self.recorder.commit(made), result)
        return self._told(name, point, "new", made.tree)

    def _trial(self, ask: Ask, stages: list[Stage]) -> Result | Pruned | Failed:
        try:
            runner = self._idle.get_nowait()
        except Empty:
            runner = self._start()
        found = runner.run(ask.point, stages, ask.floor)
        if runner.alive():
            self._idle.put(runner)
        return found

    def start(self) -> Outcome:
        """Return what the sweep starts from, as if it were a point."""
        return self._told("", (), "there", self.base.snapshot.tree)

    def _told(self, name: str, point: Point, state: Literal["new", "there"], tree: str) -> Outcome:
        metrics, evaluation = (
            json.loads(git(self.base.root, "show", f"{tree}:{self.recorder.prefix}{file}"))
            for file in (METRICS, EVALUATION)
        )
        return Outcome(name, point, state, scores=dict(leaves(metrics)), evaluation=dict(leaves(evaluation)))

    def keep_best(self, aim: Aim, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """Make experiments of the best, where not all are kept; return those that stand as experiments."""
        ranked = aim.ranked(outcomes)[: self.keep]
        for outcome in ranked:
            if outcome.name in self._unrecorded:
                self.recorder.commit(self._unrecorded[outcome.name])
        return ranked
