"""reports/sweep.html: what a sweep found, on one page that needs no network.

Places in the drawings run from 0 to 1, from left to right and from bottom to top; the template makes SVG of them.
"""

from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from titanic.experiments.best import Best
from titanic.experiments.summary import counts
from titanic.experiments.sweep import Aim, Outcome

DRAWN = 1_000  # points, the best, in a drawing
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
    found: dict[str, dict[str, None]] = {}
    for outcome in outcomes:
        for assignment in outcome.point:
            key, _, value = assignment.partition("=")
            found.setdefault(key, {})[value] = None
    return {key: _ordered(list(values)) for key, values in found.items() if len(values) > 1}


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
    """Return the share of the scores' variance that lies between groups, from 0 to 1: eta squared, a main effect alone."""
    kept = [group for group in groups if group]
    every = [score for group in kept for score in group]
    mean = fmean(every)
    whole = sum((score - mean) ** 2 for score in every)
    between = sum(len(group) * (fmean(group) - mean) ** 2 for group in kept)
    return between / whole if whole else 0.0


def _slice(key: str, values: list[str], scored: list[Outcome], aim: Aim, heights: dict[str, float]) -> Slice:
    axis = scale(values)
    by_value: dict[str, list[Outcome]] = {value: [] for value in values}
    for outcome in scored:
        by_value[_value(outcome, key)].append(outcome)
    step = -(-len(values) // BINS)
    bins = [[found for value in values[i : i + step] for found in by_value[value]] for i in range(0, len(values), step)]
    filled = [group for group in bins if group]
    return Slice(
        key,
        axis,
        [(axis.places[_value(outcome, key)], heights[outcome.name]) for outcome in scored[:DRAWN]],
        [
            (fmean(axis.places[_value(o, key)] for o in group), fmean(heights[o.name] for o in group))
            for group in filled
        ],
        importance([[outcome.scores[aim.metric] for outcome in group] for group in filled]),
    )


def _value(outcome: Outcome, key: str) -> str:
    return next(value for name, _, value in (text.partition("=") for text in outcome.point) if name == key)


def page(aim: Aim, outcomes: list[Outcome], best: Best | None) -> str:
    """Return the page as HTML."""
    scored = aim.ranked(outcomes)
    scores = [outcome.scores[aim.metric] for outcome in scored] or [0.0]
    low, high = min(scores), max(scores)
    heights = {outcome.name: (outcome.scores[aim.metric] - low) / ((high - low) or 1) for outcome in scored}
    slices = [_slice(key, values, scored, aim, heights) for key, values in varied(scored).items()]
    lines = [[*(part.scale.places[_value(o, part.key)] for part in slices), heights[o.name]] for o in scored[:DRAWN]]
    told: dict[str, Any] = {
        "aim": aim,
        "best": best,
        "counts": counts(outcomes),
        "slices": sorted(slices, key=lambda part: -part.importance),
        "axes": [(part.key, part.scale.labels) for part in slices]
        + [(aim.metric, [(0, f"{low:.4f}"), (1, f"{high:.4f}")])],
        "lines": lines,
        "ends": (f"{low:.4f}", f"{high:.4f}"),
        "scored": scored,
        "unscored": {outcome.name: outcome for outcome in outcomes if not outcome.scores}.values(),
        "listed": LISTED,
        "drawn": DRAWN,
    }
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("sweep.html.jinja").render(told)
