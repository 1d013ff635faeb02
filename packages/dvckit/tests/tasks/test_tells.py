"""A column that alone tells the target is found, whatever the kind of target; an honest one is not."""

import numpy as np
import pandas as pd
import pytest

from dvckit.tasks import task_of

DRAW = np.random.default_rng(1)
CLASSES = pd.Series(DRAW.choice(["a", "b", "c"], 200))
CODES = CLASSES.map({"a": 0, "b": 1, "c": 2})
PRICES = pd.Series(DRAW.lognormal(0, 1.5, 200))  # of which a few outweigh all others
THREE, VALUES = task_of(("a", "b", "c")), task_of(())


@pytest.mark.parametrize(
    ("values", "numeric"),
    [
        (CODES.astype(float), True),
        (CLASSES.str.upper(), False),
        (CODES * 10 + DRAW.uniform(0, 1, 200), True),
        ((CODES + 1) % 3 * 10 + DRAW.uniform(0, 1, 200), True),
        (CLASSES.str.upper().where(np.arange(200) > 2, "A"), False),
    ],
    ids=["codes", "text", "thresholds", "thresholds in another order", "with an error or two"],
)
def test_a_column_that_tells_one_of_several_labels_is_found(values, numeric):
    assert THREE.gives_away(values, CLASSES, numeric=numeric)


@pytest.mark.parametrize(
    ("values", "numeric"),
    [
        (pd.Series(DRAW.normal(size=200)), True),
        (pd.Series(np.zeros(200)), True),
        (pd.Series([f"x{i}" for i in range(200)]), False),
        (CODES + DRAW.normal(0, 0.4, 200), True),
        (pd.Series([np.nan] * 200), True),
        (pd.Series([None] * 200, dtype="str"), False),
    ],
    ids=["noise", "constant", "names", "helps", "no number", "no text"],
)
def test_a_column_that_tells_no_label_is_none(values, numeric):
    assert not THREE.gives_away(values, CLASSES, numeric=numeric)


@pytest.mark.parametrize(
    ("values", "numeric"),
    [
        (PRICES * 3 + 2, True),
        (np.log(PRICES), True),
        (-PRICES, True),
        (PRICES.round(1), True),
    ],
    ids=["units", "logarithm", "negative", "rounded"],
)
def test_a_column_that_tells_the_value_is_found(values, numeric):
    assert VALUES.gives_away(values, PRICES, numeric=numeric)


def test_a_category_that_tells_the_value_is_found():
    rent = pd.Series(DRAW.choice([500.0, 700.0, 900.0], 200))

    assert VALUES.gives_away(rent.map("rent {:.0f}".format), rent, numeric=False)


def test_a_missing_cell_that_tells_the_value_is_found():
    paid = pd.Series(np.where(np.arange(200) % 2 == 0, 0.0, 100.0))

    assert VALUES.gives_away(pd.Series(np.where(paid > 0, "bank", None), dtype="str"), paid, numeric=False)


@pytest.mark.parametrize(
    ("values", "numeric"),
    [
        (pd.Series(DRAW.normal(size=200)), True),
        (pd.Series(np.zeros(200)), True),
        (pd.Series([f"x{i}" for i in range(200)]), False),
        (np.log(PRICES) + DRAW.normal(0, 0.4, 200), True),
        (pd.Series([np.nan] * 200), True),
        (PRICES.where(np.arange(200) < 80), True),
    ],
    ids=["noise", "constant", "names", "helps", "no number", "known of few rows"],
)
def test_a_column_that_does_not_tell_the_value_is_none(values, numeric):
    assert not VALUES.gives_away(values, PRICES, numeric=numeric)


@pytest.mark.parametrize(("task", "target"), [(THREE, CLASSES), (VALUES, PRICES)])
def test_few_rows_tell_nothing(task, target):
    assert not task.gives_away(target.rank()[:49], target[:49], numeric=True)


def test_a_target_without_a_variance_is_told_by_nothing():
    assert not VALUES.gives_away(PRICES, PRICES * 0, numeric=True)


@pytest.mark.parametrize(("task", "target"), [(THREE, CLASSES), (VALUES, PRICES.round())])
@pytest.mark.parametrize("noise", [0, 60])
def test_text_in_parts_tells_as_much_as_the_whole(task, target, noise):
    values = target.astype(str).where(np.arange(200) >= noise, "unknown")
    whole, parts = task.tell(numeric=False), task.tell(numeric=False)

    whole.add(values, target)
    for _, part in values.groupby(values.str.len()):
        parts.add(part, target[part.index])

    assert parts.found() == whole.found() == (noise == 0)


def test_honest_columns_of_real_data_tell_nothing(data_set):
    for name in ("iris", "wine", "breast_cancer", "digits", "diabetes"):
        schema, task, table = data_set(name)

        assert [
            column for column in schema.inputs if task.gives_away(table[column], table["target"], numeric=True)
        ] == []
