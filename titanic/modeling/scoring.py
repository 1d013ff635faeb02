"""Scores of a model on rows that it has not seen: a hold-out, and folds of the training rows."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import accuracy_score, log_loss, precision_recall_fscore_support, roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import Pipeline

from titanic.schema import MODEL_INPUT, TARGET
from titanic.stage import UserError

DIGITS = 6  # that are stored

Scores = dict[str, float]
Watcher = Callable[[list[Scores]], None]  # takes the scores of the folds so far, after each; what it raises ends them


def survival_chance(model: Pipeline, table: pd.DataFrame) -> np.ndarray:
    """Return the probability of survival of each row, shape (rows,)."""
    chances: np.ndarray = model.predict_proba(table[list(MODEL_INPUT)])
    return chances[:, 1]


def labels(chance: np.ndarray) -> np.ndarray:
    """Return 1 where survival is likelier than death, else 0, as scikit-learn's `predict` does."""
    return (chance > 0.5).astype("int64")


def scores(truth: pd.Series, chance: np.ndarray) -> Scores:
    """Return the scores that are compared everywhere."""
    return {
        "accuracy": accuracy_score(truth, labels(chance)),
        "roc_auc": roc_auc_score(truth, chance),
        "log_loss": log_loss(truth, chance),
    }


def holdout_scores(truth: pd.Series, chance: np.ndarray) -> Scores:
    """Score predictions for rows that the model has not seen."""
    common = scores(truth, chance)
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, labels(chance), average="binary", zero_division=0.0
    )
    return {
        "accuracy": common["accuracy"],
        "roc_auc": common["roc_auc"],
        "f1": f1,
        "precision": precision,
        "recall": recall,
        "log_loss": common["log_loss"],
    }


def fold_scores(
    model: Pipeline,
    table: pd.DataFrame,
    *,
    folds: int,
    repeats: int = 1,
    seed: int,
    share: float = 1.0,
    watcher: Watcher | None = None,
) -> pd.DataFrame:
    """Refit the model's recipe on stratified folds; return accuracy, roc_auc and log_loss, a row for each fold.

    Of each fold's training rows a `share` is taken, of each label. UserError where a label has fewer rows than there are
    folds.
    """
    rarest = table[TARGET].value_counts().min()
    if rarest < folds:
        raise UserError(f"{folds} folds need as many training rows of each label, and one has {rarest}; lower `folds`")
    parts = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed).split(table, table[TARGET])
    told: list[Scores] = []
    for inside, outside in parts:
        told.append(_refit_scores(model, table.iloc[inside], table.iloc[outside], share, seed))
        if watcher:
            watcher(told)
    return pd.DataFrame(told)


def _refit_scores(model: Pipeline, inside: pd.DataFrame, outside: pd.DataFrame, share: float, seed: int) -> Scores:
    if share < 1:
        rows = inside.groupby(TARGET)
        inside = pd.concat([part.sample(max(1, round(share * len(part))), random_state=seed) for _, part in rows])
    return scores(outside[TARGET], survival_chance(refitted(model, inside), outside))


def refitted(model: Pipeline, table: pd.DataFrame) -> Pipeline:
    """Return the model's recipe, fitted on all rows of a table."""
    return clone(model).fit(table[list(MODEL_INPUT)], table[TARGET])


def cross_validation(over_folds: pd.DataFrame) -> Scores:
    """Average scores over folds; `accuracy_sd` is the standard deviation between folds."""
    mean = over_folds.mean()
    return {
        "accuracy": mean["accuracy"],
        "accuracy_sd": over_folds["accuracy"].std(),
        "roc_auc": mean["roc_auc"],
        "log_loss": mean["log_loss"],
    }


def rounded(scores: Scores) -> Scores:
    """Round to the digits that are stored."""
    return {name: round(float(score), DIGITS) for name, score in scores.items()}
