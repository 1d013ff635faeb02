"""The tests of `compare` err as seldom as they say, and find what is there, on models that are really fitted."""

import importlib.util
import sys
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("simulation", Path(__file__).with_name("simulation.py"))
simulation = sys.modules["simulation"] = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(simulation)
FIRST = {task: recipes[0] for task, recipes in simulation.OF_TASK.items()}
SECOND = {task: recipes[1] for task, recipes in simulation.OF_TASK.items()}


LONG = pytest.mark.faults


# `make bench` checks 1,000 pairs of every task, recipe and kind
OTHERS = [*SECOND.items(), *((task, recipe) for task, recipe in FIRST.items() if task != "binary")]
OTHER_SPLITS = [("binary", recipe, kind) for recipe in simulation.OF_TASK["binary"] for kind in simulation.KINDS[1:]]


@pytest.mark.parametrize(
    ("task", "recipe", "kind", "count"),
    [
        *((task, recipe, "equal splits", 100) for task, recipe in FIRST.items()),
        *(pytest.param(*one, "equal splits", 300, marks=LONG) for one in OTHERS),
        *(pytest.param(*one, 100, marks=LONG) for one in OTHER_SPLITS),
    ],
)
def test_few_of_many_equal_pairs_differ(task, recipe, kind, count):
    counts = simulation.Problem(task).alarms(kind, recipe, count)

    assert max(counts.values()) <= simulation.most(count)


@pytest.mark.faults
def test_of_1000_equal_pairs_differ_as_few_as_an_exact_test_finds():
    """These draws have more than 64: 72 by either test."""
    problem, case = simulation.Problem("binary"), ("equal splits", FIRST["binary"], 1_000)

    counts, exact = problem.alarms(*case), problem.alarms(*case, tests=simulation.Pair.exact)

    assert {name: count for name, count in counts.items() if count > max(64, exact[name] + 5)} == {}


@pytest.mark.parametrize(
    ("task", "recipe", "count"),
    [
        *((task, recipe, 100) for task, recipe in FIRST.items()),
        *(pytest.param(*one, 1_000, marks=LONG) for one in (*FIRST.items(), *SECOND.items())),
    ],
)
def test_few_of_many_equal_pairs_differ_on_rows_in_groups(task, recipe, count):
    counts = simulation.Problem(task, size=6).alarms("equal splits", recipe, count)

    assert max(counts.values()) <= simulation.most(count)


@pytest.mark.parametrize(("task", "recipe"), FIRST.items())
def test_a_clear_difference_is_found(task, recipe):
    counts = simulation.Problem(task).alarms("other splits", recipe, 50, extra=1.0)

    assert min(counts.values()) >= 45
