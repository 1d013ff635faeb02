"""What a stranger's CSV file is: its dialect, its columns with type and role, its task, and what only a person can say.

Everything is decided by rules over all cells, nothing by a sample.
"""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from dvckit.core.errors import UserError, one_line
from dvckit.core.grid import Grid, first
from dvckit.new.cells import Cells, matches
from dvckit.new.grammar import Kind, Typed, typed
from dvckit.new.leaks import tells
from dvckit.new.limits import Found
from dvckit.new.names import as_fields, place_of
from dvckit.new.options import Options, Question
from dvckit.new.roles import Pair, Role, assign, date_question, leak_question
from dvckit.new.source import Source, load
from dvckit.new.target import Target, decide, truth
from dvckit.tables.schema import ONE_LINE, Dialect

LARGEST = 1e38  # trees keep numbers as float32; new rows may have some that are larger, as limits leave room
INPUTS = ("number", "category", "text", "date")
NOUNS = {"whole number": "numbers", "number": "numbers", "date": "dates"}


@dataclass(frozen=True)
class Column:
    """A column: its name in the file, the name of its field, and what the schema says of it."""

    name: str
    field: str
    unit: str
    kind: Kind
    role: str
    why: str
    found: Found
    format: str = ""  # the strptime format of dates


@dataclass(frozen=True)
class Examined:
    """A CSV file, and one with rows to predict if there is one.

    While the form of the file or the target is open there are no columns; while there are other questions, what they ask
    about is an assumption.
    """

    path: Path
    dialect: Dialect
    header: list[str] | None  # the names that the file must have, None without a header
    questions: tuple[Question, ...] = ()
    columns: tuple[Column, ...] = ()
    rows: int = 0
    unlabelled: int = 0  # rows without a label
    task: str = ""
    labels: tuple[str | int, ...] = ()  # of classes; of two, the second is the positive one
    predict: Path | None = None
    predict_rows: int = 0

    @property
    def groups(self) -> list[str]:
        """The columns whose values are entities, or may be, by name."""
        asked = {
            one.about
            for one in self.questions
            if any("group" in choice.changes.get("roles", {}).values() for choice in one.choices)
        }
        return [column.name for column in self.columns if column.role == "group" or column.name in asked]

    @property
    def numbers(self) -> set[str]:
        """The fields of numbers, which are written as the dialect says."""
        return {column.field for column in self.columns if column.kind in ("number", "whole number")}

    def of_role(self, role: str) -> list[Column]:
        """Return the columns of a role."""
        return [column for column in self.columns if column.role == role]


def examine(path: Path, options: Options, predict: Path | None = None) -> Examined:
    """Examine a CSV file, and one with rows to predict; UserError, on one line, for what no answer can change."""
    try:
        return _examined(path, options, predict)
    except UserError as error:
        raise UserError(one_line(error)) from None  # the name of a column may have a line break


def _examined(path: Path, options: Options, predict: Path | None) -> Examined:
    source = load(path, options, predict)
    empty = Examined(path, source.dialect, source.header, source.questions, predict=predict)
    if source.questions:
        return empty
    chosen = _chosen(source, options)
    pairs = _typed(source, options)
    cells, kind = pairs[source.place]
    target = decide(cells, kind, options)
    roles = assign(pairs, source.place, chosen)
    roles[source.place] = Role("target", target.why, target.question)
    _check_sizes(pairs, roles)
    roles = _asked(pairs, roles, source, target, options)
    return replace(
        empty,
        questions=tuple(role.question for role in sorted(roles, key=lambda one: one.role != "target") if role.question),
        columns=_columns(source, pairs, roles, target),
        rows=cells.rows,
        unlabelled=cells.missing,
        task=target.task,
        labels=target.labels,
        predict_rows=len(cells.codes) - cells.rows,
    )


def _places(source: Source, columns: Iterable[str], flag: str) -> list[int]:
    return [place_of([one.name for one in source.cells], column, flag) for column in columns]


def _chosen(source: Source, options: Options) -> dict[int, str]:
    """Return the roles that a person gave, by place."""
    chosen = dict(zip(_places(source, options.roles, "--role"), options.roles.values(), strict=True))
    if source.place in chosen:
        raise UserError(f"{source.cells[source.place].name} is the target; it can have no role beside that")
    return chosen


def _typed(source: Source, options: Options) -> list[Pair]:
    """Return each column with its type, the same for both files."""
    orders = dict.fromkeys(_places(source, options.day_first, "--day-first"), "%d")
    orders |= dict.fromkeys(_places(source, options.month_first, "--month-first"), "%m")
    decimal, pairs = source.dialect.decimal, []
    for place, cells in enumerate(source.cells):
        kind = typed(cells, decimal, orders.get(place, ""))
        if place in orders and kind.kind != "date":
            flag = {"%d": "--day-first", "%m": "--month-first"}[orders[place]]
            raise UserError(f"{flag} {cells.name}: not every cell is such a date; {kind.why or cells.where(0)}")
        if (
            kind.kind == "text"
            and cells.other
            and (own := typed(cells.alone(), decimal, orders.get(place, ""))).kind != "text"
        ):
            raise UserError(f"{cells.name}: {kind.why}; in the other file all cells are {NOUNS[own.kind]}")
        pairs.append(Pair(cells, kind))
    return pairs


