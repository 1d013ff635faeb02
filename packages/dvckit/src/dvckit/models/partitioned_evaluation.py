"""The work of stage evaluate for tables in partitions.

A model of a fold is fitted as the stored one: one on each partition, without the rows of the fold, and their mean predicts
these rows in every partition. So every labelled row has a prediction of models that have not seen it. Tasks leave models
and predictions in a folder; what is computed of all rows at once, such as the ROC AUC of a fold, is one task of its own.
"""

import hashlib
import pickle
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.pipeline import Pipeline

from dvckit.core.files import put, scratch_folder, write_parquet, write_table
from dvckit.core.layout import (
    EVALUATION,
    INTERIM,
    METRICS,
    MODEL,
    PLOTS,
    PREDICTIONS,
    PROCESSED,
    SUBMISSION,
    TEST,
    TRAIN,
)
from dvckit.core.pool import Pool, pool
from dvckit.models import leaks
from dvckit.models.divisions import Starts, divisions
from dvckit.models.ensembles import combined, recipe_of
from dvckit.models.evaluation import (
    PRECISION,
    check_reproduced,
    holdout_evaluation,
    holdout_scores,
    metrics_of,
    submission_of,
    tables_of,
)
from dvckit.models.folds import Recipe, Watcher, summary
from dvckit.models.partitions import (
    HOLDOUT,
    count_of,
    fit,
    in_partition,
    instants,
    read_partition,
    scores_of,
)
from dvckit.models.roles import Roles, window_starts
from dvckit.models.stored import predictions_of
from dvckit.tables.partitions import in_partitions, partitioned
from dvckit.tables.schema import Schema
from dvckit.tasks import task_of
from dvckit.tasks.base import DIGITS, Labels, Task, rounded
from dvckit.tasks.clustered import codes
from dvckit.tasks.predictions import GROUP, as_texts, row_texts, text_hashes
from dvckit.tasks.uncertainty import Floats

HASH = "hash"
HASHED = {"alike": ("key",), "equal": ("key", "target")}  # what is left out of the hashes of rows
MOST_POINTS = 10_000  # rows of a curve; of more, so many at equal distances
JUDGED = "judged"  # the recipe without the hold-out


class Fit(NamedTuple):
    """A model to fit: the name of its pipeline, and the fold that it must not see, from 0; None for the hold-out."""

    name: str
    fold: int | None = None

    def model(self, folder: Path, number: int) -> Path:
        """Return where the model of a partition lies."""
        return folder / f"{self.name}-{self.fold}-{number}.model"

    def predictions(self, folder: Path, number: int) -> Path:
        """Return where the predictions for the rows of a partition lie."""
        return folder / f"{self.name}-{self.fold}-{number}.npy"


@dataclass(frozen=True)
class Work:
    """What tasks have in common."""

    folder: Path
    schema: Schema
    pipelines: Mapping[str, Pipeline]
    folds: int
    seed: int
    starts: Starts | None
    count: int  # of partitions

    @property
    def task(self) -> Task:
        """The task of the target."""
        return task_of(self.schema.labels)

    def divisions(self, number: int) -> Path:
        """Return where the folds of a partition lie."""
        return self.folder / f"folds-{number}.npz"

    def fits(self) -> list[Fit]:
        """Return the models to fit: of the recipe one for the hold-out and one for each fold, of the baselines one."""
        return [*(Fit(name) for name in self.pipelines), *(Fit(JUDGED, fold) for fold in range(self.folds))]


