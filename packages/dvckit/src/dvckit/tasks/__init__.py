"""Tasks: the kinds of answer that a model gives, each with its metrics, intervals and tests."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dvckit.tasks.base import Task

# Losses and spreads, of any task or library: lower is better.
MINIMISED = ("loss", "log_loss", "brier", "error", "rmse", "mae", "mse", "accuracy_sd")


def task(name: str) -> "Task":
    """Return a task by its name."""
    from dvckit.tasks.binary import Binary

    return {"binary": Binary}[name]()


def is_minimised(metric: str) -> bool:
    """Tell by the name of a metric, which may be a dotted key, whether lower is better."""
    name = metric.rpartition(".")[2].lower()
    return name in MINIMISED or name.endswith(("_loss", "_error", "_sd"))
