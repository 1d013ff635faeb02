"""Tests for rows in groups err as seldom as they claim, find differences, and are what brute force gives."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from dvckit.tasks.clustered import interval_clustered, mcnemar_clustered, mean_clustered, roc_auc_clustered, swapped
from dvckit.tasks.significance import Difference, bootstrap_paired, delong_paired, mcnemar
from dvckit.tasks.uncertainty import wilson

PAIRS, GROUPS = 1_000, 40


def pairs(skills=(1.0, 1.0), count=PAIRS, groups=GROUPS):
    """Yield the truth of some 200 rows in groups, two probabilities, and the groups: models err alike within one."""
    for seed in range(count):
        draw = np.random.default_rng(seed)
        group = np.repeat(np.arange(groups), draw.geometric(0.2, size=groups))
        truth = (draw.random(len(group)) < 0.4).astype(int)
        common = draw.normal(truth * 2 - 1, 1.5)
        own = draw.normal(size=(2, groups))[:, group] + draw.normal(0, 0.5, (2, len(group)))
        logits = common + own + np.outer(skills, truth * 2 - 1)
        yield truth, *(1 / (1 + np.exp(-1.3 * logits))), group


def right(truth, probability):
    return (probability > 0.5) == truth


def loss(truth, probability):
    return -np.log(np.where(truth == 1, probability, 1 - probability))


CLUSTERED = {
    "accuracy": lambda truth, old, new, groups: mcnemar_clustered(right(truth, old), right(truth, new), groups),
    "roc_auc": roc_auc_clustered,
    "log_loss": lambda truth, old, new, groups: mean_clustered(loss(truth, old), loss(truth, new), groups),
}
PLAIN = {
    "accuracy": lambda truth, old, new: mcnemar(right(truth, old), right(truth, new)),
    "roc_auc": delong_paired,
    "log_loss": lambda truth, old, new: bootstrap_paired(loss(truth, old), loss(truth, new)),
}


@pytest.mark.parametrize("metric", CLUSTERED)
@pytest.mark.parametrize("groups", [10, GROUPS])
def test_few_of_1000_equal_pairs_differ_significantly(metric, groups):
    wrong = sum(CLUSTERED[metric](*pair).p_value < 0.05 for pair in pairs(groups=groups))

    # 50, and two standard errors; fewer where few groups differ at all
    assert 15 <= wrong <= 64


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc"])  # the bootstrap is slow
def test_a_test_of_independent_rows_finds_too_much(metric):
    wrong = sum(PLAIN[metric](*pair[:3]).p_value < 0.05 for pair in pairs(count=400))

    assert wrong >= 30  # 20 would be right


@pytest.mark.parametrize("metric", CLUSTERED)
def test_a_better_model_is_found(metric):
    differences = [CLUSTERED[metric](*pair) for pair in pairs((0.5, 1.5), count=50)]

    sign = -1 if metric == "log_loss" else 1
    assert sum(difference.p_value < 0.05 and sign * difference.value > 0 for difference in differences) >= 40


@pytest.mark.parametrize("metric", CLUSTERED)
def test_the_interval_leaves_out_0_only_where_the_test_says_so(metric):
    for pair in pairs((0.9, 1.3), count=50):
        value, low, high, p_value = CLUSTERED[metric](*pair)

        assert low <= value <= high
        assert p_value < 0.05 or low <= 0 <= high


@pytest.mark.parametrize("metric", CLUSTERED)
def test_swapped_models_swap_the_sign(metric):
    truth, old, new, groups = next(pairs())

    forth, back = CLUSTERED[metric](truth, old, new, groups), CLUSTERED[metric](truth, new, old, groups)

    assert forth == pytest.approx((-back.value, -back.high, -back.low, back.p_value))


def test_a_model_does_not_differ_from_itself():
    truth, old, _, groups = next(pairs())

    assert roc_auc_clustered(truth, old, old, groups) == Difference(0.0, 0.0, 0.0, 1.0)
    assert mean_clustered(old, old, groups) == Difference(0.0, 0.0, 0.0, 1.0)
    assert mcnemar_clustered(right(truth, old), right(truth, old), groups).low < 0


def test_shares_that_are_equal_do_not_differ():
    old, new = np.array([True, False, True, True]), np.array([False, True, True, True])

    assert mcnemar_clustered(old, new, np.arange(4)).p_value == 1.0


def test_the_p_value_is_the_share_of_all_swaps_that_differ_as_much():
    old, new, groups = np.zeros(6), np.array([3.0, -1, 2, 1, 1, -1]), np.array([0, 0, 1, 2, 2, 3])

    # group sums 2, 2, 2, -1: of 16 signs, the sums are 5 or more in (+++-), (++++) and their opposites
    assert mean_clustered(old, new, groups).p_value == pytest.approx(4 / 16, abs=0.015)
    assert mean_clustered(old, new, groups).value == pytest.approx(5 / 6)


@pytest.mark.parametrize("groups", [1, 2, 5])
def test_of_few_groups_no_p_value_is_below_the_least(groups):
    old, new = np.zeros(groups, dtype=bool), np.ones(groups, dtype=bool)

    assert mcnemar_clustered(old, new, np.arange(groups)).p_value == pytest.approx(2 ** (1 - groups), rel=0.05)


def test_groups_of_one_row_are_independent_rows():
    truth, old, new, groups = next(pairs())
    single = np.arange(len(groups))

    for metric in ("accuracy", "roc_auc", "log_loss"):
        plain, test = PLAIN[metric](truth, old, new), CLUSTERED[metric](truth, old, new, single)

        assert test.value == pytest.approx(plain.value)
        assert test.p_value == pytest.approx(plain.p_value, abs=0.06)


def test_the_area_is_compared_as_by_swapping_ranks_and_scoring_them_again():
    truth, old, new, groups = next(pairs())
    ranks = [pd.Series(model.round(2)).rank().to_numpy() for model in (old, new)]  # with ties
    draw = np.random.default_rng(2)
    drawn = []
    for _ in range(300):
        swap = draw.integers(2, size=GROUPS).astype(bool)[groups]
        one, other = np.where(swap, *ranks), np.where(swap, *ranks[::-1])
        drawn.append(abs(roc_auc_score(truth, one) - roc_auc_score(truth, other)))

    difference = roc_auc_clustered(truth, old.round(2), new.round(2), groups)

    assert difference.value == pytest.approx(roc_auc_score(truth, new.round(2)) - roc_auc_score(truth, old.round(2)))
    assert difference.high - difference.value == pytest.approx(np.quantile(drawn, 0.95), rel=0.15)
    assert difference.p_value == pytest.approx(np.mean(np.array(drawn) >= abs(difference.value)), abs=0.09)


def test_the_scales_of_the_models_do_not_matter_to_the_area():
    truth, old, new, groups = next(pairs())

    assert roc_auc_clustered(truth, old, new, groups) == roc_auc_clustered(truth, old, 5 + 3 * new, groups)


def test_a_score_of_several_sums_is_compared():
    truth, old, new, groups = next(pairs())
    answers = [model > 0.5 for model in (old, new)]
    sums = [np.column_stack([truth & answer, answer]).astype(float) for answer in answers]

    difference = swapped(*sums, groups, score=lambda sums: 2 * sums[..., 0] / (sums[..., 1] + truth.sum()))

    assert difference.value == pytest.approx(f1_score(truth, answers[1]) - f1_score(truth, answers[0]))


def accuracy(truth, probability):
    return lambda rows: right(truth[rows], probability[rows]).mean()


def test_the_interval_of_a_score_covers_the_true_one_in_95_of_100_cases():
    truth, probability, _, groups = next(pairs(count=1, groups=100_000))
    real, hits = right(truth, probability).mean(), 0
    for truth, probability, _, groups in pairs(count=200):
        plain = wilson(int(right(truth, probability).sum()), len(truth))
        low, high = interval_clustered(accuracy(truth, probability), groups, plain, (0.0, 1.0))
        hits += low <= real <= high

    assert hits >= 182


def test_the_interval_of_rows_in_groups_is_at_least_that_of_independent_rows():
    truth, probability, _, groups = next(pairs())

    assert interval_clustered(lambda _: 0.8, groups, (0.7, 0.9), (0.0, 1.0)) == (0.7, 0.9)
    low, high = interval_clustered(accuracy(truth, probability), groups, (0.8, 0.8), (0.0, 1.0))
    assert low < right(truth, probability).mean() < high


@pytest.mark.parametrize("groups", [np.zeros(6, dtype=int), np.array([0, 0, 0, 1, 1, 1])])
def test_an_interval_that_cannot_be_computed_is_what_the_score_can_be(groups):
    truth = np.array([1, 1, 1, 0, 0, 0])

    assert interval_clustered(lambda rows: truth[rows].std() or np.nan, groups, (0.2, 0.3), (0.0, 1.0)) == (0.0, 1.0)


def test_many_groups_are_drawn_in_parts(monkeypatch):
    truth, old, new, groups = next(pairs())
    whole = roc_auc_clustered(truth, old, new, groups)
    monkeypatch.setattr("dvckit.tasks.clustered.CELLS", 1000)

    assert roc_auc_clustered(truth, old, new, groups) == pytest.approx(whole, abs=0.01)
