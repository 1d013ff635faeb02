"""reports/sweep.html: what a sweep gave, on one page that needs no network.

Places in the drawings run from 0 to 1, from left to right and from bottom to top; the template makes SVG of them.
"""

from typing import NamedTuple

import pandas as pd

from dvckit.reports.templates import render
from dvckit.sweep.trial import Aim, Outcome

DRAWN = 1_000  # trials, the best, in a drawing
LISTED = 50  # in the table
BINS = 8  # of a parameter with more values than that


class Axis(NamedTuple):
    """An axis of a drawing: the place of each trial, and labels with theirs."""

    title: str
    places: "pd.Series[float]"
    labels: list[tuple[float, str]]


class Slice(NamedTuple):
    """The scores over one parameter, their means, and the share of their variance that the parameter explains."""

    axis: Axis
    dots: list[tuple[float, float]]
    means: list[tuple[float, float]]
    importance: float


def axis(key: str, values: "pd.Series[str]") -> Axis:
    """Place values on an axis: numbers by their size, others one beside the other."""
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.isna().any():
        numbers = pd.Series(pd.factorize(values)[0])
    places = (numbers - numbers.min()) / (numbers.max() - numbers.min())
    labels = sorted(set(zip(places, values, strict=True)))
    return Axis(key, places, labels if len(labels) <= BINS else [labels[0], labels[-1]])


def slice_of(along: Axis, heights: "pd.Series[float]") -> Slice:
    """Return the scores over one parameter; where it has many values, neighbours share a mean.

    Its importance is eta squared, from 0 to 1: the share of the variance that is between the means.
    """
    rank = along.places.rank(method="dense") - 1
    groups = rank // -(-(rank.max() + 1) // BINS)
    across, up = (places.groupby(groups).mean() for places in (along.places, heights))
    between, whole = heights.groupby(groups).transform("mean").var(ddof=0), heights.var(ddof=0)
    dots = zip(along.places[:DRAWN], heights[:DRAWN], strict=True)
    return Slice(along, list(dots), list(zip(across, up, strict=True)), between / whole if whole else 0.0)


def page(aim: Aim, outcomes: list[Outcome], verdict: list[str]) -> str:
    """Return the page as HTML; `verdict` is what the terminal shows."""
    scored = aim.ranked(outcomes)
    scores = pd.Series([outcome.scores[aim.metric] for outcome in scored], dtype=float)
    values = pd.DataFrame([dict(text.split("=", 1) for text in outcome.configuration) for outcome in scored], dtype=str)
    low, high = scores.min(), scores.max()
    height = Axis(aim.metric, (scores - low) / ((high - low) or 1), [(0, f"{low:.4f}"), (1, f"{high:.4f}")])
    slices = [slice_of(axis(str(key), of), height.places) for key, of in values.items() if len(set(of)) > 1]
    axes = [*(part.axis for part in slices), height]
    return render(
        "sweep/sweep.html.jinja",
        aim=aim,
        verdict=verdict,
        slices=sorted(slices, key=lambda part: -part.importance),
        axes=axes,
        lines=list(zip(*(along.places[:DRAWN] for along in axes), strict=True)),
        scored=scored,
        unscored={outcome.name: outcome for outcome in outcomes if not outcome.scores}.values(),
        best=scored[:LISTED],
    )
