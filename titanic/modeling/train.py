"""Stage train: data/processed/train.parquet -> data/models/model.skops, data/models/model.json."""

import pandas as pd
from sklearn.pipeline import Pipeline

from dvckit.core.files import write_bytes, write_json
from dvckit.core.layout import MODEL, MODEL_CARD, PROCESSED
from dvckit.core.params import read
from dvckit.models.stored import card, dump
from dvckit.tasks import task_of
from dvckit.tasks.base import rounded
from titanic.features import FEATURES
from titanic.modeling.pipelines import PIPELINES, Train
from titanic.schema import LABELS, TARGET


def fit(table: pd.DataFrame, params: Train) -> Pipeline:
    """Return the pipeline that `params.pipeline` names, fitted on all rows of `table`."""
    return PIPELINES[params.pipeline](params).fit(table[list(FEATURES.inputs)], table[TARGET])


def main() -> None:
    """Run the stage."""
    table, kind = pd.read_parquet(PROCESSED / "train.parquet"), task_of(LABELS)
    model = fit(table, read("train", Train))
    content = dump(model)
    scores = kind.scores(kind.truth(table[TARGET]), kind.predict(model, table[list(FEATURES.inputs)]))
    write_bytes(MODEL, content)
    write_json(MODEL_CARD, card(content, FEATURES, rounded(scores)))
