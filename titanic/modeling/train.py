"""Stage train: data/processed/train.parquet -> data/models/model.skops, data/models/model.json."""

import pandas as pd
from sklearn.pipeline import Pipeline

from titanic.config import MODEL, MODEL_CARD, PROCESSED, Train, load_params
from titanic.modeling.artefact import card, dump
from titanic.modeling.pipelines import PIPELINES
from titanic.modeling.scoring import rounded, scores, survival_chance
from titanic.schema import MODEL_INPUT, TARGET
from titanic.stage import write_bytes, write_json


def fit(table: pd.DataFrame, params: Train) -> Pipeline:
    """Return the pipeline that `params.pipeline` names, fitted on all rows of `table`."""
    return PIPELINES[params.pipeline](params).fit(table[list(MODEL_INPUT)], table[TARGET])


def main() -> None:
    """Run the stage."""
    params = load_params().train
    table = pd.read_parquet(PROCESSED / "train.parquet")
    model = fit(table, params)
    content = dump(model)
    write_bytes(MODEL, content)
    write_json(MODEL_CARD, card(content, rounded(scores(table[TARGET], survival_chance(model, table)))))
