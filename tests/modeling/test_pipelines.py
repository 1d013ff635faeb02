from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from dvckit.core.params import Section
from dvckit.models.folds import Recipe
from dvckit.tasks import task_of
from tests.example import fit
from titanic.features import FEATURES, Features
from titanic.modeling.pipelines import CATEGORICAL, NAMES, NUMERIC, PIPELINES, Train
from titanic.schema import KEY, LABELS, TARGET

SOURCE = Path(__file__).parents[2]


PARTS = ("random_forest", "gradient_boosting", "logistic_regression")  # of voting
SECTIONS = {name: {name} & set(Train.model_fields) for name in PIPELINES} | {"voting": set(PARTS)}


def test_each_pipeline_can_be_chosen():
    assert set(PIPELINES) == set(get_args(Train.model_fields["pipeline"].annotation))


def test_each_section_is_of_a_pipeline(params):
    sections = {name for name in Train.model_fields if isinstance(getattr(params(), name), Section)}

    assert set().union(*SECTIONS.values()) == sections


def test_neither_key_nor_target_is_an_input():
    assert sorted(NUMERIC + CATEGORICAL + NAMES) == sorted(FEATURES.inputs)
    assert not {KEY, TARGET} & set(FEATURES.inputs)


class Watched:
    """A section of parameters, which notes what is asked of it, and of the sections in it."""

    def __init__(self, section):
        self.section, self.watched = section, {}

    def __getattr__(self, name):
        value = getattr(self.section, name)
        return self.watched.setdefault(name, Watched(value) if isinstance(value, Section) else value)


def reads(params, name):
    """The parameters that a pipeline reads, with their section where they are in one."""
    train = Watched(params())
    PIPELINES[name](train)
    sections = {key: value for key, value in train.watched.items() if isinstance(value, Watched)}
    inner = {f"{key}.{parameter}" for key, section in sections.items() for parameter in section.watched}
    return train.watched.keys() - sections.keys() | inner


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_reads_every_parameter_of_its_sections_and_no_other(params, name):
    fields = {section: type(getattr(params(), section)).model_fields for section in SECTIONS[name]}

    inner = {key for key in reads(params, name) if "." in key}

    assert inner == {f"{section}.{key}" for section, keys in fields.items() for key in keys}


@pytest.mark.parametrize("key", ["n_estimators", "max_depth"])
def test_params_yaml_names_who_reads_a_parameter_of_several(params, key):
    line = next(line for line in (SOURCE / "params.yaml").read_text().splitlines() if f" {key}:" in line)

    readers = {name for name in PIPELINES if key in reads(params, name)}

    assert set(line.partition("# ")[2].partition(":")[0].split(", ")) == readers


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_learns_and_predicts_what_it_has_not_seen(table, params, name):
    model = fit(table, params(pipeline=name, n_estimators=30))
    strange = table.head(3).assign(
        **{
            Features.Embarked: ["X", None, "S"],
            Features.Age: None,
            Features.Title: "Sir",
        }
    )

    assert (model.predict(table[list(FEATURES.inputs)]) == table[TARGET]).mean() > 0.7
    assert model.predict_proba(strange[list(FEATURES.inputs)]).shape == (3, 2)


@pytest.mark.parametrize("name", sorted(set(PIPELINES) - {"baseline", "voting"}))
def test_statistics_come_from_the_fitted_rows_alone(table, params, name):
    rows = table.head(100).assign(**{Features.Age: 30.0})

    model = fit(rows, params(pipeline=name))

    numeric = model.named_steps["preprocessing"].named_transformers_["numeric"]
    imputer = numeric if hasattr(numeric, "statistics_") else numeric[0]
    assert imputer.statistics_[NUMERIC.index(Features.Age)] == 30.0


@pytest.mark.parametrize("name", PIPELINES)
def test_a_row_has_the_same_probability_alone_and_among_others(table, params, name):
    model = fit(table.head(200), params(pipeline=name))
    rest = table.tail(100)[list(FEATURES.inputs)]

    together = model.predict_proba(rest)

    assert np.allclose(
        together[:5], np.vstack([model.predict_proba(rest.iloc[[row]]) for row in range(5)]), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("name", PIPELINES)
def test_uninformative_labels_teach_nothing(table, params, name):
    shuffled = table.assign(**{TARGET: table[TARGET].sample(frac=1, random_state=1).to_numpy()})

    recipe = Recipe(FEATURES, task_of(LABELS), PIPELINES[name](params(n_estimators=20)))
    scores = recipe.folds(shuffled, folds=5, repeats=2, seed=1).scores

    assert scores["roc_auc"].mean() == pytest.approx(0.5, abs=0.1)


def test_voting_is_the_mean_of_its_parts(table, params):
    rows = table[list(FEATURES.inputs)]

    probabilities = fit(table, params(pipeline="voting")).predict_proba(rows)

    assert np.allclose(
        probabilities, np.mean([fit(table, params(pipeline=part)).predict_proba(rows) for part in PARTS], axis=0)
    )


def test_the_baseline_is_the_rate_of_each_sex(table, params):
    rates = table.groupby(Features.Sex)[TARGET].mean()

    probabilities = fit(table, params(pipeline="baseline")).predict_proba(table[list(FEATURES.inputs)])[:, 1]

    assert np.allclose(probabilities, table[Features.Sex].map(rates))


def test_the_parameters_reach_the_forest(table, params):
    forest = fit(table, params(n_estimators=3, max_depth=2)).named_steps["model"]

    assert (len(forest.estimators_), max(tree.get_depth() for tree in forest.estimators_)) == (3, 2)


def test_the_parameters_reach_the_network(table, params):
    sizes = {**dict(params().neural_network), "x_size": 3, "y_size": 2}

    network = fit(table, params(pipeline="neural_network", neural_network=sizes)).named_steps["model"]

    assert [layer.shape[1] for layer in network.coefs_] == [3, 2, 1]
