"""The table of predictions, by which models are compared.

It has one row for each labelled row of the data, predicted by a model that had not seen that row:

| column | meaning |
|---|---|
| `row` | a hash of the content of the row, without key and target: the same in every revision |
| `key` | the key of the row |
| `part` | `holdout`, predicted by the stored model; or `fold N`, predicted by a model fitted on the other folds |
| `truth` | the target |
| `group` | where rows come in groups: the text of the group, so that models are compared by whole groups |
| `probability_CLASS` | the predicted probability of each class |

Any program can write such a table; the library needs nothing else of a model.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import pandas as pd

from dvckit.core.errors import UserError
from dvckit.tasks import task
from dvckit.tasks.base import Task

HOLDOUT = "holdout"
COLUMNS = ("row", "key", "part", "truth")
GROUP = "group"
_SEPARATOR = "\x1f"


def row_hashes(table: pd.DataFrame, columns: Iterable[str]) -> pd.Series:
    """Return 16 hexadecimal digits for each row: a hash of its cells in these columns, whatever their order.

    Equal rows are numbered by appearance, so that no two rows of a table have the same hash.
    """
    cells = [as_texts(table[name]) for name in sorted(columns)]
    names = _SEPARATOR.join(sorted(columns))
    texts = pd.Series([_SEPARATOR.join(row) for row in zip(*cells, strict=True)], dtype="str")
    numbers = texts.groupby(texts).cumcount()
    hashes = [
        hashlib.blake2b(f"{names}\x1e{text}\x1e{number}".encode(), digest_size=8).hexdigest()
        for text, number in zip(texts, numbers, strict=True)
    ]
    return pd.Series(hashes, index=table.index, dtype="str")


def as_texts(column: pd.Series) -> list[str]:
    """Return cells as text: equal numbers give equal text whatever their type, a missing cell gives ""."""
    return ["" if missing else _text(cell) for cell, missing in zip(column, column.isna(), strict=True)]


def _text(cell: object) -> str:
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return repr(float(cell)) if isinstance(cell, float | np.floating) else str(cell)


def check_predictions(table: pd.DataFrame, shown: str) -> Task:
    """Return the task of a table of predictions; UserError, naming it `shown`, if it is not such a table."""
    if missing := [name for name in COLUMNS if name not in table]:
        raise UserError(f"{shown} is not a table of predictions: it has no column {', '.join(missing)}")
    binary, names = task("binary"), [str(name) for name in table]
    probabilities = [name for name in names if name.startswith("probability_")]
    if sorted(probabilities) != sorted(binary.columns(np.empty(0))):
        raise UserError(f"{shown} is not a table of predictions of two classes: its columns are {', '.join(names)}")
    if table["row"].duplicated().any():
        raise UserError(f"{shown} is not a table of predictions: several of its rows have the same `row`")
    if table[probabilities].isna().to_numpy().any() or not table[probabilities].to_numpy().min(initial=0.0) >= 0:
        raise UserError(f"{shown} is not a table of predictions: a probability in it is missing or below 0")
    if GROUP in table and table[GROUP].isna().any():
        raise UserError(f"{shown} is not a table of predictions: a group in it is missing")
    return binary
