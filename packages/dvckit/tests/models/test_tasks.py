"""The stages' work on real data of several classes, with text for labels, and of values."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from dvckit.core.errors import UserError
from dvckit.core.layout import EVALUATION, METRICS, PREDICTIONS, SUBMISSION
from dvckit.models import diagnostics, leaks
from dvckit.models.evaluation import evaluate
from dvckit.models.folds import Recipe, summary
from dvckit.models.split import split
from dvckit.models.stored import card as card_of
from dvckit.models.stored import dump, parse
from dvckit.tables.quality import quality
from dvckit.tables.rows import Checked
from dvckit.tables.schema import Rules
from dvckit.tasks.base import rounded
from dvckit.tasks.predictions import check_predictions

MODELS = {"iris": LogisticRegression(max_iter=1_000), "wine": LogisticRegression(), "diabetes": Ridge()}


class Stage:
    """A data set split in two, with a fitted recipe, and what stage evaluate makes of it."""

    def __init__(self, data):
        self.data = data
        train, holdout = split(data.table, data.schema, data.task, test_size=0.2, seed=1)
        self.tables = {"clean": data.table, "features": data.table, "train": train, "holdout": holdout}

    def fitted(self, model):
        pipeline = make_pipeline(StandardScaler(), model)
        return Recipe(self.data.schema, self.data.task, pipeline).fit(self.tables["train"])

    def evaluated(self, recipe, **tables):
        task, train = self.data.task, self.tables["train"]
        scores = rounded(task.scores(task.truth(train["target"]), recipe.predict(train)))
        return evaluate(recipe, {"training": scores}, {**self.tables, **tables}, baselines={}, folds=5, seed=1)


@pytest.fixture(scope="module", params=MODELS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def stage(data_set, name):
    return Stage(data_set(name))


@pytest.fixture(scope="module")
def recipe(stage, name):
    return stage.fitted(MODELS[name])


@pytest.fixture(scope="module")
def outs(stage, recipe):
    return stage.evaluated(recipe)


def test_every_metric_has_an_interval_around_it(stage, outs):
    for metric in stage.data.task.metrics:
        score = outs[EVALUATION]["holdout"][metric.name]
        assert metric.least <= score["low"] <= score["value"] <= score["high"] <= metric.most


def test_the_reports_are_json(outs):
    json.dumps([outs[METRICS], outs[EVALUATION]], allow_nan=False)


def test_the_model_beats_the_constant_ones(stage, outs):
    headline = stage.data.task.metrics[0]

    assert set(outs[METRICS]["baseline"]) == set(stage.data.task.baselines)
    for score in outs[METRICS]["baseline"].values():
        assert headline.sign * (outs[METRICS]["holdout"][headline.name] - score) > 0


def test_no_check_of_honest_data_finds_a_thing(outs):
    assert {check["ok"] for check in outs[EVALUATION]["checks"].values()} == {True}


def test_the_table_of_predictions_tells_its_task(stage, outs):
    table, task = outs[PREDICTIONS], stage.data.task

    found = check_predictions(table, "p")

    assert (type(found), found.classes) == (type(task), task.classes)
    assert table["truth"].tolist() == stage.data.table["target"].tolist()


def test_without_rows_to_predict_there_is_no_submission(outs):
    assert SUBMISSION not in outs


def test_rows_to_predict_get_labels_of_the_data(stage, recipe):
    test = stage.tables["holdout"].drop(columns="target")

    submission = stage.evaluated(recipe, test=test)[SUBMISSION]

    assert submission["target"].dtype == stage.data.table["target"].dtype
    if stage.data.task.classes:
        assert set(submission["target"]) <= set(stage.data.task.classes)


def test_the_columns_that_count_are_important(stage, recipe):
    table = stage.tables["holdout"]

    ranking = diagnostics.importances(recipe, table, repeats=5, seed=1)

    assert {part["column"] for part in ranking} == set(stage.data.schema.inputs)
    assert ranking[0]["mean"] > 0
    assert ranking[0]["mean"] >= ranking[-1]["mean"]


def test_slices_have_the_headline_with_its_interval(stage, outs):
    task, holdout = stage.data.task, stage.tables["holdout"]
    parts = holdout.assign(part=["one", *["others"] * (len(holdout) - 1)])

    one, others = diagnostics.slices(Recipe(stage.data.schema, task, None), parts, outs[PREDICTIONS], ["part"])

    assert (one["rows"], others["rows"]) == (1, len(holdout) - 1)
    for of in (one, others):
        assert of["interval"][0] <= of[task.metrics[0].name] <= of["interval"][1]
        assert np.isfinite(of["interval"]).all()


def test_repeated_folds_compare_with_the_constant_models(stage, recipe):
    scores = diagnostics.repeated(recipe, {}, stage.tables["train"], folds=3, repeats=2, seed=1)

    headline = stage.data.task.metrics[0]
    for baseline in stage.data.task.baselines:
        less = scores[f"model_less_{baseline}"][headline.name]
        assert headline.sign * less["value"] > 0


def test_a_shuffled_target_is_not_known(stage, recipe):
    found = diagnostics.leak_checks(recipe, {}, stage.tables, lambda clean: clean, folds=3, seed=1)

    assert found["shuffled_target_predicted"]["ok"]
    assert found["model_of_other_rows"]["ok"]


def test_a_shuffled_target_has_to_be_predicted_over_two_shuffles(stage, recipe, monkeypatch):
    sizes = []

    def once(_, over_folds, target):
        sizes.append((len(over_folds), len(target)))
        return iter(["it is predicted"] if len(sizes) == 1 else [])

    monkeypatch.setattr(type(recipe.task), "predicts_shuffled", once)
    found = diagnostics.leak_checks(recipe, {}, stage.tables, lambda clean: clean, folds=3, seed=1)

    assert found["shuffled_target_predicted"]["ok"]
    assert np.divide(sizes[1], sizes[0]).tolist() == [2, 2]


def test_a_target_hidden_in_a_feature_is_known_when_shuffled(stage, recipe):
    """A feature that was made of the target before the split is made of the shuffled one."""
    first = stage.data.schema.inputs[0]

    def leaking(clean):
        target = clean["target"]
        return clean.assign(**{first: (target if target.dtype == "float64" else pd.factorize(target)[0]) * 1.0})

    tables = stage.tables | {"features": leaking(stage.data.table)}
    found = diagnostics.leak_checks(recipe, {}, tables, leaking, folds=3, seed=1)

    assert not found["shuffled_target_predicted"]["ok"]
    assert f"{first} alone predicts target" in " ".join(
        leaks.tells(leaking(stage.data.table), stage.data.schema, recipe.task)
    )


def test_a_model_with_its_labels_comes_back_as_it_was(stage, recipe):
    content = dump(recipe.pipeline)
    model_card = json.dumps(card_of(content, stage.data.schema, "all", {})).encode()

    pipeline, _ = parse(content, model_card, "model", stage.data.schema)

    holdout = stage.tables["holdout"]
    assert np.array_equal(recipe._replace(pipeline=pipeline).predict(holdout), recipe.predict(holdout))
    assert dump(pipeline) == content


def test_the_profile_of_the_raw_table_finds_no_leak(stage, tmp_path):
    stage.data.table.to_parquet(tmp_path / "train.parquet")
    checked = Checked(tmp_path / "train.csv", tmp_path / "train.parquet", len(stage.data.table), {})

    report = quality({"train": checked}, Rules(stage.data.schema), stage.data.task)

    assert report["checks"]["leaks"]["ok"]
    assert report["checks"][stage.data.task.target_check]["ok"]
    assert report["train"]["columns"]["target"]["distinct"] == stage.data.table["target"].nunique()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("iris", "5 folds need at least 5 rows of class 'setosa'; there are 3"),
        ("diabetes", "5 folds need at least 5 rows; there are 3"),
    ],
)
def test_too_few_rows_for_the_folds_are_refused(data_set, name, sentence):
    data = data_set(name)
    few = data.table.groupby("target").head(3)[: 9 if name == "iris" else 3]

    with pytest.raises(UserError, match=sentence):
        Recipe(data.schema, data.task, DummyClassifier()).folds(few, folds=5, seed=1)


def test_an_interval_over_folds_may_be_below_0_where_the_score_may():
    from dvckit.tasks.regression import Regression

    scores = pd.DataFrame({"rmse": [1.0, 5.0], "mae": [1.0, 1.0], "r2": [-0.5, 0.5]})

    result = summary(Regression(), scores, 2)

    assert result["rmse"]["low"] == 0.0
    assert result["r2"]["low"] < -0.5
    assert result["r2"]["high"] == 1.0


def test_a_difference_of_scores_without_a_lower_end_has_no_end():
    from dvckit.tasks.regression import Regression

    scores = pd.DataFrame({"rmse": [-1.0, 5.0], "mae": [1.0, 1.0], "r2": [-5.0, 5.0]})

    assert summary(Regression(), scores, 2, difference=True)["r2"]["low"] < -5


def test_a_model_that_knows_the_hold_out_is_above_the_folds(data_set):
    stage = Stage(data_set("diabetes"))
    recipe = Recipe(stage.data.schema, stage.data.task, DecisionTreeRegressor()).fit(stage.data.table)

    found = stage.evaluated(recipe)[EVALUATION]["checks"]["holdout_above_cross_validation"]["found"]

    assert "hold-out rmse 0.000 is far better than" in " ".join(found)
