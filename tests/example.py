"""Tests of both packages, a pytest plugin: their order, rows of synthetic passengers, and the genuine Kaggle files."""

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from dvckit.core.params import read_values
from dvckit.models.folds import Recipe
from dvckit.tables.rows import check
from dvckit.tasks import task_of
from titanic.dataset.synthetic import write_passengers
from titanic.features import FEATURES, FeaturesParams, featurize
from titanic.modeling.pipelines import PIPELINES, Train
from titanic.schema import LABELS, RULES

# Each takes minutes of one worker: they come first, or at the end the others would wait for the last of them.
LONG = ("test_docs.py", "test_sweep.py", "test_kills.py", "test_snapshot.py", "test_doctor.py", "test_rendered.py")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first."""
    items.sort(key=lambda item: item.path.name not in LONG)


def fit(table: pd.DataFrame, params: Train) -> Pipeline:
    """Return the pipeline that `params.pipeline` names, fitted on all rows of `table`."""
    return Recipe(FEATURES, task_of(LABELS), PIPELINES[params.pipeline](params)).fit(table).pipeline


@pytest.fixture(scope="session")
def kaggle(source: Path) -> Path:
    """The folder of the genuine Kaggle files: TITANIC_KAGGLE, or shared/titanic beside the project."""
    folder = Path(os.environ.get("TITANIC_KAGGLE", source.parent / "shared" / "titanic"))
    if not (folder / "train.csv").is_file():
        pytest.skip(f"the genuine Kaggle files are not in {folder}; name their folder in TITANIC_KAGGLE")
    return folder


@pytest.fixture(scope="session")
def passengers(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int], pd.DataFrame]:
    """Draw that many clean rows of synthetic training passengers from a seed."""

    def passengers(seed: int, rows: int) -> pd.DataFrame:
        folder = tmp_path_factory.mktemp("made-up")
        write_passengers(seed, 2 * rows, folder / "train.csv", folder / "test.csv")
        check(folder / "train.csv", folder / "train.parquet", RULES.schema, RULES.fields("train"))
        return pd.read_parquet(folder / "train.parquet").head(rows)

    return passengers


@pytest.fixture(scope="session")
def table(passengers: Callable[[int, int], pd.DataFrame]) -> pd.DataFrame:
    """The features of 300 synthetic passengers."""
    return featurize(passengers(1912, 300), FeaturesParams(age_bands=(13, 18, 35, 60)))


@pytest.fixture(scope="session")
def params(params_of_tests: Path) -> Callable[..., Train]:
    """Make the section `train` of the parameters of the tests, with small models and the values that are given."""

    def params(**other: object) -> Train:
        values = read_values(params_of_tests)["train"]
        values["neural_network"] |= {"x_size": 4, "y_size": 3}
        return Train(**values | {"max_depth": 4} | other)

    return params
