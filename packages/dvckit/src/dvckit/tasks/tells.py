"""Whether one column alone tells the target: what no column should do that is known before the target is.

A column is looked at in parts, so that memory is bounded: rows with equal text are in the same part, and a column of numbers
is one part.
"""

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt
import pandas as pd

from dvckit.tasks.uncertainty import Floats

FEW = 50  # rows below which a column may look like the target by accident
LEAK = 0.98  # share of the rows, or of the variance, from which on a column gives the target away

Ints = npt.NDArray[np.int64]


class Tell(ABC):
    """What has been seen of a column and the target."""

    def __init__(self, *, numeric: bool) -> None:
        self.numeric = numeric

    @abstractmethod
    def add(self, values: pd.Series, target: pd.Series) -> None:
        """Look at a part of the rows."""

    @abstractmethod
    def found(self) -> bool:
        """Return whether the column tells the target."""

    def _places(self, values: pd.Series) -> tuple[Ints, int]:
        """Return the place of each row's value among the values, those of numbers in their order, and how many there are.

        Missing values come after all others.
        """
        places, distinct = pd.factorize(values, sort=self.numeric)
        return np.where(places < 0, len(distinct), places), len(distinct)


class TellsLabel(Tell):
    """Whether a column alone predicts the label, better than the majority class and in 98 % of the rows.

    There are four predictors: the majority class of the *other* rows with the same value; whether the value is missing; for
    numbers and two labels, one threshold; for numbers and more labels, the majority class of the other rows with the same
    value and the next ones on either side, where a tie counts as half right. A predictor must cover at least half of the
    rows and remove nine in ten of the errors of the majority class: if 99 % of the rows have one class, an uninformative
    column is right in 99 %, too.
    """

    def __init__(self, *, numeric: bool) -> None:
        super().__init__(numeric=numeric)
        self.rows = pd.DataFrame(dtype="float64")  # by label, with a value and without
        self.by_value = np.zeros(2)  # rows that are right, and rows that are covered
        self.by_order = np.zeros(2)

    def add(self, values: pd.Series, target: pd.Series) -> None:
        """Look at a part of the rows."""
        labels, kinds = pd.factorize(target)
        places, missing = self._places(values)
        rows = np.bincount((places == missing) * len(kinds) + labels, minlength=2 * len(kinds))
        counts = pd.DataFrame(rows.reshape(2, -1).T, index=kinds, columns=["present", "missing"])
        self.rows = self.rows.add(counts, fill_value=0) if len(self.rows) else counts
        value, label, rows = _pairs(places, labels)
        self.by_value += _by_others(value, rows)
        if self.numeric:
            known = value < missing
            by_order = _by_threshold if len(kinds) == 2 else _by_neighbours
            self.by_order += by_order(value[known], label[known], rows[known])

    def found(self) -> bool:
        """Return whether the column tells the label."""
        by_label = self.rows.sum(axis=1)
        total = by_label.sum()
        guess = by_label.max() / total if total else 1.0
        if total < FEW or guess == 1:
            return False
        presence, rows = np.nonzero(self.rows.T.to_numpy())[0], self.rows.T.to_numpy()
        ways = np.array([self.by_value, self.by_order, _by_others(presence, rows[rows > 0])])
        needed = max(LEAK, 1 - (1 - guess) / 10)
        return bool(((ways[:, 0] >= needed * ways[:, 1]) & (ways[:, 1] >= total / 2)).any())


def _pairs(values: Ints, labels: Ints) -> tuple[Ints, Ints, Ints]:
    """Return value, label and number of rows of each pair that there is, in their order."""
    kinds, size = int(labels.max(initial=0)) + 1, int(values.max(initial=0)) + 1
    pairs = values * kinds + labels
    if size * kinds <= 4 * len(pairs):
        counts = np.bincount(pairs)
        distinct = np.flatnonzero(counts)
        return distinct // kinds, distinct % kinds, counts[distinct]
    distinct, counts = np.unique(pairs, return_counts=True)  # a table of all pairs would be large and nearly empty
    return distinct // kinds, distinct % kinds, counts


def _starts(groups: Ints) -> Ints:
    """Return where each group of equal neighbours begins."""
    return np.flatnonzero(np.diff(groups, prepend=-1))


