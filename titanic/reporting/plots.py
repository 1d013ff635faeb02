"""The figures of the report, as SVG text that is the same on every machine.

They are made for a phone of 360 pixels, where a figure of WIDTH fills the page and its text has 12 pixels. What a colour
tells is told by a place, a word or a kind of line, too.
"""

import io
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType

WIDTH, HEIGHT, LINE = 3.6, 3.3, 0.19  # inches; a figure with a list at its left is higher where the list is long
# From matplotlib's own defaults, so that a user's matplotlibrc has no say. Where DejaVu Sans is missing, the reader's
# own sans-serif is narrower, so text that fits here fits there.
STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.0,
    "axes.titlesize": "medium",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
}
INK, FAINT, PALE = "#1d4f91", "#767676", "#d5d5d5"
MOST_IMPORTANT = 10  # columns that figure importance shows


def roc(axes: Axes, curve: pd.DataFrame) -> None:
    """Draw the true positive rate over the false positive rate."""
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle=":")
    axes.plot(curve["false_positive_rate"], curve["true_positive_rate"], color=INK)
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC")


def precision_recall(axes: Axes, curve: pd.DataFrame) -> None:
    """Draw precision over recall; its first row calls everyone a survivor."""
    axes.axhline(curve["precision"].iloc[0], color=FAINT, linestyle=":")
    axes.plot(curve["recall"], curve["precision"], color=INK, drawstyle="steps-post")
    axes.set(xlabel="recall", ylabel="precision", title="Precision and recall", ylim=(0, 1.05))


def calibration(axes: Axes, curve: pd.DataFrame) -> None:
    """Draw the share that survived over the predicted chance, in bins; a dot's area is the number of its rows."""
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle=":")
    axes.plot(curve["predicted"], curve["observed"], color=INK, linewidth=0.8)
    axes.scatter(curve["predicted"], curve["observed"], s=150 * curve["rows"] / curve["rows"].max(), color=INK)
    axes.set(xlabel="predicted chance of survival", ylabel="share that survived", title="Calibration")


def confusion(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the count of each pair of actual and predicted label."""
    counts = pd.crosstab(rows["actual"], rows["predicted"]).reindex(index=[0, 1], columns=[0, 1], fill_value=0)
    axes.pcolormesh(counts.to_numpy(), cmap="Blues", vmin=0, vmax=2 * counts.to_numpy().max(), edgecolor="white")
    for actual in (0, 1):
        for predicted in (0, 1):
            x, y = predicted + 0.5, actual + 0.5
            axes.text(x, y - 0.06, str(counts.loc[actual, predicted]), ha="center", va="center", fontsize=16)
            axes.text(x, y + 0.14, "right" if actual == predicted else "wrong", ha="center", va="center")
    names = ["died", "survived"]
    axes.set(xlabel="predicted", ylabel="actual", title="Confusion", xticks=[0.5, 1.5], yticks=[0.5, 1.5])
    axes.set_xticklabels(names)
    axes.set_yticklabels(names, rotation=90, va="center")
    axes.invert_yaxis()


def learning_curve(axes: Axes, curve: pd.DataFrame) -> None:
    """Draw the accuracy over the rows that the model was fitted on, with its interval as a band."""
    value, low, high = (curve[f"accuracy.{name}"] for name in ("value", "low", "high"))
    axes.fill_between(curve["rows"], low, high, color=PALE, linewidth=0)
    axes.plot(curve["rows"], value, color=INK, marker="o")
    axes.set(xlabel="training rows", ylabel="accuracy", title="Learning curve")
    axes.set_xlim(left=0)


def importance(axes: Axes, columns: pd.DataFrame) -> None:
    """Draw the accuracy that is lost without each of the most important columns, and its standard deviation."""
    first = columns.head(MOST_IMPORTANT)
    axes.axvline(0, color=FAINT, linewidth=0.8)
    axes.barh(first["column"], first["mean"], xerr=first["sd"], color=PALE, edgecolor=INK, ecolor=INK, capsize=3)
    axes.set(xlabel="accuracy lost", title="Importance")
    axes.invert_yaxis()


def slices(axes: Axes, parts: pd.DataFrame) -> None:
    """Draw the accuracy of each part of the rows with its interval, below the column's name, and that of all as a line."""
    names, places = _grouped(parts)
    low, high = np.array(parts["interval"].to_list()).T
    axes.axvline(np.average(parts["accuracy"], weights=parts["rows"]), color=FAINT, linestyle="--")
    axes.hlines(places, low, high, color=INK)
    axes.plot(parts["accuracy"], places, "o", color=INK)
    axes.set(xlabel="accuracy", title="Parts of the hold-out", xlim=(-0.03, 1.03), yticks=range(len(names)))
    for label, place in zip(axes.set_yticklabels(names), range(len(names)), strict=True):
        label.set_fontweight("normal" if place in places else "bold")
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.3, -0.9)


def _grouped(parts: pd.DataFrame) -> tuple[list[str], list[int]]:
    """Return a line of text for each column and each of its values, and the places of the values among them."""
    names: list[str] = []
    places: list[int] = []
    for column, rows in parts.groupby("column", sort=False):
        names.append(str(column))
        places += range(len(names), len(names) + len(rows))
        names += [f"{value} ({count})" for value, count in zip(rows["value"], rows["rows"], strict=True)]
    return names, places


# Named after the files in reports/plots, then after the lists in reports/diagnostics.json.
DRAWINGS: dict[str, Callable[[Axes, pd.DataFrame], None]] = {
    "roc": roc,
    "precision_recall": precision_recall,
    "calibration": calibration,
    "confusion": confusion,
    "learning_curve": learning_curve,
    "importance": importance,
    "slices": slices,
}


def draw(name: str, data: pd.DataFrame) -> str:
    """Return the figure `name` of `DRAWINGS` as SVG, WIDTH inches wide, with no time and no random id in it."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**STYLE, "svg.hashsalt": name})
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        DRAWINGS[name](axes, data)
        figure.set_figheight(max(HEIGHT, 1 + LINE * len(axes.get_yticks())))
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
