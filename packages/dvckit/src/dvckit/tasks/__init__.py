"""Tasks: the kinds of answer that a model gives, each with its metrics, intervals and tests."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dvckit.tasks.base import Task

# Losses and spreads, of any task or library: lower is better.
MINIMISED = ("loss", "log_loss", "brier", "error", "rmse", "mae", "mse", "accuracy_sd")
# The constant models of the tasks, by their names in reports/metrics.json.
BASELINES = {"majority": "majority class", "mean": "mean", "median": "median"}


def task_of(labels: Sequence[Any]) -> "Task":
    """Return the task of a target with these labels; without labels, it has values."""
    if not labels:
        from dvckit.tasks.regression import Regression

        return Regression()
    if len(labels) == 2:
        from dvckit.tasks.binary import Binary

        return Binary(labels)
    from dvckit.tasks.multiclass import Multiclass

    return Multiclass(labels)


def is_minimised(metric: str) -> bool:
    """Tell by the name of a metric, which may be a dotted key, whether lower is better."""
    name = metric.rpartition(".")[2].lower()
    return name in MINIMISED or name.endswith(("_loss", "_error", "_sd"))
