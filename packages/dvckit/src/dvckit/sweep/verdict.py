"""How a sweep ended: the best, how sure that is, and which others do as well."""

from math import hypot
from typing import Any

import pandas as pd

from dvckit.sweep.summary import counts
from dvckit.sweep.trial import Aim, Outcome
from dvckit.tasks.significance import SIGNIFICANT, Difference, resampled_t

FOLD_BY_FOLD = "fold by fold (corrected t test)"
BY_INTERVALS = "by both intervals where folds hold other rows"


def verdict(aim: Aim, outcomes: list[Outcome], kept: int, start: Outcome) -> list[str]:
    """Return the last lines of a sweep that kept so many experiments; `start` is what it started from."""
    ranked = aim.ranked(outcomes)
    lines = [f"{len(outcomes)} trials: {counts(outcomes)}"]
    if kept < len(ranked):
        lines.append(f"kept as experiments: the best {kept}, and those that were already done")
    if not ranked:
        return [*lines, "no trial has a score"]
    best, *others = ranked
    lines.append(f"best {aim.metric}: {_score(aim.metric, best)}: {best.name} ({' '.join(best.configuration)})")
    gain = difference(aim, start, best)
    differs = f"; the best differs by {gain.value:+.6f}{_interval(gain.low, gain.high)}" if gain else ""
    lines.append(f"before the sweep: {start.scores[aim.metric]:.6f}{differs}")
    if judged := [rival for other in others if (rival := is_rival(aim, best, other))]:
        how = ", or ".join(text for text in (FOLD_BY_FOLD, BY_INTERVALS) if text in {text for _, text in judged})
        rivals = sum(indistinguishable for indistinguishable, _ in judged)
        lines.append(f"{rivals} of {len(judged)} others are indistinguishable from the best, {how}")
    if (holdout := f"holdout.{aim.fold_metric}") in best.scores:
        luck = "the best of many is partly luck; on the hold-out, which had no part in the choice"
        lines.append(f"{luck}: {_score(holdout, best)}")
    return [*lines, f"apply it:    dvc exp apply {best.name}", f"compare it:  dvckit compare HEAD {best.name}"]


def is_rival(aim: Aim, best: Outcome, other: Outcome) -> tuple[bool, str] | None:
    """Tell whether a trial is indistinguishable from the best, and how that was judged; None where it cannot be.

    Each pair is judged by itself: held to 5 % all together, five folds would tell nothing from anything.
    """
    if found := difference(aim, best, other):
        return found.p_value >= SIGNIFICANT, FOLD_BY_FOLD
    ends = [_ends(aim.metric, outcome) for outcome in (best, other)]
    if any(None in pair for pair in ends):
        return None
    reach = hypot(*((high - low) / 2 for low, high in ends))
    return abs(best.scores[aim.metric] - other.scores[aim.metric]) < reach, BY_INTERVALS


def difference(aim: Aim, reference: Outcome, new: Outcome) -> Difference | None:
    """Return the difference of two trials by the corrected t test; None where their folds hold other rows."""
    one, other = (outcome.evaluation.get(f"folds.{aim.fold_metric}") for outcome in (reference, new))
    if one is None or other is None or reference.evaluation.get("folds.rows") != new.evaluation.get("folds.rows"):
        return None
    return resampled_t(pd.Series(other) - pd.Series(one), len(other))


def _score(metric: str, outcome: Outcome) -> str:
    return f"{outcome.scores[metric]:.6f}{_interval(*_ends(metric, outcome))}"


def _ends(metric: str, outcome: Outcome) -> list[Any]:
    """Return the ends of a score's 95 % interval, None where it has none."""
    return [outcome.evaluation.get(f"{metric}.{end}") for end in ("low", "high")]


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None else f" (95 % interval {low:.3f} to {high:.3f})"
