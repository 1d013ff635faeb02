"""Sections of params.yaml that pipelines of scikit-learn have in common, under scikit-learn's names and limits.

A project's section `train` has one for each of its pipelines. To add a parameter, derive a class from one of them.
"""

from typing import Literal

from pydantic import Field

from dvckit.core.params import Section


class ForestParams(Section):
    """Parameters of a random forest, beside `n_estimators` and `max_depth`."""

    min_samples_leaf: int = Field(ge=1, le=1_000)


class SampledForestParams(ForestParams):
    """Parameters of a random forest for tables that may be long; None for as many rows as there are."""

    max_samples: float | None = Field(gt=0, le=1)


class BoostingParams(Section):
    """Parameters of gradient boosting, beside `n_estimators`."""

    learning_rate: float = Field(gt=0, le=1)
    subsample: float = Field(gt=0, le=1)


class LogisticParams(Section):
    """Parameters of a logistic regression."""

    C: float = Field(gt=0, le=1e6)
    solver: Literal["lbfgs", "newton-cg", "newton-cholesky", "sag", "saga"]


class RidgeParams(Section):
    """The parameter of a ridge regression."""

    alpha: float = Field(ge=0, le=1e6)


class NetworkParams(Section):
    """Parameters of a perceptron with two hidden layers, of `x_size` and `y_size` units."""

    x_size: int = Field(ge=1, le=1_000)
    y_size: int = Field(ge=1, le=1_000)
    alpha: float = Field(ge=0, le=1e6)
    batch_size: int = Field(ge=1, le=100_000)
    learning_rate: float = Field(gt=0, le=1)
    max_iter: int = Field(ge=1, le=10_000)
