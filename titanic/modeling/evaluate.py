"""Stage evaluate: the model, data/interim and data/processed -> scores, plot data, predictions and the submission."""

import pandas as pd
from pydantic import Field

from dvckit.core.layout import INTERIM, MODEL, MODEL_CARD, PROCESSED
from dvckit.core.params import Section, Seed, read
from dvckit.models.evaluation import evaluate, write
from dvckit.models.folds import Recipe, Watcher
from dvckit.models.stored import load
from dvckit.tasks import task_of
from titanic.features import FEATURES
from titanic.modeling.pipelines import gender_rule
from titanic.modeling.transformers import TRUSTED
from titanic.schema import LABELS


class Evaluate(Section):
    """Parameters of cross-validation."""

    folds: int = Field(ge=2, le=50)
    seed: Seed


def main(watcher: Watcher | None = None) -> None:
    """Run the stage; a watcher of the folds may end it."""
    params = read("evaluate", Evaluate)
    model, card = load(MODEL, MODEL_CARD, FEATURES, TRUSTED)
    tables = {name: pd.read_parquet(PROCESSED / f"{name}.parquet") for name in ("train", "holdout", "test")}
    tables["clean"] = pd.read_parquet(INTERIM / "train.parquet")
    baselines = {"gender": gender_rule()}
    recipe = Recipe(FEATURES, task_of(LABELS), model)
    write(evaluate(recipe, card, tables, baselines=baselines, folds=params.folds, seed=params.seed, watcher=watcher))
