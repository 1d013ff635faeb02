"""A small model of every kind that the pipelines of this library and of new projects have, fitted in no time.

Beside them, gradient boosting over histograms, whose types a project must name.
"""

import json
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import create_model
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from dvckit.models.stored import card, dump
from dvckit.tables.schema import FeatureSchema, Record, column
from dvckit.tasks import task_of

ROWS = 60
HISTOGRAM = (
    "numpy.random._generator.Generator",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)


class Kind(NamedTuple):
    """What the model of a kind is about: its schema and its rows, of which the target is a column."""

    schema: FeatureSchema
    table: pd.DataFrame

    @property
    def rows(self):
        return self.table[list(self.schema.inputs)]

    @property
    def task(self):
        return task_of(self.schema.labels)


def kind(labels):
    """Rows of a number, a category and a text, each with missing values, and a target of these labels."""
    draw = np.random.default_rng(1)
    target = draw.choice(labels, ROWS) if labels else draw.normal(size=ROWS)
    number = np.where(draw.random(ROWS) < 0.1, np.nan, draw.normal(10, 3, ROWS))
    colour = draw.choice(
        np.array(["red", "green", "blue", "rare", None], dtype=object), ROWS, p=[0.3, 0.3, 0.3, 0.05, 0.05]
    )
    note = [" ".join(draw.choice(["good", "bad", "room", "staff"], 3)) for _ in range(ROWS)]
    fields = {
        "row": (int, column("id")),
        "y": (Literal[labels] if labels else float, column("target")),
        "number": (float | None, column("number")),
        "colour": (str | None, column("category")),
        "note": (str, column("text")),
    }
    columns = {"row": np.arange(ROWS), "y": target, "number": number, "colour": colour, "note": note}
    return Kind(FeatureSchema(create_model("Row", __base__=Record, **fields)), pd.DataFrame(columns))


KINDS = {"binary": kind(("no", "yes")), "multiclass": kind((1, 2, 3)), "regression": kind(())}
CLASSIFIERS = {
    "forest": RandomForestClassifier(2, max_depth=3, random_state=1),
    "boosting": GradientBoostingClassifier(n_estimators=2, max_depth=2, random_state=1),
    "linear": LogisticRegression(),
    "network": MLPClassifier(hidden_layer_sizes=(3, 2), tol=1e3, n_iter_no_change=1, random_state=1),
}
REGRESSORS = {
    "forest": RandomForestRegressor(2, max_depth=3, random_state=1),
    "boosting": GradientBoostingRegressor(n_estimators=2, max_depth=2, random_state=1),
    "linear": Ridge(),
    "network": TransformedTargetRegressor(
        MLPRegressor(hidden_layer_sizes=(3, 2), tol=1e3, n_iter_no_change=1, random_state=1),
        transformer=StandardScaler(),
    ),
}


def pipeline(model):
    """A model behind the columns of all roles."""
    number = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    category = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5, sparse_output=False)
    parts = [("numbers", number, ["number"]), ("categories", category, ["colour"])]
    text = ("note", HashingVectorizer(n_features=8, alternate_sign=False), "note")
    return Pipeline([("columns", ColumnTransformer([*parts, text], sparse_threshold=0)), ("model", model)])


def pipelines():
    """All pipelines, unfitted, with the name of their kind."""
    for name in KINDS:
        models = REGRESSORS if name == "regression" else CLASSIFIERS
        for model in models.values():
            yield name, pipeline(model)
        parts = [(part, pipeline(models[part])) for part in ("forest", "boosting", "linear")]
        voting = VotingRegressor(parts) if name == "regression" else VotingClassifier(parts, voting="soft")
        yield name, Pipeline([("model", voting)])
        tree = DecisionTreeRegressor if name == "regression" else DecisionTreeClassifier
        category = ColumnTransformer(
            [("simple", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["colour"])]
        )
        yield name, Pipeline([("columns", category), ("model", tree(max_leaf_nodes=4, random_state=0))])
        if name == "binary":
            yield name, pipeline(HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=4))


def stored():
    """The bytes of each model, with its kind."""
    for name, unfitted in pipelines():
        yield KINDS[name], dump(unfitted.fit(KINDS[name].rows, KINDS[name].table["y"]))


def card_of(content, kind):
    """A model.json that fits the bytes, as an attacker writes it, too."""
    return json.dumps(card(content, kind.schema, "all", {})).encode()
