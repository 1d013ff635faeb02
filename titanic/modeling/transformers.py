"""What the pipelines learn from the training rows and scikit-learn does not offer: the outcomes of a passenger's group."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

_Floats = npt.NDArray[np.float64]
_Keys = npt.NDArray[np.uint64]


class GroupOutcome(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """How the outcomes of the other rows of a row's group differ from what is expected, and how many such rows there are.

    The first `n_kinds` columns together are the kind of a row, the further ones its group; a row that lacks one of them,
    or whose group was not seen, has no others. The result has two columns: the others' sum of (target - mean target of
    their kind), and their count, each divided by (count + `smooth`). The means of the kinds are shrunk to the mean of all
    rows by `smooth` rows, too.

    `transform` treats every row as new: its others are all the fitted rows of its group. `fit_transform` leaves each row
    out of its own group, so that a training row gets what a new row will get, and not its own target.

    `groups_` are 64-bit hashes of the groups' values, rising: names do not belong into a model.
    """

    def __init__(self, n_kinds: int = 1, smooth: float = 2.0) -> None:
        self.n_kinds = n_kinds
        self.smooth = smooth

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 - scikit-learn's name
        """Learn the mean target of each kind, and sum and count of each group."""
        self._fit(X, y)
        return self

    def transform(self, X: Any) -> _Floats:  # noqa: N803
        """Return shape (rows, 2): the outcomes of the others of the group, and how much is known of them (0 to 1)."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=None, ensure_all_finite="allow-nan", reset=False)
        return self._outcomes(self._places(rows), 0.0, 0)

    def fit_transform(self, X: Any, y: Any) -> _Floats:  # noqa: N803
        """Fit, and return the same for the training rows, each without its own target."""
        places, excess = self._fit(X, y)
        return self._outcomes(places, excess, 1)

    def _fit(self, X: Any, y: Any) -> tuple[npt.NDArray[np.int64], _Floats]:  # noqa: N803
        """Learn; return the place of each row's group, and how far its target is above the mean of its kind."""
        rows, target = validate_data(
            self, X, y, dtype=None, ensure_all_finite="allow-nan", ensure_min_features=self.n_kinds + 1, y_numeric=True
        )
        kinds = np.unique(_keys(rows[:, : self.n_kinds]), return_inverse=True)[1]
        expected = (np.bincount(kinds, target) + self.smooth * target.mean()) / (np.bincount(kinds) + self.smooth)
        excess: _Floats = target - expected[kinds]
        self.groups_ = np.unique(_keys(rows[:, self.n_kinds :]))
        places = self._places(rows)
        # one place more, the last, for rows without a group
        self.sums_ = np.bincount(places, excess, len(self.groups_) + 1)
        self.counts_ = np.bincount(places, minlength=len(self.groups_) + 1)
        self.sums_[-1], self.counts_[-1] = 0.0, 0
        return places, excess

    def _places(self, rows: Any) -> npt.NDArray[np.int64]:
        """Return the place of each row's group in `groups_`; its length where there is none."""
        columns = rows[:, self.n_kinds :]
        places = pd.Index(self.groups_).get_indexer(pd.Index(_keys(columns)))
        return np.where((places < 0) | pd.isna(columns).any(axis=1), len(self.groups_), places)

    def _outcomes(self, places: npt.NDArray[np.int64], own: _Floats | float, itself: int) -> _Floats:
        """Return the two columns, less `own` and `itself`: what a fitted row added to the sum and count of its group."""
        has_group = places < len(self.groups_)
        sums = np.where(has_group, self.sums_[places] - own, 0.0)
        counts = np.where(has_group, self.counts_[places] - itself, 0)
        return np.column_stack([sums, counts]) / (counts + self.smooth)[:, np.newaxis]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.target_tags.required = True
        return tags


def _keys(columns: Any) -> _Keys:
    """Return a hash for each row, the same for rows with the same values and, but for one case in 2**64, for no others."""
    text = np.array(["\x1f".join(map(str, row)) for row in columns], dtype=object)
    keys: _Keys = pd.util.hash_array(text, categorize=False)
    return keys


# What a stored model may hold beyond the types that dvckit knows from the pipelines of a new project.
TRUSTED = (f"{GroupOutcome.__module__}.{GroupOutcome.__qualname__}",)
