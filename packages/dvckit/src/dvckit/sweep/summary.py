"""What a sweep prints: each trial, the best, and how sure that is."""

from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from dvckit.core.grid import terminal
from dvckit.sweep.sweep import Aim, Outcome

if TYPE_CHECKING:
    from dvckit.sweep.best import Best, Score
    from dvckit.tasks.significance import Difference

SHOWN = 5  # of the best, while the sweep runs
STATES = {"new": "new", "done": "already done", "pruned": "pruned", "failed": "failed"}


def line(aim: Aim, outcome: Outcome) -> str:
    """Return a trial in one line."""
    score = f"{outcome.scores[aim.metric]:.6f}" if outcome.scores else outcome.reason
    done = f" ({STATES['done']})" if outcome.state == "done" else ""
    return f"{outcome.name}  {' '.join(outcome.configuration)}  {score}{done}"


def verdict(aim: Aim, outcomes: list[Outcome], kept: list[Outcome], start: Outcome, best: "Best | None") -> list[str]:
    """Return the last lines of a sweep; `start` is what it started from."""
    lines = [f"{len(outcomes)} trials: {counts(outcomes)}"]
    if len(kept) < len(aim.ranked(outcomes)):
        lines.append(f"kept as experiments: the best {len(kept)}, and those that were already done")
    if best is None:
        return lines
    name, gain = best.outcome.name, best.gain
    lines.append(f"best {aim.metric}: {_with_interval(best.score)}: {name} ({' '.join(best.outcome.configuration)})")
    differs = f"; the best differs by {_with_interval(gain, '+')}" if gain else ""
    lines.append(f"before the sweep: {start.scores[aim.metric]:.6f}{differs}")
    if best.judged:
        lines.append(f"{best.rivals} of {best.judged} others are indistinguishable from the best, {best.how}")
    if best.holdout:
        luck = "the best of many is partly luck; on the hold-out, which had no part in the choice"
        lines.append(f"{luck}: {_with_interval(best.holdout)}")
    return [*lines, f"apply it:    dvc exp apply {name}", f"compare it:  dvckit compare HEAD {name}"]


def counts(outcomes: list[Outcome]) -> str:
    """Return how many trials came to what; a search may draw one configuration again."""
    distinct = {outcome.name: outcome.state for outcome in outcomes}
    states = Counter[str](distinct.values())
    words = [f"{states[state]} {word}" for state, word in STATES.items() if states[state] or state != "pruned"]
    again = len(outcomes) - len(distinct)
    return ", ".join([*words, *([f"{again} drawn again"] if again else [])])


def _with_interval(score: "Score | Difference", sign: str = "") -> str:
    interval = "" if score.low is None else f" (95 % interval {score.low:.3f} to {score.high:.3f})"
    return f"{score.value:{sign}.6f}{interval}"


class Watch:
    """Shows how far a sweep is: on a terminal a table of the best so far and a bar, else a line for each trial."""

    def __init__(self, aim: Aim, total: int) -> None:
        self.aim, self.total, self.console = aim, total, terminal()
        self.seen: list[Outcome] = []
        self.best: list[Outcome] = []
        self.progress = Progress(
            BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), "elapsed,", TimeRemainingColumn(), "left"
        )
        self.task = self.progress.add_task("", total=total)

    def shown(self) -> AbstractContextManager[object]:
        """Keep the table and the bar on the terminal."""
        return Live(self, console=self.console) if self.console.is_terminal else nullcontext()

    def see(self, outcome: Outcome) -> None:
        """Count a finished trial."""
        self.seen.append(outcome)
        self.best = self.aim.ranked([*self.best, outcome])[:SHOWN]
        self.progress.advance(self.task)
        if not self.console.is_terminal:
            print(f"[{len(self.seen)}/{self.total}] {line(self.aim, outcome)}", flush=True)
        elif outcome.state == "failed":
            self.console.print(line(self.aim, outcome))

    def __rich__(self) -> Group:
        table = Table("best so far", self.aim.metric, "configuration", caption=counts(self.seen))
        for outcome in self.best:
            table.add_row(outcome.name, f"{outcome.scores[self.aim.metric]:.6f}", " ".join(outcome.configuration))
        return Group(table, self.progress)
