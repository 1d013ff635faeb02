"""The figures of a task with values, on the curves of `Regression.curves`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from dvckit.tasks.base import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TICKS = 5  # long numbers would run into one another


def predicted_true(axes: "Axes", rows: pd.DataFrame, names: Mapping[str, str]) -> None:  # noqa: ARG001
    """Plot true over predicted values."""
    axes.axline((rows["true"].mean(),) * 2, slope=1, color=FAINT, linestyle=":")
    axes.scatter(rows["predicted"], rows["true"], s=9, color=INK, alpha=0.5, linewidth=0)
    axes.set(xlabel="predicted", ylabel="true", title="Predicted and true")
    axes.locator_params(nbins=TICKS)


def residuals(axes: "Axes", rows: pd.DataFrame, names: Mapping[str, str]) -> None:  # noqa: ARG001
    """Plot true less predicted values over predicted ones."""
    axes.axhline(0, color=FAINT, linestyle=":")
    axes.scatter(rows["predicted"], rows["residual"], s=9, color=INK, alpha=0.5, linewidth=0)
    axes.set(xlabel="predicted", ylabel="true less predicted", title="Residuals")
    axes.locator_params(nbins=TICKS)


def errors(axes: "Axes", curve: pd.DataFrame, names: Mapping[str, str]) -> None:  # noqa: ARG001
    """Plot the share of the rows with at most an absolute error."""
    axes.plot(curve["absolute_error"], curve["share"], color=INK, drawstyle="steps-post")
    axes.set(xlabel="absolute error", ylabel="share of rows with at most that", title="Errors", ylim=(0, 1.02))
    axes.set_xlim(left=0)
    axes.locator_params(axis="x", nbins=TICKS)


DRAWINGS = {drawing.__name__: drawing for drawing in (predicted_true, residuals, errors)}
