"""A table of predictions tells its task; one that is none is refused with a sentence."""

import numpy as np
import pandas as pd
import pytest

from dvckit.core.errors import UserError
from dvckit.tasks.predictions import check_predictions

TABLE = pd.DataFrame({"row": ["1", "2", "3"], "key": [1, 2, 3], "part": "holdout"})


def table(truth, **columns):
    return TABLE.assign(truth=truth, **columns)


@pytest.mark.parametrize(
    ("given", "name", "classes"),
    [
        (table([0, 1, 0], probability_0=0.5, probability_1=0.5), "Binary", (0, 1)),
        (table(["b", "a", "a"], probability_b=0.5, probability_a=0.5), "Binary", ("b", "a")),
        (table(["0", "1", "0"], probability_0=0.5, probability_1=0.5), "Binary", ("0", "1")),
        (table([3, 1, 2], probability_1=0.5, probability_2=0.25, probability_3=0.25), "Multiclass", (1, 2, 3)),
        (table([-1, 1, 1], **{"probability_-1": 0.5, "probability_1": 0.5}), "Binary", (-1, 1)),
        (table([0.5, 1.5, 2.5], prediction=1.0), "Regression", ()),
    ],
)
def test_the_columns_tell_the_task(given, name, classes):
    task = check_predictions(given, "p")

    assert (type(task).__name__, task.classes) == (name, classes)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (TABLE.assign(prediction=1.0), "it has no column truth"),
        (
            table([0, 1, 0]),
            "it has neither of `prediction` and `probability_LABEL`; its columns are row, key, part, truth",
        ),
        (table([0, 1, 0], probability_0=1.0, prediction=1), "it has both of `prediction` and `probability_LABEL`"),
        (
            table([0, 1, 0], probability_0=1.0),
            "it has probability_0 alone; it must have a probability for each of at least",
        ),
        (table([True, False, True], probability_False=0.5, probability_True=0.5), "its truth is of type bool"),
        (table([0, 1, 0], probability_0=-0.5, probability_1=1.5), "a probability in it is missing or below 0"),
        (table([0, 1, 0], probability_0=None, probability_1=1.0), "a probability in it is missing or below 0"),
        (table([0, 1, 0], probability_0="x", probability_1=1.0), "a probability in it is missing or below 0"),
        (table([0, 1, 0], probability_0=0.6, probability_1=0.6), "the probabilities of a row in it do not add up to 1"),
        (table([0, 1, 0], probability_0=0.5, probability_yes=0.5), "it has a truth of 1, and no column probability_1"),
        (table([0, 2, 0], probability_0=0.5, probability_1=0.5), "it has a truth of 2, and no column probability_2"),
        (
            table(["a", "c", "a"], probability_a=0.5, probability_b=0.5),
            "it has a truth of 'c', and no column probability_c",
        ),
        (table([1.0, 2.0, np.nan], prediction=1.0), "a truth or prediction in it is missing or no number"),
        (table([1.0, 2.0, 3.0], prediction=np.inf), "a truth or prediction in it is missing or no number"),
        (table(["a", "b", "c"], prediction=1.0), "a truth or prediction in it is missing or no number"),
        (table([1.0, 2.0, 3.0], prediction=1.0).assign(row="1"), "several of its rows have the same `row`"),
    ],
)
def test_a_table_that_is_none_is_refused(given, sentence):
    with pytest.raises(UserError) as refusal:
        check_predictions(given, "p.parquet at HEAD")

    assert str(refusal.value).startswith(f"p.parquet at HEAD is not a table of predictions: {sentence}")
    assert "\n" not in str(refusal.value)
