"""Stage diagnose: the model and data/processed -> reports/diagnostics.json.

What a reader needs and an experiment does not: repeated cross-validation, slices of the hold-out, permutation importance.
"""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.inspection import permutation_importance
from sklearn.pipeline import Pipeline

from titanic.config import DIAGNOSTICS, MODEL, MODEL_CARD, PROCESSED, Diagnose, load_params
from titanic.modeling.artefact import load
from titanic.modeling.evaluate import fold_scores, folds_evaluation, labels, rounded, survival_chance
from titanic.modeling.uncertainty import wilson
from titanic.schema import MODEL_INPUT, TARGET, Features
from titanic.stage import write_json

SLICES = (Features.Sex, Features.Pclass, Features.AgeBand, Features.Embarked)


def slices(table: pd.DataFrame, predicted: np.ndarray) -> list[dict[str, Any]]:
    """Return count, share of survivors, and accuracy with its 95 % interval, on each value of the slicing columns."""
    right = table.assign(right=table[TARGET] == predicted)
    return [
        {
            "column": column,
            "value": str(value),
            "rows": len(part),
            "survived": round(float(part[TARGET].mean()), 3),
            "accuracy": round(float(part["right"].mean()), 3),
            "interval": [round(end, 3) for end in wilson(int(part["right"].sum()), len(part))],
        }
        for column in SLICES
        for value, part in right.fillna({column: "missing"}).groupby(column)
    ]


def importances(model: Pipeline, table: pd.DataFrame, params: Diagnose) -> list[dict[str, Any]]:
    """Return what the hold-out accuracy loses when a column is shuffled, the most important column first."""
    found = permutation_importance(
        model, table[list(MODEL_INPUT)], table[TARGET], n_repeats=params.repeats, random_state=params.seed
    )
    order = np.argsort(-found.importances_mean, kind="stable")
    return [
        {"column": MODEL_INPUT[i], **rounded({"mean": found.importances_mean[i], "sd": found.importances_std[i]})}
        for i in order
    ]


def main() -> None:
    """Run the stage."""
    params = load_params().diagnose
    model = load(MODEL, MODEL_CARD)
    train, holdout = (pd.read_parquet(PROCESSED / f"{name}.parquet") for name in ("train", "holdout"))
    scores = fold_scores(model, train, folds=params.folds, repeats=params.repeats, seed=params.seed)
    write_json(
        DIAGNOSTICS,
        {
            "repeated_cv": folds_evaluation(scores, params.folds),
            "slices": slices(holdout, labels(survival_chance(model, holdout))),
            "importance": importances(model, holdout, params),
        },
    )
