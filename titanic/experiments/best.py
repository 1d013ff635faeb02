"""The best of a sweep, how sure that is, and which others do as well."""

from math import hypot
from typing import NamedTuple

import pandas as pd

from titanic.experiments.sweep import Aim, Outcome
from titanic.modeling.significance import SIGNIFICANT, Difference, resampled_t

FOLD_BY_FOLD = "fold by fold (corrected t test)"
BY_INTERVALS = "by both intervals where folds hold other rows"


class Best(NamedTuple):
    """The best of a sweep, its `gain` over what the sweep started from, and how many of the others equal it.

    `judged` others could be compared with it, by `how`; of these `rivals` are indistinguishable from it.
    """

    outcome: Outcome
    score: float
    low: float | None
    high: float | None
    gain: Difference | None
    judged: int
    rivals: int
    how: str


def best_of(aim: Aim, outcomes: list[Outcome], start: Outcome) -> Best | None:
    """Return the best; None where nothing has a score. Not every metric has folds, or an interval."""
    ranked = aim.ranked(outcomes)
    if not ranked:
        return None
    first, *others = ranked
    low, high = _ends(aim.metric, first)
    by_folds = [_over_folds(aim, first, other) for other in others]
    by_intervals = [_overlap(aim, first, other) for other, found in zip(others, by_folds, strict=True) if found is None]
    p_values = [found.p_value for found in by_folds if found]
    told = [overlap for overlap in by_intervals if overlap is not None]
    rivals = sum(p_value >= SIGNIFICANT for p_value in p_values) + sum(told)
    how = [FOLD_BY_FOLD] * bool(p_values) + [BY_INTERVALS] * bool(told)
    gain = _over_folds(aim, start, first)
    return Best(first, first.scores[aim.metric], low, high, gain, len(p_values) + len(told), rivals, ", or ".join(how))


def _ends(metric: str, outcome: Outcome) -> tuple[float | None, float | None]:
    return outcome.evaluation.get(f"{metric}.low"), outcome.evaluation.get(f"{metric}.high")


def _over_folds(aim: Aim, reference: Outcome, new: Outcome) -> Difference | None:
    """Return the difference of two points by the t test of `titanic compare`; None where their folds hold other rows.

    Each pair is judged by itself: held to 5 % all together, five folds would tell nothing from anything.
    """
    scores = [outcome.evaluation.get(f"folds.{aim.fold_metric}") for outcome in (reference, new)]
    rows = [outcome.evaluation.get("folds.rows") for outcome in (reference, new)]
    if None in scores or rows[0] != rows[1]:
        return None
    reference_scores, new_scores = (pd.Series(score) for score in scores)
    return resampled_t(new_scores - reference_scores, len(new_scores))


def _overlap(aim: Aim, one: Outcome, other: Outcome) -> bool | None:
    """Tell whether two scores differ by less than their intervals allow together; None where one has no interval."""
    ends = [_ends(aim.metric, outcome) for outcome in (one, other)]
    reaches = [(high - low) / 2 for low, high in ends if low is not None and high is not None]
    if len(reaches) < 2:
        return None
    return abs(one.scores[aim.metric] - other.scores[aim.metric]) < hypot(*reaches)