def evaluate_partitions(
    schema: Schema,
    model: Pipeline,
    card: Mapping[str, Any],
    baselines: Mapping[str, Pipeline],
    *,
    folds: int,
    seed: int,
    predict: bool,
    watcher: Watcher | None = None,
) -> dict[Path, Any]:
    """Return the content of each out but the predictions, by its path; these and the submission are in their places.

    As `evaluate` does: `model` is the stored one, with its `card`; `baselines` are unfitted.
    """
    task, count = task_of(schema.labels), count_of(PROCESSED)
    with scratch_folder(PROCESSED / ".evaluate.tmp") as folder, pool(Path.cwd()) as running:
        check_reproduced(
            rounded(scores_of(model, schema, tables_of(str(card.get("refit"))), running)), card.get("training", {})
        )
        counts = instants(running, PROCESSED, schema, count)
        starts = None if counts is None else window_starts(counts, folds + 1)
        pipelines = {JUDGED: recipe_of(model), **task.constant_models(), **baselines}
        work = Work(folder, schema, pipelines, folds, seed, starts, count)
        places = range(count)
        hashes = running.map(partial(_divide, work), places, "folds")
        fits = [(one, number) for one in work.fits() for number in places]
        running.map(partial(_fit, work), fits, "fit", "models")
        running.map(partial(_predict, work), fits, "predict")
        of_folds = running.map(partial(_score_fold, work), range(folds), "score", "folds")
        if watcher:
            watcher(of_folds)
        scores = pd.DataFrame(of_folds)
        found, curves = running.map(partial(_score_holdout, work), [None], "score", "hold-out")[0]
        rules = running.map(
            partial(_score_rule, work), [name for name in pipelines if name != JUDGED], "score", "baselines"
        )
        evaluation = {
            HOLDOUT: found["evaluation"],
            "cv": summary(task, scores, folds),
            "folds": _each_fold(scores, hashes, folds, seed),
        }
        evaluation["checks"] = leaks.report(
            holdout_rows_in_training=_in_both(work, running),
            features_that_tell_the_target=chain.from_iterable(
                running.map(partial(_tells, schema), schema.inputs, "leaks", "columns")
            ),
            holdout_above_cross_validation=leaks.too_good(evaluation[HOLDOUT], evaluation["cv"], task),
        )
        _write_predictions(work, running)
        if predict:
            running.map(partial(_answer, work, model), places, "submission")
            running.map(partial(_write_submission, work), [None], "submission", "files")
            put(folder / SUBMISSION.name, SUBMISSION)
        put(folder / PREDICTIONS.name, PREDICTIONS)
    rules_by_name = dict(zip([name for name in pipelines if name != JUDGED], rules, strict=True))
    return {
        METRICS: metrics_of(task, found["scores"], scores, rules_by_name),
        EVALUATION: evaluation,
        **{PLOTS / f"{name}.csv": curve.round(DIGITS) for name, curve in curves.items()},
    }


# ---- tasks of a partition


def _divide(work: Work, number: int) -> str:
    """Write the folds of a partition; return a hash of its rows and labels."""
    table = read_partition(TRAIN, number)
    target = table[work.schema.target]
    with in_partition(number):
        divided = divisions(
            work.task,
            target,
            Roles.of(table, work.schema),
            folds=work.folds,
            repeats=1,
            seed=work.seed,
            starts=work.starts,
        )
    sides = {f"{side}{fold}": rows for fold, pair in enumerate(divided) for side, rows in zip("io", pair, strict=True)}
    np.savez(work.divisions(number), allow_pickle=False, **sides)
    labelled = table[[work.schema.key, work.schema.target]]
    return hashlib.sha256(pd.util.hash_pandas_object(labelled, index=False).to_numpy().tobytes()).hexdigest()


def _fit(work: Work, task: tuple[Fit, int]) -> None:
    """Fit a model on the rows of a partition that it may see."""
    one, number = task
    rows = read_partition(TRAIN, number)
    if one.fold is not None:
        with np.load(work.divisions(number)) as divided:
            rows = rows.iloc[divided[f"i{one.fold}"]]
    with in_partition(number):
        model = fit(Recipe(work.schema, work.task, work.pipelines[one.name]), rows).pipeline
    one.model(work.folder, number).write_bytes(pickle.dumps(model))


def _predict(work: Work, task: tuple[Fit, int]) -> None:
    """Predict the rows of a partition that the models of all partitions have not seen, by their mean."""
    one, number = task
    models = [pickle.loads(one.model(work.folder, place).read_bytes()) for place in range(work.count)]  # noqa: S301 - of `_fit`
    rows = outside(work, one.fold, number)
    predictions = Recipe(work.schema, work.task, combined(work.task, models)).predict(rows)
    np.save(one.predictions(work.folder, number), predictions)


def outside(work: Work, fold: int | None, number: int) -> pd.DataFrame:
    """Return the rows of a partition that are in a fold, or in the hold-out."""
    if fold is None:
        return read_partition(HOLDOUT, number)
    with np.load(work.divisions(number)) as divided:
        rows: pd.DataFrame = read_partition(TRAIN, number).iloc[divided[f"o{fold}"]]
    return rows


# ---- tasks of all rows


def _gathered(work: Work, one: Fit, *columns: str) -> tuple[pd.DataFrame, Floats]:
    """Return columns of all rows that a model was asked about, and its predictions."""
    places = range(work.count)
    rows = [outside(work, one.fold, number)[[work.schema.target, *columns]] for number in places]
    return pd.concat(rows, ignore_index=True), np.concatenate(
        [np.load(one.predictions(work.folder, number)) for number in places]
    )


def _truth(work: Work, rows: pd.DataFrame) -> Labels:
    return work.task.truth(rows[work.schema.target])


def _score_fold(work: Work, fold: int) -> dict[str, float]:
    rows, predictions = _gathered(work, Fit(JUDGED, fold))
    return work.task.scores(_truth(work, rows), predictions)


