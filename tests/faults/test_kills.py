"""kill -9 at any moment: `dvckit doctor --fix && dvc repro` brings everything back, to the byte."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.faults


def test_every_killed_command_is_recovered():
    command = [sys.executable, str(Path(__file__).parents[1] / "bench_kills.py"), "--trials", "20"]

    process = subprocess.run(command, capture_output=True, text=True, check=False)

    assert process.returncode == 0, process.stderr
    assert " recovered " in process.stdout
