"""The task: what kind of answer the target asks for, and whether there are rows enough for it."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dvckit.core.errors import UserError
from dvckit.core.grid import first
from dvckit.new.cells import Cells
from dvckit.new.grammar import Typed
from dvckit.new.options import Choice, Options, Question
from dvckit.new.sniffing import is_counter
from dvckit.tables.reading import shown

TASKS = ("binary", "multiclass", "regression")
CLASSES = 20  # whole numbers of more values are no classes
PER_CLASS = 5  # rows on average, below which whole numbers are no classes
# Each class needs a row in each of 5 folds, after the hold-out took a fifth of its rows: of 6 it may take 2.
LEAST = 7
ROWS = 30  # below which nothing can be learned, or told from luck


class Target(NamedTuple):
    """The task, why, and for classes the labels; of two, the second is the positive one."""

    task: str
    why: str
    labels: tuple[str | int, ...] = ()
    question: Question | None = None


def decide(cells: Cells, kind: Typed, options: Options) -> Target:
    """Return the task of a target without the rows to predict; UserError if nothing can be learned of it.

    The rule: two values are binary, text of more values is multiclass; whole numbers of at most 20 values and at least 5
    rows each on average are multiclass; else it is a regression.
    """
    labelled = cells.rows - cells.missing
    _refuse(cells, kind, labelled)
    task, why = _task(cells, kind, labelled, options.task)
    labels = () if task == "regression" else _labels(cells, kind, options.positive)
    if labels:
        _check_classes(cells, kind, labels)
    if options.positive is not None and task != "binary":
        raise UserError(f"--positive names one of two labels; the task is {task}")
    if task == "binary":
        why += f"; {labels[1]} is the positive one" + ("" if options.positive else ", --positive changes that")
    return Target(task, why, labels, _unlabelled(cells) if cells.missing and not options.reject_unlabelled else None)


def _refuse(cells: Cells, kind: Typed, labelled: int) -> None:
    name = cells.name
    if not labelled:
        raise UserError(f"the target {name} is empty in every row; name another with --target")
    if cells.distinct == 1:
        raise UserError(f"the target {name} is {shown(cells.text(0))} in every row; there is nothing to learn")
    if labelled < ROWS:
        raise UserError(f"there are {labelled} rows with a {name}; a model and an honest score need at least {ROWS}")
    if cells.missing > cells.rows / 2:
        raise UserError(
            f"{cells.missing} of {cells.rows} rows have no {name}, more than half; leave them out of the file, and predict them later"
        )
    if cells.distinct == labelled and (kind.kind in ("text", "date") or is_counter(cells)):
        what = {"text": "texts", "date": "dates"}.get(kind.kind, "row numbers")
        raise UserError(f"the target {name} has {what} that differ in every row; nothing can be learned of that")
    if kind.kind == "date":
        raise UserError(f"the target {name} has dates; no task predicts dates, add a column of numbers or classes")


def _task(cells: Cells, kind: Typed, labelled: int, wanted: str | None) -> tuple[str, str]:
    number = cells.distinct
    few = number <= CLASSES and labelled >= PER_CLASS * number
    if number == 2:
        task, why = "binary", "two values"
    elif kind.kind == "text":
        task, why = "multiclass", f"text of {number} values"
    elif kind.kind == "whole number" and few:
        task, why = "multiclass", f"whole numbers of {number} values"
    else:
        task, why = "regression", f"numbers of {number} values"
    if wanted is None or wanted == task:
        return task, why
    if wanted not in TASKS:
        raise UserError(f"--task is one of {', '.join(TASKS)}, not {wanted!r}")
    if wanted == "binary" or (wanted == "multiclass" and number == 2):
        raise UserError(f"--task {wanted} does not fit the target {cells.name}, which has {number} values")
    if wanted == "regression" and kind.kind == "text":
        raise UserError(f"--task regression needs numbers; {cells.name} is text, as in {cells.where(0)}")
    return wanted, f"{why}; --task says so"


def _labels(cells: Cells, kind: Typed, positive: str | None) -> tuple[str | int, ...]:
    """Return the labels in their order: numbers that are not whole stay as they are written."""
    labels: list[str | int] = sorted((kind.measures if kind.kind == "whole number" else cells.texts).tolist())
    if positive is None or len(labels) != 2:
        return tuple(labels)
    if positive not in map(str, labels):
        raise UserError(f"--positive: {cells.name} has no value {positive!r}; it has {labels[0]} and {labels[1]}")
    return tuple(sorted(labels, key=lambda label: str(label) == positive))


def _check_classes(cells: Cells, kind: Typed, labels: tuple[str | int, ...]) -> None:
    place = int(np.argmin(cells.counts))
    if (rows := int(cells.counts[place])) < LEAST:
        few = int((cells.counts < LEAST).sum())
        others = f" (and {few - 1} more of {len(labels)} classes have too few)" if few > 1 else ""
        cure = ", or take it as a number with --task regression" if kind.kind != "text" and len(labels) > 2 else ""
        raise UserError(
            f"the class {shown(cells.text(place))} of {cells.name} has {rows} row{'s' * (rows > 1)}{others}; 5 folds and a "
            f"hold-out need {LEAST}: add rows, or join the class with another{cure}"
        )


def _unlabelled(cells: Cells) -> Question:
    rows = np.flatnonzero(cells.own < 0) + 1
    return Question(
        cells.name,
        f"What is to be done with the rows without a {cells.name}?",
        f"the target is missing in {len(rows)} rows: {first(rows, 5)}",
        (Choice("reject them: they go to rejected.csv", "--reject-unlabelled", {"reject_unlabelled": True}),),
    )


def truth(cells: Cells, kind: Typed, task: str) -> npt.NDArray[np.float64]:
    """Return the target of each row: a value, or the place of its text; NaN where it is missing."""
    values = np.asarray(kind.measures, dtype=np.float64) if task == "regression" else np.arange(len(cells.texts))
    return np.append(values.astype(np.float64), np.nan)[cells.own]
