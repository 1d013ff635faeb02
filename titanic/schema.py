"""What a passenger is: the columns of the source's tables, their types, ranges, units and meaning.

Other modules name columns through `Clean` (`Clean.Age`), never as strings. The features are in `titanic/features.py`.
"""

from typing import Annotated, Literal

from pydantic import Field

from dvckit.tables.schema import ONE_LINE, Entity, Names, Record, Rules, Schema, unit

KeyType = Annotated[int, Field(ge=1, le=10**18 - 1, description="Key of the row")]
TargetType = Annotated[Literal[0, 1] | None, Field(description="Target: 1 survived, 0 died")]
ClassType = Annotated[Literal[1, 2, 3], Field(description="Class of the ticket")]
SexType = Annotated[Literal["female", "male"], Field(description="Sex")]
AgeType = Annotated[
    float | None,
    Field(ge=0, le=120, description="Age; a fraction below 1 year", json_schema_extra=unit("years")),
]
SibSpType = Annotated[
    int, Field(ge=0, le=20, description="Siblings and spouse aboard", json_schema_extra=unit("people"))
]
ParchType = Annotated[
    int, Field(ge=0, le=20, description="Parents and children aboard", json_schema_extra=unit("people"))
]
FareType = Annotated[
    float | None,
    Field(
        ge=0,
        le=10_000,
        description="Price of the ticket, for all who share it",
        json_schema_extra=unit("pounds of 1912"),
    ),
]
PortType = Annotated[
    Literal["C", "Q", "S"] | None, Field(description="Port of embarkation: Cherbourg, Queenstown or Southampton")
]


class Passenger(Record):
    """A passenger as the source gives it. `Survived` is None if the outcome is to be predicted."""

    PassengerId: KeyType
    Survived: TargetType = None
    Pclass: ClassType
    Name: str = Field(max_length=500, pattern=ONE_LINE, description="Surname, title and given names")
    Sex: SexType
    Age: AgeType
    SibSp: SibSpType
    Parch: ParchType
    Ticket: str = Field(max_length=100, pattern=ONE_LINE, description="Number of the ticket, which may hold letters")
    Fare: FareType
    Cabin: str | None = Field(
        max_length=100,
        pattern=ONE_LINE,
        description="Cabin numbers, separated by blanks; the first letter is the deck",
    )
    Embarked: PortType


Clean = Names(Passenger)

KEY = Clean.PassengerId
TARGET = Clean.Survived
LABELS = (0, 1)  # 1 survived, 0 died

# The tables of a source, in data/raw and data/interim; Kaggle's example submission is one of them.
SUBMISSION = "gender_submission"
RULES = Rules(
    Schema(Passenger, KEY, TARGET),
    entity=Entity("same_person_twice", "people", (Clean.Name, Clean.Ticket)),
    submission=SUBMISSION,
)
