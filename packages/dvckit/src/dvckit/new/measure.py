"""What is measured on the data before a project is made of them: the splits, what a random one would flatter, the best column."""

import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import create_model
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from dvckit.core.errors import UserError
from dvckit.models.divisions import divisions
from dvckit.models.folds import Recipe
from dvckit.models.inflation import Inflation, inflation
from dvckit.models.roles import Roles
from dvckit.models.split import split
from dvckit.new.columns import Column, Examined
from dvckit.tables.dialect import plain
from dvckit.tables.schema import Record, Schema, column
from dvckit.tasks import task_of

FOLDS, SEED, TEST_SIZE = 5, 1, 0.2  # as in a new project's params.yaml
MOST = 20_000  # rows that are measured; of more, an even choice
TREES = 50
CANDIDATES = 20  # columns that fit best, of which the one that predicts best is chosen


def table_of(examined: Examined) -> pd.DataFrame:
    """Return the labelled rows of the file: numbers as floats, everything else as text."""
    with tempfile.TemporaryDirectory(prefix="dvckit-") as folder:
        target = Path(folder) / "plain.csv"
        fields = [one.field for one in examined.columns]
        plain(examined.path, target, examined.header, fields, examined.dialect, examined.numbers)
        dtypes: dict[str, Any] = {one.field: "float64" if _numeric(one) else "str" for one in examined.columns}
        table = pd.read_csv(target, dtype=dtypes, keep_default_na=False, na_values=[""])
    goal = examined.of_role("target")[0].field
    return table[table[goal].notna()].reset_index(drop=True)


def _thinned(table: pd.DataFrame) -> pd.DataFrame:
    return table.iloc[:: max(1, len(table) // MOST)].reset_index(drop=True)


def _numeric(one: Column) -> bool:
    return one.kind in ("whole number", "number")


def check_splits(examined: Examined, table: pd.DataFrame) -> None:
    """UserError where the roles group and time leave a part of the project's splits without a class, or with few rows."""
    kept = [one for one in examined.columns if one.role in ("target", "group", "time")]
    fields: dict[str, Any] = {one.field: (Any, column(one.role)) for one in kept}  # type: ignore[arg-type]
    schema, task = Schema(create_model("Row", __base__=Record, **fields)), task_of(_labels(examined))
    dates = {one.field: pd.to_datetime(table[one.field], format=one.format) for one in kept if one.format}
    train, _ = split(table.assign(**dates), schema, task, test_size=TEST_SIZE, seed=SEED)
    divisions(task, train[schema.target], Roles.of(train, schema), folds=FOLDS, repeats=1, seed=SEED)


def inflated(examined: Examined, table: pd.DataFrame, field: str) -> Inflation | None:
    """Return how much better random folds look than folds that keep the values of a column together; None if unknown."""
    inputs = [one for one in examined.columns if one.role in ("number", "category") or one.field == field]
    forest = RandomForestRegressor if examined.task == "regression" else RandomForestClassifier
    model = forest(TREES, random_state=SEED)
    rows = _thinned(table[table[field].notna()])
    try:
        return inflation(_recipe(examined, inputs, model), rows, field, folds=FOLDS, seed=SEED)
    except UserError:  # too few rows of a class or values
        return None


def best_column(examined: Examined, table: pd.DataFrame) -> tuple[str, str]:
    """Return the feature that predicts the target best by itself, in a small tree, and its role.

    Without numbers and categories it is the year of the first date, or the first text. UserError where there is no input.
    """
    inputs = [one for one in examined.columns if one.role in ("number", "category")]
    if not inputs:
        years = [(f"{one.field}_year", "number") for one in examined.of_role("date")]
        others = years + [(one.field, "text") for one in examined.of_role("text")]
        if not others:
            raise UserError(f"{examined.path} has no column to learn from; give one another role with --role")
        return others[0]
    tree = DecisionTreeRegressor if examined.task == "regression" else DecisionTreeClassifier
    model = tree(max_leaf_nodes=leaves(examined), random_state=0)
    metric, rows = task_of(_labels(examined)).metrics[0], _thinned(table)
    goal = examined.of_role("target")[0].field

    def fit(one: Column) -> float:
        values = rows[one.field] if _numeric(one) else pd.Series(pd.factorize(rows[one.field])[0], rows.index)
        return float(clone(model).fit(values.to_frame(), rows[goal]).score(values.to_frame(), rows[goal]))

    def score(one: Column) -> float:
        recipe = _recipe(examined, [one], model)
        return float(metric.sign * recipe.folds(rows[[one.field, goal]], folds=3, seed=SEED).scores[metric.name].mean())

    best = max(sorted(inputs, key=fit, reverse=True)[:CANDIDATES], key=score)
    return best.field, best.role


def leaves(examined: Examined) -> int:
    """Return the leaves of a tree on one column: one for each class, and a few for values."""
    return max(2, len(examined.labels)) if examined.labels else 8


def _labels(examined: Examined) -> tuple[Any, ...]:
    """Return the labels as `table_of` has them."""
    whole = _numeric(examined.of_role("target")[0])
    return tuple(float(label) if whole else label for label in examined.labels)


def _recipe(examined: Examined, inputs: list[Column], model: BaseEstimator) -> Recipe:
    """Return a model on some columns, with their schema."""
    goal = examined.of_role("target")[0]
    roles = {one.field: "number" if _numeric(one) else "category" for one in inputs} | {goal.field: "target"}
    fields: dict[str, Any] = {field: (Any, column(role)) for field, role in roles.items()}  # type: ignore[arg-type]
    steps = [
        (
            "number",
            SimpleImputer(strategy="median", keep_empty_features=True),
            [one.field for one in inputs if _numeric(one)],
        ),
        (
            "category",
            OneHotEncoder(handle_unknown="ignore", sparse_output=True),
            [one.field for one in inputs if not _numeric(one)],
        ),
    ]
    pipeline = Pipeline([("columns", ColumnTransformer(steps)), ("model", model)])
    schema = Schema(create_model("Row", __base__=Record, **fields))
    return Recipe(schema, task_of(_labels(examined)), pipeline)
