"""The work of stage evaluate: scores, plot data, predictions of every labelled row, and the submission.

reports/metrics.json has the scores for comparing experiments, reports/evaluation.json their intervals and further scores.
Every experiment waits for this stage, so it does no more than experiments need.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from dvckit.core.errors import UserError
from dvckit.core.files import write_json, write_table
from dvckit.core.layout import EVALUATION, METRICS, MODEL, PLOTS, PREDICTIONS, SUBMISSION, TRAIN
from dvckit.models import leaks
from dvckit.models.folds import Recipe, Tables, Watcher, summary
from dvckit.models.stored import predictions_of
from dvckit.tasks.base import DIGITS, Labels, Task, rounded, with_interval
from dvckit.tasks.clustered import Groups, codes
from dvckit.tasks.predictions import GROUP, HOLDOUT, as_texts, row_hashes
from dvckit.tasks.uncertainty import Floats

PRECISION = 9  # digits of a stored prediction: enough to compare models, few enough to be the same on every processor


def evaluate(
    recipe: Recipe,
    card: dict[str, Any],
    tables: Tables,
    *,
    baselines: Mapping[str, Pipeline],
    folds: int,
    seed: int,
    watcher: Watcher | None = None,
) -> dict[Path, Any]:
    """Score a stored model, that of `recipe`, on the hold-out, and its recipe on folds of the training rows.

    `tables` are clean, train, holdout, and test where there are rows to predict; `baselines` unfitted pipelines, which are
    fitted on the training rows, as is the recipe to score it on the hold-out. The result has the content of each out, by its path. UserError if the scores of the model on the rows that it learned from differ from those that
    stage train stored in model.json, its `card`. A watcher of the folds may end the evaluation.
    """
    schema, task = recipe.schema, recipe.task
    train, holdout, *tests = (tables[name] for name in ("train", "holdout", "test") if name in tables)
    learned = learned_from(card, train, holdout)
    rows = pd.concat([learned, *tests])[list(schema.inputs)]
    every = predictions_of(recipe.pipeline, task, rows, str(MODEL))  # one call: a call costs more than its rows
    of_learned, of_test = np.split(every, [len(learned)])
    check_reproduced(rounded(task.scores(task.truth(learned[schema.target]), of_learned)), card.get("training", {}))
    judged = recipe if learned is train else recipe.fit(train)
    truth, of_holdout = task.truth(holdout[schema.target]), judged.predict(holdout)
    over_folds = recipe.folds(train, folds=folds, seed=seed, watcher=watcher)
    models = {**task.constant_models(), **baselines}
    rules = {
        name: task.metrics[0].score(truth, recipe._replace(pipeline=one).fit(train).predict(holdout))
        for name, one in models.items()
    }
    evaluation: dict[str, Any] = {
        "holdout": holdout_evaluation(task, truth, of_holdout, codes(holdout, schema.group)),
        "cv": summary(task, over_folds.scores, folds),
        "folds": _each_fold(over_folds.scores, train[[schema.key, schema.target]], folds, seed),
    }
    evaluation["checks"] = leaks.report(
        holdout_rows_in_training=leaks.in_both(train, holdout, schema),
        features_that_tell_the_target=leaks.tells(train, schema, task),
        holdout_above_cross_validation=leaks.too_good(evaluation["holdout"], evaluation["cv"], task),
    )
    return {
        METRICS: metrics_of(task, holdout_scores(task, truth, of_holdout), over_folds.scores, rules),
        EVALUATION: evaluation,
        **{PLOTS / f"{name}.csv": curve.round(DIGITS) for name, curve in task.curves(truth, of_holdout).items()},
        PREDICTIONS: _predictions(recipe, tables, over_folds.predictions, of_holdout),
        **({SUBMISSION: submission_of(recipe, tables["test"], of_test)} if tests else {}),
    }


def holdout_scores(task: Task, truth: Labels, predictions: Floats) -> dict[str, float]:
    """Return the scores of a hold-out that experiments are compared by, and those beside them."""
    return task.scores(truth, predictions) | task.further_scores(truth, predictions)


def tables_of(refit: str) -> tuple[str, ...]:
    """Return the tables in data/processed that the stored model learns from."""
    return (TRAIN, HOLDOUT) if refit == "all" else (TRAIN,)


def learned_from(card: Mapping[str, Any], train: pd.DataFrame, holdout: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that a stored model learned from, by its card: all labelled ones, or those outside of the hold-out."""
    return pd.concat([train, holdout], ignore_index=True) if card.get("refit") == "all" else train


