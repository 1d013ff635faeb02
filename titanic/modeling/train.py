"""Stage train: data/processed/train.parquet -> data/models/model.skops, data/models/model.json."""

from dvckit.core.params import read
from dvckit.models.stages import train_model
from titanic.features import FEATURES
from titanic.modeling.pipelines import PIPELINES, Train


def main() -> None:
    """Run the stage."""
    params = read("train", Train)
    train_model(FEATURES, PIPELINES[params.pipeline](params), params.refit)
