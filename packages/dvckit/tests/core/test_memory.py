"""Little memory is one sentence, whatever says it, and nothing half-written."""

import subprocess
import sys

import pytest

from dvckit.core.errors import UserError, answered
from dvckit.core.memory import LEAST, check_memory

STAGE = [sys.executable, "-m", "dvckit.stage", "dvckit.models.stages"]
DVCKIT = [sys.executable, "-c", "from dvckit.cli import main; main()"]


def limited(size, command, folder):
    """Run a command with so many MiB of addresses."""
    limit = ["bash", "-c", 'ulimit -v "$1"; shift; exec "$@"', "limit", str(size << 10)]
    return subprocess.run([*limit, *command], capture_output=True, text=True, check=False, cwd=folder, timeout=60)


@pytest.mark.parametrize("size", [60, 120, 250, 500, 1000])
@pytest.mark.parametrize("command", [STAGE, [*DVCKIT, "compare"]], ids=["stage", "compare"])
def test_too_low_a_limit_is_one_sentence(size, command, tmp_path):
    process = limited(size, command, tmp_path)

    assert process.returncode == 1
    assert process.stderr.startswith(f"error: not enough memory: `ulimit -v` is {size << 10}, and this needs ")
    assert process.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_help_needs_little(tmp_path):
    assert limited(150, [*DVCKIT, "--help"], tmp_path).returncode == 0


def test_no_limit_is_enough():
    check_memory()


def test_arrays_that_do_not_fit_are_one_sentence(tmp_path):
    code = "import numpy as np; from dvckit.core.errors import answered\nwith answered(): np.ones(1 << 40)"

    process = limited((LEAST >> 20) + 500, [sys.executable, "-c", code], tmp_path)

    assert (process.returncode, process.stderr.count("\n")) == (1, 1)
    assert process.stderr.startswith("error: not enough memory; ")


def failed_import():
    cause = ImportError("x.so: failed to map segment from shared object")
    raise ImportError("Unable to import required dependency numpy") from cause


def no_thread():
    raise RuntimeError("can't start new thread")


def no_process():
    raise OSError(12, "Cannot allocate memory")


def no_array():
    raise MemoryError


@pytest.mark.parametrize("short", [failed_import, no_thread, no_process, no_array])
def test_each_way_to_say_it_is_one_sentence(short):
    with pytest.raises(SystemExit, match=r"^error: .*(not enough|allocate) memory"), answered():
        short()


@pytest.mark.parametrize("error", [RuntimeError("other"), ImportError("no module"), ValueError(5)])
def test_any_other_error_is_ours_and_keeps_its_traceback(error):
    with pytest.raises(type(error)), answered():
        raise error


def test_a_program_that_dies_is_named_with_how(tmp_path):
    from dvckit.repository.programs import run

    with pytest.raises(UserError, match="it was ended by SIGABRT"):
        run([sys.executable, "-c", "import os; os.abort()"], tmp_path)
