"""What a sweep prints while it runs."""

from collections import Counter
from contextlib import AbstractContextManager, nullcontext

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from dvckit.core.grid import terminal
from dvckit.sweep.trial import Aim, Outcome

SHOWN = 5  # of the best, while the sweep runs
STATES = {"new": "new", "done": "already done", "pruned": "pruned", "failed": "failed"}


def line(aim: Aim, outcome: Outcome) -> str:
    """Return a trial in one line."""
    score = f"{outcome.scores[aim.metric]:.6f}" if outcome.scores else outcome.reason
    done = f" ({STATES['done']})" if outcome.state == "done" else ""
    return f"{outcome.name}  {' '.join(outcome.configuration)}  {score}{done}"


def counts(outcomes: list[Outcome]) -> str:
    """Return how many trials came to what; a search may draw one configuration again."""
    distinct = {outcome.name: outcome.state for outcome in outcomes}
    states = Counter[str](distinct.values())
    words = [f"{states[state]} {word}" for state, word in STATES.items() if states[state] or state != "pruned"]
    again = len(outcomes) - len(distinct)
    return ", ".join([*words, *([f"{again} drawn again"] if again else [])])


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
