from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score

from dvckit.core.errors import UserError
from dvckit.core.layout import EVALUATION, METRICS, PREDICTIONS, SUBMISSION
from dvckit.models.evaluation import evaluate
from dvckit.models.folds import Recipe, summary
from dvckit.models.split import split
from dvckit.tasks import task_of
from dvckit.tasks.base import rounded
from tests.example import fit
from titanic.features import FEATURES, Features, FeaturesParams, featurize
from titanic.modeling.pipelines import gender_rule
from titanic.schema import KEY, LABELS, TARGET

BINARY = task_of(LABELS)
TRUTH = np.array([0, 0, 1, 1])
PROBABILITIES = np.array([0.1, 0.6, 0.4, 0.9])


def folds(model, table, **options):
    """The scores of the model's recipe over folds."""
    return Recipe(FEATURES, BINARY, model).folds(table, **options).scores


def predictions(model, table):
    return Recipe(FEATURES, BINARY, model).predict(table)


@pytest.fixture(scope="module")
def stage(passengers, params):
    """What stage evaluate reads: the tables, and a model that was fitted on the training rows."""
    clean = passengers(1, 300)
    features = featurize(clean, FeaturesParams(age_bands=(18,)))
    train, holdout = split(features, FEATURES, BINARY, test_size=0.2, seed=1)
    tables = {"clean": clean, "train": train, "holdout": holdout, "test": holdout.drop(columns=TARGET)}
    return tables, fit(train, params())


def evaluated(stage, training_scores=None):
    tables, model = stage
    truth = tables["train"][TARGET].to_numpy()
    training_scores = training_scores or rounded(BINARY.scores(truth, predictions(model, tables["train"])))
    baselines = {"gender": gender_rule()}
    recipe = Recipe(FEATURES, BINARY, model)
    return evaluate(recipe, {"training": training_scores}, tables, baselines=baselines, folds=3, seed=1)


def test_a_model_of_all_rows_is_scored_by_one_that_has_not_seen_the_hold_out(stage, params):
    tables, _ = stage
    every = pd.concat([tables["train"], tables["holdout"]])
    model = fit(every, params())
    training = rounded(BINARY.scores(every[TARGET].to_numpy(), predictions(model, every)))
    recipe = Recipe(FEATURES, BINARY, model)

    outs = evaluate(recipe, {"refit": "all", "training": training}, tables, baselines={}, folds=3, seed=1)

    assert outs[METRICS]["holdout"] == evaluated(stage)[METRICS]["holdout"]
    assert outs[SUBMISSION][TARGET].tolist() == BINARY.labels(predictions(model, tables["test"])).tolist()


def test_scores_are_as_computed_by_hand():
    scores = BINARY.scores(TRUTH, PROBABILITIES) | BINARY.further_scores(TRUTH, PROBABILITIES)

    assert scores["accuracy"] == 0.5
    assert scores["roc_auc"] == 0.75
    assert (scores["precision"], scores["recall"], scores["f1"]) == (0.5, 0.5, 0.5)
    assert scores["log_loss"] == pytest.approx(-np.log([0.9, 0.4, 0.4, 0.9]).mean())


def test_no_row_of_class_1_is_a_precision_of_zero():
    assert BINARY.further_scores(TRUTH, np.zeros(4) + 0.1)["precision"] == 0.0


def test_labels_are_those_of_the_model(table, params):
    model = fit(table, params())

    assert BINARY.labels(predictions(model, table)).tolist() == model.predict(table[list(FEATURES.inputs)]).tolist()


def test_rows_of_one_class_are_refused():
    with pytest.raises(UserError, match="the ROC AUC of 4 rows of one class is undefined; lower `folds`"):
        BINARY.scores(np.ones(4, "int64"), PROBABILITIES)


def test_a_tie_is_class_0():
    assert BINARY.labels(np.array([0.5])).tolist() == [0]


def test_folds_refit_the_recipe_and_leave_the_model_alone(table, params):
    model = fit(table, params())
    before = accuracy_score(table[TARGET], model.predict(table[list(FEATURES.inputs)]))

    scores = folds(model, table, folds=3, repeats=2, seed=1)

    assert len(scores) == 6
    assert 0.5 < scores["accuracy"].mean() < before
    assert scores.equals(folds(model, table, folds=3, repeats=2, seed=1))
    assert not scores.equals(folds(model, table, folds=3, repeats=2, seed=2))


def test_uninformative_labels_score_at_chance(table, params):
    shuffled = table.assign(**{TARGET: table[TARGET].sample(frac=1, random_state=1).to_numpy()})

    scores = folds(fit(shuffled, params()), shuffled, folds=5, repeats=2, seed=1)

    assert scores["roc_auc"].mean() == pytest.approx(0.5, abs=0.1)


