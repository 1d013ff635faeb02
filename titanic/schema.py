"""What a passenger is: the columns of every table, their types, ranges, units and meaning, each written once.

A row of a table is a pydantic record; the pandera schemas of the tables (raw, clean, features) derive from it, so that
they cannot disagree. Other modules name columns through `Clean` and `Features` (`Clean.Age`), never as strings. Loading
this module is cheap: pandera comes in only when a table is checked.
"""

import types
from collections.abc import Callable, Iterator
from math import isnan
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    import pandera.pandas as pa


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _nan_is_missing(cls, values: Any) -> Any:
        """Take a row of a DataFrame as it comes."""
        if not isinstance(values, dict):
            return values
        return {name: None if isinstance(value, float) and isnan(value) else value for name, value in values.items()}


# How a number is written in a CSV file: no blank, sign +, leading zero of a whole number, inf, nan, hex or thousands mark.
GRAMMAR = {int: r"^-?(?:0|[1-9][0-9]{0,17})$", float: r"^-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?$"}
NOUN = {int: "a whole number", float: "a number"}
# Text of one line that can be seen: a line break in a cell is nearly always a quote left open, which swallows rows.
_ONE_LINE = "^ *[^\\x00-\\x20\\x7f\\x85\u2028\u2029][^\\x00-\\x1f\\x7f\\x85\u2028\u2029]*$"


def _unit(unit: str) -> dict[str, Any]:
    return {"unit": unit}


_Key = Annotated[int, Field(ge=1, le=10**18 - 1, description="Key of the row")]
_Target = Annotated[Literal[0, 1] | None, Field(description="Target: 1 survived, 0 died")]
_Class = Annotated[Literal[1, 2, 3], Field(description="Class of the ticket")]
_Sex = Annotated[Literal["female", "male"], Field(description="Sex")]
_Age = Annotated[
    float | None,
    Field(ge=0, le=120, description="Age; a fraction below 1 year", json_schema_extra=_unit("years")),
]
_SibSp = Annotated[int, Field(ge=0, le=20, description="Siblings and spouse aboard", json_schema_extra=_unit("people"))]
_Parch = Annotated[
    int, Field(ge=0, le=20, description="Parents and children aboard", json_schema_extra=_unit("people"))
]
_Fare = Annotated[
    float | None,
    Field(
        ge=0,
        le=10_000,
        description="Price of the ticket, for all who share it",
        json_schema_extra=_unit("pounds of 1912"),
    ),
]
_Port = Annotated[
    Literal["C", "Q", "S"] | None, Field(description="Port of embarkation: Cherbourg, Queenstown or Southampton")
]


class Passenger(_Record):
    """One row of the passenger list. `Survived` is None for a passenger whose fate is to be predicted."""

    PassengerId: _Key
    Survived: _Target = None
    Pclass: _Class
    Name: str = Field(max_length=500, pattern=_ONE_LINE, description="Surname, title and given names")
    Sex: _Sex
    Age: _Age
    SibSp: _SibSp
    Parch: _Parch
    Ticket: str = Field(max_length=100, pattern=_ONE_LINE, description="Number of the ticket, which may hold letters")
    Fare: _Fare
    Cabin: str | None = Field(
        max_length=100,
        pattern=_ONE_LINE,
        description="Cabin numbers, separated by blanks; the first letter is the deck",
    )
    Embarked: _Port


class PassengerFeatures(_Record):
    """One row as the model sees it, with its key and target; it derives from one `Passenger` alone."""

    PassengerId: _Key
    Survived: _Target = None
    Pclass: _Class
    Sex: _Sex
    Age: _Age
    SibSp: _SibSp
    Parch: _Parch
    Fare: _Fare
    Embarked: _Port
    Title: Literal["Mr", "Mrs", "Miss", "Master", "Other"] = Field(description="Title, from the name")
    FamilySize: int = Field(
        ge=1,
        le=41,
        description="Siblings, spouse, parents, children and the passenger",
        json_schema_extra=_unit("people"),
    )
    IsAlone: Literal[0, 1] = Field(description="1 where FamilySize is 1")
    Deck: str | None = Field(min_length=1, max_length=1, description="First letter of the cabin")
    AgeBand: str | None = Field(description="Whole years of age as a band, such as 18-34; see features.age_bands")
    Surname: str = Field(
        max_length=500,
        pattern=_ONE_LINE,
        description="What stands before the first comma of the name (without one, the name), in capitals",
    )
    TicketKey: str = Field(
        max_length=100,
        pattern=_ONE_LINE,
        description="The ticket in capitals without blanks, dots and slashes: the same for all who share it",
    )
    TicketPrefix: str | None = Field(
        max_length=100,
        pattern=_ONE_LINE,
        description="What stands before the number of the ticket, written as TicketKey is, such as PC or A5; "
        "missing where that has no letter",
    )
    FarePerPerson: float | None = Field(
        ge=0,
        le=10_000,
        description="Fare shared by FamilySize; missing where the fare is",
        json_schema_extra=_unit("pounds of 1912"),
    )
    WomanOrChild: Literal[0, 1] = Field(description="1 for women and girls, and for boys (Title is Master)")


