"""The models that `train.pipeline` chooses from: unfitted scikit-learn pipelines, from the feature table to a class.

Every statistic that is learned from data stands inside the pipeline, so that it is fitted on the training rows alone.
To add a model, write one function and enter it in `PIPELINES` and in `config.Train.pipeline`.
"""

from collections.abc import Callable

from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from titanic.config import Train
from titanic.schema import MODEL_INPUT, PassengerFeatures, kind

CATEGORICAL = [name for name in MODEL_INPUT if kind(PassengerFeatures, name) is str]
NUMERIC = [name for name in MODEL_INPUT if name not in CATEGORICAL]


def preprocessing(numeric: BaseEstimator) -> ColumnTransformer:
    """Return the common first step: `numeric` on the numbers, one column for each category seen (missing is one)."""
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer([("numeric", numeric, NUMERIC), ("categorical", categories, CATEGORICAL)])


def random_forest(train: Train) -> Pipeline:
    """Return a forest of `n_estimators` trees of at most `max_depth` levels, on medians for missing numbers."""
    forest = RandomForestClassifier(train.n_estimators, max_depth=train.max_depth, random_state=train.seed)
    return Pipeline([("preprocessing", preprocessing(SimpleImputer(strategy="median"))), ("model", forest)])


def logistic_regression(train: Train) -> Pipeline:
    """Return a logistic regression with scikit-learn's default penalty, on standardised numbers."""
    numeric = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    model = LogisticRegression(max_iter=1_000, random_state=train.seed)
    return Pipeline([("preprocessing", preprocessing(numeric)), ("model", model)])


PIPELINES: dict[str, Callable[[Train], Pipeline]] = {
    "random_forest": random_forest,
    "logistic_regression": logistic_regression,
}
