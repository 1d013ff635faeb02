"""The report pages of several classes and of values, on data of scikit-learn."""

import re
from contextlib import chdir
from functools import cache
from html import unescape

import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dvckit.core.layout import EVALUATION, METRICS, PREDICTIONS
from dvckit.models import diagnostics
from dvckit.models.evaluation import evaluate, write
from dvckit.models.folds import Recipe
from dvckit.models.split import split
from dvckit.reports.page import page
from dvckit.reports.plots import figures, read_curves
from dvckit.tables.quality import quality
from dvckit.tables.rows import Checked
from dvckit.tables.schema import Rules
from dvckit.tasks.base import Words, rounded

PARAMS = {
    "train": {"pipeline": "linear", "refit": "train"},
    "evaluate": {"folds": 3},
    "diagnose": {"folds": 3, "repeats": 2},
}
MODELS = {"iris": LogisticRegression(max_iter=1_000), "diabetes": LinearRegression()}


@pytest.fixture(scope="session")
def reported(data_set, tmp_path_factory):
    """Make the page of a data set, its text, and what is in it."""

    @cache
    def reported(name):
        schema, task, table = data_set(name)
        train, holdout = split(table, schema, task, test_size=0.2, seed=1)
        recipe = Recipe(schema, task, make_pipeline(StandardScaler(), MODELS[name])).fit(train)
        training = rounded(task.scores(task.truth(train["target"]), recipe.predict(train)))
        tables = {"clean": table, "features": table, "train": train, "holdout": holdout}
        root = tmp_path_factory.mktemp(name)
        table.to_parquet(root / "train.parquet")
        checked = Checked(root / "train.csv", root / "train.parquet", len(table), {})
        profile = quality({"train": checked}, Rules(schema), task)
        with chdir(root):
            outs = evaluate(recipe, {"training": training}, tables, baselines={}, folds=3, seed=1)
            write(outs)
            curves = read_curves(task)
        parts = holdout.assign(part=["few"] * 8 + ["many"] * (len(holdout) - 8))
        found = {
            "repeated_cv": diagnostics.repeated(recipe, {}, train, folds=3, repeats=2, seed=1),
            "learning_curve": diagnostics.learning_curve(recipe, train, folds=3, seed=1),
            "slices": diagnostics.slices(recipe, parts, outs[PREDICTIONS], ["part"]),
            "importance": diagnostics.importances(recipe, holdout, repeats=2, seed=1),
            "checks": diagnostics.leak_checks(recipe, {}, tables, lambda clean: clean, folds=3, seed=1),
        }
        results = {"metrics": outs[METRICS], "evaluation": outs[EVALUATION], "diagnostics": found, "quality": profile}
        words = Words(name, "flowers" if name == "iris" else "patients", labels={"setosa": "bristle-pointed iris"})
        drawn = figures(task, words, curves, found)
        html = page(PARAMS, results, drawn, task, words, intended_use="", notes=[])
        text = re.sub(r"<style>.*?</style>|<svg.*?</svg>|<[^>]*>", "", html, flags=re.DOTALL)
        return html, " ".join(unescape(text).split()), results

    return reported
