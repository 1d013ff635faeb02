"""Schemas: the pydantic record of a row, and the pandera schemas that are derived from it.

A project defines its records once, in its schema module: columns, roles, types, ranges, units and meaning. Everything else
(the schema of CSV cells, that of typed tables, the data dictionary) is derived from them, so that they cannot disagree.
Importing this module is cheap: pandera is imported only when a table is checked.

The role of a column says what it is used for:

| role | use |
|---|---|
| `id` | the key of the row, unique; without one, rows are numbered |
| `target` | what is predicted |
| `number`, `category`, `text` | inputs of the model |
| `date` | in the clean table; its parts may be features |
| `group` | rows with one value are never on both sides of a split |
| `time` | splits are by time: the latest rows are held out |
| `ignore` | in the clean table only |
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dvckit.core.errors import UserError
from dvckit.core.layout import TEST, TRAIN

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pa

# Numbers in a CSV file: no blank, no sign +, no leading zero of a whole number, no inf, nan, hex or thousands separator.
Role = Literal["id", "target", "number", "category", "text", "date", "group", "time", "ignore"]
INPUTS: tuple[Role, ...] = ("number", "category", "text")  # the roles of a model's inputs
ROW = "row_number"  # the key of rows that have no id: their number in the file, from 1

GRAMMAR = {int: r"^-?(?:0|[1-9][0-9]{0,17})$", float: r"^-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?$"}
NOUN = {int: "a whole number", float: "a number", datetime: "a date, written {}"}
# A pattern for text of one line with something visible in it: a line break in a cell is nearly always a quote left open,
# which swallows rows.
ONE_LINE = "^ *[^\\x00-\\x20\\x7f\\x85\u2028\u2029][^\\x00-\\x1f\\x7f\\x85\u2028\u2029]*$"

# A limit in JSON Schema, pandera's check for it with its argument, and what a value that is beyond it must be.
LIMITS = {
    "minimum": ("ge", "min_value", "must be at least {}"),
    "maximum": ("le", "max_value", "must be at most {}"),
    "minLength": ("str_length", "min_value", "must not be empty"),
    "maxLength": ("str_length", "max_value", "must have at most {} characters"),
    "pattern": ("str_matches", "pattern", "must be one line, with a letter, digit or sign in it"),
}


class Record(BaseModel):
    """One row of a table: strict types, no unknown column, frozen. NaN stands for a missing value."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _nan_is_missing(cls, values: Any) -> Any:
        """Accept a row of a DataFrame."""
        if not isinstance(values, dict):
            return values
        return {name: None if isinstance(value, float) and isnan(value) else value for name, value in values.items()}


def column(
    role: Role, description: str = "", *, name: str = "", unit: str = "", written: str = "", **limits: Any
) -> Any:
    """Return the pydantic field of a column.

    `name` is that in the CSV file, where it is not the field's; `unit` is for readers, such as years; `written` the format of
    a date, for strptime; `limits` are those of pydantic's Field, such as ge and max_length. TypeError for an unknown role.
    """
    if role not in get_args(Role):
        raise TypeError(f"{role!r} is no role of a column; there are {', '.join(get_args(Role))}")
    about: dict[str, Any] = {"role": role, "name": name, "unit": unit, "written": written}
    if role == "target":
        limits["default"] = None  # rows to predict have none
    return Field(
        description=description, json_schema_extra={key: text for key, text in about.items() if text}, **limits
    )


class NoColumnError(UserError, AttributeError):
    """Code names a column that the table does not have."""


class Names:
    """The fields of a table as attributes (`Clean.Age`); a name that it lacks is a NoColumnError."""

    def __init__(self, schema: "Schema") -> None:
        self._names = dict.fromkeys(schema.names)

    def __getattr__(self, name: str) -> str:
        if name not in self.__dict__.get("_names", ()):
            raise NoColumnError(
                f"the code names the column {name}, which the table does not have; it has {', '.join(self._names)}. "
                "If the column got another role or name in the schema, change the code that uses it"
            )
        return name

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)


