import numpy as np
import pytest
from sklearn.metrics import f1_score

from dvckit.tasks.macro_f1 import confusion, macro_f1, macro_f1_interval, macro_f1_paired


def drawn(seed, rows=200, skills=(1.0, 1.0), kinds=3):
    """Return the truth and the answers of two models, right by a signal of this strength."""
    draw = np.random.default_rng(seed)
    truth = draw.choice(kinds, size=rows, p=np.arange(1, kinds + 1) / np.arange(1, kinds + 1).sum())
    common = draw.normal(size=(rows, kinds))
    answers = []
    for skill in skills:
        signal = common + draw.normal(size=(rows, kinds))
        signal[np.arange(rows), truth] += skill * 1.5
        answers.append(signal.argmax(axis=1))
    return truth, *answers


def test_it_is_the_one_of_scikit_learn():
    truth, answers, _ = drawn(1)

    assert macro_f1(confusion(truth, answers, 3)) == pytest.approx(f1_score(truth, answers, average="macro"))


def test_a_label_that_no_row_has_is_only_wrong():
    truth, answers = np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1])

    assert macro_f1(confusion(truth, answers, 3)) == pytest.approx((2 / 3 + 1) / 2)


def test_the_interval_is_that_of_the_derivative():
    """Of many rows, where the four that are added do not matter: the gradient by each cell, taken numerically."""
    counts = 1e6 * np.array([[5.0, 1, 1], [2, 6, 0], [1, 3, 9]])
    gradient, step = np.zeros((3, 3)), 10.0
    for cell in np.ndindex(3, 3):
        more = counts.copy()
        more[cell] += step
        gradient[cell] = (macro_f1(more) - macro_f1(counts)) / step
    shares = counts / counts.sum()
    slopes = gradient * counts.sum()
    error = np.sqrt(((shares * slopes**2).sum() - (shares * slopes).sum() ** 2) / counts.sum())

    low, high = macro_f1_interval(counts)

    assert (high - low) / 2 == pytest.approx(1.959964 * error, rel=1e-3)


def test_the_interval_covers_the_true_score_in_95_of_100_cases():
    truth, answers, _ = drawn(0, rows=400_000)
    real = macro_f1(confusion(truth, answers, 3))

    intervals = (macro_f1_interval(confusion(*drawn(seed)[:2], 3)) for seed in range(1, 401))

    assert 0.92 < np.mean([low <= real <= high for low, high in intervals]) < 0.98


@pytest.mark.parametrize("rows", [2, 3, 30])
def test_a_perfect_score_of_few_rows_is_not_sure(rows):
    truth = np.arange(rows) % 3

    low, high = macro_f1_interval(confusion(truth, truth, 3))

    assert low < 0.95
    assert high == 1.0


@pytest.mark.faults
def test_few_of_1000_equal_pairs_differ_significantly():
    differences = [macro_f1_paired(*drawn(seed), 3) for seed in range(1_000)]

    # 50, and two standard errors
    assert 25 <= sum(difference.p_value < 0.05 for difference in differences) <= 64


def test_a_better_model_is_found():
    differences = [macro_f1_paired(*drawn(seed, skills=(0.8, 1.3)), 3) for seed in range(100)]

    assert sum(difference.p_value < 0.05 and difference.value > 0 for difference in differences) >= 80


def test_the_counts_give_what_swapping_rows_gives():
    truth, old, new = drawn(5, rows=60)
    draw, drawn_differences = np.random.default_rng(1), []
    for _ in range(4_000):
        swap = draw.random(60) < 0.5
        one, other = np.where(swap, new, old), np.where(swap, old, new)
        drawn_differences.append(macro_f1(confusion(truth, other, 3)) - macro_f1(confusion(truth, one, 3)))
    value = macro_f1(confusion(truth, new, 3)) - macro_f1(confusion(truth, old, 3))

    difference = macro_f1_paired(truth, old, new, 3)

    assert difference.value == pytest.approx(value)
    assert difference.p_value == pytest.approx(np.mean(np.abs(drawn_differences) >= abs(value) - 1e-12), abs=0.02)


def test_swapped_models_swap_the_sign():
    truth, old, new = drawn(3)

    forth, back = macro_f1_paired(truth, old, new, 3), macro_f1_paired(truth, new, old, 3)

    assert forth == pytest.approx((-back.value, -back.high, -back.low, back.p_value))


def test_the_interval_leaves_out_0_where_the_test_says_so():
    for seed in range(50):
        value, low, high, p_value = macro_f1_paired(*drawn(seed, skills=(0.9, 1.2)), 3)

        assert low <= value <= high
        assert (p_value < 0.05) == (low > 0 or high < 0) or abs(p_value - 0.05) < 1e-3


def test_a_model_does_not_differ_from_itself():
    truth, old, _ = drawn(1)

    assert macro_f1_paired(truth, old, old, 3) == (0.0, 0.0, 0.0, 1.0)


def test_ten_classes_are_compared():
    differences = [macro_f1_paired(*drawn(seed, kinds=10), 10) for seed in range(100)]

    assert sum(difference.p_value < 0.05 for difference in differences) <= 10
