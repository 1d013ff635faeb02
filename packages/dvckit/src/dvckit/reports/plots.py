"""The figures of the report, as SVG text that is the same on every machine.

They are made for a phone of 360 pixels, where a figure of WIDTH fills the page and its text has 12 pixels. What a colour
shows, a place, a word or a kind of line shows, too.
"""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dvckit.core.layout import PLOTS
from dvckit.tasks.base import FAINT, INK, Task, Words

WIDTH, HEIGHT, LINE = 3.6, 3.3, 0.19  # inches; a figure with a list at its left is higher where that is long
# From matplotlib's own defaults, so that a user's matplotlibrc has no say. Where DejaVu Sans is missing, the reader's
# own sans-serif is narrower, so text that fits here fits there.
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.0,
    "axes.titlesize": "medium",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
}
PALE = "#d5d5d5"
MOST_IMPORTANT = 10  # columns that figure importance shows
LABELS = {"confusion": ("actual", "predicted"), "roc": ("label",)}  # columns of curves
TWICE = 2  # an axis ends at so many times the largest error of a slice


def learning_curve(axes: Axes, curve: pd.DataFrame, task: Task) -> None:
    """Draw the headline metric over the rows that the model was fitted on, with its interval as a band."""
    metric = task.metrics[0]
    value, low, high = (curve[f"{metric.name}.{name}"] for name in ("value", "low", "high"))
    axes.fill_between(curve["rows"], low, high, color=PALE, linewidth=0)
    axes.plot(curve["rows"], value, color=INK, marker="o")
    axes.set(xlabel="training rows", ylabel=metric.title, title="Learning curve")
    axes.set_xlim(left=0)


def importance(axes: Axes, columns: pd.DataFrame, task: Task) -> None:
    """Draw how much worse the headline metric is without each of the most important columns, and its standard deviation."""
    first = columns.head(MOST_IMPORTANT)
    axes.axvline(0, color=FAINT, linewidth=0.8)
    axes.barh(first["column"], first["mean"], xerr=first["sd"], color=PALE, edgecolor=INK, ecolor=INK, capsize=3)
    axes.set(xlabel=f"{task.metrics[0].title} {task.metrics[0].cost}", title="Importance")
    axes.invert_yaxis()


def slices(axes: Axes, parts: pd.DataFrame, task: Task) -> None:
    """Draw the headline metric of each slice with its interval, below the column's name, and that of all as a line."""
    metric = task.metrics[0]
    names: list[str] = []
    places: list[int] = []  # of the values among the names
    for column, of_column in parts.groupby("column", sort=False):
        places += range(len(names) + 1, len(names) + 1 + len(of_column))
        counts = zip(of_column["value"], of_column["rows"], strict=True)
        names += [str(column), *(f"{value} ({rows})" for value, rows in counts)]
    low, high = np.array(parts["interval"].to_list()).T
    axes.axvline(task.overall(parts[metric.name], parts["rows"]), color=FAINT, linestyle="--")
    axes.hlines(places, low, high, color=INK)
    axes.plot(parts[metric.name], places, "o", color=INK)
    axes.set(xlabel=metric.title, title="Slices of the hold-out", yticks=range(len(names)))
    if metric.most <= 1:
        axes.set_xlim(-0.03, 1.03)
    else:  # an interval of few rows may be as wide as it likes
        axes.set_xlim(0, 1.05 * min(high.max(), TWICE * parts[metric.name].max()))
    for place, label in enumerate(axes.set_yticklabels(names)):
        label.set_fontweight("normal" if place in places else "bold")
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.3, -0.9)


# Named after the lists in reports/diagnostics.json.
DIAGNOSTICS = {"learning_curve": learning_curve, "importance": importance, "slices": slices}


def read_curves(task: Task) -> dict[str, pd.DataFrame]:
    """Read the data of the task's figures that stage evaluate has left; labels are text, whatever they look like."""
    return {
        name: pd.read_csv(
            PLOTS / f"{name}.csv", dtype=dict.fromkeys(LABELS.get(name, ()), "str"), keep_default_na=False
        )
        for name in task.drawings
    }


def figures(task: Task, words: Words, curves: dict[str, pd.DataFrame], diagnostics: dict[str, Any]) -> dict[str, str]:
    """Return every figure as SVG by name: the task's, of `curves`, then those of `diagnostics`."""
    names = task.names(words)
    return {name: draw(name, drawing, curves[name], names) for name, drawing in task.drawings.items()} | {
        name: draw(name, drawing, pd.json_normalize(diagnostics[name]), task) for name, drawing in DIAGNOSTICS.items()
    }


def draw(name: str, drawing: Callable[..., None], *about: object) -> str:
    """Return as SVG what `drawing` draws into axes, with no time and no random id in it; it is WIDTH inches wide."""
    with style.context({**STYLE, "svg.hashsalt": name}, after_reset=True):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        drawing(axes, *about)
        figure.set_figheight(max(figure.get_figheight(), 1 + LINE * len(axes.get_yticks())))
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
        return buffer.getvalue()


def overlay(axes: Axes, lines: list[tuple[pd.DataFrame, str, str]]) -> None:
    """Draw lines over one another: of each the curve, of which the first two columns are drawn, its colour and dashes."""
    for curve, colour, dash in lines:
        dashes: Any = (0, [float(part) for part in dash.split()]) if dash else "-"
        axes.plot(curve.iloc[:, 0], curve.iloc[:, 1], color=colour, linestyle=dashes, linewidth=1.2)
    x, y = (str(column).replace("_", " ") for column in lines[0][0].columns[:2])
    axes.set(xlabel=x, ylabel=y)
