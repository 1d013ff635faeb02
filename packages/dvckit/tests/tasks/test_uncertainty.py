import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from dvckit.tasks.base import with_interval
from dvckit.tasks.uncertainty import (
    calibration,
    calibration_error,
    delong,
    folds_interval,
    roc_auc_interval,
    wilson,
)


def drawn(seed, rows=200, shift=1.0):
    """Return labels, and a score whose means differ by `shift` standard deviations between them."""
    draw = np.random.default_rng(seed)
    truth = (draw.random(rows) < 0.4).astype(int)
    return truth, draw.normal(truth * shift)


def test_wilsons_interval_agrees_with_a_published_example():
    # 15 of 148: Newcombe (1998), Statistics in Medicine 17, table I, method 3
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)


@pytest.mark.parametrize(("right", "rows"), [(0, 5), (5, 5), (1, 1)])
def test_an_interval_of_all_or_nothing_has_a_width(right, rows):
    low, high = wilson(right, rows)

    assert 0 <= low < high <= 1


@pytest.mark.parametrize("seed", range(5))
def test_delongs_area_is_the_one_of_scikit_learn(seed):
    truth, score = drawn(seed)
    score = score.round(1)  # with ties

    areas, covariance = delong(truth, np.array([score, -score]))

    assert areas == pytest.approx([roc_auc_score(truth, score), 1 - roc_auc_score(truth, score)])
    assert covariance[0, 1] == pytest.approx(-covariance[0, 0])


def test_delongs_variance_is_that_of_the_definition():
    truth, score = drawn(1, rows=40)
    ones, zeros = score[truth == 1], score[truth == 0]
    above = np.array([(one > zeros).mean() for one in ones])
    below = np.array([(ones > zero).mean() for zero in zeros])

    _, covariance = delong(truth, score[np.newaxis])

    assert covariance.item() == pytest.approx(above.var(ddof=1) / len(ones) + below.var(ddof=1) / len(zeros))


def test_the_interval_covers_the_true_area_in_95_of_100_cases():
    truth, score = drawn(0, rows=400_000)
    real = roc_auc_score(truth, score)

    hits = [low <= real <= high for low, high in (roc_auc_interval(*drawn(seed)) for seed in range(1, 401))]

    assert 0.92 < np.mean(hits) < 0.98


@pytest.mark.parametrize("truth", [[0, 0, 1, 1], [0, 0, 0, 1]])
def test_a_perfect_ranking_of_few_rows_is_not_sure(truth):
    assert roc_auc_interval(truth, np.array([0.1, 0.2, 0.8, 0.9])) == (0.0, 1.0)


def test_folds_are_corrected_for_the_rows_that_they_share():
    scores = pd.Series([0.8, 0.82, 0.78, 0.81, 0.79])
    low, high = folds_interval(scores, 5)

    # t(4, 0.975) = 2.776, variance 0.00025, times 1/5 + 1/4
    assert (low, high) == pytest.approx((0.8 - 0.02944, 0.8 + 0.02944), abs=1e-4)


def test_more_repeats_narrow_the_interval_down_to_what_sharing_leaves():
    scores = pd.Series([0.8, 0.82, 0.78, 0.81, 0.79])
    widths = [np.diff(folds_interval(pd.concat([scores] * count), 5)).item() for count in (1, 10, 100)]

    assert widths == sorted(widths, reverse=True)
    assert widths[-1] > 2 * 1.96 * np.sqrt(scores.var(ddof=0) / 4)


def test_calibration_error_is_as_computed_by_hand():
    # two bins: 0.2 against 0/2 of two rows, 0.8 against 1/2 of two rows
    of_bins = calibration([0, 0, 1, 0], np.array([0.2, 0.2, 0.8, 0.8]), 2)

    assert of_bins.to_numpy() == pytest.approx(np.array([[0.2, 0.0, 2], [0.8, 0.5, 2]]))
    assert calibration_error(of_bins) == pytest.approx((2 * 0.2 + 2 * 0.3) / 4)
    assert calibration_error(calibration([1, 1], np.array([1.0, 1.0]), 10)) == 0.0


def test_a_score_is_stored_with_its_interval():
    assert with_interval(0.81234567, (0.75, 0.86)) == {"value": 0.812346, "low": 0.75, "high": 0.86}
