"""The tests of `compare` err as seldom as they say, and find what is there, on models that are really fitted."""

import importlib.util
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("simulation", Path(__file__).with_name("simulation.py"))
simulation = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(simulation)
# 50 of 1,000, and two standard errors
MOST = 0.064


LONG = pytest.mark.faults


@pytest.mark.parametrize(
    ("kind", "recipe", "count"),
    [
        *((kind, "logistic", 100) for kind in ("equal splits", "other splits", "other seeds")),
        pytest.param("equal splits", "logistic", 3_000, marks=LONG),
        *(pytest.param(kind, "logistic", 1_000, marks=LONG) for kind in ("other splits", "other seeds")),
        *(pytest.param(kind, "tree", 1_000, marks=LONG) for kind in ("equal splits", "other splits", "other seeds")),
    ],
)
def test_few_of_many_equal_pairs_differ(kind, recipe, count):
    counts = simulation.alarms(kind, recipe, count)

    assert max(counts.values()) <= max(MOST * count, 10)


def test_a_clear_difference_is_found():
    counts = simulation.alarms("other splits", "logistic", 50, extra=1.0)

    assert min(counts.values()) >= 45
