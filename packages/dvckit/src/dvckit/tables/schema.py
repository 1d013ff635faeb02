"""Schemas: the pydantic record of a row, and the pandera schemas that are derived from it.

A project defines its records once, in its schema module: columns, types, ranges, units and meaning. Everything else (the
schema of CSV cells, that of typed tables, the data dictionary) is derived from them, so that they cannot disagree. Importing
this module is cheap: pandera is imported only when a table is checked.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ConfigDict, model_validator

from dvckit.core.errors import UserError
from dvckit.core.layout import TEST, TRAIN

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pa

# Numbers in a CSV file: no blank, no sign +, no leading zero of a whole number, no inf, nan, hex or thousands separator.
GRAMMAR = {int: r"^-?(?:0|[1-9][0-9]{0,17})$", float: r"^-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?$"}
NOUN = {int: "a whole number", float: "a number"}
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


def unit(name: str) -> dict[str, Any]:
    """Return the value of `Field(json_schema_extra=...)` that sets a unit, such as years."""
    return {"unit": name}


class Names:
    """The column names of a record as attributes (`Clean.Age`); a name that the record lacks is an AttributeError."""

    def __init__(self, record: type[BaseModel]) -> None:
        self._names = dict.fromkeys(record.model_fields)

    def __getattr__(self, name: str) -> str:
        if name not in self.__dict__.get("_names", ()):
            raise AttributeError(f"no column {name!r}; there are {', '.join(self._names)}")
        return name

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)


@dataclass(frozen=True)
class Schema:
    """A table of such records; `key` is the column that identifies a row, `target` the one to predict."""

    record: type[Record]
    key: str
    target: str
    group: str | None = None  # its rows of one value stay on one side of every split
    time: str | None = None  # its later rows are predicted from earlier ones

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns without key, target, group and time, in the order of the table: a model's input."""
        roles = (self.key, self.target, self.group, self.time)
        return tuple(name for name in self.record.model_fields if name not in roles)

    def columns(self, *, labelled: bool) -> list[str]:
        """Return the columns in their order; without labels there is no target column."""
        return [name for name in self.record.model_fields if labelled or name != self.target]

    def arranged(self, table: "pd.DataFrame") -> "pd.DataFrame":
        """Return the schema's columns of a table in their order, whole numbers as int64; the target may be missing.

        UserError where another column is.
        """
        columns = self.columns(labelled=self.target in table)
        if missing := [name for name in columns if name not in table]:
            raise UserError(f"the table has no column {', '.join(missing)}, which {self.record.__name__} names")
        return table[columns].astype({name: "int64" for name in columns if self.kind(name) is int})

    @cached_property
    def about(self) -> dict[str, dict[str, Any]]:
        """Each column as JSON Schema describes it: type, limits, description, unit; and whether it is `nullable`."""
        about = {}
        for name, field in self.record.model_json_schema()["properties"].items():
            kinds = field.pop("anyOf", [{}])  # of an optional column: the type of its values, and null
            about[name] = {"description": "", "unit": "", **field, **kinds[0], "nullable": len(kinds) > 1}
        return about

    def kind(self, column: str) -> type:
        """Return the type of a column's values, missing ones aside: int, float or str."""
        return {"integer": int, "number": float, "string": str}[self.about[column]["type"]]

    def nullable(self, column: str) -> bool:
        """Return whether a value of the column may be missing; labels may not."""
        return column != self.target and bool(self.about[column]["nullable"])

    def values(self, column: str) -> tuple[Any, ...]:
        """Return the values that the column may have; empty if they are not listed."""
        annotation = self.record.model_fields[column].annotation
        return next((get_args(part) for part in (annotation, *get_args(annotation)) if get_origin(part) is Literal), ())

    def typed(self, *, labelled: bool) -> "pa.DataFrameSchema":
        """Return the pandera schema of a typed table: exactly these columns, in this order, the key unique.

        Whole numbers are nullable (Int64), so that a missing one is reported beside every other fault of its row.
        """
        return self._pandera({int: "Int64", float: "float64", str: "str"}, self._checks, labelled=labelled)

    def text(self, *, labelled: bool) -> "pa.DataFrameSchema":
        """Return the pandera schema of a CSV file's cells as text: which may be empty, and how a number is written."""
        return self._pandera(dict.fromkeys((int, float, str), "str"), self._written, labelled=labelled)

    def _pandera(
        self, dtypes: dict[type, str], checks: "Callable[[str], list[pa.Check]]", *, labelled: bool
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
            for name in self.columns(labelled=labelled)
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
        if kind is str:
            return self._checks(name)
        if values:
            return [pa.Check.isin([str(value) for value in values], error=_one_of(values))]
        return [pa.Check.str_matches(_whole(GRAMMAR[kind]), error=f"must be {NOUN[kind]}")]


class Entity(NamedTuple):
    """Who or what a row is about: `columns` together identify it, `noun` is the plural in messages."""

    check: str  # what reports/data_quality.json calls the check that no entity has two rows
    noun: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Rules:
    """Rules for the tables of a source: the schema of a row, and what goes beyond it."""

    schema: Schema
    entity: Entity | None = None
    submission: str | None = None  # the name of a table of keys and targets; its keys must be those of `test`

    def names(self) -> list[str]:
        """Return the tables of a source, in their order; each is NAME.csv."""
        return [TRAIN, TEST, *([self.submission] if self.submission else [])]

    def columns(self, name: str) -> list[str]:
        """Return the columns of a table of the source."""
        if name == self.submission:
            return [self.schema.key, self.schema.target]
        return self.schema.columns(labelled=name == TRAIN)


def _one_of(values: tuple[Any, ...]) -> str:
    return f"must be one of {', '.join(map(str, values))}"


def _whole(pattern: str) -> str:
    """Return a pattern for pandas, to which $ also matches before a last line break; to pydantic and Arrow it does not."""
    return pattern.removesuffix("$") + r"\Z"
