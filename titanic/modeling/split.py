"""Stage split: data/features/{train,test}.parquet -> data/processed/{train,holdout,test}.parquet.

The hold-out is drawn from the labelled rows, stratified by the target; the rows to predict pass through.
"""

import pandas as pd

from titanic.config import FEATURES, PROCESSED, load_params
from titanic.schema import TARGET
from titanic.stage import UserError, write_table


def split(table: pd.DataFrame, test_size: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (train, holdout), each in the order of `table` and with its share of survivors.

    UserError where a part would lack one of the two labels.
    """
    holdout = table.groupby(TARGET).sample(frac=test_size, random_state=seed).sort_index()
    train = table.drop(index=holdout.index)
    if train[TARGET].nunique() < 2 or holdout[TARGET].nunique() < 2:
        counts = table[TARGET].value_counts().to_dict()
        raise UserError(
            f"train.test_size {test_size} of the labels {counts} leaves a part without one of the labels 0 and 1; "
            "bring more rows"
        )
    return train, holdout


def main() -> None:
    """Run the stage."""
    params = load_params().train
    train, holdout = split(pd.read_parquet(FEATURES / "train.parquet"), params.test_size, params.seed)
    write_table(PROCESSED / "train.parquet", train)
    write_table(PROCESSED / "holdout.parquet", holdout)
    write_table(PROCESSED / "test.parquet", pd.read_parquet(FEATURES / "test.parquet"))
