"""Tasks: the kinds of answer that a model gives, each with its metrics, intervals and tests."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dvckit.tasks.base import Task

# Losses, errors and spreads, of any task or library: a metric with one of these words in its name is better where lower.
MINIMISED = {
    *("aic", "bic", "brier", "cer", "crossentropy", "deviance", "ece", "entropy", "err", "error", "errors", "hinge"),
    *("logloss", "loss", "mae", "mape", "medae", "mse", "msle", "nll", "perplexity", "residual", "residuals", "rmse"),
    *("rmsle", "rss", "sd", "smape", "std", "wer"),
}
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
    words = re.split(r"[^a-z]+", metric.rpartition(".")[2].lower())
    return not MINIMISED.isdisjoint(words) and "neg" not in words  # scikit-learn's neg_log_loss
