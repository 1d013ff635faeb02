"""Each planted leak is caught, and its clean twin passes."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from dvckit.models import leaks
from dvckit.models.evaluation import holdout_evaluation
from dvckit.models.folds import Recipe, summary
from dvckit.models.split import split
from dvckit.tasks import task_of
from tests.example import fit
from titanic.features import FEATURES, Features, FeaturesParams, featurize
from titanic.modeling.pipelines import PIPELINES
from titanic.schema import KEY, LABELS, TARGET, Clean

make = partial(featurize, params=FeaturesParams(age_bands=(13, 18, 35, 60)))
BINARY = task_of(LABELS)


def halves(table):
    return split(table, FEATURES, BINARY, test_size=0.2, seed=1)


def predictions(model, table):
    return Recipe(FEATURES, BINARY, model).predict(table)


@pytest.fixture(scope="module")
def parts(table):
    return halves(table)


def message(sentences):
    return " ".join(sentences)


def shuffled(clean, seed=1):
    return clean.assign(**{TARGET: clean[TARGET].sample(frac=1, random_state=seed).to_numpy()})


def test_a_clean_split_shares_no_rows(parts):
    assert message(leaks.in_both(*parts, FEATURES)) == ""


def test_one_hold_out_row_in_the_training_rows_is_found(parts):
    train, holdout = parts

    assert "1 hold-out rows are in the training rows" in message(
        leaks.in_both(pd.concat([train, holdout.head(1)]), holdout, FEATURES)
    )


def test_hold_out_rows_under_other_keys_are_found(parts):
    train, holdout = parts
    copies = holdout.head(5).assign(**{KEY: holdout[KEY].head(5) + 10_000})

    assert "5 of 60 hold-out rows equal" in message(leaks.in_both(pd.concat([train, copies]), holdout, FEATURES))


def test_twins_are_no_leak(parts):
    train, holdout = parts
    twin = holdout.head(1).assign(**{KEY: 10_000})

    assert message(leaks.in_both(pd.concat([train, twin]), holdout, FEATURES)) == ""


def of_few_categories(table):
    """The rows with nothing but sex and class, so that each equals others."""
    return table.assign(
        **{name: table[name].iloc[0] for name in FEATURES.inputs if name not in {Features.Sex, Features.Pclass}}
    )


def test_rows_of_a_few_categories_are_no_leak(table):
    train, holdout = halves(of_few_categories(table))

    assert message(leaks.in_both(train, holdout, FEATURES)) == ""


def test_honest_features_do_not_reveal_the_target(table):
    assert message(leaks.tells(table, FEATURES, BINARY)) == ""


@pytest.mark.parametrize(
    ("column", "code"),
    [
        (Features.Fare, lambda y: y.astype(float)),
        (Features.Fare, lambda y: 100.0 - 3 * y + np.linspace(0, 1, len(y))),
        (Features.Deck, lambda y: y.map({0: "X", 1: "Y"})),
        (Features.Age, lambda y: y.where(y == 1).astype(float)),
        (Features.SibSp, lambda y: 1 - y),
    ],
    ids=["copy", "threshold", "category", "missing", "opposite"],
)
def test_a_feature_that_encodes_the_target_is_found(table, column, code):
    planted = table.assign(**{column: code(table[TARGET])})

    assert message(leaks.tells(planted, FEATURES, BINARY)).startswith(f"{column} alone predicts {TARGET}")


def evaluated(model, train, holdout):
    """What stage evaluate makes of hold-out and folds."""
    truth = holdout[TARGET].to_numpy()
    over_folds = Recipe(FEATURES, BINARY, model).folds(train, folds=5, seed=1).scores
    return holdout_evaluation(BINARY, truth, predictions(model, holdout), None), summary(BINARY, over_folds, 5), BINARY


def test_an_honest_hold_out_is_not_above_the_folds(params, parts):
    train, holdout = parts

    assert message(leaks.too_good(*evaluated(fit(train, params(n_estimators=30)), train, holdout))) == ""


def test_a_model_that_knows_the_hold_out_is_above_the_folds(passengers, params):
    train, holdout = halves(make(passengers(1, 900)))
    model = fit(pd.concat([train, holdout]), params(n_estimators=30, max_depth=None))

    assert "hold-out accuracy" in message(leaks.too_good(*evaluated(model, train, holdout)))


def test_row_wise_features_are_the_same_in_any_part(passengers):
    clean = passengers(1, 300)

    assert message(leaks.across_rows(make, clean, make(clean))) == ""


@pytest.mark.parametrize(
    ("column", "learn"),
    [
        (Features.Age, lambda table: table[Features.Age].fillna(table[Features.Age].median())),
        (Features.Fare, lambda table: table[Features.Fare] - table[Features.Fare].mean()),
        (Features.Fare, lambda table: table.groupby(Features.TicketKey)[TARGET].transform("mean")),
        (Features.SibSp, lambda table: table.groupby(Features.TicketKey)[KEY].transform("size")),
    ],
    ids=["median", "scaled", "target of the ticket", "size of the ticket"],
)
def test_a_statistic_of_the_whole_table_is_found(passengers, column, learn):
    def leaking(clean):
        table = make(clean)
        return table.assign(**{column: learn(table)})

    clean = passengers(1, 300)

    assert message(leaks.across_rows(leaking, clean, leaking(clean))).startswith(f"{column} depends on other rows")


def above_chance(featurized, recipe):
    over_folds = Recipe(FEATURES, BINARY, recipe).folds(featurized, folds=5, seed=1).scores
    return message(BINARY.predicts_shuffled(over_folds, featurized[TARGET]))


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("seed", [1, 2])
def test_shuffled_labels_score_at_chance(passengers, params, name, seed):
    recipe = PIPELINES[name](params(n_estimators=20))

    assert above_chance(make(shuffled(passengers(1, 400), seed)), recipe) == ""


def test_features_of_shuffled_labels_score_above_chance(passengers, params):
    def leaking(clean):
        table = make(clean)
        return table.assign(**{Features.Fare: clean.groupby(Clean.Ticket)[TARGET].transform("mean")})

    recipe = PIPELINES["random_forest"](params(n_estimators=20))

    assert "with shuffled labels" in above_chance(leaking(shuffled(passengers(1, 400))), recipe)


def test_a_recipe_gives_the_stored_model_again(params, parts):
    train, holdout = parts
    model = fit(train, params())

    again = Recipe(FEATURES, BINARY, model).fit(train).predict(holdout)

    assert message(leaks.other_recipe(predictions(model, holdout), again)) == ""


def test_a_model_that_saw_the_hold_out_is_not_its_recipe(params, parts):
    train, holdout = parts
    model = fit(pd.concat([train, holdout]), params())

    again = Recipe(FEATURES, BINARY, model).fit(train).predict(holdout)

    assert "not what its recipe learns" in message(leaks.other_recipe(predictions(model, holdout), again))


def test_findings_are_printed_and_returned(capsys):
    report = leaks.report(one=iter([]), other=iter(["Fare alone tells Survived"]))

    assert report == {"one": {"ok": True, "found": []}, "other": {"ok": False, "found": ["Fare alone tells Survived"]}}
    assert capsys.readouterr().out == "leak check other: Fare alone tells Survived\n"
