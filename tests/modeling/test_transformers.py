import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from titanic.modeling.transformers import GroupOutcome

# sex, group; the women of group a lived, those of b died
ROWS = pd.DataFrame(
    {"sex": ["f", "f", "f", "f", "m", "m"], "group": ["a", "a", "b", "b", "a", None], "cabin": [1, 1, 1, 1, 1, 1]}
)
LIVED = np.array([1, 1, 0, 0, 0, 0])


# So much smoothing that a row's own share, which fit_transform leaves out and transform does not, vanishes: scikit-learn
# wants both to agree on the training rows.
@parametrize_with_checks([GroupOutcome(smooth=1e6)])
def test_scikit_learn_accepts_the_estimator(estimator, check):
    check(estimator)


def test_a_new_row_sees_all_of_its_group():
    fate = GroupOutcome(smooth=1.0).fit(ROWS[["sex", "group"]], LIVED)

    outcomes = fate.transform(pd.DataFrame({"sex": ["f", "m"], "group": ["b", "a"]}))

    women, men = (2 + 1 / 3) / 5, (0 + 1 / 3) / 3  # their means, drawn to that of all by one row
    assert np.allclose(outcomes[0], [-2 * women / 3, 2 / 3])
    assert np.allclose(outcomes[1], [(2 * (1 - women) - men) / 4, 3 / 4])


def test_a_training_row_sees_the_others_of_its_group_alone():
    outcomes = GroupOutcome(smooth=1.0).fit_transform(ROWS[["sex", "group"]], LIVED)

    women, men = (2 + 1 / 3) / 5, (0 + 1 / 3) / 3
    assert np.allclose(outcomes[0], [(1 - women - men) / 3, 2 / 3])


def test_what_a_training_row_sees_does_not_change_with_its_own_label():
    """The mean of its kind does, by a share of 1 / (rows of the kind + smooth): too little to tell the label."""
    rows = pd.DataFrame({"kind": ["x"] * 400, "group": [f"{row // 4}" for row in range(400)]})
    labels = np.tile([0, 1, 1, 0], 100)
    other = labels.copy()
    other[0] = 1

    before, after = (GroupOutcome().fit_transform(rows, target)[0] for target in (labels, other))

    assert np.allclose(before, after, atol=0.01)


@pytest.mark.parametrize("group", ["unheard of", None, np.nan])
def test_a_row_without_a_known_group_has_no_others(group):
    fate = GroupOutcome().fit(ROWS[["sex", "group"]], LIVED)

    assert fate.transform(pd.DataFrame({"sex": ["f"], "group": [group]})).tolist() == [[0.0, 0.0]]


def test_a_group_of_several_columns_is_missing_where_one_is():
    rows = pd.DataFrame({"sex": ["f", "f", "f"], "name": ["a", "a", "a"], "fare": [7.25, 7.25, np.nan]})

    outcomes = GroupOutcome(smooth=1.0).fit_transform(rows, np.array([1, 1, 0]))

    assert outcomes[:, 1].tolist() == [0.5, 0.5, 0.0]


def test_uninformative_labels_leave_nothing_to_learn():
    generator = np.random.default_rng(1)
    rows = pd.DataFrame({"kind": ["x"] * 2000, "group": generator.integers(0, 500, 2000).astype(str)})
    labels = generator.integers(0, 2, 2000)

    fates = GroupOutcome().fit_transform(rows, labels)[:, 0]

    assert abs(np.corrcoef(fates, labels)[0, 1]) < 0.08


def test_no_name_is_stored():
    fate = GroupOutcome().fit(pd.DataFrame({"sex": ["f", "m"], "name": ["Smith", "Jones"]}), [1, 0])

    assert "Smith" not in repr(vars(fate))
    assert fate.groups_.dtype == np.uint64
