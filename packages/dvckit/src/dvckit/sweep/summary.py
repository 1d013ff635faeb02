"""What a sweep prints: each trial, the best, how sure that is, and which others do as well."""

from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from math import hypot
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from dvckit.core.grid import Terminal
from dvckit.core.screen import say
from dvckit.sweep.trial import Aim, Outcome

if TYPE_CHECKING:
    from dvckit.tasks.significance import Difference

SHOWN = 5  # of the best, while the sweep runs
STATES = {"new": "new", "done": "already done", "pruned": "pruned", "failed": "failed", "killed": "killed"}
FOLD_BY_FOLD = "fold by fold (corrected t test)"
BY_INTERVALS = "by both intervals where folds hold other rows"


def line(aim: Aim, outcome: Outcome) -> str:
    """Return a trial in one line."""
    score = f"{outcome.scores[aim.metric]:.6f}" if outcome.scores else outcome.reason
    note = f" ({STATES['done']})" if outcome.state == "done" else ""
    return f"{outcome.name}  {' '.join(outcome.configuration)}  {score}{note}"


def verdict(aim: Aim, outcomes: list[Outcome], count: int, start: Outcome, compare: str) -> list[str]:
    """Return the last lines of a sweep that kept so many experiments.

    `start` is what it started from, `compare` the command that compares two revisions.
    """
    ranked = aim.ranked(outcomes)
    better = f"{'lower' if aim.minimised else 'higher'} {aim.metric} is better"
    lines = [f"{len(outcomes)} trials: {counts(outcomes)}; {better}"]
    if count < len(ranked):
        lines.append(f"kept as experiments: the best {count}, and those that were already done")
    if not ranked:
        return [*lines, "no trial has a score"]
    best, *others = ranked
    lines.append(
        f"best {aim.metric}: {_shown(*_score(aim.metric, best))}: {best.name} ({' '.join(best.configuration)})"
    )
    gain = difference(aim, start, best)
    differs = f"; the best differs by {_shown(*gain[:3], '+')}" if gain else ""
    lines.append(f"before the sweep: {start.scores[aim.metric]:.6f}{differs}")
    if judged := [rival for other in others if (rival := is_rival(aim, best, other))]:
        how = ", or ".join(text for text in (FOLD_BY_FOLD, BY_INTERVALS) if text in {text for _, text in judged})
        rivals = sum(indistinguishable for indistinguishable, _ in judged)
        lines.append(f"{rivals} of {len(judged)} others are indistinguishable from the best, {how}")
    if (holdout := f"holdout.{aim.fold_metric}") in best.scores:
        luck = "the best of many is partly luck; on the hold-out, which had no part in the choice"
        lines.append(f"{luck}: {_shown(*_score(holdout, best))}")
    return [*lines, f"apply it:    dvc exp apply {best.name}", f"compare it:  {compare} HEAD {best.name}"]


def is_rival(aim: Aim, best: Outcome, other: Outcome) -> tuple[bool, str] | None:
    """Tell whether a trial is indistinguishable from the best, and how that was judged; None where it cannot be.

    Each pair is judged by itself: held to 5 % all together, five folds would tell nothing from anything.
    """
    from dvckit.tasks.significance import SIGNIFICANT

    if gap := difference(aim, best, other):
        return gap.p_value >= SIGNIFICANT, FOLD_BY_FOLD
    (one, *ends), (another, *others) = _score(aim.metric, best), _score(aim.metric, other)
    if None in ends or None in others:
        return None
    return abs(one - another) < hypot(*((high - low) / 2 for low, high in (ends, others))), BY_INTERVALS


def difference(aim: Aim, reference: Outcome, new: Outcome) -> "Difference | None":
    """Return the difference of two trials by the corrected t test; None where their folds hold other rows."""
    one, other = (outcome.evaluation.get(f"folds.{aim.fold_metric}") for outcome in (reference, new))
    if one is None or other is None or reference.evaluation.get("folds.rows") != new.evaluation.get("folds.rows"):
        return None
    import pandas as pd

    from dvckit.tasks.significance import resampled_t

    return resampled_t(pd.Series(other) - pd.Series(one), len(other))


def _score(metric: str, outcome: Outcome) -> tuple[float, Any, Any]:
    """Return a score and the ends of its 95 % interval, None where it has none."""
    return outcome.scores[metric], outcome.evaluation.get(f"{metric}.low"), outcome.evaluation.get(f"{metric}.high")


def _shown(value: float, low: float | None, high: float | None, sign: str = "") -> str:
    return f"{value:{sign}.6f}" + ("" if low is None else f" (95 % interval {low:.3f} to {high:.3f})")


def counts(outcomes: list[Outcome]) -> str:
    """Return how many trials came to what; a search may draw one configuration again."""
    distinct = {outcome.name: outcome.state for outcome in outcomes}
    states = Counter[str](distinct.values())
    words = [
        f"{states[state]} {word}"
        for state, word in STATES.items()
        if states[state] or state not in {"pruned", "killed"}
    ]
    again = len(outcomes) - len(distinct)
    return ", ".join([*words, *([f"{again} drawn again"] if again else [])])


class Watch:
    """Shows how far a sweep is: on a terminal a table of the best so far and a bar, else a line for each trial."""

    def __init__(self, aim: Aim, total: int) -> None:
        self.aim, self.total, self.console = aim, total, Terminal()
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
            say(f"[{len(self.seen)}/{self.total}] {line(self.aim, outcome)}")
        elif outcome.state in {"failed", "killed"}:
            self.console.lines([line(self.aim, outcome)])

    def __rich__(self) -> Group:
        table = Table("best so far", self.aim.metric, "configuration", caption=counts(self.seen))
        for outcome in self.best:
            table.add_row(outcome.name, f"{outcome.scores[self.aim.metric]:.6f}", " ".join(outcome.configuration))
        return Group(table, self.progress)
