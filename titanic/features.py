"""Stage featurize: data/interim/{train,test}.parquet -> data/features/{train,test}.parquet.

Each feature derives from one row alone, so that it is the same on any part of the data; nothing is learned here. Tables
of any length are worked on in batches.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from titanic.config import FEATURES, INTERIM, load_params
from titanic.schema import Clean, Features, PassengerFeatures, kind
from titanic.stage import ahead, write_parquet

BATCH = 1 << 17  # rows worked on at once

# Spellings of the same title (French, and the older ones of the list).
TITLES = {"Mr": "Mr", "Mrs": "Mrs", "Mme": "Mrs", "Miss": "Miss", "Mlle": "Miss", "Ms": "Miss", "Master": "Master"}


def title(name: pd.Series) -> pd.Series:
    """Return the title in "Surname, Title. Given names"; Other where it is rare or there is none."""
    # a pattern that leaves no choice at any character is matched twice as fast
    found = pc.struct_field(pc.extract_regex(_arrow(name), "^[^,]*, *(?P<title>[^., ][^.,]*)[.]"), "title")
    place = pc.index_in(found, pa.array(TITLES.keys()))
    return _column(pc.fill_null(pc.take(pa.array(TITLES.values()), place), "Other"), name)


def family_size(siblings: pd.Series, parents: pd.Series) -> pd.Series:
    """Count the passenger and the relatives aboard."""
    return siblings + parents + 1


def deck(cabin: pd.Series) -> pd.Series:
    """Return the first letter of the cabin; missing where the cabin is."""
    return cabin.str[:1]


def age_band(age: pd.Series, starts: tuple[int, ...]) -> pd.Series:
    """Return the band of whole years, such as 18-34, of ages in years; missing where the age is."""
    lowest = [0, *starts]
    labels = [f"{low}-{high - 1}" for low, high in zip(lowest, starts, strict=False)] + [f"{lowest[-1]}+"]
    place = pa.array(np.searchsorted(starts, age, side="right"), mask=age.isna().to_numpy())
    return _column(pa.array(labels).take(place), age)


def surname(name: pd.Series) -> pd.Series:
    """Return what stands before the first comma, in capitals, so that a family stands together; else the whole name."""
    text = pc.utf8_trim(_arrow(name), " ")
    first = pc.utf8_rtrim(pc.list_element(pc.split_pattern(text, ",", max_splits=1), 0), " ")
    return _column(pc.utf8_upper(_unless_empty(first, text)), name)


def ticket_key(ticket: pd.Series) -> pd.Series:
    """Return the ticket in capitals without blanks, dots and slashes; one that has nothing else stays as it is."""
    text = _arrow(ticket)
    return _column(_unless_empty(_compact(text), text), ticket)


def ticket_prefix(ticket: pd.Series) -> pd.Series:
    """Return what stands before the last run of digits, written as a ticket key; missing where that has no letter."""
    words = pc.utf8_rtrim(pc.utf8_rtrim(_arrow(ticket), " "), "0123456789").dictionary_encode()
    known = _compact(words.dictionary)  # a few, and one of them empty: most tickets are numbers
    known = pc.if_else(pc.match_substring_regex(known, r"\pL"), known, None)
    return _column(known.take(words.indices), ticket)


def woman_or_child(sex: pd.Series, title: pd.Series) -> pd.Series:
    """Return 1 for women and girls, by their sex, and for boys, by their title; else 0."""
    return ((sex == "female") | (title == "Master")).astype("int64")


def _arrow(column: pd.Series) -> pa.Array:
    found = pa.array(column)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _column(values: pa.Array, like: pd.Series) -> pd.Series:
    column: pd.Series = values.to_pandas().set_axis(like.index)
    return column


def _compact(text: pa.Array) -> pa.Array:
    for sign in " ./":
        text = pc.replace_substring(text, sign, "")
    return pc.utf8_upper(text)


def _unless_empty(text: pa.Array, other: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(text, ""), other, text)


def featurize(clean: pd.DataFrame, age_bands: tuple[int, ...]) -> pd.DataFrame:
    """Return the table of `PassengerFeatures` for a table of `Passenger`, row by row; the target stays if there is one."""
    titles = title(clean[Clean.Name])
    size = family_size(clean[Clean.SibSp], clean[Clean.Parch])
    table = clean.assign(
        **{
            Features.Title: titles,
            Features.FamilySize: size,
            Features.IsAlone: (size == 1).astype("int64"),
            Features.Deck: deck(clean[Clean.Cabin]),
            Features.AgeBand: age_band(clean[Clean.Age], age_bands),
            Features.Surname: surname(clean[Clean.Name]),
            Features.TicketKey: ticket_key(clean[Clean.Ticket]),
            Features.TicketPrefix: ticket_prefix(clean[Clean.Ticket]),
            Features.FarePerPerson: clean[Clean.Fare] / size,
            Features.WomanOrChild: woman_or_child(clean[Clean.Sex], titles),
        }
    )
    columns = [name for name in Features if name in table]
    whole = {name: "int64" for name in columns if kind(PassengerFeatures, name) is int}
    return table[columns].astype(whole)


def _batches(path: Path) -> Iterator[pd.DataFrame]:
    for batch in ahead(parquet.ParquetFile(path).iter_batches(BATCH)):
        yield batch.to_pandas()


def _write(name: str, age_bands: tuple[int, ...]) -> None:
    write_parquet(FEATURES / name, (featurize(table, age_bands) for table in _batches(INTERIM / name)))


def main() -> None:
    """Run the stage."""
    age_bands = load_params().features.age_bands
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: _write(name, age_bands), ("train.parquet", "test.parquet")))
