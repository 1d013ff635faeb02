"""Stage featurize: data/interim/{train,test}.parquet -> data/features/{train,test}.parquet.

Each feature derives from one row alone, so that it is the same on any part of the data; nothing is learned here. Tables
of any length are worked on in batches.
"""

from collections.abc import Iterator
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
    found = pc.struct_field(pc.extract_regex(pa.array(name), "^[^,]*, *(?P<title>[^., ][^.,]*)[.]"), "title")
    place = pc.index_in(found, pa.array(TITLES.keys()))
    known = pc.fill_null(pc.take(pa.array(TITLES.values()), place), "Other")
    titles: pd.Series = known.to_pandas().set_axis(name.index)
    return titles


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
    bands: pd.Series = pa.array(labels).take(place).to_pandas().set_axis(age.index)
    return bands


def featurize(clean: pd.DataFrame, age_bands: tuple[int, ...]) -> pd.DataFrame:
    """Return the table of `PassengerFeatures` for a table of `Passenger`, row by row; the target stays if there is one."""
    size = family_size(clean[Clean.SibSp], clean[Clean.Parch])
    table = clean.assign(
        **{
            Features.Title: title(clean[Clean.Name]),
            Features.FamilySize: size,
            Features.IsAlone: (size == 1).astype("int64"),
            Features.Deck: deck(clean[Clean.Cabin]),
            Features.AgeBand: age_band(clean[Clean.Age], age_bands),
        }
    )
    columns = [name for name in Features if name in table]
    whole = {name: "int64" for name in columns if kind(PassengerFeatures, name) is int}
    return table[columns].astype(whole)


def _batches(path: Path) -> Iterator[pd.DataFrame]:
    for batch in ahead(parquet.ParquetFile(path).iter_batches(BATCH)):
        yield batch.to_pandas()


def main() -> None:
    """Run the stage."""
    age_bands = load_params().features.age_bands
    for name in ("train.parquet", "test.parquet"):
        write_parquet(FEATURES / name, (featurize(table, age_bands) for table in _batches(INTERIM / name)))
