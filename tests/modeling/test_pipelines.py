from typing import get_args

import pytest

from titanic.config import Train
from titanic.modeling.pipelines import CATEGORICAL, NUMERIC, PIPELINES
from titanic.modeling.train import fit
from titanic.schema import KEY, MODEL_INPUT, TARGET, Features


def test_the_registry_and_the_parameter_know_the_same_names():
    assert set(PIPELINES) == set(get_args(Train.model_fields["pipeline"].annotation))


def test_neither_key_nor_target_is_an_input():
    assert sorted(NUMERIC + CATEGORICAL) == sorted(MODEL_INPUT)
    assert not {KEY, TARGET} & set(MODEL_INPUT)


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_learns_and_predicts_what_it_has_not_seen(table, params, name):
    model = fit(table, params(pipeline=name))
    strange = table.head(3).assign(**{Features.Embarked: ["X", None, "S"], Features.Age: None, Features.Title: "Sir"})

    assert (model.predict(table[list(MODEL_INPUT)]) == table[TARGET]).mean() > 0.75
    assert model.predict_proba(strange[list(MODEL_INPUT)]).shape == (3, 2)


@pytest.mark.parametrize("name", PIPELINES)
def test_statistics_come_from_the_fitted_rows_alone(table, params, name):
    rows = table.head(100).assign(**{Features.Age: 30.0})

    model = fit(rows, params(pipeline=name))

    numeric = model.named_steps["preprocessing"].named_transformers_["numeric"]
    imputer = numeric if hasattr(numeric, "statistics_") else numeric[0]
    assert imputer.statistics_[NUMERIC.index(Features.Age)] == 30.0


def test_the_parameters_reach_the_forest(table, params):
    forest = fit(table, params(n_estimators=3, max_depth=2)).named_steps["model"]

    assert (len(forest.estimators_), max(tree.get_depth() for tree in forest.estimators_)) == (3, 2)
