"""Stage featurize: data/interim/{train,test}.parquet -> data/features/{train,test}.parquet.

Each feature is computed from one row alone, so it is the same on any part of the data; nothing is learned here. Tables of
any length are processed in batches.
"""

from functools import partial
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, StrictInt, field_validator

from dvckit.core.layout import FEATURES as FOLDER
from dvckit.core.layout import INTERIM
from dvckit.core.params import Section, read
from dvckit.tables.partitions import map_tables
from dvckit.tables.schema import ONE_LINE, FeatureSchema, Names, column
from titanic.schema import RULES, Clean, Passenger


class PassengerFeatures(Passenger):
    """A row as the model sees it; what is added here is computed from one `Passenger` alone."""

    Title: Literal["Mr", "Mrs", "Miss", "Master", "Other"] = column("category", "Title, from the name")
    FamilySize: int = column(
        "number", "Siblings, spouse, parents, children and the passenger", unit="people", ge=1, le=41
    )
    IsAlone: Literal[0, 1] = column("number", "1 if FamilySize is 1")
    Deck: str | None = column("category", "First letter of the cabin", min_length=1, max_length=1)
    AgeBand: str | None = column("category", "Whole years of age as a band, such as 18-34; see features.age_bands")
    Surname: str = column(
        "category",
        "Text before the first comma of the name (without one, the whole name), in capitals",
        max_length=500,
        pattern=ONE_LINE,
    )
    TicketKey: str = column(
        "category",
        "The ticket in capitals without blanks, dots and slashes: the same for all who share it",
        max_length=100,
        pattern=ONE_LINE,
    )
    TicketPrefix: str | None = column(
        "category",
        "Text before the number of the ticket, normalised like TicketKey, such as PC or A5; missing if it has no letter",
        max_length=100,
        pattern=ONE_LINE,
    )
    FarePerPerson: float | None = column(
        "number", "Fare divided by FamilySize; missing if the fare is", unit="pounds of 1912", ge=0, le=10_000
    )
    WomanOrChild: Literal[0, 1] = column("number", "1 for women and girls, and for boys (Title is Master)")


# The tables in data/features and data/processed: without the columns that are only there to compute others from.
FEATURES = FeatureSchema(PassengerFeatures)
Features = Names(FEATURES)


class FeaturesParams(Section):
    """Parameters of the features; `age_bands` are ages in years, rising."""

    age_bands: tuple[StrictInt, ...] = Field(min_length=1, max_length=20, strict=False)  # YAML has lists, not tuples

    @field_validator("age_bands")
    @classmethod
    def _rising(cls, years: tuple[int, ...]) -> tuple[int, ...]:
        if years[0] < 1 or any(a >= b for a, b in pairwise(years)):
            raise ValueError("must be whole years from 1 on, rising")
        return years


# Spellings of the same title: French, and older ones in the data.
TITLES = {"Mr": "Mr", "Mrs": "Mrs", "Mme": "Mrs", "Miss": "Miss", "Mlle": "Miss", "Ms": "Miss", "Master": "Master"}


def title(name: pd.Series) -> pd.Series:
    """Return the title in "Surname, Title. Given names"; Other if it is rare or missing."""
    # a pattern without alternatives at any character is matched twice as fast
    titles = pc.struct_field(pc.extract_regex(_arrow(name), "^[^,]*, *(?P<title>[^., ][^.,]*)[.]"), "title")
    place = pc.index_in(titles, pa.array(TITLES.keys()))
    return _column(pc.fill_null(pc.take(pa.array(TITLES.values()), place), "Other"), name)


def family_size(siblings: pd.Series, parents: pd.Series) -> pd.Series:
    """Count the passenger and the relatives aboard."""
    return siblings + parents + 1


def deck(cabin: pd.Series) -> pd.Series:
    """Return the first letter of the cabin; missing if the cabin is."""
    return cabin.str[:1]


def age_band(age: pd.Series, starts: tuple[int, ...]) -> pd.Series:
    """Return the band of whole years, such as 18-34, of ages in years; missing if the age is."""
    lowest = [0, *starts]
    labels = [f"{low}-{high - 1}" for low, high in zip(lowest, starts, strict=False)] + [f"{lowest[-1]}+"]
    place = pa.array(np.searchsorted(starts, age, side="right"), mask=age.isna().to_numpy())
    return _column(pa.array(labels).take(place), age)


def surname(name: pd.Series) -> pd.Series:
    """Return the text before the first comma, in capitals; without a comma the whole name."""
    text = pc.utf8_trim(_arrow(name), " ")
    first = pc.utf8_rtrim(pc.list_element(pc.split_pattern(text, ",", max_splits=1), 0), " ")
    return _column(pc.utf8_upper(_unless_empty(first, text)), name)


def ticket_key(ticket: pd.Series) -> pd.Series:
    """Return the ticket in capitals without blanks, dots and slashes; a ticket of nothing else is unchanged."""
    text = _arrow(ticket)
    return _column(_unless_empty(_compact(text), text), ticket)


def ticket_prefix(ticket: pd.Series) -> pd.Series:
    """Return the text before the last digits, normalised like a ticket key; missing if it has no letter."""
    words = pc.utf8_rtrim(pc.utf8_rtrim(_arrow(ticket), " "), "0123456789").dictionary_encode()
    prefixes = _compact(words.dictionary)  # a few, and one of them empty: most tickets are numbers
    prefixes = pc.if_else(pc.match_substring_regex(prefixes, r"\pL"), prefixes, None)
    return _column(prefixes.take(words.indices), ticket)


def woman_or_child(sex: pd.Series, title: pd.Series) -> pd.Series:
    """Return 1 for women and girls, by their sex, and for boys, by their title; else 0."""
    return ((sex == "female") | (title == "Master")).astype("int64")


def _arrow(column: pd.Series) -> pa.Array:
    array = pa.array(column)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _column(values: pa.Array, like: pd.Series) -> pd.Series:
    column: pd.Series = values.to_pandas().set_axis(like.index)
    return column


def _compact(text: pa.Array) -> pa.Array:
    for sign in " ./":
        text = pc.replace_substring(text, sign, "")
    return pc.utf8_upper(text)


def _unless_empty(text: pa.Array, other: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(text, ""), other, text)


def featurize(clean: pd.DataFrame, params: FeaturesParams) -> pd.DataFrame:
    """Return the table of `PassengerFeatures` for a table of `Passenger`, row by row; the target is kept if there is one."""
    titles = title(clean[Clean.Name])
    size = family_size(clean[Clean.SibSp], clean[Clean.Parch])
    table = clean.assign(
        **{
            Features.Title: titles,
            Features.FamilySize: size,
            Features.IsAlone: (size == 1).astype("int64"),
            Features.Deck: deck(clean[Clean.Cabin]),
            Features.AgeBand: age_band(clean[Clean.Age], params.age_bands),
            Features.Surname: surname(clean[Clean.Name]),
            Features.TicketKey: ticket_key(clean[Clean.Ticket]),
            Features.TicketPrefix: ticket_prefix(clean[Clean.Ticket]),
            Features.FarePerPerson: clean[Clean.Fare] / size,
            Features.WomanOrChild: woman_or_child(clean[Clean.Sex], titles),
        }
    )
    return FEATURES.arranged(table)


def main() -> None:
    """Run the stage."""
    work = partial(featurize, params=read("features", FeaturesParams))
    map_tables(RULES.tables, INTERIM, FOLDER, work)
