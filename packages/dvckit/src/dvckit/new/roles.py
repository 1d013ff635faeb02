"""The role of each column, with the reason, and the question where the cells do not tell it."""

import shlex
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from dvckit.core.errors import UserError
from dvckit.new.cells import Cells, matches
from dvckit.new.dates import looks_like_dates
from dvckit.new.grammar import Typed, must_be
from dvckit.new.names import is_id_like
from dvckit.new.options import ROLES, Choice, Question, role_choice
from dvckit.new.sniffing import is_counter
from dvckit.tables.schema import GRAMMAR

VALUES = 50  # of a category
PER_VALUE = 5  # rows on average
PER_ENTITY = (2, 100)  # rows on average, if a column's values may be entities
FEW_CODES = 20  # id-like codes of so many values may be a category, if they have many rows
NEARLY = 0.5  # share of the rows with different texts from which on codes are nearly unique

OTHERWISE = {
    "category": "no: its values are a category",
    "text": "no: its values are an input (hashed)",
    "number": "no: it is a number",
    "ignore": "no, and it is no input",
}


class Role(NamedTuple):
    """A role with its reason. With a question it is what is assumed until that is answered."""

    role: str
    why: str
    question: Question | None = None


class Pair(NamedTuple):
    """A column's cells and their type."""

    cells: Cells
    kind: Typed


def assign(pairs: list[Pair], target: int | None, chosen: dict[int, str]) -> list[Role]:
    """Return the role of each column; `chosen` are roles by place. UserError for one that the cells do not allow."""
    _check_singles(pairs, chosen)
    copies = _copies(pairs, target)
    key = next((place for place, role in chosen.items() if role == "id"), None)
    if key is None:
        free = (place for place in range(len(pairs)) if place not in (target, *chosen))
        key = next((place for place in free if _is_id(pairs[place])), None)
    grouped = "group" in chosen.values()
    roles = []
    for place, pair in enumerate(pairs):
        if place == target:
            roles.append(Role("target", ""))
        elif place in chosen:
            roles.append(_chosen(pair, chosen[place]))
        elif place in copies and not _useless(pair, ""):
            roles.append(Role("ignore", f"equal to {pairs[copies[place]].cells.name} in every row"))
        elif place == key:
            roles.append(Role("id", _id_reason(pair.cells)))
        else:
            roles.append(_by_rule(pair, key=pairs[key].cells.name if key is not None else "", grouped=grouped))
    return roles


def _check_singles(pairs: list[Pair], chosen: dict[int, str]) -> None:
    for role in ("id", "group", "time"):
        if len(named := [pairs[place].cells.name for place, one in chosen.items() if one == role]) > 1:
            raise UserError(f"there can be one column with the role {role}; there are {' and '.join(named)}")


def _copies(pairs: list[Pair], target: int | None) -> dict[int, int]:
    """Return the columns that are equal to an earlier one, with that one."""
    first: dict[bytes, int] = {}
    copies = {}
    for place, (cells, _) in enumerate(pairs):
        if place != target and len(cells.texts):
            texts = "\0".join(map(str, cells.texts.slice(0, 1000).to_pylist()))
            content = blake2b(np.ascontiguousarray(cells.codes).data)
            content.update(texts.encode())
            twin = first.setdefault(content.digest(), place)
            if twin != place and cells.texts.equals(pairs[twin].cells.texts):
                copies[place] = twin
    return copies


def _chosen(pair: Pair, role: str) -> Role:
    """Return the role that a person gave; UserError where the cells do not allow it."""
    cells, kind = pair
    name = cells.name
    if role not in ROLES:
        raise UserError(f"--role {name}={role}: there are the roles {', '.join(ROLES)}")
    if role in ("id", "group", "time") and cells.missing:
        line = cells.files[0][1][int(np.argmax(cells.own < 0))]
        raise UserError(
            f"--{role} {name}: it is missing in {cells.missing} rows, such as on line {line}; it must be known in all"
        )
    if role == "id" and cells.distinct < cells.rows:
        code = int(np.argmax(cells.counts > 1))
        lines = [cells.files[0][1][int(row)] for row in np.flatnonzero(cells.own == code)[:2]]
        raise UserError(
            f"--id {name}: lines {lines[0]} and {lines[1]} are both {cells.text(code)!r}; did you mean --group {name}?"
        )
    wanted = {"number": ("number", "whole number"), "date": ("date",), "time": ("date", "number", "whole number")}.get(
        role
    )
    if wanted and kind.kind not in wanted:
        raise UserError(
            f"{name} cannot have the role {role}: not every cell is {must_be(role)} ({kind.why or cells.where(0)})"
        )
    return Role(role, "you said so")


def _is_id(pair: Pair) -> bool:
    cells, kind = pair
    unique = cells.distinct == cells.rows and kind.kind in ("whole number", "text")
    return unique and (is_id_like(cells.name) or is_counter(cells))


