"""The configurations that a sweep tries, in DVC's own grammar: `-S train.max_depth=range(4,12)`, as for `dvc exp run --queue`.

A configuration has one assignment, `key=value` or `file:key=value`, of each axis. DVC applies each assignment alone to a
copy of the file, and the project checks that before anything runs: no rule there looks at two keys.
"""

import difflib
import shutil
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, product
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from dvckit.core.errors import UserError, one_line, undo
from dvckit.core.layout import PARAMS
from dvckit.core.mappings import leaves
from dvckit.repository import dvc_internals
from dvckit.repository.values import parsed

LONGEST = 1_000_000  # values of an axis

Configuration = tuple[str, ...]  # assignments


class Axis(NamedTuple):
    """A key, what the user wrote for it, and its assignments: of an interval, which is Hydra's, those of its ends."""

    key: str
    written: str
    values: tuple[str, ...]
    interval: Any = None


def parse_axes(written: list[str]) -> list[Axis]:
    """Read `-S` options; UserError for what does not override a key of a file, and for a key that is given twice."""
    try:
        axes = [
            _axis(file, text, override)
            for file, texts in dvc_internals.to_path_overrides(written).items()
            for text, override in zip(texts, dvc_internals.to_hydra_overrides(texts), strict=True)
        ]
    except dvc_internals.HydraException as error:
        raise UserError(f"-S cannot be read: {one_line(error)}") from None
    keys = [axis.key for axis in axes]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise UserError(f"-S names {', '.join(twice)} twice; write all values in one -S, with commas")
    return axes


def _axis(file: str, text: str, override: Any) -> Axis:
    written, value = _named(file, text), override.value()
    key = _named(file, override.get_key_element())
    if override.is_add() or override.is_delete():
        raise UserError(f"-S {written}: a sweep changes only keys that {file} has; write KEY=VALUES")
    if override.value_type == dvc_internals.ValueType.GLOB_CHOICE_SWEEP:
        raise UserError(f"-S {written}: a glob has no values here; name them")
    if isinstance(value, dvc_internals.IntervalSweep):
        ends = (int(end) if float(end).is_integer() else end for end in (value.start, value.end))
        return Axis(key, written, tuple(f"{key}={end}" for end in ends), value)
    if not override.is_sweep_override():
        return Axis(key, written, (written,))
    values = tuple(dict.fromkeys(f"{key}={text}" for text in islice(override.sweep_string_iterator(), LONGEST + 1)))
    if not values:
        raise UserError(f"-S {written} names no value")
    if len(values) > LONGEST:
        raise UserError(f"-S {written} names more than {LONGEST:,} values")
    return Axis(key, written, values)


def _named(file: str, key: str) -> str:
    return key if file == str(PARAMS) else f"{file}:{key}"


def files_of(configuration: Iterable[str]) -> dict[str, list[str]]:
    """Return the assignments of each file, without its name."""
    files: dict[str, list[str]] = dvc_internals.to_path_overrides(list(configuration))
    return files


def count(axes: list[Axis]) -> int:
    """Return how many configurations the grid has."""
    return prod(len(axis.values) for axis in axes)


def grid(axes: list[Axis]) -> Iterator[Configuration]:
    """Yield every configuration, the last axis changing fastest, as in DVC's queue."""
    return product(*(axis.values for axis in axes))


class Values:
    """The values of parameter files by key, as `-S` names it, and what each assignment, once checked, changes in them."""

    def __init__(
        self, folder: Path, files: Iterable[str], scratch: Path, check: Callable[[Path], None] | None = None
    ) -> None:
        """Read the files in a folder; `scratch` is a folder for a copy, of which `check` refuses (UserError) params.yaml."""
        self.folder, self.scratch, self.check = folder, scratch, check
        read = {file: _read(file, folder / file) for file in sorted(files)}
        self.start = {_named(file, key): value for file, values in read.items() for key, value in values.items()}
        self._changes: dict[str, dict[str, Any]] = {}

    def of(self, configuration: Configuration) -> dict[str, Any]:
        """Return every value in a configuration by key; UserError where one is not allowed."""
        values = dict(self.start)
        for assignment in configuration:
            if assignment not in self._changes:
                self._changes[assignment] = self._changed(assignment)
            values |= self._changes[assignment]
        return values

    def _changed(self, assignment: str) -> dict[str, Any]:
        ((file, texts),) = files_of((assignment,)).items()
        self._check_key(file, texts[0].partition("=")[0])
        copy = self.scratch / Path(file).name
        shutil.copyfile(self.folder / file, copy)
        _apply(copy, texts, assignment)
        if self.check and file == str(PARAMS):
            try:
                self.check(copy)
            except UserError as error:
                reason = str(error).removesuffix(undo(copy))  # nothing of the user's has the value
                raise UserError(reason.replace(str(copy), f"-S {assignment}")) from None
        values = {_named(file, key): value for key, value in _read(file, copy).items()}
        return {key: new for key, new in values.items() if repr(self.start.get(key, ...)) != repr(new)}

    def _check_key(self, file: str, key: str) -> None:
        names = _read(file, self.folder / file)
        keys = {".".join(name.split(".")[:depth]) for name in names for depth in range(1, name.count(".") + 2)}
        if key not in keys:
            near = difflib.get_close_matches(key, sorted(keys), n=1, cutoff=0.5)
            near += [name for name in sorted(keys) if name.endswith(f".{key}")]
            hint = f"did you mean {_named(file, near[0])}?" if near else f"{file} has {', '.join(sorted(names))}"
            raise UserError(f"unknown key {_named(file, key)}; {hint}")


def _read(file: str, path: Path) -> dict[str, Any]:
    """Return the values of a file in any format that DVC reads by dotted key; UserError where it cannot be read."""
    if not path.is_file():
        raise UserError(f"there is no {file} in git; `-S FILE:KEY=VALUES` names a key of another file")
    try:
        return dict(leaves(parsed(file, path.read_bytes())))
    except UserError as error:
        raise UserError(f"{file} cannot be read: {error}") from None


def apply(folder: Path, configuration: Configuration) -> None:
    """Change the files in a folder as `dvc exp run -S` changes them, to the byte."""
    for file, texts in files_of(configuration).items():
        _apply(folder / file, texts, " ".join(configuration))


def _apply(path: Path, texts: list[str], shown: str) -> None:
    try:
        dvc_internals.apply_overrides(path, texts)
    except dvc_internals.DvcException as error:
        raise UserError(f"-S {shown}: {one_line(error.__cause__ or error)}") from None
