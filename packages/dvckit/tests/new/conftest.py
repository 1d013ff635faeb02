import subprocess
import sys

import pytest
from sklearn import datasets

from dvckit.new.columns import examine
from dvckit.new.measure import table_of
from dvckit.new.new import files
from dvckit.new.options import Options
from dvckit.new.shared import Answers


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
    """The files of a person's project, rendered but not installed, and the data in data/external/NAME."""

    def __init__(self, root, csv, options):
        self.root, self.examined = root, examine(csv, options)
        assert self.examined.questions == ()
        self.answers = Answers("mine", "mine", "Mine", self.examined.task, predict=False, library="none")
        for path, content in files(self.answers, self.examined, table_of(self.examined)).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        data = root / "data/external/mine"
        data.mkdir(parents=True)
        (data / "train.csv").write_bytes(csv.read_bytes())

    def python(self, code):
        """Run code in the root, in a process of its own; return what it prints."""
        done = subprocess.run([sys.executable, "-c", code], cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, *stages):
        """Run the stages of these modules, one after the other."""
        for stage in stages:
            command = [sys.executable, "-m", "dvckit.stage", f"mine.{stage}"]
            done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def render(tmp_path):
    """Render the project of a CSV file; answers are fields of Options."""
    return lambda csv, **answers: Rendered(tmp_path, csv, Options(**answers))