def _id_reason(cells: Cells) -> str:
    return "counts the rows" if is_counter(cells) else "different in every row, and its name is an id's"


def _by_rule(pair: Pair, *, key: str, grouped: bool) -> Role:
    """Return the role of the first rule that applies."""
    cells, kind = pair
    if why := _useless(pair, key):
        return Role("ignore", why)
    if not grouped and (why := _entity(pair)):
        return _maybe_group(pair, why)
    if kind.kind == "date":
        return Role("date", "")
    # nobody writes an id with signs of thousands
    if kind.kind == "whole number" and cells.distinct == cells.rows and matches(cells.texts, GRAMMAR[int]).all():
        return _id_or_number(cells)
    return Role("number", "") if kind.kind in ("whole number", "number") else _text(cells)


def _useless(pair: Pair, key: str) -> str:
    cells = pair.cells
    if not cells.distinct:
        return "empty in every row"
    if cells.distinct == 1 and not cells.missing:
        return "the same in every row"
    return f"different in every row, as {key}" if _is_id(pair) else ""


def _entity(pair: Pair) -> str:
    """Return why the values of a column may be entities that have several rows; empty if they are not."""
    cells, kind = pair
    rows = (cells.rows - cells.missing) / cells.distinct
    if cells.distinct < 2 or rows == 1:
        return ""
    each = f"{cells.distinct} values with {rows:.2g} rows each on average"
    if is_id_like(cells.name) and kind.kind != "date" and (cells.distinct > FEW_CODES or rows <= PER_ENTITY[1]):
        return f"its name is an id's, and there are {each}"
    if (
        kind.kind == "text"
        and not looks_like_dates(cells)
        and cells.distinct > VALUES
        and PER_ENTITY[0] <= rows <= PER_ENTITY[1]
        and not _has_words(cells)
    ):
        return f"there are {each}"
    return ""


def _maybe_group(pair: Pair, why: str) -> Role:
    cells, kind = pair
    name = cells.name
    others = [
        "category" if cells.distinct <= VALUES else "text",
        *(["number"] if kind.kind != "text" else []),
        "ignore",
    ]
    choices = [role_choice(name, other, OTHERWISE[other]) for other in others]
    if cells.missing:
        why += f"; to make it a group, fill in the {cells.missing} rows where it is missing"
    else:
        choices.insert(0, role_choice(name, "group", "yes: rows of one value stay on one side of every split"))
    text = f"Are the values of {name} entities, such as persons, whose rows belong together?"
    return Role(next(iter(choices[0].changes["roles"].values())), why, Question(name, text, why, tuple(choices)))


def _id_or_number(cells: Cells) -> Role:
    why = "whole numbers that differ in every row; neither the name nor the order tells what they are"
    choices = (
        role_choice(cells.name, "id", "an id, which is no input"),
        role_choice(cells.name, "number", "a number"),
        role_choice(cells.name, "ignore", "neither"),
    )
    return Role("number", why, Question(cells.name, f"Is {cells.name} an id or a number?", why, choices))


def _text(cells: Cells) -> Role:
    present = cells.rows - cells.missing
    if cells.distinct <= VALUES and present >= PER_VALUE * cells.distinct:
        return Role("category", f"{cells.distinct} value{'s' * (cells.distinct > 1)}")
    if _has_words(cells):
        return Role("text", f"{cells.distinct} texts with words, hashed")
    if cells.distinct >= NEARLY * present:
        return Role("ignore", f"{cells.distinct} codes in {present} rows, nearly all different")
    return Role("text", f"{cells.distinct} values, hashed")


def _has_words(cells: Cells) -> bool:
    """Return whether most texts have several words."""
    return bool(matches(cells.texts, r"\pL{2,}[^\pL]+\pL{3,}|\pL{3,}[^\pL]+\pL{2,}").mean() > 0.5)


def leak_question(pair: Pair, target: str) -> Question:
    """Return the question about a column that tells the target alone."""
    name = pair.cells.name
    return Question(
        name,
        f"Is {name} known before {target} is?",
        f"it alone tells {target} in nearly every row; a column that is known only afterwards makes every score worthless",
        (
            Choice("yes: keep it", f"--keep {shlex.quote(name)}", {"keep": (name,)}),
            role_choice(name, "ignore", "no: ignore it"),
        ),
    )


def date_question(cells: Cells, kind: Typed) -> Question:
    """Return the question about a column whose dates fit with either order of day and month."""
    flags = {"%d": ("the day", "--day-first", "day_first"), "%m": ("the month", "--month-first", "month_first")}
    choices = [flags[form[:2]] for form in (kind.format, *kind.open)]
    return Question(
        cells.name,
        f"What is first in the dates of {cells.name}, the day or the month?",
        f"every cell fits with both, as {cells.where(0)}",
        tuple(Choice(text, f"{flag} {shlex.quote(cells.name)}", {name: (cells.name,)}) for text, flag, name in choices),
    )
