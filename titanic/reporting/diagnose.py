"""Stage diagnose: the model, data/interim, data/features and data/processed -> reports/diagnostics.json.

What a reader needs and an experiment does not: repeated cross-validation beside the baselines, the learning curve, slices
of the hold-out, permutation importance, and the leak checks that refit the model.
"""

import re
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.inspection import permutation_importance
from sklearn.pipeline import Pipeline, make_pipeline

from titanic.config import DIAGNOSTICS, FEATURES, INTERIM, MODEL, MODEL_CARD, PROCESSED, Diagnose, load_params
from titanic.features import featurize
from titanic.modeling import leaks
from titanic.modeling.artefact import load
from titanic.modeling.evaluate import folds_evaluation
from titanic.modeling.pipelines import gender_rule
from titanic.modeling.scoring import fold_scores, labels, refitted, rounded, survival_chance
from titanic.modeling.uncertainty import wilson
from titanic.schema import MODEL_INPUT, TARGET, Features
from titanic.stage import write_json

SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)  # of a fold's training rows, on the learning curve
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
        for value, part in sorted(right.fillna({column: "missing"}).groupby(column), key=_in_order)
    ]


def _in_order(part: tuple[Any, pd.DataFrame]) -> list[str | int]:
    """Sort 2-9 before 10-19, and words after numbers."""
    return [int(piece) if piece.isdigit() else piece for piece in re.split(r"(\d+)", str(part[0]))]


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


def repeated(model: Pipeline, table: pd.DataFrame, params: Diagnose) -> dict[str, Any]:
    """Return the scores over repeated folds of the model, of the baselines, and of the model less each, fold by fold."""
    recipes = {"model": model, "gender": gender_rule(), "majority": make_pipeline(DummyClassifier())}
    found = {
        name: fold_scores(recipe, table, folds=params.folds, repeats=params.repeats, seed=params.seed)
        for name, recipe in recipes.items()
    }
    less = {f"model_less_{name}": found["model"] - found[name] for name in ("gender", "majority")}
    return {name: folds_evaluation(over_folds, params.folds) for name, over_folds in found.items()} | {
        name: folds_evaluation(differences, params.folds, least=-1.0) for name, differences in less.items()
    }


def learning_curve(model: Pipeline, table: pd.DataFrame, params: Diagnose) -> list[dict[str, Any]]:
    """Return the scores over folds of the recipe, fitted on growing shares of each fold's training rows."""
    rows = len(table) * (params.folds - 1) / params.folds
    return [
        {
            "rows": round(share * rows),
            **folds_evaluation(
                fold_scores(model, table, folds=params.folds, seed=params.seed, share=share), params.folds
            ),
        }
        for share in SHARES
    ]


def leak_checks(
    model: Pipeline, train: pd.DataFrame, holdout: pd.DataFrame, age_bands: tuple[int, ...], params: Diagnose
) -> dict[str, Any]:
    """Return what the leak checks find that need the tables of the stages before, or refit the model."""
    clean, features = (pd.read_parquet(folder / "train.parquet") for folder in (INTERIM, FEATURES))
    make = partial(featurize, age_bands=age_bands)
    shuffled = clean.assign(**{TARGET: clean[TARGET].sample(frac=1, random_state=params.seed).to_numpy()})
    over_folds = fold_scores(model, make(shuffled), folds=params.folds, seed=params.seed)
    ones = int(clean[TARGET].sum())
    return leaks.checked(
        features_learned_before_the_split=leaks.across_rows(make, clean, features),
        shuffled_labels_above_chance=leaks.above_chance(over_folds, ones, len(clean) - ones),
        model_of_other_rows=leaks.other_recipe(
            survival_chance(model, holdout), survival_chance(refitted(model, train), holdout)
        ),
    )


def main() -> None:
    """Run the stage."""
    every = load_params()
    params = every.diagnose
    model, _ = load(MODEL, MODEL_CARD)
    train, holdout = (pd.read_parquet(PROCESSED / f"{name}.parquet") for name in ("train", "holdout"))
    chance = survival_chance(model, holdout)
    write_json(
        DIAGNOSTICS,
        {
            "repeated_cv": repeated(model, train, params),
            "learning_curve": learning_curve(model, train, params),
            "slices": slices(holdout, labels(chance)),
            "importance": importances(model, holdout, params),
            "checks": leak_checks(model, train, holdout, every.features.age_bands, params),
        },
    )
