"""Stage diagnose: the model, data/interim, data/features and data/processed -> reports/diagnostics.json.

These results are for the reader; an experiment does not need them.
"""

from functools import partial

import pandas as pd
from pydantic import Field

from dvckit.core.files import write_json
from dvckit.core.layout import DIAGNOSTICS, INTERIM, MODEL, MODEL_CARD, PREDICTIONS, PROCESSED
from dvckit.core.layout import FEATURES as FOLDER
from dvckit.core.params import Section, Seed, read
from dvckit.models import diagnostics
from dvckit.models.folds import Recipe
from dvckit.models.stored import load
from dvckit.tasks import task_of
from titanic.features import FEATURES, Features, FeaturesParams, featurize
from titanic.modeling.pipelines import gender_rule
from titanic.modeling.transformers import TRUSTED
from titanic.schema import LABELS

SLICES = (Features.Sex, Features.Pclass, Features.AgeBand, Features.Embarked)


class Diagnose(Section):
    """Parameters of repeated cross-validation and permutation importance."""

    folds: int = Field(ge=2, le=50)
    repeats: int = Field(ge=1, le=1_000)
    seed: Seed


def main() -> None:
    """Run the stage."""
    params, make = read("diagnose", Diagnose), partial(featurize, params=read("features", FeaturesParams))
    folds, repeats, seed = params.folds, params.repeats, params.seed
    model, _ = load(MODEL, MODEL_CARD, FEATURES, TRUSTED)
    recipe = Recipe(FEATURES, task_of(LABELS), model)
    tables = {name: pd.read_parquet(PROCESSED / f"{name}.parquet") for name in ("train", "holdout")}
    tables |= {
        "clean": pd.read_parquet(INTERIM / "train.parquet"),
        "features": pd.read_parquet(FOLDER / "train.parquet"),
    }
    train, holdout = tables["train"], tables["holdout"]
    baselines = {"gender": gender_rule()}
    write_json(
        DIAGNOSTICS,
        {
            "repeated_cv": diagnostics.repeated(recipe, baselines, train, folds=folds, repeats=repeats, seed=seed),
            "learning_curve": diagnostics.learning_curve(recipe, train, folds=folds, seed=seed),
            "slices": diagnostics.slices(recipe, holdout, pd.read_parquet(PREDICTIONS), SLICES),
            "importance": diagnostics.importances(recipe, holdout, repeats=repeats, seed=seed),
            "checks": diagnostics.leak_checks(recipe, tables, make, folds=folds, seed=seed),
        },
    )
