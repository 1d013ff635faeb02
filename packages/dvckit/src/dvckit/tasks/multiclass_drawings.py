"""The figures of a task with several classes, on the curves of `Multiclass.curves`."""

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dvckit.tasks.base import FAINT, INK
from dvckit.tasks.binary_drawings import confusion_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours by Okabe and Ito, distinguishable for the colour-blind.
COLOURS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7")
DASHES = ("-", "--", ":", "-.")
MOST_CURVES = 10  # a figure with more is a tangle
MOST_COUNTS = 12  # classes up to which the counts fit into the cells
MOST_NAMES = 15  # names that fit beside the cells
LONGEST = 14  # characters of a name in a figure
BESIDE = 30  # characters that fit below the cells, one name beside the other
LINE, UPRIGHT = 0.2, 0.07  # inches: the height of a line of a legend, and of a character that stands upright


def short(name: str, most: int = LONGEST) -> str:
    """Return a name without its middle where it is long: names often begin alike."""
    return name if len(name) <= most else f"{name[: most // 2]}…{name[-(most // 2 - 1) :]}"


def roc(axes: "Axes", curve: pd.DataFrame, names: Mapping[str, str]) -> None:
    """Plot the ROC of each class against the others; of many, those with the smallest area."""
    curves = dict(list(curve.groupby("label", sort=False)))
    areas = {
        label: float(np.trapezoid(of["true_positive_rate"], of["false_positive_rate"])) for label, of in curves.items()
    }
    worst = sorted(areas, key=lambda label: areas[label])[:MOST_CURVES]
    chosen = [label for label in names if label in worst]
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle=":")
    styles = cycle((colour, dash) for dash in DASHES for colour in COLOURS)
    for label, (colour, dash) in zip(chosen, styles, strict=False):
        x, y = curves[label]["false_positive_rate"], curves[label]["true_positive_rate"]
        axes.plot(x, y, color=colour, linestyle=dash, linewidth=1.2, label=short(names[label]))
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC, each class against the others")
    axes.figure.legend(loc="outside lower center", ncols=2, frameon=False, columnspacing=1.0)
    _heighten(axes, LINE * (1 + len(chosen) // 2))


def _heighten(axes: "Axes", inches: float) -> None:
    figure = axes.get_figure(root=True)
    if figure is not None:
        figure.set_figheight(figure.get_figheight() + inches)


def confusion(axes: "Axes", rows: pd.DataFrame, names: Mapping[str, str]) -> None:
    """Plot the count of each pair of actual and predicted label."""
    counts = confusion_table(rows, names)
    places, count = np.arange(len(counts)) + 0.5, len(counts)
    axes.pcolormesh(counts, cmap="Blues", vmin=0, vmax=2 * counts.max(), edgecolor="white")
    for actual, predicted in np.argwhere(counts) if count <= MOST_COUNTS else ():
        number = counts[actual, predicted]
        text = str(number) if number < 1000 else f"{number / 1000:.0f}k"
        axes.text(predicted + 0.5, actual + 0.5, text, ha="center", va="center", size=10 if count > 6 else 13)
    step = -(-count // MOST_NAMES)
    shown = [short(name) for name in names.values()][::step]
    axes.set(xlabel="predicted", ylabel="actual", title="Confusion", xticks=places[::step], yticks=places[::step])
    long = max(map(len, shown))
    upright = long * len(shown) > BESIDE
    axes.set_xticklabels(shown, rotation=90 if upright else 0)
    axes.set_yticklabels(shown)
    _heighten(axes, UPRIGHT * long if upright else 0.0)
    axes.invert_yaxis()


def calibration(axes: "Axes", curve: pd.DataFrame, names: Mapping[str, str]) -> None:  # noqa: ARG001
    """Plot the share that is right over the probability of the predicted label; a dot's area is the number of its rows."""
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle=":")
    axes.plot(curve["predicted"], curve["observed"], color=INK, linewidth=0.8)
    axes.scatter(curve["predicted"], curve["observed"], s=150 * curve["rows"] / curve["rows"].max(), color=INK)
    axes.set(xlabel="probability of the predicted label", ylabel="share that is right", title="Calibration")


DRAWINGS = {drawing.__name__: drawing for drawing in (roc, confusion, calibration)}
