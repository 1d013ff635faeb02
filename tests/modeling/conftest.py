import pytest

from titanic.config import Train
from titanic.features import featurize


@pytest.fixture(scope="session")
def table(made_up):
    """The features of 300 synthetic passengers."""
    return featurize(made_up(1912, 300), (13, 18, 35, 60))


@pytest.fixture(scope="session")
def params():
    """Make the section `train` with a few trees, and other values where they are given."""

    def params(**other):
        small = {"n_estimators": 5, "max_depth": 4, "x_size": 4, "y_size": 3, "max_iter": 200}
        return Train(**{"pipeline": "random_forest", "test_size": 0.2, "seed": 1} | small | other)

    return params
