"""The table of predictions, by which models are compared.

It has one row for each labelled row of the data, predicted by a model that had not seen that row:

| column | meaning |
|---|---|
| `row` | a hash of the content of the row, without key and target: the same in every revision |
| `key` | the key of the row |
| `part` | `holdout`, predicted by the stored model; or `fold N`, predicted by a model fitted on the other folds |
| `truth` | the target: a label, or a value |
| `group` | where rows come in groups: the text of the group, so that models are compared by whole groups |
| `probability_LABEL` | where the target has labels: the predicted probability of each; of two, the second is the positive one |
| `prediction` | where it has values: the predicted one |

Any program can write such a table; the library needs nothing else of a model.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from dvckit.core.errors import UserError
from dvckit.tasks import task_of
from dvckit.tasks.base import PREDICTION, PREFIX, Task

HOLDOUT = "holdout"
ROUNDING = 1e-3  # by how much the probabilities of a row may differ from 1
COLUMNS = ("row", "key", "part", "truth")
GROUP = "group"
_SEPARATOR = "\x1f"


def row_hashes(table: pd.DataFrame, columns: Iterable[str]) -> pd.Series:
    """Return 16 hexadecimal digits for each row: a hash of its cells in these columns, whatever their order.

    Equal rows are numbered by appearance, so that no two rows of a table have the same hash.
    """
    texts = row_texts(table, columns)
    return text_hashes(texts, texts.groupby(texts).cumcount())


def row_texts(table: pd.DataFrame, columns: Iterable[str]) -> pd.Series:
    """Return the names of columns and the cells in them as one text for each row."""
    cells = [as_texts(table[name]) for name in sorted(columns)]
    names = _SEPARATOR.join(sorted(columns))
    texts = [f"{names}\x1e{_SEPARATOR.join(row)}" for row in zip(*cells, strict=True)]
    return pd.Series(texts, index=table.index, dtype="str")


def text_hashes(texts: pd.Series, numbers: Iterable[int]) -> pd.Series:
    """Return the hash of each text and its number among equal ones, from 0."""
    hashes = [
        hashlib.blake2b(f"{text}\x1e{number}".encode(), digest_size=8).hexdigest()
        for text, number in zip(texts, numbers, strict=True)
    ]
    return pd.Series(hashes, index=texts.index, dtype="str")


def as_texts(column: pd.Series) -> list[str]:
    """Return cells as text: equal numbers give equal text whatever their type, a missing cell gives ""."""
    return ["" if missing else _text(cell) for cell, missing in zip(column, column.isna(), strict=True)]


def _text(cell: object) -> str:
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return repr(float(cell)) if isinstance(cell, float | np.floating) else str(cell)


def check_predictions(table: pd.DataFrame, shown: str) -> Task:
    """Return the task of a table of predictions; UserError, naming it `shown`, if it is not such a table."""
    if fault := _fault(table):
        raise UserError(f"{shown} is not a table of predictions: {fault}")
    task = task_of(_labels(table))
    for fault in _faulty_cells(table, task):
        raise UserError(f"{shown} is not a table of predictions: {fault}")
    return task


def _fault(table: pd.DataFrame) -> str:
    """Return what is wrong with the columns, or nothing."""
    names = [str(name) for name in table]
    if missing := [name for name in COLUMNS if name not in names]:
        return f"it has no column {', '.join(missing)}"
    probabilities = [name for name in names if name.startswith(PREFIX)]
    if bool(probabilities) == (PREDICTION in names):
        has = "both" if probabilities else "neither"
        return f"it has {has} of `{PREDICTION}` and `{PREFIX}LABEL`; its columns are {', '.join(names)}"
    if len(probabilities) == 1:
        return f"it has {probabilities[0]} alone; it must have a probability for each of at least two labels"
    if is_bool_dtype(table["truth"]):
        return "its truth is of type bool; write 0 and 1, or text"
    if duplicates := [name for name in probabilities if names.count(name) > 1]:
        return f"it has {duplicates[0]} twice"
    return ""


def _labels(table: pd.DataFrame) -> list[Any]:
    """Return the labels that the columns name, in their order: whole numbers where the truth is numbers, else text."""
    texts = [name.removeprefix(PREFIX) for name in map(str, table) if name.startswith(PREFIX)]
    numbers = is_numeric_dtype(table["truth"])
    return [int(text) if numbers and re.fullmatch("-?[0-9]+", text) else text for text in texts]


def _faulty_cells(table: pd.DataFrame, task: Task) -> Iterator[str]:
    """Yield what is wrong with the cells."""
    if table["row"].duplicated().any():
        yield "several of its rows have the same `row`"
    if GROUP in table and table[GROUP].isna().any():
        yield f"a `{GROUP}` in it is missing"
    if not task.classes:
        if not all(is_numeric_dtype(table[name]) and np.isfinite(table[name]).all() for name in ("truth", PREDICTION)):
            yield "a truth or prediction in it is missing or no number"
        return
    probabilities = table[[f"{PREFIX}{label}" for label in task.classes]]
    numbers = all(is_numeric_dtype(dtype) for dtype in probabilities.dtypes)
    if not numbers or not probabilities.to_numpy().min(initial=0.0) >= 0:
        yield "a probability in it is missing or below 0"
    elif not np.allclose(probabilities.sum(axis=1), 1, rtol=0, atol=ROUNDING):
        yield "the probabilities of a row in it do not add up to 1"
    elif strange := table["truth"][task.truth(table["truth"]) < 0].tolist():
        yield f"it has a truth of {strange[0]!r}, and no column {PREFIX}{strange[0]}"
