"""The roles group and time: which rows must stay on one side of a split, and which must not be learned from."""

import warnings
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from dvckit.core.errors import UserError
from dvckit.tables.schema import Schema

Rows = npt.NDArray[np.bool_]  # which rows of a table, shape (rows,)
Numbers = npt.NDArray[np.int64]  # a number for each row, shape (rows,)


class Roles(NamedTuple):
    """The group and the time of each row of a table, where its schema has these roles; none is missing."""

    group: pd.Series | None
    time: pd.Series | None

    @classmethod
    def of(cls, table: pd.DataFrame, schema: Schema) -> Self:
        """Read them; UserError if a row has no group or no time."""
        return cls(
            complete(table, schema.group, "group") if schema.group else None,
            complete(table, schema.time, "time") if schema.time else None,
        )

    @property
    def given(self) -> list[pd.Series]:
        """Those that the schema has, the time last."""
        return [values for values in self if values is not None]

    def to_learn_from(self, rows: Rows, outside: Rows) -> Rows:
        """Return `rows` without those of the groups that have a row `outside`."""
        return rows if self.group is None else rows & ~self.group.isin(self.group[outside]).to_numpy()

    def turns(self, seed: int) -> Numbers:
        """Return the turn, from 1, in which a growing table gets each row: the latest first, or whole groups by lot."""
        codes, values = pd.factorize(self.given[-1], sort=True)
        if self.time is not None:
            return len(values) - codes
        return np.random.default_rng(seed).permutation(len(values))[codes] + 1


def complete(table: pd.DataFrame, name: str, role: str) -> pd.Series:
    """Return a column; UserError if a value is missing."""
    if missing := int(table[name].isna().sum()):
        raise UserError(
            f"{name} is missing in {missing} of {len(table)} rows, and the role {role} needs it in each; "
            f"fill it in, remove these rows, or give {name} another role in the schema"
        )
    return table[name]


def check_count(units: pd.Series, fewest: int, purpose: str) -> None:
    """Raise a UserError if there are fewer values of group or time than `purpose` needs."""
    if (count := units.nunique()) < fewest:
        raise UserError(
            f"{purpose} needs rows of {fewest} values of {units.name}, and there {'are' if count > 1 else 'is'} {count}; "
            f"bring more, or give {units.name} another role in the schema"
        )


def whole_groups(strata: pd.Series, group: pd.Series, parts: int, random: int | np.random.RandomState) -> Numbers:
    """Return the part, from 0, of each row: whole groups, each part with its share of rows and of each stratum.

    Holding out 20 % of the rows of 200 groups of very different sizes, scikit-learn's GroupShuffleSplit is off by 5 % of the
    rows, and by 5 % in the share of a class; StratifiedGroupKFold by 0.2 % and 0.3 %. It needs 10 s for 100,000 groups.
    """
    codes = pd.factorize(strata)[0]
    numbers = np.empty(len(strata), dtype=np.int64)
    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(parts, shuffle=True, random_state=random)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a stratum with fewer rows than parts: our callers look at that
        for number, (_, outside) in enumerate(folds.split(codes, codes, pd.factorize(group)[0])):
            numbers[outside] = number
    return numbers


def counts_of(time: pd.Series) -> pd.Series:
    """Return how many rows each instant has, in their order."""
    return time.value_counts().sort_index()


def latest(counts: pd.Series, rows: float) -> Any:
    """Return the first of the latest instants that have about so many rows together, and not all."""
    since = counts.iloc[::-1].cumsum().iloc[:-1]  # rows at an instant or later
    return (since - rows).abs().idxmin()


def window_starts(counts: pd.Series, windows: int) -> npt.NDArray[Any]:
    """Return the first instant of each window of time: whole instants, each window with its share of rows."""
    starts: list[int] = [0]
    filled = 0
    left = int(counts.sum())  # rows that are in no window before this one
    for place, size in enumerate(counts):
        wanted = left / (windows - len(starts) + 1)
        # the next window starts where this one is nearest to its share, or where each that follows needs an instant
        full = filled + size / 2 > wanted or len(counts) - place < windows - len(starts) + 1
        if filled and full and len(starts) < windows:
            left, filled = left - filled, 0
            starts.append(place)
        filled += size
    return counts.index.to_numpy()[starts]