def write(outs: Mapping[Path, Any]) -> None:
    """Write the outs of a stage: tables, and JSON."""
    for path, content in outs.items():
        (write_table if isinstance(content, pd.DataFrame) else write_json)(path, content)


def metrics_of(
    task: Task, holdout: Mapping[str, float], scores: pd.DataFrame, rules: Mapping[str, float]
) -> dict[str, Any]:
    """Return the scores to compare: of the hold-out, of folds, and the headline metric of the baselines.

    `_sd` is the standard deviation of the headline metric between folds.
    """
    headline, means = task.metrics[0], dict(scores.mean())
    over_folds = {headline.name: means[headline.name], f"{headline.name}_sd": scores[headline.name].std(), **means}
    return {
        "holdout": rounded(holdout),
        "cv": rounded(over_folds),
        "baseline": rounded(rules),
    }


def holdout_evaluation(task: Task, truth: Labels, predictions: Floats, groups: Groups | None) -> dict[str, Any]:
    """Return the details of a hold-out: its size, intervals, and scores that are not compared."""
    sure = {
        metric.name: with_interval(metric.score(truth, predictions), metric.uncertainty(truth, predictions, groups))
        for metric in task.metrics
    }
    return {"rows": len(truth), **sure, **rounded(task.details(truth, predictions))}


def _each_fold(scores: pd.DataFrame, labelled: pd.DataFrame, folds: int, seed: int) -> dict[str, Any]:
    """Return the scores of each fold, and in `rows` a hash of the labelled rows and their folds.

    Two models with the same hash can be compared fold by fold.
    """
    rows = hashlib.sha256(f"{folds} {seed} ".encode())
    rows.update(pd.util.hash_pandas_object(labelled, index=False).to_numpy().tobytes())
    return {"rows": rows.hexdigest()[:16], **{str(name): of.tolist() for name, of in scores.round(DIGITS).items()}}


def _predictions(recipe: Recipe, tables: Tables, of_folds: pd.DataFrame, of_holdout: Floats) -> pd.DataFrame:
    """Return the table of predictions, in the order of the clean table, of the rows that were predicted."""
    key, target, clean = recipe.schema.key, recipe.schema.target, tables["clean"]
    labelled = pd.concat([tables["train"].iloc[of_folds.index], tables["holdout"]])
    predictions = pd.concat([of_folds, pd.DataFrame({"part": HOLDOUT, **recipe.task.columns(of_holdout)})])
    predictions.insert(0, "key", labelled[key].to_numpy())
    predictions.insert(2, "truth", labelled[target].to_numpy())
    if recipe.schema.group:
        predictions.insert(3, GROUP, as_texts(labelled[recipe.schema.group]))
    rows = pd.DataFrame({"row": row_hashes(clean, {*clean} - {key, target}), "key": clean[key]})
    return rows.merge(predictions.round(PRECISION), on="key")


def submission_of(recipe: Recipe, test: pd.DataFrame, of_test: Floats) -> pd.DataFrame:
    """Return the key and the predicted target of each row to predict."""
    schema = recipe.schema
    return pd.DataFrame({schema.key: test[schema.key], schema.target: recipe.task.labels(of_test)}).round(DIGITS)


def check_reproduced(scores: dict[str, float], noted: dict[str, Any]) -> None:
    """Raise a UserError where a model does not have the scores on the rows that it learned from that its card has."""
    if scores != noted:
        raise UserError(
            f"{MODEL} scores {scores} on the rows that it learned from, and {noted} when it was trained: model and rows do "
            "not belong together; run `dvc repro --force train`"
        )
