"""The configurations that a sweep tries, in DVC's own grammar: `-S train.max_depth=range(4,12)`, as for `dvc exp run --queue`.

A configuration has one assignment, `key=value`, of each axis. DVC applies each assignment alone to a copy of params.yaml,
and the project checks that before anything runs: no rule there looks at two keys.
"""

import difflib
import shutil
from collections.abc import Callable, Iterator
from itertools import islice, product
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from dvckit.core.errors import UserError, one_line
from dvckit.core.layout import PARAMS
from dvckit.core.mappings import leaves
from dvckit.repository import dvc_internals

LONGEST = 1_000_000  # values of an axis

Configuration = tuple[str, ...]  # assignments


class Axis(NamedTuple):
    """A key, what the user wrote for it, and its assignments: of an interval, which is Hydra's, those of its ends."""

    key: str
    written: str
    values: tuple[str, ...]
    interval: Any = None


def parse_axes(written: list[str]) -> list[Axis]:
    """Read `-S` options; UserError for what does not override a key of params.yaml, and for a key that is given twice."""
    overrides = dvc_internals.to_path_overrides(written)
    if elsewhere := sorted(set(overrides) - {str(PARAMS)}):
        raise UserError(f"-S {elsewhere[0]}: a sweep changes only {PARAMS}")
    texts = overrides.get(str(PARAMS), [])
    try:
        axes = [
            _axis(text, override) for text, override in zip(texts, dvc_internals.to_hydra_overrides(texts), strict=True)
        ]
    except dvc_internals.HydraException as error:
        raise UserError(f"-S cannot be read: {one_line(error)}") from None
    keys = [axis.key for axis in axes]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise UserError(f"-S names {', '.join(twice)} twice; write all values in one -S, with commas")
    return axes


def _axis(text: str, override: Any) -> Axis:
    key, value = override.get_key_element(), override.value()
    if override.is_add() or override.is_delete():
        raise UserError(f"-S {text}: a sweep changes only keys that {PARAMS} has; write KEY=VALUES")
    if override.value_type == dvc_internals.ValueType.GLOB_CHOICE_SWEEP:
        raise UserError(f"-S {text}: a glob has no values here; name them")
    if isinstance(value, dvc_internals.IntervalSweep):
        ends = (int(end) if float(end).is_integer() else end for end in (value.start, value.end))
        return Axis(key, text, tuple(f"{key}={end}" for end in ends), value)
    if not override.is_sweep_override():
        return Axis(key, text, (text,))
    values = tuple(dict.fromkeys(f"{key}={text}" for text in islice(override.sweep_string_iterator(), LONGEST + 1)))
    if not values:
        raise UserError(f"-S {text} names no value")
    if len(values) > LONGEST:
        raise UserError(f"-S {text} names more than {LONGEST:,} values")
    return Axis(key, text, values)


def count(axes: list[Axis]) -> int:
    """Return how many configurations the grid has."""
    return prod(len(axis.values) for axis in axes)


def grid(axes: list[Axis]) -> Iterator[Configuration]:
    """Yield every configuration, the last axis changing fastest, as in DVC's queue."""
    return product(*(axis.values for axis in axes))


class Values:
    """The values of a params.yaml by dotted key, and what each assignment, once checked, changes in them."""

    def __init__(self, params: Path, scratch: Path, check: Callable[[Path], None] | None = None) -> None:
        """Read the file; `scratch` is a folder for copies of it, which `check` refuses (UserError) where they are wrong."""
        self.file, self.copy, self.check = params, scratch / PARAMS.name, check
        self.start = dict(leaves(dvc_internals.load_yaml(params)))
        self._changes: dict[str, dict[str, Any]] = {}

    def of(self, configuration: Configuration) -> dict[str, Any]:
        """Return every value in a configuration by dotted key; UserError where one is not allowed."""
        values = dict(self.start)
        for assignment in configuration:
            if assignment not in self._changes:
                self._changes[assignment] = self._changed(assignment)
            values |= self._changes[assignment]
        return values

    def _changed(self, assignment: str) -> dict[str, Any]:
        self._check_key(assignment.partition("=")[0])
        shutil.copyfile(self.file, self.copy)
        apply(self.copy, (assignment,))
        if self.check:
            try:
                self.check(self.copy)
            except UserError as error:
                raise UserError(str(error).replace(str(self.copy), f"-S {assignment}")) from None
        values = dict(leaves(dvc_internals.load_yaml(self.copy)))
        return {key: new for key, new in values.items() if repr(self.start.get(key, ...)) != repr(new)}

    def _check_key(self, key: str) -> None:
        keys = {".".join(name.split(".")[:depth]) for name in self.start for depth in range(1, name.count(".") + 2)}
        if key not in keys:
            near = difflib.get_close_matches(key, sorted(keys), n=1, cutoff=0.5)
            near += [name for name in sorted(keys) if name.endswith(f".{key}")]
            hint = f"did you mean {near[0]}?" if near else f"{PARAMS} has {', '.join(sorted(self.start))}"
            raise UserError(f"unknown key {key}; {hint}")


def apply(params: Path, configuration: Configuration) -> None:
    """Change the file as `dvc exp run -S` changes it, to the byte."""
    try:
        dvc_internals.apply_overrides(params, list(configuration))
    except dvc_internals.InvalidArgumentError as error:
        raise UserError(f"-S {' '.join(configuration)}: {one_line(error.__cause__ or error)}") from None