def _check_sizes(pairs: list[Pair], roles: list[Role]) -> None:
    """UserError where a number is larger than models can take."""
    for (cells, kind), role in zip(pairs, roles, strict=True):
        if role.role in ("number", "target") and kind.kind == "number" and np.abs(kind.measures).max() > LARGEST:
            cure = (
                "divide it" if role.role == "target" else f"divide it, or give --role {shlex.quote(cells.name)}=ignore"
            )
            raise UserError(
                f"{cells.name}: {cells.where(int(np.abs(kind.measures).argmax()))}; models take numbers up to {LARGEST:g}: {cure}"
            )


def _asked(pairs: list[Pair], roles: list[Role], source: Source, target: Target, options: Options) -> list[Role]:
    """Return the roles with the questions that follow from them: the order of dates, and what tells the target alone."""
    goal = pairs[source.place]
    known, kept = truth(goal.cells, goal.kind, target.task), _places(source, options.keep, "--keep")
    asked = []
    for place, (pair, role) in enumerate(zip(pairs, roles, strict=True)):
        question = role.question
        if role.role in ("date", "time") and pair.kind.open:
            question = date_question(pair.cells, pair.kind)
        elif (
            role.role in INPUTS
            and not question
            and place not in kept
            and tells(pair.cells, pair.kind, known, target.labels)
        ):
            question = leak_question(pair, goal.cells.name)
        asked.append(role._replace(question=question))
    return asked


def _columns(source: Source, pairs: list[Pair], roles: list[Role], target: Target) -> tuple[Column, ...]:
    columns = []
    names = as_fields([cells.name for cells in source.cells])
    for (cells, kind), role, name, markers in zip(pairs, roles, names, source.markers, strict=True):
        final = _kind(kind, role.role, target)
        found = _found(cells, kind, final, role.role)
        if role.role == "target":
            found = found._replace(values=target.labels)
        of_type = kind.why if kind.kind == "text" or role.role in ("number", "date", "time") else ""
        why = [role.why, of_type, markers]
        told = "; ".join(dict.fromkeys(part for part in why if part))
        form = kind.format if final == "date" else ""
        columns.append(Column(cells.name, name.field, name.unit, final, role.role, told, found, form))
    return tuple(columns)


def _kind(kind: Typed, role: str, target: Target) -> Kind:
    """Return the type that values have in their role: an id is a whole number or text, a label as well."""
    whole_or_text: Kind = "whole number" if kind.kind == "whole number" else "text"
    if role == "text" or (role == "target" and target.labels) or role in ("id", "category", "group"):
        return "text" if role == "text" else whole_or_text
    return "text" if kind.kind == "date" and role not in ("date", "time") else kind.kind


def _found(cells: Cells, kind: Typed, final: Kind, role: str) -> Found:
    to_predict = cells.codes[cells.rows :]
    found = Found(cells.missing, int((to_predict < 0).sum()), cells.distinct)
    if role == "category":
        values = kind.measures if final == "whole number" else cells.texts
        return found._replace(values=tuple(sorted(values.tolist())))
    if not len(cells.texts):
        return found
    if final == "text":
        longest = int(pc.max(pc.utf8_length(cells.texts)).as_py())
        return found._replace(longest=longest, one_line=bool(matches(cells.texts, ONE_LINE).all()))
    lowest, highest = kind.measures.min(), kind.measures.max()
    if isinstance(kind.measures, pd.DatetimeIndex):
        return found._replace(minimum=lowest.to_pydatetime(), maximum=highest.to_pydatetime())
    return found._replace(minimum=lowest.item(), maximum=highest.item())


def table(examined: Examined) -> Grid:
    """Return a table of the columns for a person."""
    rows = [
        [column.name, column.kind, column.role, str(column.found.missing or ""), _values(column), column.why]
        for column in examined.columns
    ]
    return Grid("", ["column", "type", "role", "missing", "values", "why"], rows, numeric=("missing",))


def _values(column: Column) -> str:
    found = column.found
    if found.values:  # noqa: PD011
        return first(map(str, found.values), 5)
    if isinstance(found.minimum, datetime) and isinstance(found.maximum, datetime):
        return f"{found.minimum:{column.format}} to {found.maximum:{column.format}}"
    if found.minimum is not None:
        return f"{found.minimum:.10g} to {found.maximum:.10g}"
    return f"{found.distinct}, up to {found.longest} characters" if found.longest else ""
