"""The best of a sweep, how sure that is, and which others do as well."""

from math import hypot
from typing import NamedTuple

import pandas as pd

from dvckit.sweep.sweep import Aim, Outcome
from dvckit.tasks.significance import SIGNIFICANT, Difference, resampled_t

FOLD_BY_FOLD = "fold by fold (corrected t test)"
BY_INTERVALS = "by both intervals where folds hold other rows"


class Score(NamedTuple):
    """A score with its 95 % interval, where it has one."""

    value: float
    low: float | None
    high: float | None


class Best(NamedTuple):
    """The best of a sweep, and its `gain` over what the sweep started from.

    `judged` others could be compared with it, by `how`; of these `rivals` are indistinguishable from it. `holdout` is its
    score on the rows that had no part in the choice, if the metric has one there.
    """

    outcome: Outcome
    score: Score
    holdout: Score | None
    gain: Difference | None
    judged: int
    rivals: int
    how: str


def best_of(aim: Aim, outcomes: list[Outcome], start: Outcome) -> Best | None:
    """Return the best; None where nothing has a score. Not every metric has folds, or an interval."""
    ranked = aim.ranked(outcomes)
    if not ranked:
        return None
    best, *others = ranked
    holdout = f"holdout.{aim.fold_metric}"
    judged = [rival for other in others if (rival := _is_rival(aim, best, other))]
    how = ", or ".join(text for text in (FOLD_BY_FOLD, BY_INTERVALS) if text in {text for _, text in judged})
    rivals, known = sum(is_rival for is_rival, _ in judged), _score(holdout, best) if holdout in best.scores else None
    return Best(best, _score(aim.metric, best), known, _difference(aim, start, best), len(judged), rivals, how)


def _score(metric: str, outcome: Outcome) -> Score:
    return Score(outcome.scores[metric], *(outcome.evaluation.get(f"{metric}.{end}") for end in ("low", "high")))


def _is_rival(aim: Aim, best: Outcome, other: Outcome) -> tuple[bool, str] | None:
    """Tell whether a trial is indistinguishable from the best, and how that was judged; None where it cannot be.

    Each pair is judged by itself: held to 5 % all together, five folds would tell nothing from anything.
    """
    if difference := _difference(aim, best, other):
        return difference.p_value >= SIGNIFICANT, FOLD_BY_FOLD
    scores = [_score(aim.metric, outcome) for outcome in (best, other)]
    reaches = [(score.high - score.low) / 2 for score in scores if score.low is not None and score.high is not None]
    return (abs(scores[0].value - scores[1].value) < hypot(*reaches), BY_INTERVALS) if len(reaches) == 2 else None


def _difference(aim: Aim, reference: Outcome, new: Outcome) -> Difference | None:
    """Return the difference of two trials by the corrected t test; None where their folds hold other rows."""
    one, other = (outcome.evaluation.get(f"folds.{aim.fold_metric}") for outcome in (reference, new))
    if one is None or other is None or reference.evaluation.get("folds.rows") != new.evaluation.get("folds.rows"):
        return None
    return resampled_t(pd.Series(other) - pd.Series(one), len(other))