class _Names:
    """The column names of a record as attributes; a name that the record lacks is an AttributeError."""

    def __init__(self, record: type[BaseModel]) -> None:
        self._names = dict.fromkeys(record.model_fields)

    def __getattr__(self, name: str) -> str:
        if name not in self.__dict__.get("_names", ()):
            raise AttributeError(f"no column {name!r}; there are {', '.join(self._names)}")
        return name

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)


Clean = _Names(Passenger)
Features = _Names(PassengerFeatures)

KEY = Clean.PassengerId
TARGET = Clean.Survived
# The model's input, in the order of the table.
MODEL_INPUT = tuple(name for name in Features if name not in (KEY, TARGET))


def columns(record: type[BaseModel], *, labelled: bool) -> list[str]:
    """Return the columns of a table of such records, in their order; without labels there is no target column."""
    return [name for name in record.model_fields if labelled or name != TARGET]


def kind(record: type[BaseModel], column: str) -> type:
    """Return the type of a column's values, missing ones aside: int, float or str."""
    annotation = record.model_fields[column].annotation
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    value = get_args(annotation)[0] if get_origin(annotation) is Literal else annotation
    return value if isinstance(value, type) else type(value)


def nullable(record: type[BaseModel], column: str) -> bool:
    """Return whether a value of the column may be missing; a label that is there at all may not."""
    return column != TARGET and type(None) in get_args(record.model_fields[column].annotation)


def values(record: type[BaseModel], column: str) -> tuple[Any, ...]:
    """Return the only values that the column may have, or nothing where there is no such list."""
    annotation = record.model_fields[column].annotation
    parts = [part for part in (annotation, *get_args(annotation)) if get_origin(part) is Literal]
    return get_args(parts[0]) if parts else ()


def limits(record: type[BaseModel], column: str) -> dict[str, Any]:
    """Return the limits of the column's values by pydantic's names: ge, le, min_length, max_length, pattern."""
    names = ("ge", "le", "min_length", "max_length", "pattern")
    found = [(name, getattr(part, name, None)) for part in record.model_fields[column].metadata for name in names]
    return {name: value for name, value in found if value is not None}


def unit(record: type[BaseModel], column: str) -> str:
    """Return the unit of the column's values, such as years; empty where they have none."""
    extra = record.model_fields[column].json_schema_extra
    return str(extra["unit"]) if isinstance(extra, dict) else ""


def table_schema(record: type[BaseModel], *, labelled: bool) -> "pa.DataFrameSchema":
    """Return the pandera schema of a table of such records: exactly these columns, in this order, the key unique.

    Whole numbers are nullable (Int64), so that a missing one can be told beside every other fault of its row.
    """
    import pandera.pandas as pa

    dtypes = {int: "Int64", float: "float64", str: "str"}
    return _schema(
        record,
        {
            name: pa.Column(dtypes[kind(record, name)], checks=_checks(record, name), unique=name == KEY)
            for name in columns(record, labelled=labelled)
        },
    )


def raw_schema(*, labelled: bool) -> "pa.DataFrameSchema":
    """Return the pandera schema of a CSV file's cells as text: which may be empty, and how a number is written."""
    import pandera.pandas as pa

    return _schema(
        Passenger,
        {
            name: pa.Column("str", checks=_written(name), unique=name == KEY)
            for name in columns(Passenger, labelled=labelled)
        },
    )


def _schema(record: type[BaseModel], found: "dict[str, pa.Column]") -> "pa.DataFrameSchema":
    import pandera.pandas as pa

    for name, column in found.items():
        column.nullable = nullable(record, name)
        column.description = ", ".join(filter(None, (record.model_fields[name].description, unit(record, name))))
    return pa.DataFrameSchema(found, strict=True, ordered=True)


def _checks(record: type[BaseModel], name: str) -> "list[pa.Check]":
    import pandera.pandas as pa

    make: dict[str, Callable[[Any], pa.Check]] = {
        "ge": lambda low: pa.Check.ge(low, error=f"must be at least {low}"),
        "le": lambda high: pa.Check.le(high, error=f"must be at most {high}"),
        "min_length": lambda low: pa.Check.str_length(min_value=low, error="must not be empty"),
        "max_length": lambda high: pa.Check.str_length(max_value=high, error=f"must have at most {high} characters"),
        "pattern": lambda text: pa.Check.str_matches(
            _whole(text), error="must be one line, with a letter, digit or sign in it"
        ),
    }
    checks = [make[limit](value) for limit, value in limits(record, name).items()]
    if known := values(record, name):
        checks.append(pa.Check.isin(known, error=f"must be one of {', '.join(map(str, known))}"))
    return checks


def _whole(pattern: str) -> str:
    """Return a pattern for pandas, to which $ matches before a last line break, too; to pydantic and Arrow it does not."""
    return pattern.removesuffix("$") + r"\Z"


def _written(name: str) -> "list[pa.Check]":
    import pandera.pandas as pa

    want, known = kind(Passenger, name), values(Passenger, name)
    if want is str:
        return _checks(Passenger, name)
    if known:
        return [pa.Check.isin([str(value) for value in known], error=f"must be one of {', '.join(map(str, known))}")]
    return [pa.Check.str_matches(_whole(GRAMMAR[want]), error=f"must be {NOUN[want]}")]
