"""The grammar of -S, and what a grid may hold."""

import pytest

from dvckit.core.errors import UserError
from dvckit.sweep.configurations import Values, count, grid, parse_axes
from titanic.project import PROJECT


def test_a_grid_has_every_combination_the_last_axis_changing_fastest():
    axes = parse_axes(["train.n_estimators=100,200", "train.max_depth=range(4,6)"])

    assert count(axes) == 4
    assert list(grid(axes)) == [
        ("train.n_estimators=100", "train.max_depth=4"),
        ("train.n_estimators=100", "train.max_depth=5"),
        ("train.n_estimators=200", "train.max_depth=4"),
        ("train.n_estimators=200", "train.max_depth=5"),
    ]


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("train.max_depth=null,3", ["null", "3"]),
        ("train.max_depth=choice(1,2)", ["1", "2"]),
        ("train.max_depth=range(9,3,-3)", ["9", "6"]),
        ("features.age_bands=[16,40],[13,20]", ["[16,40]", "[13,20]"]),
        ("params.yaml:train.seed=3", ["3"]),
        ("conf/model.toml:depth=3,4", ["3", "4"]),
    ],
)
def test_values_are_dvcs(written, values):
    (axis,) = parse_axes([written])

    assert [value.partition("=")[2] for value in axis.values] == values


def test_an_interval_has_ends():
    axis, whole = parse_axes(["train.test_size=interval(0.1,0.3)", "train.max_depth=interval(2,1e6)"])

    assert (axis.interval.start, axis.interval.end) == (0.1, 0.3)
    assert axis.values == ("train.test_size=0.1", "train.test_size=0.3")
    assert whole.values == ("train.max_depth=2", "train.max_depth=1000000")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (["train.max_depth=range(5,5)"], "-S train.max_depth=range(5,5) names no value"),
        (["train.max_depth=range(1,5"], "-S cannot be read"),
        (["train.max_depth"], "-S cannot be read"),
        (["+train.depth=3"], "a sweep changes only keys that params.yaml has"),
        (["~train.max_depth"], "a sweep changes only keys that params.yaml has"),
        (["train.pipeline=glob(*)"], "a glob has no values here"),
        (["other.toml:+a=3"], "-S other.toml:+a=3: a sweep changes only keys that other.toml has"),
        (["train.seed=1", "train.seed=2"], "-S names train.seed twice"),
        (["train.seed=range(0,10000000)"], "names more than 1,000,000 values"),
    ],
)
def test_an_invalid_override_is_refused(written, message):
    with pytest.raises(UserError) as error:
        parse_axes(written)

    assert message in str(error.value)


@pytest.fixture
def values(write_params, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    write_params(tmp_path)
    (tmp_path / "model.json").write_text('{"depth": {"most": 3}}')
    (tmp_path / "settings.py").write_text("class Train:\n    SEED = 1\n")
    return Values(tmp_path, ["params.yaml", "model.json", "settings.py"], scratch, PROJECT.check_params)


def test_a_configuration_has_all_values_and_its_own(values):
    of_all = values.of(("train.max_depth=null", "features.age_bands=[16,40]", "settings.py:Train.SEED=2"))

    assert of_all["train.max_depth"] is None
    assert of_all["features.age_bands"] == [16, 40]
    assert of_all["train.n_estimators"] == 5
    assert of_all["model.json:depth.most"] == 3
    assert of_all["settings.py:Train.SEED"] == 2


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.n_estimator=5", "unknown key train.n_estimator; did you mean train.n_estimators?"),
        ("n_estimators=5", "unknown key n_estimators; did you mean train.n_estimators?"),
        ("model.json:most=5", "unknown key model.json:most; did you mean model.json:depth.most?"),
        ("train.n_estimators=0", "-S train.n_estimators=0: train.n_estimators is 0; it must be greater than"),
        ("train.pipeline=forest", "train.pipeline is 'forest'; it must be 'random_forest'"),
        ("features.age_bands=[40,16]", "must be whole years from 1 on, rising"),
    ],
)
def test_a_wrong_value_is_named(values, assignment, message):
    with pytest.raises(UserError) as error:
        values.of((assignment,))

    assert message in str(error.value)
