"""What a passenger is: the columns of every table, their types, ranges, units and meaning, each written once.

A row of a table is a pydantic record; the pandera schema of the table derives from it, so the two cannot disagree.
Other modules name columns through `Clean` and `Features` (`Clean.Age`), never as strings. Loading this module is cheap:
pandera comes in only when a table is checked.
"""

import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import pandera.pandas as pa

_RECORD = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Passenger(BaseModel):
    """One row of the passenger list. `Survived` is None for a passenger whose fate is to be predicted."""

    model_config = _RECORD

    PassengerId: int = Field(ge=1, description="Key of the row")
    Survived: Literal[0, 1] | None = Field(default=None, description="Target: 1 survived, 0 died")
    Pclass: Literal[1, 2, 3] = Field(description="Class of the ticket")
    Name: str = Field(min_length=1, description="Surname, title and given names")
    Sex: Literal["female", "male"]
    Age: float | None = Field(ge=0, le=120, description="Years; a fraction below 1 year")
    SibSp: int = Field(ge=0, le=20, description="Siblings and spouse aboard")
    Parch: int = Field(ge=0, le=20, description="Parents and children aboard")
    Ticket: str = Field(min_length=1, description="Number of the ticket, which may hold letters")
    Fare: float | None = Field(ge=0, le=10_000, description="Price of the ticket in pounds of 1912")
    Cabin: str | None = Field(min_length=1, description="Cabin numbers; the first letter is the deck")
    Embarked: Literal["C", "Q", "S"] | None = Field(description="Port: Cherbourg, Queenstown or Southampton")


class PassengerFeatures(BaseModel):
    """One row as the model sees it, with its key and target; it derives from one `Passenger` alone."""

    model_config = _RECORD

    PassengerId: int = Field(ge=1)
    Survived: Literal[0, 1] | None = None
    Pclass: Literal[1, 2, 3]
    Sex: Literal["female", "male"]
    Age: float | None = Field(ge=0, le=120)
    SibSp: int = Field(ge=0, le=20)
    Parch: int = Field(ge=0, le=20)
    Fare: float | None = Field(ge=0, le=10_000)
    Embarked: Literal["C", "Q", "S"] | None
    Title: Literal["Mr", "Mrs", "Miss", "Master", "Other"] = Field(description="From the name")
    FamilySize: int = Field(ge=1, le=41, description="Siblings, spouse, parents, children and the passenger")
    IsAlone: Literal[0, 1] = Field(description="1 where FamilySize is 1")
    Deck: str | None = Field(min_length=1, max_length=1, description="First letter of the cabin")
    AgeBand: str | None = Field(description="Years of age as a band, such as 18-34; see features.age_bands")


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


def kind(record: type[BaseModel], column: str) -> type:
    """Return the type of a column's values, missing ones aside: int, float or str."""
    annotation = record.model_fields[column].annotation
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    value = get_args(annotation)[0] if get_origin(annotation) is Literal else annotation
    return value if isinstance(value, type) else type(value)


def table_schema(record: type[BaseModel], *, labelled: bool) -> "pa.DataFrameSchema":
    """Return the pandera schema of a table of such records: exactly these columns, in this order, the key unique.

    Whole numbers are nullable (Int64), so that a missing one can be told beside every other fault of its row.
    Without labels there is no target column.
    """
    import pandera.pandas as pa

    dtypes = {int: "Int64", float: "float64", str: "str"}
    columns = {}
    for name, field in record.model_fields.items():
        if name == TARGET and not labelled:
            continue
        columns[name] = pa.Column(
            dtypes[kind(record, name)],
            checks=_checks(field),
            nullable=name != TARGET and type(None) in get_args(field.annotation),
            unique=name == KEY,
            description=field.description,
        )
    return pa.DataFrameSchema(columns, strict=True, ordered=True)


def _checks(field: Any) -> "list[pa.Check]":
    import pandera.pandas as pa

    checks = []
    for part in (field.annotation, *get_args(field.annotation)):
        if get_origin(part) is Literal:
            values = get_args(part)
            checks.append(pa.Check.isin(values, error=f"must be one of {', '.join(map(str, values))}"))
    for limit in field.metadata:
        if hasattr(limit, "ge"):
            checks.append(pa.Check.ge(limit.ge, error=f"must be at least {limit.ge}"))
        elif hasattr(limit, "le"):
            checks.append(pa.Check.le(limit.le, error=f"must be at most {limit.le}"))
        elif hasattr(limit, "min_length"):
            checks.append(pa.Check.str_length(min_value=limit.min_length, error="must not be empty"))
        elif hasattr(limit, "max_length"):
            checks.append(
                pa.Check.str_length(
                    max_value=limit.max_length, error=f"must have at most {limit.max_length} characters"
                )
            )
    return checks
