"""What a person decides about a CSV file, and the questions that only a person can answer."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from dvckit.core.errors import UserError

ROLES = ("id", "number", "category", "text", "date", "group", "time", "ignore")


@dataclass(frozen=True)
class Choice:
    """An answer to a question: in words, the flag that gives it, and the fields of `Options` that it sets."""

    text: str
    flag: str
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class Question:
    """What cannot be known from the file; `about` is a column or a part of the dialect."""

    about: str
    text: str
    why: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Options:
    """Every answer, None or empty where none was given; columns are by name, or by position from "1"."""

    target: str | None = None
    separator: str | None = None
    encoding: str | None = None
    header: bool | None = None
    decimal: str | None = None
    missing: tuple[str, ...] | None = None  # exactly these texts are missing values; None: those found
    roles: Mapping[str, str] = field(default_factory=dict)  # by column: one of ROLES
    day_first: tuple[str, ...] = ()
    month_first: tuple[str, ...] = ()
    task: str | None = None
    positive: str | None = None
    reject_unlabelled: bool = False
    keep: tuple[str, ...] = ()  # inputs though they tell the target

    def answered(self, choice: Choice) -> "Options":
        """Return these options with an answer more."""
        known = {one.name: getattr(self, one.name) for one in fields(self)}
        return replace(self, **{name: _joined(known[name], value) for name, value in choice.changes.items()})


def _joined(known: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {**known, **value}
    return (*(known or ()), *value) if isinstance(value, tuple) else value


def role_choice(column: str, role: str, text: str = "") -> Choice:
    """Return the choice of a role for a column."""
    flag = (
        f"--{role} {shlex.quote(column)}"
        if role in ("id", "group", "time")
        else "--role " + shlex.quote(f"{column}={role}")
    )
    return Choice(text or role, flag, {"roles": {column: role}})


def roles_of(given: list[str], of_flags: Mapping[str, str | None]) -> dict[str, str]:
    """Return the roles of `--role COLUMN=ROLE` and of the flags that are a role; UserError for a wrong one."""
    roles = {column: role for role, column in of_flags.items() if column}
    for text in given:
        column, equals, role = text.rpartition("=")
        if not equals or role not in ROLES:
            raise UserError(f"--role {text}: write COLUMN=ROLE, with a role of {', '.join(ROLES)}")
        roles[column] = role
    return roles
