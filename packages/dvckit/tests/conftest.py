"""A toy repository for the library's tests; rows of the example project come from tests/example.py."""

import shutil
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import pytest
from pydantic import create_model
from sklearn import datasets

from dvckit.tables.schema import Record, Schema, column
from dvckit.tasks import task_of
from dvckit.tasks.base import Task
from dvckit.testing import Repository

# Two pipelines that take no time, with the paths of the layout; what is in the files does not matter.
TOY = {
    "dvc.yaml": """stages:
  ingest: {cmd: cp source.csv data/raw/train.csv, deps: [source.csv], outs: [data/raw/train.csv: {persist: true}]}
  featurize:
    cmd: grep bands params.yaml | cat data/raw/train.csv - > data/features/train.parquet
    deps: [data/raw/train.csv]
    params: [features]
    outs: [data/features/train.parquet: {persist: true}]
  evaluate:
    cmd: wc -l < data/features/train.parquet > reports/metrics.json
    deps: [data/features/train.parquet]
    outs: [reports/metrics.json: {cache: false, persist: true}]
metrics:
  - reports/metrics.json
""",
    "reports/dvc.yaml": """stages:
  report:
    wdir: ..
    cmd: cat reports/metrics.json source.csv > reports/report.html
    deps: [reports/metrics.json]
    outs: [reports/report.html: {persist: true}]
""",
    "params.yaml": "features:\n  bands: 18, 35\n",
    "source.csv": "PassengerId\n1\n2\n",
    "data/raw/.gitkeep": "",
    "data/features/.gitkeep": "",
}


class DataSet(NamedTuple):
    """One of scikit-learn's data sets: the schema, the task, and the table, whose columns are row, target and numbers."""

    schema: Schema
    task: Task
    table: pd.DataFrame


@pytest.fixture(scope="session")
def data_set():
    """Return a data set of scikit-learn by name: iris and wine with text for labels, digits with numbers, diabetes."""

    def data_set(name: str) -> DataSet:
        loaded = getattr(datasets, f"load_{name}")(as_frame=True)
        columns = loaded.data.rename(columns=lambda name: name.split(" (")[0].replace(" ", "_").replace("/", "_"))
        target, labels = loaded.target.astype("float64"), ()
        if name != "diabetes":
            target, labels = loaded.target, tuple(loaded.target_names.tolist())
            target = target.map(dict(enumerate(labels)))
        kind = Literal[labels] if labels else float
        fields = {"row": (int, column("id")), "target": (kind, column("target"))}
        fields |= {name: (float, column("number")) for name in columns}
        table = pd.concat([pd.Series(np.arange(len(target)) + 1, name="row"), target.rename("target"), columns], axis=1)
        return DataSet(Schema(create_model(name, __base__=Record, **fields)), task_of(labels), table)

    return data_set


@pytest.fixture(scope="session")
def _toy(make_once) -> Repository:
    return Repository(make_once("toy", _make_toy) / "toy")


def _make_toy(folder: Path) -> None:
    (folder / "toy").mkdir()
    toy = Repository(folder / "toy")
    for name, text in TOY.items():
        (toy.root / name).parent.mkdir(parents=True, exist_ok=True)
        (toy.root / name).write_text(text)
    toy.ok("git", "init", "--quiet", "--initial-branch", "main")
    toy.ok("dvc", "init", "--quiet")
    toy.ok("dvc", "remote", "add", "--quiet", "--default", "embedded", ".dvc/storage")
    toy.ok("dvc", "remote", "add", "--quiet", "gdrive", "gdrive://folder")
    toy.ok("dvc", "repro", "--quiet", "--all-pipelines")
    toy.ok("dvc", "push", "--quiet")
    toy.commit("reproduced")


@pytest.fixture
def toy(_toy: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A copy of a DVC repository of four quick stages, reproduced, pushed to its embedded remote and committed."""
    shutil.copytree(_toy.root, tmp_path / "toy", symlinks=True)
    toy = Repository(tmp_path / "toy")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", toy.environment["DVC_SITE_CACHE_DIR"])
    return toy
