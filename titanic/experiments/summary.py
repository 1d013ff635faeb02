"""What is said of a sweep: a line for each point, the best with how sure that is, and a page."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from titanic.config import REPORTS
from titanic.experiments.sweep import Aim, Outcome
from titanic.stage import write_json

RECORD = REPORTS / "sweep.json"


class Best(NamedTuple):
    """The best of a sweep and its rivals: those whose score lies in its interval."""

    outcome: Outcome
    score: float
    low: float | None
    high: float | None
    rivals: int
    scored: int


def best_of(aim: Aim, outcomes: list[Outcome]) -> Best | None:
    """Return the best; None where nothing has a score. Not every metric has an interval."""
    ranked = aim.ranked(outcomes)
    if not ranked:
        return None
    first = ranked[0]
    low, high = (first.intervals.get(f"{aim.metric}.{end}") for end in ("low", "high"))
    rivals = 0
    if low is not None and high is not None:
        rivals = sum(low <= other.scores[aim.metric] <= high for other in ranked[1:])
    return Best(first, first.scores[aim.metric], low, high, rivals, len(ranked))


def line(aim: Aim, outcome: Outcome) -> str:
    """Return a point in one line."""
    told = f"failed: {outcome.reason}" if outcome.state == "failed" else f"{outcome.scores[aim.metric]:.6f}"
    there = " (there before)" if outcome.state == "there" else ""
    return f"{outcome.name}  {' '.join(outcome.point)}  {told}{there}"


def verdict(aim: Aim, outcomes: list[Outcome], kept: list[Outcome], before: float) -> list[str]:
    """Return the last words of a sweep; `before` is the score of what it started from."""
    states = {state: sum(outcome.state == state for outcome in outcomes) for state in ("new", "there", "failed")}
    said = [f"{len(outcomes)} points: {states['new']} new, {states['there']} there before, {states['failed']} failed"]
    if len(kept) < states["new"] + states["there"]:
        said.append(f"kept as experiments: the best {len(kept)}, and those that were there before")
    best = best_of(aim, outcomes)
    if best is None:
        return said
    name = best.outcome.name
    said.append(
        f"best {aim.metric}: {best.score:.6f}{_interval(best.low, best.high)}: {name} ({' '.join(best.outcome.point)})"
    )
    said.append(f"what it started from: {before:.6f}")
    if best.low is not None:
        said.append(
            f"{best.rivals} of the {best.scored - 1} others lie in its interval: these folds cannot tell them from it"
        )
    if optimism := _holdout(aim, best.outcome):
        said.append(optimism)
    return [*said, f"apply it:    dvc exp apply {name}", f"compare it:  titanic compare HEAD {name}"]


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" (95 % interval {low:.3f} to {high:.3f})"


def _holdout(aim: Aim, best: Outcome) -> str:
    """Tell what the best scores on rows that took no part in the choice."""
    other = aim.metric.replace("cv.", "holdout.", 1)
    if not aim.metric.startswith("cv.") or other not in best.scores:
        return ""
    interval = _interval(*(best.intervals.get(f"{other}.{end}") for end in ("low", "high")))
    return f"the best of many is partly luck; on the hold-out, which took no part in the choice: {best.scores[other]:.6f}{interval}"


def record(root: Path, aim: Aim, outcomes: list[Outcome]) -> None:
    """Write every point with its scores, or why it has none, to reports/sweep.json."""
    rows = [outcome._asdict() for outcome in outcomes]
    write_json(root / RECORD, {"metric": aim.metric, "minimised": aim.minimised, "points": rows})


class Watch:
    """Shows how far a sweep is: a bar with the best so far on a terminal, else a line for each point."""

    def __init__(self, aim: Aim, total: int, progress: Progress | None) -> None:
        self.aim, self.total, self.progress = aim, total, progress
        self.seen: list[Outcome] = []
        self.best: Outcome | None = None
        self.task = progress.add_task("", total=total) if progress else None

    def see(self, outcome: Outcome) -> None:
        """Take note of a finished point."""
        self.seen.append(outcome)
        self.best = next(iter(self.aim.ranked(filter(None, [self.best, outcome]))), None)
        if self.progress and self.task is not None:
            if outcome.state == "failed":
                self.progress.console.print(line(self.aim, outcome), markup=False, highlight=False)
            told = f"best so far: {line(self.aim, self.best)}" if self.best else ""
            self.progress.update(self.task, advance=1, description=told)
        else:
            print(f"[{len(self.seen)}/{self.total}] {line(self.aim, outcome)}", flush=True)


@contextmanager
def watch(aim: Aim, total: int) -> Iterator[Watch]:
    """Give a watch for so many points."""
    console = Console()
    if not console.is_terminal:
        yield Watch(aim, total, None)
        return
    columns = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=console) as progress:
        yield Watch(aim, total, progress)
