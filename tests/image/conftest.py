"""A docker for these tests, the real one where an engine answers or else the stand-in, and the image built with it."""

import os
import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

# Where a developer's clone may hold a secret that git does not.
HIDING_PLACES = (".dvc/config.local", ".dvc/tmp/gdrive-user-credentials.json", "data/external/mine/token.txt")

Shell = Callable[[str], "subprocess.CompletedProcess[str]"]
Start = Callable[[str], "subprocess.Popen[str]"]


def _start(line: str, folder: Path, path: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["bash", "-c", line],
        cwd=folder,
        env=os.environ | {"PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _run(line: str, folder: Path, path: str) -> "subprocess.CompletedProcess[str]":
    process = _start(line, folder, path)
    output, _ = process.communicate()
    return subprocess.CompletedProcess(line, process.returncode, output)


@pytest.fixture(scope="session")
def path() -> str:
    """The PATH on which `docker` answers."""
    own = os.environ["PATH"]
    for candidate in (own, os.pathsep.join([str(Path(__file__).parent), own])):
        info = _run("docker info", Path.cwd(), candidate)
        if info.returncode == 0:
            return candidate
    pytest.skip(info.stdout.strip())


@pytest.fixture(scope="session")
def secret() -> str:
    """What lies about in a developer's clone, and must not reach the image."""
    return secrets.token_hex()


@pytest.fixture(scope="session")
def built(path, secret, _source, tmp_path_factory):
    """The clone from which the image `titanic` is built: with a secret in its history and in files of its user's."""
    project = _source.clone(tmp_path_factory.mktemp("image") / "titanic")
    mistake = project.root / "mistake.txt"
    mistake.write_text(secret)
    project.commit("a secret, by mistake")
    mistake.unlink()
    project.commit("and gone again")
    for place in HIDING_PLACES:
        (project.root / place).parent.mkdir(parents=True, exist_ok=True)
        (project.root / place).write_text(secret)
    result = _run("docker build -t titanic .", project.root, path)
    assert result.returncode == 0, result.stdout
    return project


@pytest.fixture
def start(built, path, tmp_path) -> Start:
    """Start a line of shell in an empty folder, where docker has the image; its stdout is that and stderr."""
    return lambda line: _start(line, tmp_path, path)


@pytest.fixture
def shell(built, path, tmp_path) -> Shell:
    """Run a line of shell there to its end."""
    return lambda line: _run(line, tmp_path, path)


@pytest.fixture
def out(shell, tmp_path):
    """The folder out/, for anyone to write to; what a container leaves there, a container takes away."""
    folder = tmp_path / "out"
    folder.mkdir()
    folder.chmod(0o777)
    yield folder
    for owner in {file.stat().st_uid for file in folder.iterdir()}:
        shell(f'docker run --rm --user {owner} -v "$PWD/out:/out" titanic sh -c "rm -rf /out/*"')


@pytest.fixture
def clone(_source, path, tmp_path) -> Shell:
    """Run a line of shell in a fresh clone that has the folder out/, for anyone to write to."""
    project = _source.clone(tmp_path / "titanic")
    (project.root / "out").mkdir(mode=0o777)
    (project.root / "out").chmod(0o777)
    return lambda line: _run(line, project.root, path)
