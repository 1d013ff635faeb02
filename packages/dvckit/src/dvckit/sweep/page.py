"""reports/sweep.html: what a sweep gave, on one page that needs no network.

Places in the drawings run from 0 to 1, from left to right and from bottom to top; the template makes SVG of them.
"""

from collections.abc import Iterable
from statistics import fmean
from typing import NamedTuple

from dvckit.reports.templates import render
from dvckit.sweep.best import Best
from dvckit.sweep.summary import counts
from dvckit.sweep.sweep import Aim, Outcome

DRAWN = 1_000  # trials, the best, in a drawing
LISTED = 50  # in the table
BINS = 8  # of a parameter with more values than that


class Scale(NamedTuple):
    """An axis of a drawing: the place of each value, and its labels with theirs."""

    places: dict[str, float]
    labels: list[tuple[float, str]]


class Slice(NamedTuple):
    """One parameter: its scale, the score over each of its values, the means, and the share of variance that it explains."""

    key: str
    scale: Scale
    dots: list[tuple[float, float]]
    means: list[tuple[float, float]]
    importance: float


def varied(outcomes: Iterable[Outcome]) -> dict[str, list[str]]:
    """Return the keys that have more than one value, each with its values: numbers rising, others as they came."""
    values: dict[str, dict[str, None]] = {}
    for outcome in outcomes:
        for key, value in _values(outcome).items():
            values.setdefault(key, {})[value] = None
    return {key: _ordered(list(of)) for key, of in values.items() if len(of) > 1}


def _values(outcome: Outcome) -> dict[str, str]:
    return {key: value for key, _, value in (text.partition("=") for text in outcome.configuration)}


def _ordered(values: list[str]) -> list[str]:
    try:
        return sorted(values, key=float)
    except ValueError:
        return values


def scale(values: list[str]) -> Scale:
    """Place values on an axis: numbers by their size, others one beside the other."""
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        numbers = [float(place) for place in range(len(values))]
    low, span = min(numbers), max(numbers) - min(numbers)
    places = {value: (number - low) / span for value, number in zip(values, numbers, strict=True)}
    ends = values if len(values) <= BINS else [values[0], values[-1]]
    return Scale(places, [(places[value], value) for value in ends])


def importance(groups: Iterable[list[float]]) -> float:
    """Return the share of the scores' variance that is between groups, from 0 to 1: eta squared, a main effect alone."""
    kept = [group for group in groups if group]
    every = [score for group in kept for score in group]
    mean = fmean(every)
    whole = sum((score - mean) ** 2 for score in every)
    between = sum(len(group) * (fmean(group) - mean) ** 2 for group in kept)
    return between / whole if whole else 0.0


def _slice(key: str, values: list[str], scored: list[Outcome], heights: dict[str, float]) -> Slice:
    axis, size = scale(values), -(-len(values) // BINS)
    bin_of = {value: number // size for number, value in enumerate(values)}
    dots: list[tuple[float, float]] = []
    bins: dict[int, list[tuple[float, float]]] = {}
    for outcome in scored:
        value = _values(outcome)[key]
        dots.append((axis.places[value], heights[outcome.name]))
        bins.setdefault(bin_of[value], []).append(dots[-1])
    groups = [bins[number] for number in sorted(bins)]
    means = [(fmean(across for across, _ in group), fmean(up for _, up in group)) for group in groups]
    return Slice(key, axis, dots[:DRAWN], means, importance([up for _, up in group] for group in groups))


def page(aim: Aim, outcomes: list[Outcome], best: Best | None) -> str:
    """Return the page as HTML."""
    scored = aim.ranked(outcomes)
    scores = [outcome.scores[aim.metric] for outcome in scored] or [0.0]
    low, high = min(scores), max(scores)
    heights = {outcome.name: (outcome.scores[aim.metric] - low) / ((high - low) or 1) for outcome in scored}
    slices = [_slice(key, values, scored, heights) for key, values in varied(scored).items()]
    lines = [[*(part.scale.places[_values(o)[part.key]] for part in slices), heights[o.name]] for o in scored[:DRAWN]]
    ends = f"{low:.4f}", f"{high:.4f}"
    return render(
        "sweep/sweep.html.jinja",
        aim=aim,
        best=best,
        counts=counts(outcomes),
        slices=sorted(slices, key=lambda part: -part.importance),
        axes=[*((part.key, part.scale.labels) for part in slices), (aim.metric, list(enumerate(ends)))],
        lines=lines,
        ends=ends,
        scored=scored,
        unscored={outcome.name: outcome for outcome in outcomes if not outcome.scores}.values(),
        listed=LISTED,
        drawn=DRAWN,
    )
