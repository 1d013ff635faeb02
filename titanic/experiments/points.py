"""The points of a sweep, in DVC's own grammar: `-S train.max_depth=range(4,12)` as `dvc exp run --queue` reads it.

An assignment is one `key=value`; a point has one of each axis. Each assignment is applied alone, by DVC, to a copy of
params.yaml, and held against `titanic.config` before anything runs: no rule there looks at two keys.
"""

import difflib
import shutil
from collections.abc import Iterator
from itertools import islice, product
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from dvc.exceptions import InvalidArgumentError
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import apply_overrides, to_hydra_overrides
from dvc.utils.serialize import load_yaml
from hydra.core.override_parser.types import IntervalSweep, Override, ValueType
from hydra.errors import HydraException

from titanic.config import PARAMS, leaves, load_params
from titanic.stage import UserError

LONGEST = 1_000_000  # values of an axis

Point = tuple[str, ...]  # assignments


class Axis(NamedTuple):
    """A key, what the user wrote for it, and its assignments; an interval has none, and its ends stand in `interval`."""

    key: str
    written: str
    values: tuple[str, ...]
    interval: IntervalSweep | None = None


def parse_axes(written: list[str]) -> list[Axis]:
    """Read `-S` options; UserError for what is no override of a key of params.yaml, and for a key that stands twice."""
    overrides = _parse(written)
    axes = [_axis(text, override) for text, override in overrides]
    keys = [axis.key for axis in axes]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise UserError(f"-S names {', '.join(twice)} twice; write the values in one -S, with commas")
    return axes


def _parse(written: list[str]) -> list[tuple[str, Override]]:
    if elsewhere := sorted(set(to_path_overrides(written)) - {str(PARAMS)}):
        raise UserError(f"-S {elsewhere[0]}: a sweep changes keys of {PARAMS} alone")
    texts = to_path_overrides(written).get(str(PARAMS), [])
    try:
        return list(zip(texts, to_hydra_overrides(texts), strict=True))
    except HydraException as error:
        raise UserError(f"-S cannot be read: {' '.join(str(error).split())}") from None


def _axis(text: str, override: Override) -> Axis:
    key = override.get_key_element()
    if override.is_add() or override.is_delete():
        raise UserError(f"-S {text}: a sweep sets keys that are there; write KEY=VALUES")
    if override.value_type == ValueType.GLOB_CHOICE_SWEEP:
        raise UserError(f"-S {text}: a glob has no values here; name them")
    value = override.value()
    if isinstance(value, IntervalSweep):
        return Axis(key, text, (), value)
    if not override.is_sweep_override():
        return Axis(key, text, (text,))
    values = tuple(dict.fromkeys(f"{key}={text}" for text in islice(override.sweep_string_iterator(), LONGEST + 1)))
    if not values:
        raise UserError(f"-S {text} names no value")
    if len(values) > LONGEST:
        raise UserError(f"-S {text} names more than {LONGEST} values")
    return Axis(key, text, values)


def count(axes: list[Axis]) -> int:
    """Return how many points the grid has."""
    return prod(len(axis.values) for axis in axes)


def grid(axes: list[Axis]) -> Iterator[Point]:
    """Give every point, the last axis changing fastest, as DVC's queue does."""
    return product(*(axis.values for axis in axes))


class Values:
    """What assignments make of a params.yaml: its text and its values by dotted key, each checked."""

    def __init__(self, params: Path, scratch: Path) -> None:
        """Take the file to start from and a folder for copies of it."""
        self.file = params
        self.copy = scratch / PARAMS.name
        self.base = dict(leaves(load_yaml(params)))
        self._changes: dict[str, dict[str, Any]] = {}

    def of(self, point: Point) -> dict[str, Any]:
        """Return every value at a point by dotted key; UserError where one is not allowed."""
        values = dict(self.base)
        for assignment in point:
            values |= self._change(assignment)
        return values

    def _change(self, assignment: str) -> dict[str, Any]:
        if assignment not in self._changes:
            self._changes[assignment] = self._applied(assignment)
        return self._changes[assignment]

    def _applied(self, assignment: str) -> dict[str, Any]:
        self._check_key(assignment.partition("=")[0])
        shutil.copyfile(self.file, self.copy)
        apply(self.copy, (assignment,))
        try:
            load_params(self.copy)
        except UserError as error:
            raise UserError(str(error).replace(str(self.copy), f"-S {assignment}")) from None
        return {
            key: value
            for key, value in leaves(load_yaml(self.copy))
            if key not in self.base or repr(self.base[key]) != repr(value)
        }

    def _check_key(self, key: str) -> None:
        known = {".".join(name.split(".")[:depth]) for name in self.base for depth in range(1, name.count(".") + 2)}
        if key not in known:
            near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.5)
            near = near or [name for name in sorted(known) if name.rpartition(".")[2] == key]
            hint = f"did you mean {near[0]}?" if near else f"{PARAMS} has {', '.join(sorted(self.base))}"
            raise UserError(f"unknown key {key}; {hint}")


def apply(params: Path, point: Point) -> None:
    """Change the file as `dvc exp run -S` changes it, to the byte."""
    try:
        apply_overrides(params, list(point))
    except InvalidArgumentError as error:
        raise UserError(f"-S {' '.join(point)}: {' '.join(str(error.__cause__ or error).split())}") from None
