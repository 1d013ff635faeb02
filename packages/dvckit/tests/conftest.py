"""What the library's tests share: a toy repository, rows of the example project, and the genuine Kaggle files."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from dvckit.tables.validation import check
from dvckit.testing import Repository
from titanic.dataset.synthetic import write_passengers
from titanic.features import FeaturesParams, featurize
from titanic.modeling.pipelines import Train
from titanic.schema import RULES


@pytest.fixture(scope="session")
def kaggle(source: Path) -> Path:
    """The folder of the genuine Kaggle files: TITANIC_KAGGLE, or shared/titanic beside the project."""
    folder = Path(os.environ.get("TITANIC_KAGGLE", source.parent / "shared" / "titanic"))
    if not (folder / "train.csv").is_file():
        pytest.skip(f"the genuine Kaggle files are not in {folder}; name their folder in TITANIC_KAGGLE")
    return folder


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int], pd.DataFrame]:
    """Draw that many clean rows of synthetic training passengers from a seed."""

    def made_up(seed: int, rows: int) -> pd.DataFrame:
        folder = tmp_path_factory.mktemp("made-up")
        write_passengers(seed, 2 * rows, folder / "train.csv", folder / "test.csv")
        check(folder / "train.csv", folder / "train.parquet", RULES.schema, RULES.columns("train"))
        return pd.read_parquet(folder / "train.parquet").head(rows)

    return made_up


@pytest.fixture(scope="session")
def table(made_up: Callable[[int, int], pd.DataFrame]) -> pd.DataFrame:
    """The features of 300 synthetic passengers."""
    return featurize(made_up(1912, 300), FeaturesParams(age_bands=(13, 18, 35, 60)))


@pytest.fixture(scope="session")
def params() -> Callable[..., Train]:
    """Make the section `train` with a few trees, and other values where they are given."""

    def params(**other: object) -> Train:
        small = {"n_estimators": 5, "max_depth": 4, "x_size": 4, "y_size": 3, "max_iter": 200}
        return Train(**{"pipeline": "random_forest", "test_size": 0.2, "seed": 1} | small | other)

    return params


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


@pytest.fixture(scope="session")
def _toy(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    toy = Repository(tmp_path_factory.mktemp("toy") / "toy")
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
    return toy


@pytest.fixture
def toy(_toy: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A copy of a DVC repository of four quick stages, reproduced, pushed to its embedded remote and committed."""
    shutil.copytree(_toy.root, tmp_path / "toy", symlinks=True)
    toy = Repository(tmp_path / "toy")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", toy.environment["DVC_SITE_CACHE_DIR"])
    return toy
