"""The work of stage diagnose: results for the reader, which an experiment does not need.

Repeated cross-validation beside the baselines, the learning curve, slices of the hold-out, permutation importance, and
the leak checks that refit the model.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.inspection import permutation_importance
from sklearn.pipeline import Pipeline

from dvckit.models import leaks
from dvckit.models.evaluation import learned_from
from dvckit.models.folds import Recipe, Tables, summary
from dvckit.tasks.base import DIGITS, Labels
from dvckit.tasks.clustered import codes
from dvckit.tasks.predictions import HOLDOUT

MOST_VALUES, BANDS = 8, 4  # numbers with more values are sliced in so many bands
SHUFFLES = 2  # of the target, the second only if the first is predicted
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)  # of a fold's training rows, on the learning curve


def repeated(
    recipe: Recipe, baselines: Mapping[str, Pipeline], table: pd.DataFrame, *, folds: int, repeats: int, seed: int
) -> dict[str, Any]:
    """Return the scores over repeated folds of the model and the baselines, and of the model minus each baseline."""
    pipelines = {"model": recipe.pipeline, **baselines, **recipe.task.constant_models()}
    scores = {
        name: recipe._replace(pipeline=pipeline).folds(table, folds=folds, repeats=repeats, seed=seed).scores
        for name, pipeline in pipelines.items()
    }
    return {name: summary(recipe.task, of, folds) for name, of in scores.items()} | {
        f"model_less_{name}": summary(recipe.task, scores["model"] - of, folds, difference=True)
        for name, of in scores.items()
        if name != "model"
    }


def learning_curve(recipe: Recipe, table: pd.DataFrame, *, folds: int, seed: int) -> list[dict[str, Any]]:
    """Return the scores over folds of the recipe, fitted on increasing shares of the training rows of each fold."""
    points = {share: recipe.folds(table, folds=folds, seed=seed, share=share) for share in SHARES}
    return [{"rows": round(share * of.rows), **summary(recipe.task, of.scores, folds)} for share, of in points.items()]


def slices(
    recipe: Recipe, holdout: pd.DataFrame, predictions: pd.DataFrame, columns: Iterable[str]
) -> list[dict[str, Any]]:
    """Return row count, target and headline metric with its interval for each value of the slicing columns.

    `predictions` is the table of that name, of which the hold-out rows are used.
    """
    task, schema, headline, digits = recipe.task, recipe.schema, recipe.task.metrics[0], recipe.task.slice_digits
    by_key = predictions[predictions["part"] == HOLDOUT].set_index("key")
    rows = []
    for column in columns:
        for value, part in holdout.groupby(_sliced(holdout[column]), observed=True):
            truth = task.truth(part[schema.target])
            predicted = task.from_columns(by_key.loc[part[schema.key]])
            groups = codes(part, schema.group)
            rows.append(
                {
                    "column": column,
                    "value": value,
                    "rows": len(part),
                    task.statistic: round(task.describe(truth), digits),
                    headline.name: round(headline.score(truth, predicted), digits),
                    "interval": [round(end, digits) for end in headline.uncertainty(truth, predicted, groups)],
                }
            )
    return rows


def _sliced(column: pd.Series) -> pd.Series:
    """Return the values to slice by, as text in their order: of many numbers, bands with about as many rows each."""
    if is_numeric_dtype(column) and column.nunique() > MOST_VALUES:
        edges = np.unique(np.quantile(column.dropna(), np.linspace(0, 1, BANDS + 1)))
        names = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
        places = pd.cut(column, edges.tolist(), labels=False, include_lowest=True)
        texts, order = places.map(dict(enumerate(names))), names
    else:
        texts = column.astype("str").where(column.notna())
        order = sorted(texts.dropna().unique(), key=_in_order)
    order = [*dict.fromkeys(order), *(["missing"] if texts.isna().any() else [])]
    return pd.Series(pd.Categorical(texts.fillna("missing"), order), index=column.index)


def _in_order(text: str) -> list[str | int]:
    """Sort 2-9 before 10-19, and words after numbers."""
    return [int(piece) if piece.isdigit() else piece for piece in re.split(r"(\d+)", text)]


def importances(recipe: Recipe, table: pd.DataFrame, *, repeats: int, seed: int) -> list[dict[Any, Any]]:
    """Return how much worse the hold-out's headline metric is if a column is shuffled, the most important column first."""
    task, inputs, headline = recipe.task, list(recipe.schema.inputs), recipe.task.metrics[0]

    def scorer(model: Pipeline, rows: pd.DataFrame, truth: Labels) -> float:
        return headline.sign * headline.score(truth, task.predict(model, rows))

    truth = task.truth(table[recipe.schema.target])
    importance = permutation_importance(
        recipe.pipeline, table[inputs], truth, scoring=scorer, n_repeats=repeats, random_state=seed
    )
    losses = pd.DataFrame({"column": inputs, "mean": importance.importances_mean, "sd": importance.importances_std})
    return losses.sort_values("mean", ascending=False, kind="stable").round(DIGITS).to_dict("records")


def leak_checks(
    recipe: Recipe, card: Mapping[str, Any], tables: Tables, featurize: leaks.Featurize, *, folds: int, seed: int
) -> dict[str, Any]:
    """Return the findings of the leak checks that need the tables of earlier stages or refit the model.

    `tables` are clean, features, train and holdout.
    """
    clean, holdout = tables["clean"], tables["holdout"]
    refitted = recipe.fit(learned_from(card, tables["train"], holdout)).predict(holdout)
    return leaks.report(
        features_learned_before_the_split=leaks.across_rows(featurize, clean, tables["features"]),
        shuffled_target_predicted=_predicts_shuffled(recipe, clean, featurize, folds=folds, seed=seed),
        model_of_other_rows=leaks.other_recipe(recipe.predict(holdout), refitted),
    )


def _predicts_shuffled(
    recipe: Recipe, clean: pd.DataFrame, featurize: leaks.Featurize, *, folds: int, seed: int
) -> Iterator[str]:
    """Fit the recipe on the features of a shuffled target; yield a finding if it predicts that target.

    Honest features resemble one shuffled target in a hundred, in all folds alike, so a finding has to hold over two.
    """
    target, random = recipe.schema.target, np.random.RandomState(seed)
    scores: list[pd.DataFrame] = []
    targets: list[pd.Series] = []
    findings: list[str] = []
    for _ in range(SHUFFLES):
        shuffled = clean.assign(**{target: clean[target].sample(frac=1, random_state=random).to_numpy()})
        over_folds = recipe.folds(featurize(shuffled), folds=folds, seed=seed)
        scores.append(over_folds.scores)
        targets.append(clean[target].iloc[over_folds.predictions.index])
        findings = list(recipe.task.predicts_shuffled(pd.concat(scores), pd.concat(targets)))
        if not findings:
            break
    yield from findings
