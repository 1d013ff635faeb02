"""Dask clusters of machines that cannot run tasks: another Dask, no dvckit, no project's folder."""

import subprocess
import sys
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import pytest

from dvckit.core.errors import UserError
from dvckit.core.pool import pool
from dvckit.new.uv import uv_program

pytestmark = [
    pytest.mark.system,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # Dask's, where it gives up a connection
]
PORT = 18795
ADDRESS = f"tcp://127.0.0.1:{PORT}"
DASK = (str(Path(sys.executable).with_name("dask")),)


def installed(folder, dask):
    """The command of a Dask of that version, alone in an environment."""
    for command in (
        ["venv", "--quiet", folder],
        ["pip", "install", "--quiet", "--python", folder, f"distributed=={dask}"],
    ):
        subprocess.run([*uv_program(), *map(str, command)], check=True)
    return (str(folder / "bin/dask"),)


@pytest.fixture
def start(tmp_path):
    with ExitStack() as stack:

        def start(program, *command):
            process = subprocess.Popen(
                [*program, *command, "--host", "127.0.0.1", "--no-dashboard"],
                cwd=tmp_path,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)

        yield start


@pytest.fixture
def cluster(start, tmp_path):
    """Start a scheduler and a worker."""

    def cluster(scheduler=DASK, worker=DASK):
        start(scheduler, "scheduler", "--port", str(PORT))
        options = ["--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path / "dask")]
        start(worker, "worker", ADDRESS, *options)

    return cluster


def sentence(root):
    """What a user reads who asks for tasks on the cluster."""
    with pytest.raises(UserError) as caught, pool(root, ADDRESS):
        pass
    return str(caught.value)


def test_a_scheduler_of_another_dask_is_named(cluster, tmp_path):
    other = installed(tmp_path / "other", "2026.7.1")
    cluster(other, other)

    ours = version("dask")
    assert sentence(tmp_path) == f"the scheduler has dask 2026.7.1, and this machine {ours}; install the same"


def test_a_worker_of_another_dask_is_named(cluster, tmp_path):
    cluster(DASK, installed(tmp_path / "other", "2026.7.1"))

    assert f"has dask 2026.7.1, and this machine {version('dask')}; install the same" in sentence(tmp_path)


def test_a_worker_without_dvckit_is_named(cluster, tmp_path):
    cluster(DASK, installed(tmp_path / "bare", version("distributed")))

    assert "cannot run dvckit: ModuleNotFoundError(\"No module named 'dvckit'\"); install it there" in sentence(
        tmp_path
    )


def test_a_worker_that_does_not_see_the_folder_is_named(cluster, tmp_path):
    (tmp_path / "project").mkdir()
    hidden = ("unshare", "--mount", "sh", "-c", f'mount -t tmpfs none {tmp_path}/project && exec "$@"', "sh", *DASK)
    if subprocess.run([*hidden, "--version"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us mount")
    cluster(DASK, hidden)

    assert f"does not see {tmp_path}/project; workers need the project's folder at this path" in sentence(
        tmp_path / "project"
    )
