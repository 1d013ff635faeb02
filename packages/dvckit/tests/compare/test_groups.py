"""Rows in groups are compared by whole groups, from the column `group` of the tables of predictions."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dvckit.compare.compare import _tests
from dvckit.compare.evidence import gather
from dvckit.core.errors import UserError
from dvckit.tasks.predictions import check_predictions

ROWS = 240


def predictions(seed, *, group=True, part="holdout"):
    """A table of predictions of 40 groups of 6 rows; a model errs alike on the rows of one."""
    draw, groups = np.random.default_rng(seed), np.arange(ROWS) // 6
    truth = np.arange(ROWS) % 2
    logit = 2 * truth - 1 + draw.normal(0, 2, 40)[groups] + draw.normal(0, 0.3, ROWS)
    probability = 1 / (1 + np.exp(-logit))
    rows = {"row": [f"{n:016x}" for n in range(ROWS)], "key": range(ROWS), "part": part, "truth": truth}
    named = {"group": [f"g{n}" for n in groups]} if group else {}
    return pd.DataFrame({**rows, **named, "probability_0": 1 - probability, "probability_1": probability})


def revision(table):
    """A revision with nothing but this table."""
    return SimpleNamespace(
        model=SimpleNamespace(predictions="p"), outputs=[], where="", table=lambda _: table, columns=lambda _: ()
    )


def evidence(*tables):
    return gather([revision(table) for table in tables])


def test_the_groups_are_those_of_the_tables():
    of_both = evidence(predictions(1), predictions(2))

    assert of_both.group_count == 40
    assert (np.diff(of_both.groups.reshape(40, 6)) == 0).all()
    assert {name for _, name in of_both.tests} == {"swaps of whole groups"}


def test_one_table_with_groups_is_enough():
    assert evidence(predictions(1, group=False), predictions(2)).group_count == 40


def test_without_groups_rows_are_independent():
    plain = evidence(predictions(1, group=False), predictions(2, group=False))

    assert plain.groups is None
    assert [name for _, name in plain.tests] == ["McNemar, mid-p", "DeLong", "paired bootstrap"]


@pytest.mark.parametrize("part", ["holdout", "fold 1"])
def test_a_difference_between_groups_is_less_sure_than_between_rows(part):
    tables = [[predictions(seed, group=group, part=part) for seed in (1, 2)] for group in (True, False)]

    (clustered,), (plain,) = (_tests(evidence(*pair)) for pair in tables)

    for one, other in zip(clustered, plain, strict=True):
        assert one.difference.value == pytest.approx(other.difference.value)
        assert one.difference.high - one.difference.low > 1.2 * (other.difference.high - other.difference.low)


def test_a_row_without_its_group_is_refused():
    table = predictions(1)
    table.loc[3, "group"] = None

    with pytest.raises(UserError, match="a `group` in it is missing"):
        check_predictions(table, "p")