def _score_holdout(work: Work, _: None) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Return the scores of the hold-out, their details, and the curves."""
    group = [work.schema.group] if work.schema.group else []
    rows, predictions = _gathered(work, Fit(JUDGED), *group)
    truth, task = _truth(work, rows), work.task
    found = {
        "scores": holdout_scores(task, truth, predictions),
        "evaluation": holdout_evaluation(task, truth, predictions, codes(rows, work.schema.group)),
    }
    return found, {name: _thinned(curve) for name, curve in task.curves(truth, predictions).items()}


def _thinned(curve: pd.DataFrame) -> pd.DataFrame:
    """Return a curve with at most MOST_POINTS rows."""
    if len(curve) <= MOST_POINTS:
        return curve
    return curve.iloc[np.linspace(0, len(curve) - 1, MOST_POINTS).astype(int)]


def _score_rule(work: Work, name: str) -> float:
    rows, predictions = _gathered(work, Fit(name))
    return float(work.task.metrics[0].score(_truth(work, rows), predictions))


def _each_fold(scores: pd.DataFrame, hashes: Iterable[str], folds: int, seed: int) -> dict[str, Any]:
    rows = hashlib.sha256(f"{folds} {seed} {' '.join(hashes)}".encode()).hexdigest()[:16]
    return {"rows": rows, **{str(name): of.tolist() for name, of in scores.round(DIGITS).items()}}


def _tells(schema: Schema, column: str) -> list[str]:
    """Look at one column of all training rows."""
    files = sorted((PROCESSED / f"{TRAIN}.parquet").iterdir())
    rows = pd.concat([pd.read_parquet(file, columns=[column, schema.target]) for file in files], ignore_index=True)
    return [*leaks.tells(rows, schema, task_of(schema.labels), [column])]


def _in_both(work: Work, running: Pool) -> Iterator[str]:
    """Compare the hold-out with the training rows, over all partitions."""
    places, schema = range(work.count), work.schema
    parts = running.map(partial(_shared, work), places, "leaks")
    first = min(part.first for part in parts) if schema.time else None
    late = sum(running.map(partial(_late, schema, first), places, "leaks")) if schema.time else 0
    equal = running.map(partial(_equal, work), places, "leaks")
    keys, groups, rows = (sum(numbers) for numbers in zip(*(part.counts for part in parts), strict=True))
    found = leaks.Shared(keys, sum(one.holdout for one in equal), groups, late, rows)
    labels = pd.concat([part.labels for part in parts]).groupby(level=0).sum()
    pairs = sum(one.pairs for one in equal), sum(one.alike for one in equal)
    yield from leaks.told(found, schema, lambda: leaks.are_copies(*pairs, labels))


class _Part(NamedTuple):
    """What is counted in a partition: shared keys, shared groups and rows of the hold-out; its first instant; labels."""

    counts: tuple[int, int, int]
    first: Any
    labels: pd.Series


class _Equal(NamedTuple):
    """What is counted of rows with one hash."""

    holdout: int  # rows that equal a training row in all but the key
    pairs: int  # that are equal but for key and target
    alike: int  # but for the key


def _shared(work: Work, number: int) -> _Part:
    """Compare the parts of a partition, and leave hashes of their rows for `_equal`."""
    schema = work.schema
    train, holdout = read_partition(TRAIN, number), read_partition(HOLDOUT, number)
    both = pd.concat([train, holdout], ignore_index=True)
    for kind, but in HASHED.items():
        hashes = pa.array(leaks.hashes(both, *(getattr(schema, name) for name in but)).to_numpy())
        outside = pa.array(np.arange(len(both)) >= len(train))
        _leave(work, kind, number, pa.table({HASH: hashes, "outside": outside}))
    counts = (
        leaks.shared_in(train, holdout, schema.key),
        leaks.shared_in(train, holdout, schema.group),
        len(holdout),
    )
    first = holdout[schema.time].min() if schema.time else None
    return _Part(counts, first, both[schema.target].value_counts())


def _leave(work: Work, kind: str, number: int, table: pa.Table) -> None:
    """Leave rows with a hash, so that a task can have those of one hash from all partitions."""
    (work.folder / kind).mkdir(exist_ok=True)
    with in_partitions(work.folder / kind / f"{number}.parquet", table.schema, HASH, HASH, work.count) as writer:
        for batch in table.to_batches():
            writer.write_batch(batch)


def _equal(work: Work, number: int) -> _Equal:
    """Compare rows with equal hashes, of all partitions."""
    alike, equal = (partitioned(work.folder / kind).read(number).to_pandas() for kind in HASHED)
    inside = alike.loc[~alike["outside"], HASH]
    holdout = int(alike.loc[alike["outside"], HASH].isin(inside).sum())
    return _Equal(holdout, leaks.pairs_of(equal[HASH]), leaks.pairs_of(alike[HASH]))


def _late(schema: Schema, first: Any, number: int) -> int:
    return int((read_partition(TRAIN, number)[schema.time] >= first).sum())


# ---- predictions and submission


def _write_predictions(work: Work, running: Pool) -> None:
    """Write the table of predictions, a file for each partition."""
    (work.folder / PREDICTIONS.name).mkdir()
    for task in (_leave_rows, _number_rows, _predictions):
        running.map(partial(task, work), range(work.count), "predictions")


def _clean_rows(work: Work, number: int) -> tuple[pd.DataFrame, list[str]]:
    """Return the clean rows of a partition, and the columns that say what a row is."""
    clean = partitioned(INTERIM / f"{TRAIN}.parquet").table(number, work.schema.key)
    return clean, [str(name) for name in clean if name not in (work.schema.key, work.schema.target)]


def _leave_rows(work: Work, number: int) -> None:
    """Leave the hash of each row of a partition as if no other row were equal, with its key."""
    clean, columns = _clean_rows(work, number)
    texts = row_texts(clean, columns)
    table = pd.DataFrame({HASH: text_hashes(texts, [0] * len(texts)), "key": clean[work.schema.key], "place": number})
    _leave(work, "rows", number, pa.Table.from_pandas(table, preserve_index=False))
    table.to_parquet(work.folder / f"hashes-{number}.parquet")


def _number_rows(work: Work, number: int) -> None:
    """Give numbers to rows with equal hashes, of all partitions, in the order of their keys; leave the numbers above 0."""
    rows = partitioned(work.folder / "rows").read(number).to_pandas().sort_values([HASH, "key"], kind="stable")
    rows["number"] = rows.groupby(HASH).cumcount()
    rows[rows["number"] > 0].to_parquet(work.folder / f"numbers-{number}.parquet")


def _predictions(work: Work, number: int) -> None:
    """Write the table of predictions of a partition, in the order of keys."""
    schema, folder = work.schema, work.folder
    clean, columns = _clean_rows(work, number)
    hashes = pd.read_parquet(folder / f"hashes-{number}.parquet")[HASH]
    same = [("place", "==", number)]
    numbers = pd.concat([pd.read_parquet(folder / f"numbers-{q}.parquet", filters=same) for q in range(work.count)])
    again = clean[schema.key].isin(numbers["key"]).to_numpy()
    if again.any():
        of_rows = clean[again].merge(numbers[["key", "number"]], left_on=schema.key, right_on="key")
        hashes[again] = text_hashes(row_texts(of_rows, columns), of_rows["number"]).to_numpy()
    fits = [Fit(JUDGED), *(Fit(JUDGED, fold) for fold in range(work.folds))]
    rows = pd.concat([_part(work, one, number) for one in fits], ignore_index=True)
    if not schema.group:
        rows = rows.drop(columns=GROUP)
    whole = pd.DataFrame({"row": hashes.to_numpy(), "key": clean[schema.key]}).merge(rows.round(PRECISION), on="key")
    write_parquet(folder / PREDICTIONS.name / f"{number:03d}.parquet", [whole])


def _part(work: Work, one: Fit, number: int) -> pd.DataFrame:
    """Return key, part, truth, group and predictions of the rows of a fold, or of the hold-out."""
    schema, rows = work.schema, outside(work, one.fold, number)
    predictions = np.load(one.predictions(work.folder, number))
    group = as_texts(rows[schema.group]) if schema.group else ""
    about = {
        "part": HOLDOUT if one.fold is None else f"fold {one.fold + 1}",
        "truth": rows[schema.target].to_numpy(),
        GROUP: group,
    }
    return pd.DataFrame({"key": rows[schema.key].to_numpy(), **about, **work.task.columns(predictions)})


def _answer(work: Work, model: Pipeline, number: int) -> None:
    """Predict the rows to predict of a partition by the stored model."""
    test = read_partition(TEST, number)
    predictions = predictions_of(model, work.task, test[[*work.schema.inputs]], str(MODEL))
    submission_of(Recipe(work.schema, work.task, model), test, predictions).to_parquet(
        work.folder / f"answer-{number}.parquet"
    )


def _write_submission(work: Work, _: None) -> None:
    """Write the answers in the order of the keys."""
    answers = pd.concat([pd.read_parquet(work.folder / f"answer-{number}.parquet") for number in range(work.count)])
    write_table(work.folder / SUBMISSION.name, answers.sort_values(work.schema.key))
