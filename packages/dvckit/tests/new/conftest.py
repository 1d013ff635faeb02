import csv
import subprocess
import sys
from pathlib import Path

import pytest
from sklearn import datasets

from dvckit.new import new as module
from dvckit.new.library import Library
from dvckit.new.new import new
from dvckit.new.options import Options

# Runs the stages of an experiment in the folder of a project, then fits and stores each of its pipelines.
STAGES = """
import importlib, json, sys, warnings

warnings.simplefilter("error")
for stage in ("dataset.ingest", "dataset.validate", "features", "modeling.split", "modeling.train", "modeling.evaluate"):
    importlib.import_module(f"my_table.{stage}").main()

import pandas as pd
from dvckit.core.params import read
from dvckit.models.stored import card, dump, parse
from my_table.features import FEATURES
from my_table.modeling.pipelines import PIPELINES, Train
from sklearn.exceptions import ConvergenceWarning
import my_table.reporting.diagnose

table = pd.read_parquet("data/processed/train.parquet")
rows = table[list(FEATURES.inputs)]
params = read("train", Train)
if "quick" in sys.argv:
    warnings.simplefilter("ignore", ConvergenceWarning)
    network = params.neural_network.model_copy(update={"max_iter": 5})
    params = params.model_copy(update={"n_estimators": 3, "neural_network": network})
for name in PIPELINES:
    model = PIPELINES[name](params).fit(rows, table[FEATURES.target])
    content = dump(model)
    stored, _ = parse(content, json.dumps(card(content, FEATURES, "all", {})).encode(), name, FEATURES)
    assert (stored.predict(rows) == model.predict(rows)).all()
    print(name)
"""


@pytest.fixture(scope="session")
def write_csv(tmp_path_factory):
    """Write one of scikit-learn's data sets as CSV, its classes in words; the target is its last column."""

    def write(name):
        data = getattr(datasets, f"load_{name}")(as_frame=True)
        table = data.frame
        if hasattr(data, "target_names") and name != "digits":
            table = table.assign(target=[data.target_names[label] for label in table["target"]])
        path = tmp_path_factory.mktemp("csv") / f"{name}.csv"
        table.to_csv(path, index=False)
        return path

    return write


class Rendered:
    """A project as `dvckit new` writes it, with its data, not installed and not run."""

    def __init__(self, root, said):
        self.root, self.said = root, said

    def _python(self, *arguments):
        return subprocess.run([sys.executable, *arguments], cwd=self.root, capture_output=True, text=True, check=False)

    def run(self, *stages):
        """Run the stages of these modules, one after the other."""
        for stage in stages:
            done = self._python("-m", "dvckit.stage", f"my_table.{stage}")
            assert done.returncode == 0, done.stdout + done.stderr

    def fails(self):
        """Run the stages of an experiment; return the error that one of them ends with."""
        done = self._python("-c", STAGES)
        assert done.returncode
        return done.stderr

    def runs(self, parameters="quick"):
        """Run the stages of an experiment and fit every pipeline; return the names of the pipelines.

        With their own parameters they must converge.
        """
        done = self._python("-c", STAGES, parameters)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.split()[-6:]


@pytest.fixture
def render(tmp_path, monkeypatch):
    """Write the project of a CSV file, or of columns by name; answers are fields of Options."""
    for step in ("lock", "sync", "_run"):
        monkeypatch.setattr(module, step, lambda *_: None)
    monkeypatch.setattr(module, "add_library", lambda *_: Library("dvckit==0.1.0", "==0.1.0"))

    def written(name, columns, separator):
        if not columns or isinstance(columns, Path):
            return columns
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=separator).writerows([columns, *zip(*columns.values(), strict=True)])
        return tmp_path / name

    def render(columns, separator=",", predict=None, **answers):
        options = Options(**{"target": "y", **answers})
        sources = written("in.csv", columns, separator), written("new.csv", predict, separator)
        said = []
        new(tmp_path / "my-table", sources[0], options, said.append, predict=sources[1])
        return Rendered(tmp_path / "my-table", said)

    return render
