"""The mean of models, one for each partition."""

import json

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from dvckit.core.errors import UserError
from dvckit.models.ensembles import combined, partitions_of, recipe_of
from dvckit.models.folds import Recipe
from dvckit.models.partitions import check_sizes, mean_of
from dvckit.models.stored import card, dump, parse
from dvckit.tables.partitions import places
from dvckit.tasks import task_of
from titanic.features import FEATURES
from titanic.modeling.pipelines import PIPELINES
from titanic.modeling.transformers import TRUSTED
from titanic.schema import LABELS


@pytest.fixture
def recipe(params):
    return Recipe(FEATURES, task_of(LABELS), PIPELINES["logistic_regression"](params(pipeline="logistic_regression")))


@pytest.fixture
def parts(table):
    of_rows = places(pa.array(table[FEATURES.key]), 2)
    return [table[of_rows == place] for place in range(2)]


def test_a_mean_predicts_the_mean_of_its_models(recipe, table, parts):
    models = [recipe.fit(part) for part in parts]

    mean = recipe._replace(pipeline=combined(recipe.task, [model.pipeline for model in models]))

    assert partitions_of(mean.pipeline) == 2
    np.testing.assert_allclose(mean.predict(table), np.mean([model.predict(table) for model in models], axis=0))


def test_a_mean_of_values_predicts_the_mean_of_its_models():
    rows = np.arange(12.0).reshape(-1, 1)
    models = [
        Pipeline([("scale", StandardScaler()), ("model", Ridge())]).fit(rows, rows[:, 0] * slope) for slope in (1, 3)
    ]

    mean = combined(task_of(()), models)

    np.testing.assert_allclose(mean.predict(rows), np.mean([model.predict(rows) for model in models], axis=0))


def test_a_mean_of_text_labels_knows_them():
    rows = np.arange(12.0).reshape(-1, 1)
    labels = np.array(["b", "a"] * 6)
    models = [Pipeline([("model", LogisticRegression())]).fit(rows, labels) for _ in range(2)]

    mean = combined(task_of(["a", "b"]), models)

    assert mean.classes_.tolist() == ["a", "b"]
    assert mean.predict(rows).tolist() == models[0].predict(rows).tolist()


def test_a_fit_of_a_mean_fits_each_partition(recipe, table, parts):
    mean = recipe._replace(pipeline=combined(recipe.task, [recipe.fit(part).pipeline for part in parts]))

    again = mean.fit(table)

    assert np.array_equal(again.predict(table), mean.predict(table))
    assert str(recipe_of(again.pipeline)) == str(recipe.pipeline)


def test_a_mean_is_stored_and_loaded_as_any_model(recipe, table, parts):
    mean = combined(recipe.task, [recipe.fit(part).pipeline for part in parts])
    content = dump(mean)
    about = json.dumps(card(content, FEATURES, "all", {})).encode()

    loaded, _ = parse(content, about, "model.skops", FEATURES, TRUSTED)

    inputs = table[[*FEATURES.inputs]]
    assert np.array_equal(loaded.predict_proba(inputs), mean.predict_proba(inputs))
    assert dump(mean) == content


def test_a_partition_needs_rows_enough():
    check_sizes([2_000, 2_100])

    with pytest.raises(
        UserError, match=r"leaves 1999 labelled rows in a partition.*4200 rows are enough for one partition"
    ):
        check_sizes([1_999, 2_201])


def test_scores_of_partitions_are_weighted_by_their_rows():
    assert mean_of([({"accuracy": 1.0}, 30), ({"accuracy": 0.5}, 10)]) == {"accuracy": 0.875}
