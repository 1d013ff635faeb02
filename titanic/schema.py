"""What a passenger is: the columns of the source's tables, their roles, types, ranges, units and meaning.

Other modules name columns through `Clean` (`Clean.Age`), never as strings. The features are in `titanic/features.py`.
"""

from typing import Literal

from dvckit.tables.schema import ONE_LINE, Entity, Names, Record, Rules, Schema, column


class Passenger(Record):
    """A passenger as the source gives it. `Survived` is None if the outcome is to be predicted."""

    PassengerId: int = column("id", "Key of the row", ge=1, le=10**18 - 1)
    Survived: Literal[0, 1] | None = column("target", "Target: 1 survived, 0 died")
    Pclass: Literal[1, 2, 3] = column("number", "Class of the ticket")
    Name: str = column("ignore", "Surname, title and given names", max_length=500, pattern=ONE_LINE)
    Sex: Literal["female", "male"] = column("category", "Sex")
    Age: float | None = column("number", "Age; a fraction below 1 year", unit="years", ge=0, le=120)
    SibSp: int = column("number", "Siblings and spouse aboard", unit="people", ge=0, le=20)
    Parch: int = column("number", "Parents and children aboard", unit="people", ge=0, le=20)
    Ticket: str = column("ignore", "Number of the ticket, which may hold letters", max_length=100, pattern=ONE_LINE)
    Fare: float | None = column(
        "number", "Price of the ticket, for all who share it", unit="pounds of 1912", ge=0, le=10_000
    )
    Cabin: str | None = column(
        "ignore",
        "Cabin numbers, separated by blanks; the first letter is the deck",
        max_length=100,
        pattern=ONE_LINE,
    )
    Embarked: Literal["C", "Q", "S"] | None = column(
        "category", "Port of embarkation: Cherbourg, Queenstown or Southampton"
    )


PASSENGERS = Schema(Passenger)
Clean = Names(PASSENGERS)

KEY, TARGET, LABELS = PASSENGERS.key, PASSENGERS.target, PASSENGERS.labels

# The tables of a source, in data/raw and data/interim; Kaggle's example submission is one of them.
SUBMISSION = "gender_submission"
RULES = Rules(
    PASSENGERS,
    entity=Entity("same_person_twice", "people", (Clean.Name, Clean.Ticket)),
    submission=SUBMISSION,
)
