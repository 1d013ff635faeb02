"""The trials of a sweep, run at once, and each result recorded as an experiment."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Self

from dvckit.core.errors import UserError
from dvckit.sweep.base import Base
from dvckit.sweep.record import Recorder
from dvckit.sweep.trial import Aim, Outcome, Trial
from dvckit.sweep.worker import Answer


class Runner(NamedTuple):
    """What runs trials, from several threads at once, and what ends all that are running."""

    most: int  # trials at once
    run: Callable[[Trial], Answer]
    end: Callable[[], None]


class Sweep:
    """Configurations of one base on their way to being experiments. Used as a context it leaves nothing running."""

    def __init__(self, base: Base, recorder: Recorder, runner: Runner, jobs: int, *, keep: int | None = None) -> None:
        """Prepare `jobs` threads; `keep` says how many of the best become experiments, None all."""
        self.base, self.recorder, self.runner, self.jobs, self.keep = base, recorder, runner, jobs, keep
        self._existing, self._unrecorded = recorder.existing(), recorder.finished()
        self._outcomes: dict[str, Future[Outcome]] = {}
        self._pool = ThreadPoolExecutor(jobs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.runner.end()
        self._pool.shutdown(cancel_futures=True)

    def outcomes(self, trials: Iterable[Trial], window: int, *, eager: bool) -> Iterator[Outcome]:
        """Run trials, at most `window` of them begun, and yield what came of each, in order.

        Eager: as soon as there is something to yield; else not before the window is full, whatever the speed of workers.
        """
        waiting: deque[Future[Outcome]] = deque()
        for trial in trials:
            name = self.base.name(trial.configuration)
            if name not in self._outcomes:
                complete = trial._replace(name=name, stages=self.base.stages(trial.configuration))
                self._outcomes[name] = self._pool.submit(self._outcome, complete)
            waiting.append(self._outcomes[name])
            while len(waiting) >= window or (eager and waiting and waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _outcome(self, trial: Trial) -> Outcome:
        if trial.name in self._existing:
            return self.recorder.read(trial, "done", self._existing[trial.name])
        if trial.name in self._unrecorded:
            if self.keep is None:
                self.recorder.commit(self._unrecorded[trial.name])
            return self.recorder.read(trial, "new", self._unrecorded[trial.name].tree)
        if trial.pruned:
            return trial.pruned_after(trial.pruned)
        answer = self.runner.run(trial)
        if isinstance(answer, Outcome):
            if answer.state == "stopped":
                raise UserError(f"{answer.reason}; finished trials are kept, and the same command goes on from there")
            return answer
        result = self.recorder.store(trial, answer)
        if self.keep:
            self._unrecorded[trial.name] = self.recorder.remember(result)
        else:
            self.recorder.note(self.recorder.commit(result), trial, answer)
        return self.recorder.read(trial, "new", result.tree)

    def keep_best(self, aim: Aim, outcomes: Iterable[Outcome]) -> int:
        """Make experiments of the best, where not all are kept; return how many are experiments."""
        ranked = aim.ranked(outcomes)[: self.keep]
        for outcome in ranked:
            if outcome.name in self._unrecorded:
                self.recorder.commit(self._unrecorded[outcome.name])
        return len(ranked)
