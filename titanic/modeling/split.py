"""Stage split: data/features/{train,test}.parquet -> data/processed/{train,holdout,test}.parquet.

The hold-out is drawn from the labelled rows, stratified by the target; rows to predict are passed through.
"""

from pydantic import Field

from dvckit.core.params import Section, Seed, read
from dvckit.models.split import split_tables
from titanic.features import FEATURES
from titanic.schema import RULES


class Split(Section, extra="ignore"):
    """The parameters of section `train` that decide which rows are held out."""

    test_size: float = Field(ge=0.05, le=0.5)
    seed: Seed


def main() -> None:
    """Run the stage."""
    params = read("train", Split)
    split_tables(RULES.tables, FEATURES, test_size=params.test_size, seed=params.seed)
