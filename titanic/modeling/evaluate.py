"""Stage evaluate: the model and data/processed -> scores, plot data and the submission.

reports/metrics.json has the scores that experiments are compared by; reports/evaluation.json how sure they are, and more.

An experiment waits for this stage, so it does what every experiment needs and no more.
"""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import Pipeline

from titanic.config import EVALUATION, METRICS, MODEL, MODEL_CARD, PLOTS, PROCESSED, SUBMISSION, load_params
from titanic.modeling.artefact import load
from titanic.modeling.uncertainty import calibration_error, folds_interval, roc_auc_interval, wilson, with_interval
from titanic.schema import KEY, MODEL_INPUT, TARGET, Features
from titanic.stage import UserError, write_json, write_table

DIGITS = 6
CALIBRATION_BINS = 10


def survival_chance(model: Pipeline, table: pd.DataFrame) -> np.ndarray:
    """Return the probability of survival of each row, shape (rows,)."""
    chances: np.ndarray = model.predict_proba(table[list(MODEL_INPUT)])
    return chances[:, 1]


def labels(chance: np.ndarray) -> np.ndarray:
    """Return 1 where survival is likelier than death, else 0, as scikit-learn's `predict` does."""
    return (chance > 0.5).astype("int64")


def holdout_scores(truth: pd.Series, chance: np.ndarray) -> dict[str, float]:
    """Score predictions for rows that the model has not seen."""
    predicted = labels(chance)
    return {
        "accuracy": accuracy_score(truth, predicted),
        "roc_auc": roc_auc_score(truth, chance),
        "f1": f1_score(truth, predicted, zero_division=0.0),
        "precision": precision_score(truth, predicted, zero_division=0.0),
        "recall": recall_score(truth, predicted, zero_division=0.0),
        "log_loss": log_loss(truth, chance),
    }


def fold_scores(model: Pipeline, table: pd.DataFrame, *, folds: int, repeats: int = 1, seed: int) -> pd.DataFrame:
    """Refit the model's recipe on stratified folds; return accuracy, roc_auc and log_loss, a row for each fold.

    UserError where a label has fewer rows than there are folds.
    """
    rarest = table[TARGET].value_counts().min()
    if rarest < folds:
        raise UserError(f"{folds} folds need as many training rows of each label, and one has {rarest}; lower `folds`")
    parts = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed).split(table, table[TARGET])
    return pd.DataFrame([_refit_score(model, table.iloc[inside], table.iloc[outside]) for inside, outside in parts])


def _refit_score(model: Pipeline, inside: pd.DataFrame, outside: pd.DataFrame) -> dict[str, float]:
    recipe = clone(model).fit(inside[list(MODEL_INPUT)], inside[TARGET])
    scores = holdout_scores(outside[TARGET], survival_chance(recipe, outside))
    return {name: scores[name] for name in ("accuracy", "roc_auc", "log_loss")}


def cross_validation(scores: pd.DataFrame) -> dict[str, float]:
    """Average scores over folds; `accuracy_sd` is the standard deviation between folds."""
    mean = scores.mean()
    return {
        "accuracy": mean["accuracy"],
        "accuracy_sd": scores["accuracy"].std(),
        "roc_auc": mean["roc_auc"],
        "log_loss": mean["log_loss"],
    }


def holdout_evaluation(truth: pd.Series, chance: np.ndarray) -> dict[str, Any]:
    """Return what the scores of a hold-out leave open: its size, intervals, and how far chances can be taken at their word."""
    right = int((truth == labels(chance)).sum())
    return {
        "rows": len(truth),
        "accuracy": with_interval(right / len(truth), wilson(right, len(truth)), DIGITS),
        "roc_auc": with_interval(roc_auc_score(truth, chance), roc_auc_interval(truth, chance), DIGITS),
        "average_precision": round(float(average_precision_score(truth, chance)), DIGITS),
        "brier": round(float(brier_score_loss(truth, chance)), DIGITS),
        "calibration_error": round(calibration_error(truth, chance, CALIBRATION_BINS), DIGITS),
    }


def folds_evaluation(scores: pd.DataFrame, folds: int) -> dict[str, Any]:
    """Return each score's mean over folds with its interval, within what the score can be."""
    means = {}
    for name, column in scores.items():
        most = np.inf if name == "log_loss" else 1.0
        low, high = np.clip(folds_interval(column, folds), 0.0, most).tolist()
        means[str(name)] = with_interval(column.mean(), (low, high), DIGITS)
    return {"fits": len(scores), **means}


def baselines(train: pd.DataFrame, holdout: pd.DataFrame) -> dict[str, float]:
    """Return the hold-out accuracy of two rules: the commoner label of the training rows; women and girls survive."""
    commoner = int(train[TARGET].mean() > 0.5)
    return {
        "majority": float((holdout[TARGET] == commoner).mean()),
        "gender": float((holdout[TARGET] == (holdout[Features.Sex] == "female")).mean()),
    }


def curves(truth: pd.Series, chance: np.ndarray) -> dict[str, pd.DataFrame]:
    """Return the data of the plots by name, each a table of two columns."""
    false_positive, true_positive, _ = roc_curve(truth, chance)
    precision, recall, _ = precision_recall_curve(truth, chance)
    observed, predicted = calibration_curve(truth, chance, n_bins=CALIBRATION_BINS)
    return {
        "roc": pd.DataFrame({"false_positive_rate": false_positive, "true_positive_rate": true_positive}),
        "precision_recall": pd.DataFrame({"recall": recall, "precision": precision}),
        "calibration": pd.DataFrame({"predicted": predicted, "observed": observed}),
        "confusion": pd.DataFrame({"actual": truth.to_numpy(), "predicted": labels(chance)}),
    }


def rounded(scores: dict[str, float]) -> dict[str, float]:
    """Round to the digits that are stored."""
    return {name: round(float(score), DIGITS) for name, score in scores.items()}


def main() -> None:
    """Run the stage."""
    params = load_params().evaluate
    model = load(MODEL, MODEL_CARD)
    train, holdout, test = (pd.read_parquet(PROCESSED / f"{name}.parquet") for name in ("train", "holdout", "test"))
    chance = survival_chance(model, holdout)
    scores = fold_scores(model, train, folds=params.folds, seed=params.seed)
    metrics = {
        "holdout": rounded(holdout_scores(holdout[TARGET], chance)),
        "cv": rounded(cross_validation(scores)),
        "baseline": rounded(baselines(train, holdout)),
    }
    evaluation = {
        "holdout": holdout_evaluation(holdout[TARGET], chance),
        "cv": folds_evaluation(scores, params.folds),
    }
    submission = pd.DataFrame({KEY: test[KEY], TARGET: labels(survival_chance(model, test))})
    write_json(METRICS, metrics)
    write_json(EVALUATION, evaluation)
    for name, curve in curves(holdout[TARGET], chance).items():
        write_table(PLOTS / f"{name}.csv", curve.round(DIGITS))
    write_table(SUBMISSION, submission)
