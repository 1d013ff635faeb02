import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score

from titanic.modeling.evaluate import baselines, check_reproduced, curves, folds_evaluation, holdout_evaluation
from titanic.modeling.scoring import (
    cross_validation,
    fold_scores,
    holdout_scores,
    labels,
    rounded,
    scores,
    survival_chance,
)
from titanic.modeling.train import fit
from titanic.schema import MODEL_INPUT, TARGET, Features
from titanic.stage import UserError

TRUTH = pd.Series([0, 0, 1, 1])
CHANCE = np.array([0.1, 0.6, 0.4, 0.9])


def test_scores_are_those_of_the_hand():
    scores = holdout_scores(TRUTH, CHANCE)

    assert scores["accuracy"] == 0.5
    assert scores["roc_auc"] == 0.75
    assert (scores["precision"], scores["recall"], scores["f1"]) == (0.5, 0.5, 0.5)
    assert scores["log_loss"] == pytest.approx(-np.log([0.9, 0.4, 0.4, 0.9]).mean())


def test_nobody_predicted_to_survive_is_a_score_of_zero():
    assert holdout_scores(TRUTH, np.zeros(4) + 0.1)["precision"] == 0.0


def test_labels_are_those_of_the_model(table, params):
    model = fit(table, params())

    assert labels(survival_chance(model, table)).tolist() == model.predict(table[list(MODEL_INPUT)]).tolist()


def test_a_tie_is_no_survival():
    assert labels(np.array([0.5])).tolist() == [0]


def test_folds_refit_the_recipe_and_leave_the_model_alone(table, params):
    model = fit(table, params())
    before = accuracy_score(table[TARGET], model.predict(table[list(MODEL_INPUT)]))

    scores = fold_scores(model, table, folds=3, repeats=2, seed=1)

    assert len(scores) == 6
    assert 0.5 < scores["accuracy"].mean() < before
    assert scores.equals(fold_scores(model, table, folds=3, repeats=2, seed=1))
    assert not scores.equals(fold_scores(model, table, folds=3, repeats=2, seed=2))


def test_labels_that_say_nothing_score_at_chance(table, params):
    shuffled = table.assign(**{TARGET: table[TARGET].sample(frac=1, random_state=1).to_numpy()})

    scores = cross_validation(fold_scores(fit(shuffled, params()), shuffled, folds=5, repeats=2, seed=1))

    assert scores["roc_auc"] == pytest.approx(0.5, abs=0.1)


def test_more_folds_than_rows_of_a_label_is_refused(table, params):
    few = table.groupby(TARGET).head(3)

    with pytest.raises(UserError, match="lower `folds`"):
        fold_scores(fit(table, params()), few, folds=4, seed=1)


def test_baselines_are_those_of_the_hand():
    train = pd.DataFrame({TARGET: [0, 0, 1]})
    holdout = pd.DataFrame({TARGET: [0, 1, 1, 1], Features.Sex: ["male", "male", "female", "female"]})

    assert baselines(train, holdout) == {"majority": 0.25, "gender": 0.75}


def test_plot_data_are_those_of_the_hold_out():
    found = curves(TRUTH, CHANCE)

    assert found["confusion"].to_numpy().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert found["roc"].iloc[[0, -1]].to_numpy().tolist() == [[0, 0], [1, 1]]
    assert found["precision_recall"]["recall"].between(0, 1).all()
    assert len(found["calibration"]) == 4


def test_the_evaluation_has_the_scores_with_their_intervals():
    told = holdout_evaluation(TRUTH, CHANCE)

    assert told["rows"] == 4
    assert told["accuracy"]["value"] == 0.5
    assert told["accuracy"]["low"] < 0.5 < told["accuracy"]["high"]
    assert told["roc_auc"]["low"] < 0.75 < told["roc_auc"]["high"]
    assert told["brier"] == pytest.approx(np.mean([0.1**2, 0.6**2, 0.6**2, 0.1**2]))


def test_an_interval_over_folds_stays_within_what_the_score_can_be():
    scores = pd.DataFrame({"accuracy": [0.4, 0.9], "log_loss": [0.2, 0.9]})

    told = folds_evaluation(scores, 2)

    assert told["fits"] == 2
    assert (told["accuracy"]["low"], told["accuracy"]["high"]) == (0.0, 1.0)
    assert told["log_loss"]["low"] == 0.0
    assert told["log_loss"]["high"] > 1.0


def test_evaluate_reproduces_what_train_noted(table, params):
    model = fit(table, params())
    chance = survival_chance(model, table)
    noted = rounded(scores(table[TARGET], chance))

    check_reproduced(table[TARGET], chance, noted)
    with pytest.raises(UserError, match="model and rows do not belong together"):
        check_reproduced(table[TARGET].iloc[1:], chance[1:], noted)


def test_a_difference_of_scores_may_be_negative():
    told = folds_evaluation(pd.DataFrame({"accuracy": [-0.2, -0.1], "log_loss": [-3.0, 2.0]}), 2, least=-1.0)

    assert told["accuracy"]["value"] == -0.15
    assert (told["accuracy"]["low"], told["accuracy"]["high"]) == (-1.0, 0.950390)
    assert told["log_loss"]["low"] < -3
