"""The figures of a task with two classes, on the curves of `Binary.curves`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from dvckit.tasks.base import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def roc(axes: "Axes", curve: pd.DataFrame, names: Mapping[str, str]) -> None:  # noqa: ARG001
    """Plot the true positive rate over the false positive rate."""
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle=":")
    axes.plot(curve["false_positive_rate"], curve["true_positive_rate"], color=INK)
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC")


def precision_recall(axes: "Axes", curve: pd.DataFrame, names: Mapping[str, str]) -> None:  # noqa: ARG001
    """Plot precision over recall; its first row labels every row 1."""
    axes.axhline(curve["precision"].iloc[0], color=FAINT, linestyle=":")
    axes.plot(curve["recall"], curve["precision"], color=INK, drawstyle="steps-post")
    axes.set(xlabel="recall", ylabel="precision", title="Precision and recall", ylim=(0, 1.05))


def calibration(axes: "Axes", curve: pd.DataFrame, names: Mapping[str, str]) -> None:
    """Plot the observed share over the predicted probability, in bins; a dot's area is the number of its rows."""
    positive = list(names.values())[1]
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle=":")
    axes.plot(curve["predicted"], curve["observed"], color=INK, linewidth=0.8)
    axes.scatter(curve["predicted"], curve["observed"], s=150 * curve["rows"] / curve["rows"].max(), color=INK)
    axes.set(
        xlabel=f"predicted probability: {positive}",
        ylabel=f"observed share: {positive}",
        title="Calibration",
    )


def confusion_table(rows: pd.DataFrame, names: Mapping[str, str]) -> npt.NDArray[np.int64]:
    """Count each pair of actual and predicted label, shape (labels, labels)."""
    counts = pd.crosstab(rows["actual"], rows["predicted"])
    return counts.reindex(index=list(names), columns=list(names), fill_value=0).to_numpy()


def confusion(axes: "Axes", rows: pd.DataFrame, names: Mapping[str, str]) -> None:
    """Plot the count of each pair of actual and predicted label."""
    counts = confusion_table(rows, names)
    axes.pcolormesh(counts, cmap="Blues", vmin=0, vmax=2 * counts.max(), edgecolor="white")
    for actual in (0, 1):
        for predicted in (0, 1):
            x, y = predicted + 0.5, actual + 0.5
            axes.text(x, y - 0.06, str(counts[actual, predicted]), ha="center", va="center", fontsize=16)
            axes.text(x, y + 0.14, "right" if actual == predicted else "wrong", ha="center", va="center")
    axes.set(xlabel="predicted", ylabel="actual", title="Confusion", xticks=[0.5, 1.5], yticks=[0.5, 1.5])
    axes.set_xticklabels(names.values())
    axes.set_yticklabels(names.values(), rotation=90, va="center")
    axes.invert_yaxis()


DRAWINGS = {drawing.__name__: drawing for drawing in (roc, precision_recall, calibration, confusion)}