@dataclass(frozen=True)
class Schema:
    """A table of such records, with the columns in the order of the fields; rows without an id have a column ROW before."""

    record: type[Record]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The fields of the table."""
        return tuple(self.record.model_fields)

    def of_role(self, *roles: Role) -> list[str]:
        """Return the columns with one of these roles, in the order of the table."""
        return [name for name in self.names if self.about[name]["role"] in roles]

    def _one(self, role: Role) -> str | None:
        columns = self.of_role(role)
        if len(columns) > 1:
            raise UserError(f"{self.record.__name__} has several columns of the role {role}: {', '.join(columns)}")
        return columns[0] if columns else None

    @cached_property
    def key(self) -> str:
        """The column that identifies a row."""
        return self._one("id") or ROW

    @cached_property
    def target(self) -> str:
        """The column to predict; UserError where there is none."""
        if (target := self._one("target")) is None:
            raise UserError(f"{self.record.__name__} has no column of the role target")
        return target

    @cached_property
    def group(self) -> str | None:
        """The column whose values are never on both sides of a split."""
        return self._one("group")

    @cached_property
    def time(self) -> str | None:
        """The column by which splits are in the order of time."""
        return self._one("time")

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The columns that are a model's input, in the order of the table."""
        return tuple(self.of_role(*INPUTS))

    @property
    def labels(self) -> tuple[Any, ...]:
        """The values of the target, in their order; empty if it is a number."""
        return self.values(self.target)

    def columns(self, *, labelled: bool) -> list[str]:
        """Return the columns of a typed table in their order; without labels there is no target column."""
        return [*([ROW] if self.key == ROW else []), *self.fields(labelled=labelled)]

    def fields(self, *, labelled: bool) -> list[str]:
        """Return the columns of a plain CSV file."""
        return [name for name in self.names if labelled or name != self.target]

    def arranged(self, table: "pd.DataFrame") -> "pd.DataFrame":
        """Return the schema's columns of a table in their order, whole numbers as int64 if none can be missing; the target may be.

        UserError where another column is.
        """
        columns = self.columns(labelled=self.target in table)
        if missing := [name for name in columns if name not in table]:
            raise UserError(f"the table has no column {', '.join(missing)}, which {self.record.__name__} names")
        whole = [name for name in columns if self.kind(name) is int]
        return table[columns].astype({name: "float64" if self.nullable(name) else "int64" for name in whole})

    @cached_property
    def about(self) -> dict[str, dict[str, Any]]:
        """Each column as JSON Schema describes it: type, limits, description, unit; and whether it is `nullable`."""
        blank = {"description": "", "unit": "", "name": "", "written": ""}
        number = {"type": "integer", "minimum": 1, "description": "Number of the row in its file", "nullable": False}
        about: dict[str, dict[str, Any]] = {ROW: {**blank, "role": "id", **number}}
        for name, field in self.record.model_json_schema()["properties"].items():
            kinds = field.pop("anyOf", [{}])  # of an optional column: the type of its values, and null
            about[name] = {**blank, **field, **kinds[0], "nullable": len(kinds) > 1}
            if "role" not in field:
                raise UserError(
                    f"{self.record.__name__}.{name} has no role; declare it as `{name}: TYPE = column(ROLE)`"
                )
        return about

    def kind(self, column: str) -> type:
        """Return the type of a column's values, missing ones aside: int, float, str or datetime."""
        about = self.about[column]
        if about.get("format") == "date-time":
            return datetime
        return {"integer": int, "number": float, "string": str}[about["type"]]

    def nullable(self, column: str) -> bool:
        """Return whether a value of the column may be missing; labels may not."""
        return column != self.target and bool(self.about[column]["nullable"])

    def values(self, column: str) -> tuple[Any, ...]:
        """Return the values that the column may have; empty if they are not listed."""
        if column == ROW:
            return ()
        annotation = self.record.model_fields[column].annotation
        return next((get_args(part) for part in (annotation, *get_args(annotation)) if get_origin(part) is Literal), ())

    def typed(self, *, labelled: bool) -> "pa.DataFrameSchema":
        """Return the pandera schema of a typed table: exactly these columns, in this order, the key unique.

        Whole numbers are nullable (Int64), so that a missing one is reported beside every other fault of its row.
        """
        dtypes = {int: "Int64", float: "float64", str: "str", datetime: "datetime64[us]"}
        return self._pandera(dtypes, self._checks, self.columns(labelled=labelled))

    def text(self, *, labelled: bool) -> "pa.DataFrameSchema":
        """Return the pandera schema of a CSV file's cells as text: which may be empty, and how a number is written."""
        dtypes = dict.fromkeys((int, float, str, datetime), "str")
        return self._pandera(dtypes, self._written, self.fields(labelled=labelled))

    def _pandera(
        self, dtypes: dict[type, str], checks: "Callable[[str], list[pa.Check]]", names: list[str]
    ) -> "pa.DataFrameSchema":
        import pandera.pandas as pa

        columns = {
            name: pa.Column(
                dtypes[self.kind(name)],
                checks=checks(name),
                nullable=self.nullable(name),
                unique=name == self.key,
                description=", ".join(filter(None, (self.about[name]["description"], self.about[name]["unit"]))),
            )
            for name in names
        }
        return pa.DataFrameSchema(columns, strict=True, ordered=True)

    def _checks(self, name: str) -> "list[pa.Check]":
        import pandera.pandas as pa

        checks = []
        for limit, (check, argument, error) in LIMITS.items():
            if (value := self.about[name].get(limit)) is not None:
                bound = _whole(value) if limit == "pattern" else value
                checks.append(getattr(pa.Check, check)(**{argument: bound}, error=error.format(value)))
        if values := self.values(name):
            checks.append(pa.Check.isin(values, error=_one_of(values)))
        return checks

    def _written(self, name: str) -> "list[pa.Check]":
        import pandera.pandas as pa

        kind, values = self.kind(name), self.values(name)
        if kind in (str, datetime):
            return self._checks(name)
        if values:
            return [pa.Check.isin([str(value) for value in values], error=_one_of(values))]
        return [pa.Check.str_matches(_whole(GRAMMAR[kind]), error=f"must be {NOUN[kind]}")]


