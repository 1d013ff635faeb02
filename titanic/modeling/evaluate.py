"""Stage evaluate: the model, data/interim and data/processed -> scores, plot data, predictions and the submission."""

import numpy as np
import pandas as pd
from pydantic import Field

from dvckit.core.layout import INTERIM, MODEL, MODEL_CARD, PROCESSED
from dvckit.core.params import Section, Seed, read
from dvckit.models.evaluation import evaluate, write
from dvckit.models.folds import Recipe, Watcher
from dvckit.models.stored import load
from dvckit.tasks import task
from titanic.features import FEATURES, Features
from titanic.modeling.transformers import TRUSTED
from titanic.schema import TASK


class Evaluate(Section):
    """Parameters of cross-validation."""

    folds: int = Field(ge=2, le=50)
    seed: Seed


def gender_rule(table: pd.DataFrame) -> np.ndarray:
    """Return the probabilities, 0 or 1, of the rule that only women and girls survive."""
    return (table[Features.Sex] == "female").to_numpy().astype("float64")


def main(watcher: Watcher | None = None) -> None:
    """Run the stage; a watcher of the folds may end it."""
    params = read("evaluate", Evaluate)
    model, card = load(MODEL, MODEL_CARD, FEATURES, TRUSTED)
    tables = {name: pd.read_parquet(PROCESSED / f"{name}.parquet") for name in ("train", "holdout", "test")}
    tables["clean"] = pd.read_parquet(INTERIM / "train.parquet")
    rules = {"gender": gender_rule(tables["holdout"])}
    recipe = Recipe(FEATURES, task(TASK), model)
    write(evaluate(recipe, card, tables, baselines=rules, folds=params.folds, seed=params.seed, watcher=watcher))
