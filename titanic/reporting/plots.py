"""The figures of the report, as SVG text that is the same on every machine."""

import io
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType

# From matplotlib's own defaults, so that a user's matplotlibrc has no say.
STYLE: dict[RcKeyType, Any] = {"svg.fonttype": "none", "font.family": "DejaVu Sans", "font.size": 9.0}
INK, FAINT = "#1d4f91", "#767676"


def roc(axes: Axes, curve: pd.DataFrame) -> None:
    """Draw the true positive rate over the false positive rate."""
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle=":")
    axes.plot(curve["false_positive_rate"], curve["true_positive_rate"], color=INK)
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC")


def precision_recall(axes: Axes, curve: pd.DataFrame) -> None:
    """Draw precision over recall."""
    axes.plot(curve["recall"], curve["precision"], color=INK)
    axes.set(xlabel="recall", ylabel="precision", title="Precision and recall", ylim=(0, 1.05))


def calibration(axes: Axes, curve: pd.DataFrame) -> None:
    """Draw the share that survived over the predicted chance, in bins."""
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle=":")
    axes.plot(curve["predicted"], curve["observed"], color=INK, marker="o")
    axes.set(xlabel="predicted chance of survival", ylabel="share that survived", title="Calibration")


def confusion(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the count of each pair of actual and predicted label."""
    counts = pd.crosstab(rows["actual"], rows["predicted"]).reindex(index=[0, 1], columns=[0, 1], fill_value=0)
    axes.imshow(counts.to_numpy(), cmap="Blues", vmin=0, vmax=2 * counts.to_numpy().max())
    for actual in (0, 1):
        for predicted in (0, 1):
            axes.text(predicted, actual, str(counts.loc[actual, predicted]), ha="center", va="center", fontsize=14)
    names = ["died", "survived"]
    axes.set(xlabel="predicted", ylabel="actual", title="Confusion", xticks=[0, 1], yticks=[0, 1])
    axes.set_xticklabels(names)
    axes.set_yticklabels(names, rotation=90, va="center")


# Named after the files in reports/plots.
DRAWINGS: dict[str, Callable[[Axes, pd.DataFrame], None]] = {
    "roc": roc,
    "precision_recall": precision_recall,
    "calibration": calibration,
    "confusion": confusion,
}


def draw(name: str, data: pd.DataFrame) -> str:
    """Return the figure `name` of `DRAWINGS` as SVG, 4 by 3.6 inches, with no time and no random id in it."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**STYLE, "svg.hashsalt": name})
        figure = Figure(figsize=(4, 3.6), layout="constrained")
        DRAWINGS[name](figure.add_subplot(), data)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
