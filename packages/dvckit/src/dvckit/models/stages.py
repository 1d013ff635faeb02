"""The work of the stages train, evaluate and diagnose: read the tables of a project, compute, write the results."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field
from sklearn.pipeline import Pipeline

from dvckit.core.files import write_bytes, write_json
from dvckit.core.layout import DIAGNOSTICS, FEATURES, INTERIM, MODEL, MODEL_CARD, PREDICTIONS, PROCESSED, TEST, TRAIN
from dvckit.core.params import Section, Seed
from dvckit.core.pool import pool
from dvckit.core.progress import progress
from dvckit.models import diagnostics
from dvckit.models.evaluation import evaluate, learned_from, tables_of, write
from dvckit.models.folds import Recipe, Watcher
from dvckit.models.leaks import Featurize
from dvckit.models.partitioned_evaluation import evaluate_partitions
from dvckit.models.partitions import fit_partitions, is_partitioned, scores_of
from dvckit.models.split import Refit
from dvckit.models.stored import card, dump, load
from dvckit.tables.schema import Schema
from dvckit.tasks import task_of
from dvckit.tasks.base import rounded

Trusted = Iterable[str]  # the types of the project's own that its stored model may hold


def _processed(name: str) -> pd.DataFrame:
    return pd.read_parquet(PROCESSED / f"{name}.parquet")


def train_model(schema: Schema, pipeline: Pipeline, refit: Refit) -> None:
    """Fit a pipeline on the training rows, and on the hold-out too if `refit` is all; store it, with its card beside it."""
    if is_partitioned(PROCESSED):
        with pool(Path.cwd()) as running:
            model = fit_partitions(schema, pipeline, tables_of(refit), running)
            scores = scores_of(model, schema, tables_of(refit), running)
    else:
        table = learned_from({"refit": refit}, *(_processed(name) for name in (TRAIN, "holdout")))
        recipe = Recipe(schema, task_of(schema.labels), pipeline).fit(table)
        scores = recipe.task.scores(recipe.task.truth(table[schema.target]), recipe.predict(table))
        model = recipe.pipeline
    content = dump(model)
    write_bytes(MODEL, content)
    write_json(MODEL_CARD, card(content, schema, refit, rounded(scores)))


class Evaluate(Section):
    """Parameters of cross-validation on the training rows."""

    folds: int = Field(ge=2, le=50)
    seed: Seed


def evaluate_model(
    schema: Schema,
    baselines: Mapping[str, Pipeline],
    params: Evaluate,
    *,
    predict: bool,
    trusted: Trusted = (),
    watcher: Watcher | None = None,
) -> None:
    """Write scores, plot data and predictions of the stored model; where there are rows to predict, the submission."""
    model, about = load(MODEL, MODEL_CARD, schema, trusted)
    if is_partitioned(PROCESSED):
        write(
            evaluate_partitions(
                schema, model, about, baselines, folds=params.folds, seed=params.seed, predict=predict, watcher=watcher
            )
        )
        return
    names = (TRAIN, "holdout", *([TEST] if predict else []))
    tables = {name: _processed(name) for name in names}
    tables["clean"] = pd.read_parquet(INTERIM / f"{TRAIN}.parquet")
    recipe = Recipe(schema, task_of(schema.labels), model)
    write(evaluate(recipe, about, tables, baselines=baselines, folds=params.folds, seed=params.seed, watcher=watcher))


class Diagnose(Section):
    """Parameters of repeated cross-validation and permutation importance."""

    folds: int = Field(ge=2, le=50)
    repeats: int = Field(ge=1, le=1_000)
    seed: Seed


def diagnose_model(
    schema: Schema,
    featurize: Featurize,
    baselines: Mapping[str, Pipeline],
    slices: Iterable[str],
    params: Diagnose,
    *,
    trusted: Trusted = (),
) -> None:
    """Write reports/diagnostics.json."""
    model, about = load(MODEL, MODEL_CARD, schema, trusted)
    recipe, folds, seed = Recipe(schema, task_of(schema.labels), model), params.folds, params.seed
    train, holdout = _processed(TRAIN), _processed("holdout")
    judged = recipe.fit(train)  # importances are of a model that has not seen the hold-out
    clean, features = (pd.read_parquet(folder / f"{TRAIN}.parquet") for folder in (INTERIM, FEATURES))
    tables = {"train": train, "holdout": holdout, "clean": clean, "features": features}
    parts: dict[str, Callable[[], Any]] = {
        "repeated_cv": lambda: diagnostics.repeated(
            recipe, baselines, train, folds=folds, repeats=params.repeats, seed=seed
        ),
        "learning_curve": lambda: diagnostics.learning_curve(recipe, train, folds=folds, seed=seed),
        "slices": lambda: diagnostics.slices(recipe, holdout, pd.read_parquet(PREDICTIONS), slices),
        "importance": lambda: diagnostics.importances(judged, holdout, repeats=params.repeats, seed=seed),
        "checks": lambda: diagnostics.leak_checks(recipe, about, tables, featurize, folds=folds, seed=seed),
    }
    results = {}
    with progress("diagnose", "parts", len(parts)) as advance:
        for name, compute in parts.items():
            results[name] = compute()
            advance(1)
    write_json(DIAGNOSTICS, results)
