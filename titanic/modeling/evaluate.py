"""Stage evaluate: the model and data/processed -> scores, plot data and the submission.

reports/metrics.json has the scores that experiments are compared by; reports/evaluation.json how sure they are, and more.

An experiment waits for this stage, so it does what every experiment needs and no more.
"""

import hashlib
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, brier_score_loss, precision_recall_curve, roc_auc_score, roc_curve

from titanic.config import EVALUATION, METRICS, MODEL, MODEL_CARD, PLOTS, PROCESSED, SUBMISSION, load_params
from titanic.modeling import leaks
from titanic.modeling.artefact import load
from titanic.modeling.scoring import (
    DIGITS,
    Watcher,
    cross_validation,
    fold_scores,
    holdout_scores,
    labels,
    rounded,
    scores,
    survival_chance,
)
from titanic.modeling.uncertainty import (
    calibration,
    calibration_error,
    folds_interval,
    roc_auc_interval,
    wilson,
    with_interval,
)
from titanic.schema import KEY, TARGET, Features
from titanic.stage import UserError, write_json, write_table

CALIBRATION_BINS = 10


def holdout_evaluation(truth: pd.Series, chance: np.ndarray) -> dict[str, Any]:
    """Return what the scores of a hold-out leave open: its size, intervals, and how far chances can be taken at their word."""
    right = int((truth == labels(chance)).sum())
    return {
        "rows": len(truth),
        "accuracy": with_interval(right / len(truth), wilson(right, len(truth)), DIGITS),
        "roc_auc": with_interval(roc_auc_score(truth, chance), roc_auc_interval(truth, chance), DIGITS),
        "average_precision": round(float(average_precision_score(truth, chance)), DIGITS),
        "brier": round(float(brier_score_loss(truth, chance)), DIGITS),
        "calibration_error": round(calibration_error(calibration(truth, chance, CALIBRATION_BINS)), DIGITS),
    }


def folds_evaluation(over_folds: pd.DataFrame, folds: int, *, least: float = 0.0) -> dict[str, Any]:
    """Return each score's mean over folds with its interval, within what the score (or a difference of two) can be."""
    means = {}
    for name, column in over_folds.items():
        scale = np.inf if name == "log_loss" else 1.0
        low, high = np.clip(folds_interval(column, folds), least * scale if least else 0.0, scale).tolist()
        means[str(name)] = with_interval(column.mean(), (low, high), DIGITS)
    return {"fits": len(over_folds), **means}


def each_fold(over_folds: pd.DataFrame, table: pd.DataFrame, folds: int, seed: int) -> dict[str, Any]:
    """Return the scores of each fold, and in `rows` a hash of the labelled rows and how they were dealt.

    Two models that were scored on the same rows can be compared fold by fold.
    """
    rows = hashlib.sha256(f"{folds} {seed} ".encode())
    rows.update(pd.util.hash_pandas_object(table[[KEY, TARGET]], index=False).to_numpy().tobytes())
    return {
        "rows": rows.hexdigest()[:16],
        **{str(name): scores.tolist() for name, scores in over_folds.round(DIGITS).items()},
    }


def baselines(train: pd.DataFrame, holdout: pd.DataFrame) -> dict[str, float]:
    """Return the hold-out accuracy of two rules: the commoner label of the training rows; women and girls survive."""
    commoner = int(train[TARGET].mean() > 0.5)
    return {
        "majority": float((holdout[TARGET] == commoner).mean()),
        "gender": float((holdout[TARGET] == (holdout[Features.Sex] == "female")).mean()),
    }


def curves(truth: pd.Series, chance: np.ndarray) -> dict[str, pd.DataFrame]:
    """Return the data of the plots by name."""
    false_positive, true_positive, _ = roc_curve(truth, chance)
    precision, recall, _ = precision_recall_curve(truth, chance)
    return {
        "roc": pd.DataFrame({"false_positive_rate": false_positive, "true_positive_rate": true_positive}),
        "precision_recall": pd.DataFrame({"recall": recall, "precision": precision}),
        "calibration": calibration(truth, chance, CALIBRATION_BINS),
        "confusion": pd.DataFrame({"actual": truth.to_numpy(), "predicted": labels(chance)}),
    }


def check_reproduced(truth: pd.Series, chance: np.ndarray, told: dict[str, Any]) -> None:
    """Refuse (UserError) a model that does not score on its training rows what stage train noted in model.json."""
    found = rounded(scores(truth, chance))
    if found != told:
        raise UserError(
            f"{MODEL} scores {found} on {PROCESSED}/train.parquet, and {told} when it was trained: model and rows do "
            "not belong together; run `dvc repro --force train`"
        )


def main(watcher: Watcher | None = None) -> None:
    """Run the stage; a watcher of the folds may end it."""
    params = load_params().evaluate
    model, card = load(MODEL, MODEL_CARD)
    train, holdout, test = (pd.read_parquet(PROCESSED / f"{name}.parquet") for name in ("train", "holdout", "test"))
    every = survival_chance(model, pd.concat([train, holdout, test]))  # a call costs more than its rows
    of_train, chance, of_test = np.split(every, [len(train), len(train) + len(holdout)])
    check_reproduced(train[TARGET], of_train, card.get("training", {}))
    over_folds = fold_scores(model, train, folds=params.folds, seed=params.seed, watcher=watcher)
    metrics = {
        "holdout": rounded(holdout_scores(holdout[TARGET], chance)),
        "cv": rounded(cross_validation(over_folds)),
        "baseline": rounded(baselines(train, holdout)),
    }
    evaluation = {
        "holdout": holdout_evaluation(holdout[TARGET], chance),
        "cv": folds_evaluation(over_folds, params.folds),
        "folds": each_fold(over_folds, train, params.folds, params.seed),
    }
    evaluation["checks"] = leaks.checked(
        holdout_rows_in_training=leaks.in_both(train, holdout),
        features_that_tell_the_target=leaks.tells(train),
        holdout_above_cross_validation=leaks.too_good(evaluation["holdout"], evaluation["cv"]),
    )
    submission = pd.DataFrame({KEY: test[KEY], TARGET: labels(of_test)})
    write_json(METRICS, metrics)
    write_json(EVALUATION, evaluation)
    for name, curve in curves(holdout[TARGET], chance).items():
        write_table(PLOTS / f"{name}.csv", curve.round(DIGITS))
    write_table(SUBMISSION, submission)
