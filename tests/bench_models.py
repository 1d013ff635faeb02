"""Benchmarks of the pipelines: what training and evaluation cost, and how good each is over repeated folds.

The first table times, in one process and in turn, the work of the stages `train` and `evaluate`, beside the bare fits in
the latter: one for each fold. The second is the table of docs/docs/modeling.md: 10 x 10 folds of a labelled list, each
score with its 95 % interval.
"""

import argparse
import contextlib
import io
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from dvckit.core.arithmetic import pin_arithmetic

pin_arithmetic()

import pandas as pd
from sklearn.model_selection import RepeatedStratifiedKFold

from dvckit.core.layout import INTERIM, PROCESSED
from dvckit.core.params import read
from dvckit.models.folds import Recipe, summary
from dvckit.models.stages import Evaluate
from dvckit.tasks import task_of
from titanic import features
from titanic.dataset import ingest, validate
from titanic.features import FEATURES
from titanic.modeling import evaluate, split, train
from titanic.modeling.pipelines import PIPELINES, Train
from titanic.schema import LABELS, TARGET

SOURCE = Path(__file__).parents[1]
KAGGLE = Path(os.environ.get("TITANIC_KAGGLE", SOURCE.parent / "shared" / "titanic"))
FOLDS = REPEATS = 10
AIM = {"random_forest": "<= 1.3"}


def timed(work) -> float:
    """Return the seconds of a call, whose words are dropped."""
    with contextlib.redirect_stdout(io.StringIO()):
        started = time.perf_counter()
        work()
        return time.perf_counter() - started


def set_params(**values) -> None:
    """Write values into params.yaml in the current folder, each by its key's last name."""
    path, text = Path("params.yaml"), (SOURCE / "params.yaml").read_text()
    for name, value in values.items():
        text = re.sub(rf"^(  {name}: )[^#\n]*?( *#.*)?$", rf"\g<1>{value}\g<2>", text, count=1, flags=re.MULTILINE)
    path.write_text(text)


def fits() -> None:
    """Fit what the stage evaluate fits, and nothing else."""
    params, evaluation = read("train", Train), read("evaluate", Evaluate)
    table = pd.read_parquet(PROCESSED / "train.parquet")
    recipe = Recipe(FEATURES, task_of(LABELS), PIPELINES[params.pipeline](params))
    folds = RepeatedStratifiedKFold(n_splits=evaluation.folds, n_repeats=1, random_state=evaluation.seed)
    for inside, _ in folds.split(table, table[TARGET]):
        recipe.fit(table.iloc[inside])


def time_pipelines(runs: int) -> None:
    """Print a line for each pipeline: the work of train and evaluate, the fits in evaluate, and their ratio."""
    print(f"{'seconds of work, median':24} {'train':>8} {'evaluate':>9} {'its fits':>9} {'ratio':>6}  aim")
    for name in PIPELINES:
        set_params(pipeline=name)
        train.main()
        times = [(timed(train.main), timed(evaluate.main), timed(fits)) for _ in range(runs)]
        ratio = median(whole / bare for _, whole, bare in times)
        columns = [median(column) for column in zip(*times, strict=True)]
        line = f"{name:24} {columns[0]:8.3f} {columns[1]:9.3f} {columns[2]:9.3f} {ratio:6.2f}  {AIM.get(name, '')}"
        print(line.rstrip(), flush=True)


def score_pipelines(repeats: int, params: dict[str, object]) -> None:
    """Print each pipeline's scores over repeated folds of the labelled rows as a Markdown table."""
    clean = pd.read_parquet(INTERIM / "train.parquet")
    table = features.featurize(clean, read("features", features.FeaturesParams))
    print(f"\n| {len(table)} rows, {repeats} x {FOLDS} folds | accuracy | ROC AUC | log loss |\n|---|---|---|---|")
    for name in PIPELINES:
        set_params(**params, pipeline=name)
        recipe = Recipe(FEATURES, task_of(LABELS), PIPELINES[name](read("train", Train)))
        scores = summary(recipe.task, recipe.folds(table, folds=FOLDS, repeats=repeats, seed=1).scores, FOLDS)
        cells = (scores[metric.name] for metric in recipe.task.metrics)
        text = (f"{cell['value']:.3f} ({cell['low']:.3f} to {cell['high']:.3f})" for cell in cells)
        print(f"| `{name}` | {' | '.join(text)} |", flush=True)


def measure_refit(repeats: int, params: dict[str, object]) -> None:
    """Print what a model gains that learns from all labelled rows, not from those outside of a hold-out.

    Over the same folds, fitted on all rows of the other folds and on a share of them.
    """
    clean = pd.read_parquet(INTERIM / "train.parquet")
    table = features.featurize(clean, read("features", features.FeaturesParams))
    share = 1 - read("train", Train).test_size
    print(f"\n| all rows less {share:.0%} of them | accuracy | ROC AUC | log loss |\n|---|---|---|---|")
    for name in PIPELINES:
        set_params(**params, pipeline=name)
        recipe = Recipe(FEATURES, task_of(LABELS), PIPELINES[name](read("train", Train)))
        every, part = (
            recipe.folds(table, folds=FOLDS, repeats=repeats, seed=1, share=share).scores for share in (1, share)
        )
        gains = summary(recipe.task, every - part, FOLDS, difference=True)
        cells = (gains[metric.name] for metric in recipe.task.metrics)
        text = (f"{cell['value']:+.4f} ({cell['low']:+.4f} to {cell['high']:+.4f})" for cell in cells)
        print(f"| `{name}` | {' | '.join(text)} |", flush=True)


def main() -> None:
    """Print the tables, of Kaggle's list where it is at hand and of the default one where it is not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="how often each pipeline is timed (5)")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="how often the folds are drawn anew (10)")
    arguments = parser.parse_args()
    genuine = {"source": "files", "path": KAGGLE} if (KAGGLE / "train.csv").is_file() else {}
    print(f"{'Kaggle' if genuine else 'synthetic'} list, default parameters", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="titanic-bench-") as folder, contextlib.chdir(folder):
        set_params(**genuine)
        for stage in (ingest, validate, features, split):
            timed(stage.main)
        time_pipelines(arguments.runs)
        score_pipelines(arguments.repeats, genuine)
        measure_refit(arguments.repeats, genuine)


if __name__ == "__main__":
    main()
