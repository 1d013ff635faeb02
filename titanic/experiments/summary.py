"""What is said of a sweep: of each point, of the best, and how sure that is."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from titanic.config import REPORTS
from titanic.experiments.sweep import Aim, Outcome
from titanic.stage import write_json

if TYPE_CHECKING:
    from titanic.experiments.best import Best
    from titanic.modeling.significance import Difference

RECORD = REPORTS / "sweep.json"
SHOWN = 5  # of the best, while the sweep runs


def line(aim: Aim, outcome: Outcome) -> str:
    """Return a point in one line."""
    told = f"{outcome.scores[aim.metric]:.6f}" if outcome.scores else outcome.reason
    there = " (there before)" if outcome.state == "there" else ""
    return f"{outcome.name}  {' '.join(outcome.point)}  {told}{there}"


def verdict(aim: Aim, outcomes: list[Outcome], kept: list[Outcome], start: Outcome, best: "Best | None") -> list[str]:
    """Return the last words of a sweep; `start` is what it started from."""
    said = [f"{len(outcomes)} points: {counts(outcomes)}"]
    if len(kept) < len(aim.ranked(outcomes)):
        said.append(f"kept as experiments: the best {len(kept)}, and those that were there before")
    if best is None:
        return said
    name = best.outcome.name
    said.append(
        f"best {aim.metric}: {best.score:.6f}{_interval(best.low, best.high)}: {name} ({' '.join(best.outcome.point)})"
    )
    said.append(f"what it started from: {start.scores[aim.metric]:.6f}{_gain(best.gain)}")
    if best.judged:
        said.append(f"{best.rivals} of {best.judged} others are indistinguishable from the best, {best.how}")
    if optimism := _holdout(aim, best.outcome):
        said.append(optimism)
    return [*said, f"apply it:    dvc exp apply {name}", f"compare it:  titanic compare HEAD {name}"]


def _gain(gain: "Difference | None") -> str:
    return "" if gain is None else f"; the best differs by {gain.value:+.6f}{_interval(gain.low, gain.high)}"


def counts(outcomes: list[Outcome]) -> str:
    """Return how many points came to what; a search may ask for one again."""
    distinct = {outcome.name: outcome.state for outcome in outcomes}
    states = Counter[str](distinct.values())
    words = {"new": "new", "there": "there before", "pruned": "pruned", "failed": "failed"}
    told = [f"{states[state]} {word}" for state, word in words.items() if states[state] or state != "pruned"]
    again = len(outcomes) - len(distinct)
    return ", ".join([*told, *([f"{again} asked for again"] if again else [])])


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