def test_more_folds_than_rows_of_a_label_is_refused(table, params):
    few = table.groupby(TARGET).head(3)

    with pytest.raises(UserError, match="lower `folds`"):
        folds(fit(table, params()), few, folds=4, seed=1)


def test_baselines_are_as_computed_by_hand(stage):
    (tables, _), rates = stage, evaluated(stage)[METRICS]["baseline"]

    holdout = tables["holdout"]
    assert tables["train"][TARGET].mean() < 0.5
    assert rates["majority"] == pytest.approx((holdout[TARGET] == 0).mean(), abs=1e-6)
    assert rates["gender"] == pytest.approx((holdout[TARGET] == (holdout[Features.Sex] == "female")).mean(), abs=1e-6)


def test_plot_data_are_those_of_the_hold_out():
    curves = BINARY.curves(TRUTH, PROBABILITIES)

    assert curves["confusion"].to_numpy().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert curves["roc"].iloc[[0, -1]].to_numpy().tolist() == [[0, 0], [1, 1]]
    assert curves["precision_recall"]["recall"].between(0, 1).all()
    assert len(curves["calibration"]) == 4


def test_the_evaluation_has_the_scores_with_their_intervals(stage):
    files = evaluated(stage)

    holdout = files[EVALUATION]["holdout"]
    assert holdout["rows"] == 60
    for name in ("accuracy", "roc_auc", "log_loss"):
        assert holdout[name]["low"] < holdout[name]["value"] == files[METRICS]["holdout"][name] < holdout[name]["high"]
    assert BINARY.details(TRUTH, PROBABILITIES)["brier"] == pytest.approx(np.mean([0.1**2, 0.6**2, 0.6**2, 0.1**2]))


def test_an_interval_over_folds_stays_within_what_the_score_can_be():
    scores = pd.DataFrame({"accuracy": [0.4, 0.9], "roc_auc": [0.5, 0.6], "log_loss": [0.2, 0.9]})

    result = summary(BINARY, scores, 2)

    assert result["fits"] == 2
    assert (result["accuracy"]["low"], result["accuracy"]["high"]) == (0.0, 1.0)
    assert result["log_loss"]["low"] == 0.0
    assert result["log_loss"]["high"] > 1.0


def test_a_model_with_other_training_scores_is_refused(stage):
    with pytest.raises(UserError, match="model and rows do not belong together"):
        evaluated(stage, {"accuracy": 0.5})


def test_a_model_that_does_not_fit_together_is_refused_in_one_sentence(stage):
    tables, model = stage
    damaged = deepcopy(model)
    damaged[0].feature_names_in_ = np.array(["other"], object)

    with pytest.raises(UserError, match=r"model.skops cannot predict these rows \(.*\); run `dvc repro`$"):
        evaluated((tables, damaged), {"accuracy": 0.5})


def test_a_model_whose_recipe_cannot_be_fitted_is_refused_in_one_sentence(stage):
    tables, model = stage
    damaged = deepcopy(model)
    damaged[-1].set_params(max_features="many")

    with pytest.raises(
        UserError, match=r"scikit-learn refuses a parameter of the pipeline: The 'max_features' parameter"
    ):
        evaluated((tables, damaged))


def test_every_labelled_row_has_one_prediction_in_the_order_of_the_clean_table(stage):
    (tables, model), table = stage, evaluated(stage)[PREDICTIONS]

    assert table["key"].tolist() == tables["clean"][KEY].tolist()
    assert table["truth"].tolist() == tables["clean"][TARGET].tolist()
    assert set(table["part"]) == {"holdout", "fold 1", "fold 2", "fold 3"}
    held_out = table[table["part"] == "holdout"].set_index("key").loc[tables["holdout"][KEY]]
    assert np.allclose(held_out["probability_1"], predictions(model, tables["holdout"]), rtol=0, atol=1e-9)
    assert np.allclose(table["probability_0"] + table["probability_1"], 1)


def test_a_row_was_predicted_by_a_model_that_had_not_seen_it(stage):
    (tables, model), table = stage, evaluated(stage)[PREDICTIONS]
    keys = table["key"][table["part"] == "fold 2"]
    outside = tables["train"][KEY].isin(keys)

    again = Recipe(FEATURES, BINARY, model).fit(tables["train"][~outside])

    result = table.set_index("key").loc[tables["train"][KEY][outside], "probability_1"]
    assert np.allclose(result, again.predict(tables["train"][outside]), rtol=0, atol=1e-9)


def test_a_difference_of_scores_may_be_negative():
    scores = pd.DataFrame({"accuracy": [-0.2, -0.1], "roc_auc": [0.0, 0.1], "log_loss": [-3.0, 2.0]})

    result = summary(BINARY, scores, 2, difference=True)

    assert result["accuracy"]["value"] == -0.15
    assert (result["accuracy"]["low"], result["accuracy"]["high"]) == (-1.0, 0.950390)
    assert result["log_loss"]["low"] < -3
