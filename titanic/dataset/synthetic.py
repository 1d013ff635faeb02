"""A made-up passenger list in the form of Kaggle's, drawn from a seed; no real person stands in it.

Class, sex, age group and fate follow the official count of the passengers: Dawson, R. J. MacG. (1995), "The 'Unusual
Episode' Data Revisited", Journal of Statistics Education 3(3), the table that R ships as `Titanic`. The shares of
missing ages and cabins are those of the Kaggle list. The other figures are plausible, no more.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from titanic.schema import Clean

TRAIN_ROWS, TEST_ROWS = 891, 418


class Group(NamedTuple):
    """Passengers of one class, sex and age group: how many sailed and how many of them survived."""

    pclass: int
    sex: str
    age: str
    sailed: int
    survived: int


GROUPS = (
    Group(1, "male", "adult", 175, 57),
    Group(1, "female", "adult", 144, 140),
    Group(1, "male", "child", 5, 5),
    Group(1, "female", "child", 1, 1),
    Group(2, "male", "adult", 168, 14),
    Group(2, "female", "adult", 93, 80),
    Group(2, "male", "child", 11, 11),
    Group(2, "female", "child", 13, 13),
    Group(3, "male", "adult", 462, 75),
    Group(3, "female", "adult", 165, 76),
    Group(3, "male", "child", 48, 13),
    Group(3, "female", "child", 31, 14),
)
# Members of a family of five or more in third class seldom all reached a boat: their odds are cut to this.
LARGE_FAMILY = 0.4

AGE_MEAN = {1: 39.0, 2: 32.0, 3: 28.0}  # years, of adults
FARE_MEDIAN = {1: 28.0, 2: 13.0, 3: 7.8}  # pounds a person
PORT_SHARE = {1: (0.39, 0.01, 0.60), 2: (0.09, 0.02, 0.89), 3: (0.13, 0.15, 0.72)}  # C, Q, S
AGE_MISSING = {1: 0.14, 2: 0.06, 3: 0.28}
CABIN_MISSING = {1: 0.19, 2: 0.91, 3: 0.976}
DECKS = {1: "ABCDE", 2: "DEF", 3: "EFG"}
EMBARKED_MISSING = 2 / 891
FARE_MISSING = 1 / 1309

ONSETS = ("Al", "Bar", "Cor", "Dun", "El", "Far", "Gar", "Hal", "Jor", "Kel", "Lan", "Mor", "Nor", "Pal", "Ros", "Wil")
ENDINGS = ("berg", "by", "den", "ey", "ford", "ham", "kin", "ley", "man", "mer", "ner", "son", "ton", "vik", "well")
GIVEN = {
    "male": ("Albert", "Carl", "Edward", "George", "Henry", "John", "Karl", "Patrick", "Thomas", "William"),
    "female": ("Ada", "Alice", "Anna", "Bridget", "Clara", "Elin", "Ellen", "Margaret", "Mary", "Rosa"),
}


def passengers(seed: int, rows: int) -> Iterator[dict[str, Any]]:
    """Yield `rows` passengers, keyed from 1, with the twelve columns of train.csv; None where a value is missing."""
    draw = np.random.default_rng(seed)
    sailed = np.array([group.sailed for group in GROUPS], dtype=float)
    for key, index in enumerate(draw.choice(len(GROUPS), size=rows, p=sailed / sailed.sum()), start=1):
        yield _passenger(draw, key, GROUPS[index])


def _passenger(draw: np.random.Generator, key: int, group: Group) -> dict[str, Any]:
    siblings, parents = _family(draw, group)
    large = group.pclass == 3 and siblings + parents >= 4
    chance = group.survived / group.sailed * (LARGE_FAMILY if large else 1.0)
    return {
        Clean.PassengerId: key,
        Clean.Survived: int(draw.random() < chance),
        Clean.Pclass: group.pclass,
        Clean.Name: _name(draw, group, married=siblings > 0 or parents > 0),
        Clean.Sex: group.sex,
        Clean.Age: _unless(draw, AGE_MISSING[group.pclass], _age(draw, group)),
        Clean.SibSp: siblings,
        Clean.Parch: parents,
        Clean.Ticket: str(draw.integers(2_000, 400_000)),
        Clean.Fare: _unless(draw, FARE_MISSING, _fare(draw, group, siblings + parents + 1)),
        Clean.Cabin: _unless(draw, CABIN_MISSING[group.pclass], _cabin(draw, group)),
        Clean.Embarked: _unless(draw, EMBARKED_MISSING, str(draw.choice(["C", "Q", "S"], p=PORT_SHARE[group.pclass]))),
    }


def _unless(draw: np.random.Generator, missing: float, value: Any) -> Any:
    return None if draw.random() < missing else value


def _family(draw: np.random.Generator, group: Group) -> tuple[int, int]:
    if group.age == "child":
        return int(draw.poisson(1.8)), int(draw.integers(1, 3))
    alone = 0.72 if group.sex == "male" else 0.42
    if draw.random() < alone:
        return 0, 0
    return int(draw.random() < 0.75), int(draw.poisson(0.9))


def _age(draw: np.random.Generator, group: Group) -> float:
    if group.age == "child":
        return float(draw.integers(1, 15)) if draw.random() < 0.9 else round(float(draw.uniform(0.3, 1)), 2)
    return float(np.clip(np.rint(draw.normal(AGE_MEAN[group.pclass], 12)), 15, 80))


def _fare(draw: np.random.Generator, group: Group, people: int) -> float:
    return round(FARE_MEDIAN[group.pclass] * float(draw.lognormal(0, 0.3) * people**0.8), 4)


def _cabin(draw: np.random.Generator, group: Group) -> str:
    return f"{draw.choice(list(DECKS[group.pclass]))}{draw.integers(1, 140)}"


def _name(draw: np.random.Generator, group: Group, *, married: bool) -> str:
    if group.sex == "male":
        title = "Master" if group.age == "child" else "Mr"
    else:
        title = "Mrs" if married and group.age == "adult" else "Miss"
    surname = f"{draw.choice(ONSETS)}{draw.choice(ENDINGS)}"
    return f"{surname}, {title}. {draw.choice(GIVEN[group.sex])} {draw.choice(GIVEN[group.sex])}"
