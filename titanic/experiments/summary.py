"""What is said of a sweep: of each point, of the best, and how sure that is."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from titanic.config import REPORTS
from titanic.experiments.sweep import Aim, Outcome
from titanic.stage import write_json

RECORD = REPORTS / "sweep.json"
SHOWN = 5  # of the best, while the sweep runs
FOLD_BY_FOLD = "fold by fold (corrected t test, each at 5 %)"
BY_INTERVAL = "by its interval where the folds are others"


class Best(NamedTuple):
    """The best of a sweep and how many others are indistinguishable from it, the `rivals`; `how` tells by what."""

    outcome: Outcome
    score: float
    low: float | None
    high: float | None
    rivals: int
    scored: int
    how: str


def best_of(aim: Aim, outcomes: list[Outcome]) -> Best | None:
    """Return the best; None where nothing has a score. Not every metric has an interval."""
    ranked = aim.ranked(outcomes)
    if not ranked:
        return None
    first, *others = ranked
    low, high = (first.evaluation.get(f"{aim.metric}.{end}") for end in ("low", "high"))
    beside = [other for other in others if _same_folds(aim, first, other)]
    apart = [other.scores[aim.metric] for other in others if other not in beside]
    rivals = _indistinguishable(aim, first, beside)
    if low is not None and high is not None:
        rivals += sum(low <= score <= high for score in apart)
    how = [FOLD_BY_FOLD] * bool(beside) + [BY_INTERVAL] * bool(apart)
    return Best(first, first.scores[aim.metric], low, high, rivals, len(ranked), ", or ".join(how))


def _same_folds(aim: Aim, one: Outcome, other: Outcome) -> bool:
    rows = [outcome.evaluation.get("folds.rows") for outcome in (one, other) if _folds(aim, outcome)]
    return len(rows) == 2 and rows[0] == rows[1]


def _folds(aim: Aim, outcome: Outcome) -> list[float]:
    folds: list[float] = outcome.evaluation.get(f"folds.{aim.over_folds}", [])
    return folds


def _indistinguishable(aim: Aim, best: Outcome, others: list[Outcome]) -> int:
    """Count those that the t test of `titanic compare` cannot tell from the best on the folds that they share.

    Each is judged by itself: held to 5 % all together, five folds would tell nothing from anything.
    """
    if not others:
        return 0
    import pandas as pd  # and scipy: a second that only the end of a sweep needs

    from titanic.modeling.significance import SIGNIFICANT, resampled_t

    scores = pd.DataFrame([_folds(aim, outcome) for outcome in (best, *others)])
    differences = (scores - scores.iloc[0]).iloc[1:]
    return sum(resampled_t(row, scores.shape[1]).p_value >= SIGNIFICANT for _, row in differences.iterrows())


def line(aim: Aim, outcome: Outcome) -> str:
    """Return a point in one line."""
    told = f"{outcome.scores[aim.metric]:.6f}" if outcome.scores else outcome.reason
    there = " (there before)" if outcome.state == "there" else ""
    return f"{outcome.name}  {' '.join(outcome.point)}  {told}{there}"


def verdict(aim: Aim, outcomes: list[Outcome], kept: list[Outcome], before: float) -> list[str]:
    """Return the last words of a sweep; `before` is the score of what it started from."""
    said = [f"{len(outcomes)} points: {counts(outcomes)}"]
    if len(kept) < sum(bool(outcome.scores) for outcome in outcomes):
        said.append(f"kept as experiments: the best {len(kept)}, and those that were there before")
    best = best_of(aim, outcomes)
    if best is None:
        return said
    name = best.outcome.name
    said.append(
        f"best {aim.metric}: {best.score:.6f}{_interval(best.low, best.high)}: {name} ({' '.join(best.outcome.point)})"
    )
    said.append(f"what it started from: {before:.6f}")
    if best.how:
        said.append(f"{best.rivals} of the {best.scored - 1} others are indistinguishable from it, {best.how}")
    if optimism := _holdout(aim, best.outcome):
        said.append(optimism)
    return [*said, f"apply it:    dvc exp apply {name}", f"compare it:  titanic compare HEAD {name}"]


def counts(outcomes: list[Outcome]) -> str:
    """Return how many points came to what."""
    states = Counter[str](outcome.state for outcome in outcomes)
    words = {"new": "new", "there": "there before", "pruned": "pruned", "failed": "failed"}
    return ", ".join(f"{states[state]} {word}" for state, word in words.items() if states[state] or state != "pruned")


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" (95 % interval {low:.3f} to {high:.3f})"


def _holdout(aim: Aim, best: Outcome) -> str:
    """Tell what the best scores on rows that took no part in the choice."""
    other = aim.metric.replace("cv.", "holdout.", 1)
    if not aim.metric.startswith("cv.") or other not in best.scores:
        return ""
    interval = _interval(*(best.evaluation.get(f"{other}.{end}") for end in ("low", "high")))
    return f"the best of many is partly luck; on the hold-out, which took no part in the choice: {best.scores[other]:.6f}{interval}"


def record(root: Path, aim: Aim, outcomes: list[Outcome]) -> None:
    """Write every point with its scores, or why it has none, to reports/sweep.json."""
    rows = [outcome._asdict() for outcome in outcomes]
    write_json(root / RECORD, {"metric": aim.metric, "minimised": aim.minimised, "points": rows})


class Watch:
    """Shows how far a sweep is: on a terminal a table of the best so far and a bar, else a line for each point."""

    def __init__(self, aim: Aim, total: int, console: Console) -> None:
        self.aim, self.total, self.console = aim, total, console
        self.seen: list[Outcome] = []
        self.best: list[Outcome] = []
        self.progress = Progress(
            BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), "passed,", TimeRemainingColumn(), "left"
        )
        self.task = self.progress.add_task("", total=total)

    def see(self, outcome: Outcome) -> None:
        """Take note of a finished point."""
        self.seen.append(outcome)
        self.best = self.aim.ranked([*self.best, outcome])[:SHOWN]
        self.progress.advance(self.task)
        if not self.console.is_terminal:
            print(f"[{len(self.seen)}/{self.total}] {line(self.aim, outcome)}", flush=True)
        elif outcome.state == "failed":
            self.console.print(line(self.aim, outcome), markup=False, highlight=False)

    def __rich__(self) -> Group:
        table = Table("best so far", self.aim.metric, "point", caption=counts(self.seen))
        for outcome in self.best:
            table.add_row(outcome.name, f"{outcome.scores[self.aim.metric]:.6f}", escape(" ".join(outcome.point)))
        return Group(table, self.progress)


@contextmanager
def watch(aim: Aim, total: int) -> Iterator[Watch]:
    """Give a watch for so many points."""
    console = Console()
    watched = Watch(aim, total, console)
    with Live(watched, console=console) if console.is_terminal else nullcontext():
        yield watched
