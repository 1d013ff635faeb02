import pandas as pd
import pytest

from dvckit.core.errors import UserError
from dvckit.models.split import split
from dvckit.tasks import task_of
from titanic.features import FEATURES
from titanic.schema import KEY, LABELS, TARGET

TABLE = pd.DataFrame({KEY: range(100), TARGET: [1] * 40 + [0] * 60})


def test_parts_share_no_row_and_lose_none():
    train, holdout = split(TABLE, FEATURES, task_of(LABELS), test_size=0.2, seed=1)

    assert sorted([*train[KEY], *holdout[KEY]]) == list(range(100))
    assert len(holdout) == 20


def test_each_part_has_its_share_of_survivors():
    train, holdout = split(TABLE, FEATURES, task_of(LABELS), test_size=0.2, seed=1)

    assert (train[TARGET].mean(), holdout[TARGET].mean()) == (0.4, 0.4)


def test_the_seed_draws_the_rows():
    assert split(TABLE, FEATURES, task_of(LABELS), test_size=0.2, seed=1)[1].equals(
        split(TABLE, FEATURES, task_of(LABELS), test_size=0.2, seed=1)[1]
    )
    assert not split(TABLE, FEATURES, task_of(LABELS), test_size=0.2, seed=1)[1].equals(
        split(TABLE, FEATURES, task_of(LABELS), test_size=0.2, seed=2)[1]
    )


@pytest.mark.parametrize("labels", [[0] * 10, [1] + [0] * 9])
def test_a_part_without_both_labels_is_refused(labels):
    table = pd.DataFrame({KEY: range(10), TARGET: labels})

    with pytest.raises(UserError, match="leaves a part without one of them"):
        split(table, FEATURES, task_of(LABELS), test_size=0.2, seed=1)