class FeatureSchema(Schema):
    """The table of features: key, target, group, time and inputs of a record; dates and ignored columns are left out."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The fields of the table."""
        return tuple(name for name in self.record.model_fields if self.about[name]["role"] not in ("date", "ignore"))


class Entity(NamedTuple):
    """Who or what a row is about: `columns` together identify it, `noun` is the plural in messages."""

    check: str  # what reports/data_quality.json calls the check that no entity has two rows
    noun: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Dialect:
    """How a source writes CSV.

    `missing` are the texts that stand for a missing value, beside an empty cell. `thousands`: numbers may have the other
    sign between thousands, 1,234.5 or 1.234,5. `trimmed`: blanks around cells and names are no part of them.
    """

    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    header: bool = True
    missing: tuple[str, ...] = ()
    thousands: bool = False
    trimmed: bool = False


PLAIN = Dialect()  # what stages and commands read


@dataclass(frozen=True)
class Rules:
    """Rules for the tables of a source: the schema of a row, and what goes beyond it."""

    schema: Schema
    dialect: Dialect = PLAIN
    predict: bool = True  # there is a table of rows to predict
    entity: Entity | None = None
    submission: str | None = None  # the name of a table of keys and targets; its keys must be those of `test`

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables of rows: with labels, and to predict."""
        return (TRAIN, TEST) if self.predict else (TRAIN,)

    @property
    def names(self) -> tuple[str, ...]:
        """The tables of a source, in their order; each is NAME.csv."""
        return (*self.tables, *([self.submission] if self.submission else []))

    def fields(self, name: str) -> list[str]:
        """Return the columns of a table of the source, as plain CSV."""
        if name == self.submission:
            return [self.schema.key, self.schema.target]
        return self.schema.fields(labelled=name == TRAIN)

    def header(self, name: str) -> list[str]:
        """Return the names of these columns in the source's own file."""
        return [self.schema.about[field]["name"] or field for field in self.fields(name)]

    def is_plain(self, name: str) -> bool:
        """Tell whether the source writes a table as plain CSV."""
        return self.dialect == PLAIN and self.header(name) == self.fields(name)

    def decode(self, name: str, source: Path, target: Path) -> None:
        """Write a table of the source as plain CSV; UserError where it is not in the dialect of the source.

        A file that should be plain is copied as it is: stage validate reports all that is wrong with it.
        """
        if self.is_plain(name):
            shutil.copyfile(source, target)
            return
        from dvckit.tables.dialect import plain

        fields = self.fields(name)
        header = self.header(name) if self.dialect.header else None
        numbers = {field for field in fields if self.schema.kind(field) in (int, float)}
        plain(source, target, header, fields, self.dialect, numbers)


def _one_of(values: tuple[Any, ...]) -> str:
    return f"must be one of {', '.join(map(str, values))}"


def _whole(pattern: str) -> str:
    """Return a pattern for pandas, to which $ also matches before a last line break; to pydantic and Arrow it does not."""
    return pattern.removesuffix("$") + r"\Z"
