"""Stage split: data/features/{train,test}.parquet -> data/processed/{train,holdout,test}.parquet.

The hold-out is drawn from the labelled rows, stratified by the target; rows to predict are passed through.
"""

from dvckit.core.params import read
from dvckit.models.split import Split, split_tables
from titanic.features import FEATURES
from titanic.schema import RULES


def main() -> None:
    """Run the stage."""
    split_tables(RULES.tables, FEATURES, read("train", Split))
