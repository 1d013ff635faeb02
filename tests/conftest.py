"""What the tests share: a project of their own, committed and reproduced, and the genuine Kaggle files."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from titanic.stage import pin_arithmetic

if TYPE_CHECKING:
    import pandas as pd

# before any test module loads numpy
pin_arithmetic()

SOURCE = Path(__file__).parents[1]
# The real params.yaml, made small: the same pipeline in a fraction of the time.
SMALL = {"n_estimators: 100": "n_estimators: 5", "folds: 5": "folds: 2", "repeats: 10": "repeats: 1"}


class Done(NamedTuple):
    """How a command ended; `said` is its stdout and stderr."""

    code: int
    said: str


class Project:
    """A git and DVC repository in a folder of the test's own; `environment` is what its commands see."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(root.parent / "home"),
            "LANG": "C.UTF-8",
            "USER": "tester",
            "GIT_AUTHOR_NAME": "tester",
            "GIT_AUTHOR_EMAIL": "tester@localhost",
            "GIT_COMMITTER_NAME": "tester",
            "GIT_COMMITTER_EMAIL": "tester@localhost",
            "DVC_SITE_CACHE_DIR": str(root.parent / "site"),
        }
        Path(self.environment["HOME"]).mkdir(exist_ok=True)

    def run(self, *command: str, **environment: str) -> Done:
        """Run a command in the root, without a terminal, and take what it says."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout)

    def ok(self, *command: str, **environment: str) -> str:
        """Run a command that must succeed; return what it says."""
        done = self.run(*command, **environment)
        assert done.code == 0, f"{' '.join(command)}:\n{done.said}"
        return done.said

    def edit(self, path: str, *replacements: tuple[str, str]) -> None:
        """Replace text that must be there in a file."""
        file = self.root / path
        text = file.read_text()
        for old, new in replacements:
            assert old in text, f"{path} has no {old!r}"
            text = text.replace(old, new)
        file.write_text(text)

    def clone(self, root: Path) -> "Project":
        """Clone HEAD into another folder."""
        self.ok("git", "clone", "--quiet", str(self.root), str(root))
        return Project(root)

    def commit(self, message: str) -> None:
        """Commit everything."""
        self.ok("git", "add", "--all")
        self.ok("git", "commit", "--quiet", "--allow-empty", "--message", message)

    def outputs(self) -> dict[str, bytes]:
        """Return the content of every output that the two dvc.lock files name and that is there, by path."""
        paths = self.ok("dvc", "ls", ".", "--recursive", "--dvc-only").split()
        paths += self.ok("git", "ls-files", "reports", "data/models").split()
        return {path: (self.root / path).read_bytes() for path in paths if (self.root / path).is_file()}


def copy_of_source(root: Path) -> Project:
    """Copy the files that git has or would take, as they are now, into a repository with one commit."""
    root.mkdir(parents=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=SOURCE,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (SOURCE / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(SOURCE / name, root / name)
    project = Project(root)
    project.ok("git", "init", "--quiet", "--initial-branch", "main")
    project.commit("the project")
    return project


@pytest.fixture(scope="session")
def _source(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return copy_of_source(tmp_path_factory.mktemp("source") / "titanic")


@pytest.fixture
def fresh(_source: Project, tmp_path: Path) -> Project:
    """A fresh clone of the project as it stands: nothing but what git holds."""
    return _source.clone(tmp_path / "titanic")


@pytest.fixture(scope="session")
def _small(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = copy_of_source(tmp_path_factory.mktemp("small") / "titanic")
    project.edit("params.yaml", *SMALL.items())
    project.ok("dvc", "repro", "--all-pipelines")
    project.ok("dvc", "push")
    project.commit("small and reproduced")
    return project


@pytest.fixture
def small(_small: Project, tmp_path: Path) -> Project:
    """A copy of the project with small parameters, reproduced, pushed to its embedded remote and committed."""
    shutil.copytree(_small.root, tmp_path / "titanic", symlinks=True)
    return Project(tmp_path / "titanic")


@pytest.fixture(scope="session")
def kaggle() -> Path:
    """The folder of the genuine Kaggle files: TITANIC_KAGGLE, or shared/titanic beside the project."""
    folder = Path(os.environ.get("TITANIC_KAGGLE", SOURCE.parent / "shared" / "titanic"))
    if not (folder / "train.csv").is_file():
        pytest.skip(f"the genuine Kaggle files are not in {folder}; name their folder in TITANIC_KAGGLE")
    return folder


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def write_params() -> Callable[..., Path]:
    """Write the real params.yaml into a folder, with some of its text replaced."""

    def write(folder: Path, *replacements: tuple[str, str]) -> Path:
        text = (SOURCE / "params.yaml").read_text()
        for old, new in replacements:
            assert old in text, f"params.yaml has no {old!r}"
            text = text.replace(old, new)
        (folder / "params.yaml").write_text(text)
        return folder / "params.yaml"

    return write


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int], "pd.DataFrame"]:
    """Draw that many clean rows of synthetic training passengers from a seed."""
    import pandas as pd

    from titanic.dataset.synthetic import write_passengers
    from titanic.dataset.validate import COLUMNS, check

    def made_up(seed: int, rows: int) -> pd.DataFrame:
        folder = tmp_path_factory.mktemp("made-up")
        write_passengers(seed, 2 * rows, folder / "train.csv", folder / "test.csv")
        check(folder / "train.csv", folder / "train.parquet", COLUMNS["train"])
        return pd.read_parquet(folder / "train.parquet").head(rows)

    return made_up
