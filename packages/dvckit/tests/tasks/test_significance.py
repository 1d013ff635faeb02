"""Each test has the error rate that it claims, finds real differences, and agrees with published examples."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from dvckit.tasks.significance import Difference, bootstrap_paired, delong_paired, holm, mcnemar, resampled_t

PAIRS, ROWS = 1_000, 200


def pairs(skills=(1.0, 1.0), count=PAIRS):
    """Yield the truth of 200 rows and the probabilities of two models: the logit of a shared and an own signal.

    With equal skills the two are exchangeable, so that their scores differ only by chance. They are overconfident, as
    forests are, which gives a few rows with a large loss.
    """
    for seed in range(count):
        draw = np.random.default_rng(seed)
        truth = (draw.random(ROWS) < 0.4).astype(int)
        common = draw.normal(truth * 2 - 1, 1.5)
        own = draw.normal(0, 1, (2, ROWS))
        logits = common + own + np.outer(skills, truth * 2 - 1)
        yield truth, *(1 / (1 + np.exp(-1.3 * logits)))


def loss(truth, probability):
    return -np.log(np.where(truth == 1, probability, 1 - probability))


TESTS = {
    "accuracy": lambda truth, old, new: mcnemar((old > 0.5) == truth, (new > 0.5) == truth),
    "roc_auc": delong_paired,
    "log_loss": lambda truth, old, new: bootstrap_paired(loss(truth, old), loss(truth, new)),
}


@pytest.mark.faults
@pytest.mark.parametrize("metric", TESTS)
def test_few_of_1000_equal_pairs_differ_significantly(metric):
    differences = [TESTS[metric](*pair) for pair in pairs()]

    # 50, and two standard errors
    assert sum(difference.p_value < 0.05 for difference in differences) <= 64
    # and it is no test that finds nothing
    assert sum(difference.p_value < 0.05 for difference in differences) >= 25


@pytest.mark.parametrize("metric", TESTS)
def test_a_better_model_is_found(metric):
    differences = [TESTS[metric](*pair) for pair in pairs((0.5, 1.5), count=100)]

    sign = -1 if metric == "log_loss" else 1
    assert sum(difference.p_value < 0.05 and sign * difference.value > 0 for difference in differences) >= 80


@pytest.mark.parametrize("metric", TESTS)
def test_the_interval_leaves_out_0_where_the_test_says_so(metric):
    for pair in pairs((0.9, 1.2), count=100):
        value, low, high, p_value = TESTS[metric](*pair)

        assert low <= value <= high
        if metric != "accuracy" or abs(p_value - 0.05) > 0.02:
            assert (p_value < 0.05) == (low > 0 or high < 0)


@pytest.mark.parametrize("metric", TESTS)
def test_swapped_models_swap_the_sign(metric):
    truth, old, new = next(pairs())

    forth, back = TESTS[metric](truth, old, new), TESTS[metric](truth, new, old)

    assert forth == pytest.approx((-back.value, -back.high, -back.low, back.p_value))


@pytest.mark.parametrize("metric", TESTS)
def test_a_model_does_not_differ_from_itself(metric):
    truth, old, _ = next(pairs())

    difference = TESTS[metric](truth, old, old)

    assert (difference.value, difference.p_value) == (0.0, 1.0)
    assert difference.low <= 0 <= difference.high


def test_mcnemar_agrees_with_a_published_example():
    # 1 gained and 7 lost: Fagerland, Lydersen & Laake (2013), BMC Medical Research Methodology 13:91, table 1: mid-p 0.039
    old = np.array([True] * 7 + [False] * 1 + [True] * 13)
    new = np.array([False] * 7 + [True] * 1 + [True] * 13)

    difference = mcnemar(old, new)

    assert difference.p_value == pytest.approx(0.0391, abs=1e-4)
    assert difference.value == pytest.approx(-6 / 21)


def test_the_interval_of_a_share_is_that_of_the_formula():
    old = np.array([True] * 7 + [False] * 1 + [True] * 13)
    new = np.array([False] * 7 + [True] * 1 + [True] * 13)

    difference = mcnemar(old, new)

    # shares 2/23 and 8/23: -6/23, and 1.96 times the root of (10/23 - (6/23)^2) / 23
    reach = 1.95996 * ((10 / 23 - (6 / 23) ** 2) / 23) ** 0.5
    assert (difference.low, difference.high) == pytest.approx((-6 / 23 - reach, -6 / 23 + reach), abs=1e-5)


def test_models_that_agree_on_every_row_may_still_differ():
    right = np.ones(178, dtype=bool)

    assert mcnemar(right, right) == pytest.approx((0.0, -0.0154, 0.0154, 1.0), abs=1e-4)


def test_delongs_difference_is_that_of_the_areas():
    truth, old, new = next(pairs())

    difference = delong_paired(truth, old, new)

    assert difference.value == pytest.approx(roc_auc_score(truth, new) - roc_auc_score(truth, old))


def test_the_bootstrap_of_many_plain_rows_is_the_t_test():
    draw = np.random.default_rng(1)
    old, new = draw.normal(0, 1, 500), draw.normal(0.1, 1, 500)

    assert bootstrap_paired(old, new).p_value == pytest.approx(stats.ttest_rel(new, old).pvalue, abs=0.01)


def test_the_bootstrap_draws_many_rows_in_parts(monkeypatch):
    old, new = np.random.default_rng(1).normal(size=(2, 300))
    whole = bootstrap_paired(old, new)
    monkeypatch.setattr("dvckit.tasks.significance.CELLS", 1000)

    assert bootstrap_paired(old, new) == pytest.approx(whole, abs=0.01)


def test_folds_that_share_rows_are_not_treated_as_independent():
    differences = pd.Series([0.02, 0.01, 0.03, 0.0, 0.02] * 5)

    test = resampled_t(differences, 5)

    # t(24), variance of the 25 times 1/25 + 1/4
    error = np.sqrt(differences.var() * (1 / 25 + 1 / 4))
    assert test.p_value == pytest.approx(2 * stats.t.sf(0.016 / error, 24))
    assert test.p_value > stats.ttest_1samp(differences, 0).pvalue
    assert (test.low, test.high) == pytest.approx((0.016 - 2.0639 * error, 0.016 + 2.0639 * error), abs=1e-5)


def test_recipes_that_do_the_same_on_every_fold_do_not_differ():
    assert resampled_t(pd.Series([0.0] * 25), 5) == Difference(0.0, 0.0, 0.0, 1.0)
    assert resampled_t(pd.Series([0.1] * 25), 5).p_value == 0.0


def test_equal_recipes_on_folds_seldom_differ_significantly():
    """Two least-squares recipes, each with two of four equally informative columns."""
    from sklearn.model_selection import RepeatedStratifiedKFold

    wrong = 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        truth = (draw.random(ROWS) < 0.4).astype(int)
        columns = draw.normal(np.outer(truth, np.ones(4)), 1.5)
        parts = RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=seed).split(columns, truth)
        differences = []
        for inside, outside in parts:
            right = []
            for recipe in (slice(0, 2), slice(2, 4)):
                design = np.column_stack([columns[:, recipe], np.ones(ROWS)])
                weights = np.linalg.lstsq(design[inside], truth[inside])[0]
                right.append(((design[outside] @ weights > 0.5) == truth[outside]).mean())
            differences.append(right[1] - right[0])
        wrong += resampled_t(pd.Series(differences), 5).p_value < 0.05

    assert wrong <= 16  # 10, and two standard errors


def test_holms_correction_is_as_computed_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.02]) == [0.02]
