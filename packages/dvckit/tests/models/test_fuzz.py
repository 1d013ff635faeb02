"""Mutated models with a model.json that fits: none crashes, hangs or grows."""

import subprocess
import sys

import pytest

from packages.dvckit.tests.models import fuzz


def fuzzed(source, first, count):
    """What becomes of mutated models, a line each; a process that dies leaves one to blame, and another goes on after it."""
    lines = []
    while len(lines) < count:
        command = [sys.executable, "-m", fuzz.__name__, str(first + len(lines)), str(count - len(lines))]
        done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
        lines += done.stdout.splitlines()
        if done.returncode:
            lines.append(f"{first + len(lines)} WRONG it ended with {done.returncode}: {done.stderr[-300:]}")
    return lines


def check(lines):
    results = [line.split(maxsplit=2)[1] for line in lines]
    assert [line for line, result in zip(lines, results, strict=True) if result not in ("refused", "predicts")] == []
    assert len(lines) / 10 < results.count("predicts") < len(lines) / 2  # neither harmless nor hopeless


def test_100_mutated_models_are_refused_or_predict(source):
    check(fuzzed(source, 0, 100))


@pytest.mark.faults
@pytest.mark.parametrize("first", range(1000, 3000, 500))
def test_2000_mutated_models_are_refused_or_predict(source, first):
    check(fuzzed(source, first, 500))
