"""Stage split: data/features/{train,test}.parquet -> data/processed/{train,holdout,test}.parquet.

The hold-out is drawn from the labelled rows, stratified by the target; rows to predict are passed through.
"""

import pandas as pd
from pydantic import Field

from dvckit.core.files import write_table
from dvckit.core.layout import FEATURES as FOLDER
from dvckit.core.layout import PROCESSED
from dvckit.core.params import Section, Seed, read
from dvckit.models.split import split
from dvckit.tasks import task_of
from titanic.features import FEATURES
from titanic.schema import LABELS


class Split(Section, extra="ignore"):
    """The parameters of section `train` that decide which rows are held out."""

    test_size: float = Field(ge=0.05, le=0.5)
    seed: Seed


def main() -> None:
    """Run the stage."""
    params = read("train", Split)
    table = pd.read_parquet(FOLDER / "train.parquet")
    train, holdout = split(table, FEATURES, task_of(LABELS), test_size=params.test_size, seed=params.seed)
    write_table(PROCESSED / "train.parquet", train)
    write_table(PROCESSED / "holdout.parquet", holdout)
    write_table(PROCESSED / "test.parquet", pd.read_parquet(FOLDER / "test.parquet"))
