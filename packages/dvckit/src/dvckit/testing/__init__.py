"""Tests and fixtures for a project, a pytest plugin: `addopts = ["-p", "dvckit.testing"]` in pyproject.toml.

`ProjectTests` holds what is true of every project. `fresh` is a clone of the project as it stands; `small` one that was
reproduced with the parameters of the tests, pushed and committed. The ini option `dvckit_params` names their file: the
keys of params.yaml, with values that take little time.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import pytest

from dvckit.core.arithmetic import pin_arithmetic
from dvckit.core.errors import UserError
from dvckit.core.layout import INTERIM
from dvckit.repository.programs import tracked
from dvckit.repository.revision import Revision
from dvckit.testing import forks

if TYPE_CHECKING:
    import pandas as pd

    from dvckit.project import Project

# before any test module loads numpy
pin_arithmetic()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the ini option."""
    parser.addini("dvckit_params", "parameters of the fixtures `small` and `write_params`", default="params.yaml")


class Result(NamedTuple):
    """How a command ended; `output` is its stdout and stderr."""

    code: int
    output: str


class Repository:
    """A git and DVC repository in a folder of the test's own; `environment` is what its commands see."""

    def __init__(self, root: Path) -> None:
        self.root, home = root, root.parent / "home"
        self.environment = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "USER": "tester",
            "GIT_AUTHOR_NAME": "tester",
            "GIT_AUTHOR_EMAIL": "tester@localhost",
            "GIT_COMMITTER_NAME": "tester",
            "GIT_COMMITTER_EMAIL": "tester@localhost",
            "DVC_SITE_CACHE_DIR": str(root.parent / "site"),
        }
        # else each command of DVC's starts another one, which asks the network
        (home / ".config/dvc").mkdir(parents=True, exist_ok=True)
        (home / ".config/dvc/config").write_text("[core]\n    analytics = false\n    check_update = false\n")
        (home / ".gitignore").write_text("*\n")  # it may be in a repository

    def start(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command in the root, without a terminal, as the leader of a process group; its output can be read."""
        # where the tests run in the background SIGINT is ignored, which a child would inherit
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return subprocess.Popen(command, start_new_session=True, **self._surroundings(environment))

    def run(self, *command: str, **environment: str) -> Result:
        """Run a command in the root, without a terminal, and return what it prints."""
        if forked := forks.run(command, self.root, {**self.environment, **environment}):
            return Result(*forked)
        process = subprocess.run(command, check=False, **self._surroundings(environment))
        return Result(process.returncode, process.stdout)

    def _surroundings(self, environment: Mapping[str, str]) -> dict[str, Any]:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return {"cwd": self.root, "env": {**self.environment, **environment}, "text": True, **streams}

    def ok(self, *command: str, **environment: str) -> str:
        """Run a command that must succeed; return what it prints."""
        result = self.run(*command, **environment)
        assert result.code == 0, f"{' '.join(command)}:\n{result.output}"
        return result.output

    def edit(self, path: str, *replacements: tuple[str, str]) -> None:
        """Replace text that must be there in a file."""
        (self.root / path).write_text(replaced(self.root / path, *replacements))

    def clone(self, root: Path) -> "Repository":
        """Clone HEAD into another folder."""
        self.ok("git", "clone", "--quiet", str(self.root), str(root))
        return Repository(root)

    def pull_added(self) -> None:
        """Pull the data that `dvc add` tracks, without which the pipeline cannot run."""
        if added := tracked(self.root, "*.dvc"):
            self.ok("dvc", "pull", *added)

    def commit(self, message: str) -> None:
        """Commit everything."""
        self.ok("git", "add", "--all")
        self.ok("git", "commit", "--quiet", "--allow-empty", "--message", message)

    def outputs(self) -> dict[str, bytes]:
        """Return the content of every output that the dvc.lock files name and that is there, by path."""
        paths = self.ok("dvc", "ls", ".", "--recursive", "--dvc-only").splitlines()
        paths += tracked(self.root, "reports", "data/models")
        return {path: (self.root / path).read_bytes() for path in paths if (self.root / path).is_file()}


def replaced(file: Path, *replacements: tuple[str, str]) -> str:
    """Return the text of a file with pieces replaced, each of which must be there."""
    text = file.read_text()
    for old, new in replacements:
        assert old in text, f"{file.name} has no {old!r}"
        text = text.replace(old, new)
    return text


def copy_of_source(source: Path, root: Path) -> Repository:
    """Copy the files that git has or would add, as they are now, into a repository with one commit."""
    root.mkdir(parents=True)
    for name in tracked(source, "--cached", "--others", "--exclude-standard"):
        if (source / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, root / name)
    repository = Repository(root)
    repository.ok("git", "init", "--quiet", "--initial-branch", "main")
    repository.commit("the project")
    return repository


@pytest.fixture(scope="session")
def source(pytestconfig: pytest.Config) -> Path:
    """Return the root of the project under test; not to be written to."""
    return pytestconfig.rootpath


@pytest.fixture(scope="session")
def _source(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return copy_of_source(source, tmp_path_factory.mktemp("source") / source.name)


@pytest.fixture
def fresh(_source: Repository, tmp_path: Path) -> Repository:
    """Return a fresh clone of the project as it stands: nothing but what git holds."""
    return _source.clone(tmp_path / _source.root.name)


@pytest.fixture(scope="session")
def params_of_tests(source: Path, pytestconfig: pytest.Config) -> Path:
    """Return the file of the parameters of the tests."""
    return source / str(pytestconfig.getini("dvckit_params"))


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Return the folder of a name, which a function has filled once for all processes that run these tests."""
    temporary = tmp_path_factory.getbasetemp()
    shared = temporary.parent if "PYTEST_XDIST_WORKER" in os.environ else temporary

    def make_once(name: str, fill: Callable[[Path], object]) -> Path:
        with (shared / f"{name}.lock").open("a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (shared / f"{name}.made").exists():
                shutil.rmtree(shared / name, ignore_errors=True)
                (shared / name).mkdir()
                fill(shared / name)
                (shared / f"{name}.made").touch()
        return shared / name

    return make_once


@pytest.fixture(scope="session")
def _small(source: Path, params_of_tests: Path, make_once: Callable[..., Path]) -> Repository:
    def fill(folder: Path) -> None:
        repository = copy_of_source(source, folder / source.name)
        shutil.copyfile(params_of_tests, repository.root / "params.yaml")
        repository.pull_added()
        repository.ok("dvc", "repro", "--all-pipelines")
        repository.ok("dvc", "push")
        repository.commit("small and reproduced")

    return Repository(make_once("small", fill) / source.name)


@pytest.fixture
def small(_small: Repository, tmp_path: Path) -> Repository:
    """Return a copy of the project with the parameters of the tests, reproduced, pushed to its embedded remote and committed."""
    shutil.copytree(_small.root, tmp_path / _small.root.name, symlinks=True)
    return Repository(tmp_path / _small.root.name)


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def write_params(params_of_tests: Path) -> Callable[..., Path]:
    """Write the parameters of the tests into params.yaml in a folder, with some of their text replaced."""

    def write(folder: Path, *replacements: tuple[str, str]) -> Path:
        (folder / "params.yaml").write_text(replaced(params_of_tests, *replacements))
        return folder / "params.yaml"

    return write


class ProjectTests:
    """What must hold in every project: derive a class whose name begins with Test, and name the project in it."""

    project: ClassVar["Project"]

    @pytest.fixture
    def clean(self, small: Repository) -> "pd.DataFrame":
        """Return the labelled rows, as stage validate leaves them."""
        import pandas as pd

        return pd.read_parquet(small.root / INTERIM / "train.parquet")

    def test_every_parameter_is_right(self, source: Path, params_of_tests: Path) -> None:
        """Check the parameters of the project and of its tests."""
        for path in (source / "params.yaml", params_of_tests):
            self.project.check_params(path)

    def test_a_wrong_parameter_is_one_sentence(self, tmp_path: Path, write_params: Callable[..., Path]) -> None:
        """Check that a typo dies at once."""
        path = write_params(tmp_path, ("test_size: 0.2", "test_size: 2"))

        with pytest.raises(UserError, match=r"train\.test_size is 2; it must be"):
            self.project.check_params(path)

    def test_every_row_is_as_the_schema_says(self, clean: "pd.DataFrame") -> None:
        """Check types and limits."""
        self.project.clean.typed(labelled=True).validate(clean)

    def test_a_feature_is_computed_from_its_row_alone(self, small: Repository, clean: "pd.DataFrame") -> None:
        """Check that no other row has a part in a feature, and that the declared columns come out."""
        params = Revision(small.root).params

        whole, part = (self.project.features_of(rows, params) for rows in (clean, clean.tail(5)))

        assert list(whole) == self.project.features.columns(labelled=True)
        assert part.equals(whole.tail(5))

    def test_reproducing_changes_no_file(self, small: Repository) -> None:
        """Check that a second run gives the same bytes, and that git has all that it should."""
        before = small.outputs()

        small.ok("dvc", "repro", "--all-pipelines", "--force")

        assert small.outputs() == before
        assert small.ok("git", "status", "--porcelain") == ""
