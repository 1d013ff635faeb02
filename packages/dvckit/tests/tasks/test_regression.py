"""A target with values: scores, intervals, tests, strata and curves."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics
from sklearn.dummy import DummyRegressor
from sklearn.model_selection import StratifiedKFold

from dvckit.tasks.regression import METRICS, POINTS, Regression, of_r2, of_rmse, r2, rmse

TASK = Regression()
BY_NAME = {metric.name: metric for metric in METRICS}


def drawn(seed, rows=200, skills=(0.7, 0.7)):
    """Return the truth and the predictions of two models: a share of what can be known, and noise of their own."""
    draw = np.random.default_rng(seed)
    known = draw.normal(size=rows)
    truth = known + draw.standard_t(5, size=rows)
    return truth, *(skill * known + 0.3 * draw.normal(size=rows) for skill in skills)


def test_the_scores_are_those_of_scikit_learn():
    truth, predictions, _ = drawn(1)

    scores = TASK.scores(truth, predictions) | TASK.further_scores(truth, predictions)

    assert scores == pytest.approx(
        {
            "rmse": sklearn_metrics.root_mean_squared_error(truth, predictions),
            "mae": sklearn_metrics.mean_absolute_error(truth, predictions),
            "r2": sklearn_metrics.r2_score(truth, predictions),
            "median_absolute_error": sklearn_metrics.median_absolute_error(truth, predictions),
            "max_error": sklearn_metrics.max_error(truth, predictions),
        }
    )


@pytest.mark.parametrize(("predictions", "value"), [([2.0, 2.0], 1.0), ([2.0, 3.0], 0.0)])
def test_r2_of_a_target_without_a_variance_is_all_or_nothing(predictions, value):
    assert r2(np.array([2.0, 2.0]), np.array(predictions)) == value


@pytest.mark.parametrize(("contributions", "score"), [(of_rmse, rmse), (of_r2, r2)])
def test_the_contributions_of_the_rows_add_up_to_the_score(contributions, score):
    truth, predictions, _ = drawn(1)

    assert contributions(truth, predictions).mean() == pytest.approx(score(truth, predictions))


@pytest.mark.parametrize(("contributions", "score"), [(of_rmse, rmse), (of_r2, r2)])
def test_a_contribution_is_what_the_score_loses_without_the_row(contributions, score):
    truth, predictions, _ = drawn(1, rows=2_000)
    kept = np.arange(2_000) != 7

    without = score(truth[kept], predictions[kept])

    change = (contributions(truth, predictions)[7] - score(truth, predictions)) / 2_000
    assert score(truth, predictions) - without == pytest.approx(change, rel=0.02)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_interval_covers_the_true_score_in_95_of_100_cases(name):
    metric, (truth, predictions, _) = BY_NAME[name], drawn(0, rows=1_000_000)
    real = metric.score(truth, predictions)

    intervals = [metric.interval(*drawn(seed)[:2]) for seed in range(1, 401)]

    assert 0.9 < np.mean([low <= real <= high for low, high in intervals]) < 0.98


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("rows", [1, 2])
def test_an_interval_of_few_rows_is_finite_and_holds_the_score(name, rows):
    metric, (truth, predictions, _) = BY_NAME[name], drawn(3, rows)

    low, high = metric.interval(truth, predictions)

    assert -np.inf < low <= metric.score(truth, predictions) <= high < np.inf


@pytest.mark.parametrize("name", BY_NAME)
def test_perfect_predictions_have_scores_and_intervals(name):
    truth, metric = drawn(1)[0], BY_NAME[name]

    assert metric.interval(truth, truth) == (metric.score(truth, truth),) * 2
    assert metric.test(truth, truth, truth) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.faults
@pytest.mark.parametrize("name", BY_NAME)
def test_few_of_1000_equal_pairs_differ_significantly(name):
    differences = [BY_NAME[name].test(*drawn(seed)) for seed in range(1_000)]

    # 50, and two standard errors
    assert 25 <= sum(difference.p_value < 0.05 for difference in differences) <= 64


@pytest.mark.parametrize("name", BY_NAME)
def test_a_better_model_is_found(name):
    differences = [BY_NAME[name].test(*drawn(seed, skills=(0.2, 1.0))) for seed in range(50)]

    assert (
        sum(difference.p_value < 0.05 and difference.value * BY_NAME[name].sign > 0 for difference in differences) >= 45
    )


@pytest.mark.parametrize("rows", [1, 7, 49, 100, 353, 2_000])
def test_strata_are_quantiles_of_at_least_50_rows(rows):
    target = pd.Series(np.random.default_rng(1).normal(size=rows), index=range(3, rows + 3))

    strata = TASK.strata(target)

    assert strata.index.equals(target.index)
    assert strata.nunique() <= 10
    assert strata.value_counts().min() >= min(50, rows)
    assert target.groupby(strata).agg(["min", "max"]).to_numpy().flatten().tolist() == sorted(
        target.groupby(strata).agg(["min", "max"]).to_numpy().flatten()
    )


@pytest.mark.parametrize("values", [[0.0] * 500, [0.0] * 490 + [5.0] * 10, [1.0, 2.0] * 250])
def test_many_equal_values_can_be_divided_into_folds(values):
    strata = TASK.strata(pd.Series(values))

    assert strata.value_counts().min() == 50
    assert len(list(StratifiedKFold(10).split(values, strata))) == 10


@pytest.mark.parametrize(
    ("profile", "fault"),
    [
        ({"distinct": 1, "min": 3.0, "max": 3.0}, "is 3 in every row; a model needs values that differ"),
        ({"distinct": 9, "min": 1e-6, "max": 3e-6}, "is 1e-06 to 3e-06, too close for the digits of scores"),
        ({"distinct": 9, "min": 0.0, "max": 1.0}, ""),
        ({"distinct": 0}, ""),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused(profile, fault):
    found = " ".join(TASK.target_faults(profile))

    assert found.startswith(fault)
    assert bool(found) == bool(fault)


def test_whole_numbers_are_values():
    assert TASK.truth(pd.Series([1, 2], dtype="int64")).dtype == "float64"


def test_the_constant_models_are_mean_and_median():
    target = pd.Series([1.0, 2.0, 9.0])

    models = {name: model.fit(target.to_frame(), target) for name, model in TASK.constant_models().items()}

    assert {name: TASK.predict(model, target.to_frame())[0] for name, model in models.items()} == {
        "mean": 4,
        "median": 2,
    }
    assert list(TASK.baselines) == list(models)


def test_the_curves_have_every_row_in_order():
    curves = TASK.curves(np.array([1.0, 4.0, 2.0]), np.array([2.0, 1.0, 2.5]))

    assert curves["predicted_true"].to_numpy().tolist() == [[1.0, 4.0], [2.0, 1.0], [2.5, 2.0]]
    assert curves["residuals"].to_numpy().tolist() == [[1.0, 3.0], [2.0, -1.0], [2.5, -0.5]]
    assert curves["errors"]["absolute_error"].tolist() == [0.5, 1.0, 3.0]
    assert curves["errors"]["share"].tolist() == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_the_curves_of_many_rows_are_thinned():
    truth, predictions, _ = drawn(1, rows=5_000)

    curves = TASK.curves(truth, predictions)

    assert {len(curve) for curve in curves.values()} == {POINTS}
    assert curves["errors"].iloc[-1].tolist() == [np.abs(truth - predictions).max(), 1.0]


def test_the_rmse_of_all_rows_is_not_the_mean_of_that_of_parts():
    assert TASK.overall(pd.Series([3.0, 4.0]), pd.Series([10, 10])) == pytest.approx(np.sqrt(12.5))


def test_a_constant_model_does_not_know_a_shuffled_target():
    target = pd.Series(np.random.default_rng(1).normal(size=200))
    truth = TASK.truth(target)
    constant = TASK.predict(DummyRegressor().fit(target.to_frame(), target), target.to_frame())

    assert list(TASK.predicts_shuffled(pd.DataFrame([TASK.scores(truth, constant)]), target)) == []


def test_more_than_chance_is_found():
    found = " ".join(TASK.predicts_shuffled(pd.DataFrame({"r2": [0.1, 0.2]}), pd.Series(np.arange(200.0))))

    assert found.startswith("with a shuffled target R² is 0.150, above 0.048")