def _largest(groups: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """Return the largest and the second largest number of each group, 0 where there is but one."""
    starts = _starts(groups)
    sizes = np.diff(starts, append=len(groups))
    first = np.maximum.reduceat(rows, starts)
    is_first = rows == np.repeat(first, sizes)
    second = np.maximum.reduceat(np.where(is_first, 0, rows), starts)
    return first, np.where(np.add.reduceat(is_first.astype("int64"), starts) > 1, first, second)


def _by_others(groups: Ints, rows: Ints) -> tuple[float, float]:
    """Predict each row by the majority of the others of its group; return how many are right, and how many have others."""
    if not len(groups):
        return 0, 0
    first, second = _largest(groups, rows)
    total = np.add.reduceat(rows, _starts(groups))
    return float(first[first - 1 > second].sum()), float(total[total > 1].sum())


def _by_threshold(values: Ints, labels: Ints, rows: Ints) -> tuple[float, float]:
    """Predict by the best threshold on the sorted values; return how many are right, and of how many."""
    counts = np.bincount(values * 2 + labels, rows, minlength=2 * int(values.max(initial=-1)) + 2).reshape(-1, 2)
    below = np.cumsum(counts, axis=0)
    right = below.max(axis=1) + (counts.sum(axis=0) - below).max(axis=1)
    return float(right.max(initial=0)), float(rows.sum())


def _by_neighbours(values: Ints, labels: Ints, rows: Ints) -> tuple[float, float]:
    """Predict by the majority of the others of the same value and the next; return how many are right, and of how many."""
    if not len(values):
        return 0, 0
    kinds = int(labels.max()) + 1
    pairs = np.concatenate([(values + step) * kinds + labels for step in (-1, 0, 1)])
    order = np.argsort(pairs, kind="stable")
    starts = _starts(pairs[order] + kinds)  # a place before the first is below 0
    window = np.add.reduceat(np.tile(rows, 3)[order], starts)
    own = np.add.reduceat(np.concatenate([0 * rows, rows, 0 * rows])[order], starts)
    groups = (pairs[order][starts] + kinds) // kinds
    first, second = (np.repeat(of, np.diff(_starts(groups), append=len(groups))) for of in _largest(groups, window))
    others = np.where(window == first, second, first)
    right = own[window - 1 > others].sum() + own[window - 1 == others].sum() / 2
    return float(right), float(rows.sum())


class TellsValue(Tell):
    """Whether a column alone predicts the value: at least 98 % of the variance of the rows that a predictor covers.

    There are three predictors: the mean of the *other* rows with the same value in the column; that of the rows with or
    without one; and for numbers, the mean of the other rows with the same value and the next ones on either side, for the
    target and, as a few large values outweigh all others, for its ranks. A predictor must cover at least half of the rows.
    """

    def __init__(self, *, numeric: bool) -> None:
        super().__init__(numeric=numeric)
        self.origin: float | None = None  # near the values, so that their squares lose no digits
        self.presence = np.zeros((2, 3))  # rows, sum and sum of squares, with a value and without
        self.by_value = np.zeros(4)  # squared errors; rows, sum and sum of squares of the rows that are covered
        self.by_order: list[Floats] = []

    def add(self, values: pd.Series, target: pd.Series) -> None:
        """Look at a part of the rows."""
        numbers = target.to_numpy(dtype="float64")
        if self.origin is None and len(numbers):
            self.origin = float(numbers.mean())
        numbers = numbers - (self.origin or 0.0)
        places, missing = self._places(values)
        sums = _sums(places, numbers)
        self.by_value += _of_others(sums)
        self.presence += _sums((places == missing).astype("int64"), numbers, size=2)
        if self.numeric:
            known = places < missing
            ranks: Floats = pd.Series(numbers[known]).rank().to_numpy().astype("float64")
            self.by_order += [_of_neighbours(places[known], of) for of in (numbers[known], ranks)]

    def found(self) -> bool:
        """Return whether the column tells the value."""
        total = self.presence[:, 0].sum()
        ways = [self.by_value, _of_others(self.presence), *self.by_order]
        return bool(total >= FEW) and any(way[1] >= total / 2 and _explained(*way) >= LEAK for way in ways)


def _explained(errors: float, rows: float, total: float, squares: float) -> float:
    """Return the share of the variance that squared errors leave explained; 0 if the values do not differ."""
    variance = squares - total**2 / rows if rows else 0.0
    return 1 - errors / variance if variance > 1e-12 * squares else 0.0


def _sums(groups: Ints, numbers: Floats, size: int = 0) -> Floats:
    """Return rows, sum and sum of squares of each group, shape (groups, 3)."""
    weights = (None, numbers, np.square(numbers))
    return np.stack([np.bincount(groups, weight, minlength=size) for weight in weights], axis=1).astype("float64")


def _of_others(sums: Floats) -> Floats:
    """Predict each row by the mean of the others of its group; return squared errors, and the sums of rows with others."""
    sums = sums[sums[:, 0] > 1]
    rows, total, squares = sums.T
    # y - (total - y) / (rows - 1) is rows / (rows - 1) times y - total / rows
    errors = (rows / (rows - 1)) ** 2 * np.maximum(squares - total**2 / rows, 0.0)
    return np.array([errors.sum(), *sums.sum(axis=0)])


def _of_neighbours(places: Ints, numbers: Floats) -> Floats:
    """Predict each row by the mean of the others of the same place and the next; return squared errors and sums."""
    sums = _sums(places, numbers)
    if len(sums) < 2:
        return np.zeros(4)
    around = np.pad(sums, ((1, 1), (0, 0)))
    window = (around[:-2] + around[1:-1] + around[2:])[places]
    errors = numbers - (window[:, 1] - numbers) / (window[:, 0] - 1)
    return np.array([np.square(errors).sum(), *_sums(np.zeros(len(numbers), "int64"), numbers)[0]])
