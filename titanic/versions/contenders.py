"""A revision as `titanic compare` sees it: its model, the labelled rows that it had, and features of rows that others had.

Keys repeat between data sets, so a row is known by the hash of its raw cells, without key and label: its content.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv
from sklearn.pipeline import Pipeline

from titanic.config import FEATURES, INTERIM, MODEL, MODEL_CARD, PROCESSED, RAW
from titanic.features import featurize
from titanic.modeling.artefact import parse, signature
from titanic.modeling.scoring import scores
from titanic.schema import KEY, TARGET, Clean
from titanic.stage import UserError
from titanic.versions.repository import locked_params
from titanic.versions.tables import read_output, resolve

WORKSPACE = "workspace"
ELSEWHERE = 1e-4  # by which a score may differ on another machine


@dataclass(frozen=True)
class Contender:
    """A revision with its model; `rows` and `labels` have a row's content as their index."""

    rev: str | None  # None: the workspace
    commit: str | None
    model: Pipeline
    told: dict[str, Any]  # model.json
    age_bands: tuple[int, ...]  # none where its dvc.lock has no such parameter
    rows: pd.DataFrame  # data/features/train.parquet; of rows with one content the first
    labels: pd.Series  # of all of them
    keys: pd.Series  # the content by PassengerId
    trained: pd.Index  # content of the rows that the model was trained on

    def __str__(self) -> str:
        return f"{self.rev} ({self.commit[:7]})" if self.commit else WORKSPACE

    @property
    def columns(self) -> list[str]:
        """The model's input."""
        return list(self.told["input"])

    def chance(self, table: pd.DataFrame) -> np.ndarray:
        """Return the probability of survival of each row of a table with the model's columns."""
        chances: np.ndarray = self.model.predict_proba(table[self.columns])
        return chances[:, 1]


def contenders(root: Path, revs: Sequence[str | None]) -> list[Contender]:
    """Load revisions (None: the workspace); UserError where one is unknown or named twice, or lacks what it takes."""
    commits = [rev and resolve(root, rev) for rev in revs]
    for place, commit in enumerate(commits):
        if commit in commits[:place]:
            first, again = (revs[i] or WORKSPACE for i in (commits.index(commit), place))
            raise UserError(f"{first} and {again} are the same revision; name each once")
    raws = [raw_rows(read_output(root, f"{RAW}/train.csv", rev)) for rev in revs]
    shared = sorted(set.intersection(*(set(map(str, raw)) for raw in raws)) - {KEY, TARGET})
    if not shared:
        raise UserError("the raw lists of these revisions have no column in common: they cannot be compared")
    return [
        _contender(root, rev, commit, _content(raw, shared))
        for rev, commit, raw in zip(revs, commits, raws, strict=True)
    ]


def raw_rows(content: bytes) -> pd.DataFrame:
    """Return a raw list by key, every cell as text; rows with more or fewer cells than the header, never clean, are left out.

    UserError where it is no such list.
    """
    options = csv.ParseOptions(newlines_in_values=True, invalid_row_handler=lambda _: "skip")
    try:
        names = csv.open_csv(BytesIO(content), parse_options=options).schema.names
        as_text = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
        table: pd.DataFrame = csv.read_csv(BytesIO(content), parse_options=options, convert_options=as_text).to_pandas()
        return table.set_index(table[KEY])
    except (ValueError, KeyError) as error:  # Arrow's own errors are ValueErrors
        raise UserError(f"a list in {RAW} cannot be read: {' '.join(str(error).split())}; run `dvc repro`") from None


def _content(raw: pd.DataFrame, columns: list[str]) -> pd.Series:
    """Return the hash of each row's cells in these columns by its key, a text; keys are unique among rows that are clean."""
    found = pd.util.hash_pandas_object(raw[columns], index=False)
    return found[~found.index.duplicated()]


def _contender(root: Path, rev: str | None, commit: str | None, content: pd.Series) -> Contender:
    said = f"{MODEL} at {rev}" if rev else str(MODEL)
    model, told = parse(
        read_output(root, MODEL.as_posix(), rev), read_output(root, MODEL_CARD.as_posix(), rev), said, any_input=True
    )
    rows, training = (_table(root, path, rev) for path in (FEATURES / "train.parquet", PROCESSED / "train.parquet"))
    if lacking := [name for name in told["input"] if name not in rows]:
        raise UserError(f"{said} takes {', '.join(lacking)}, which its features lack; run `dvc repro` there")
    places = rows[KEY].astype("str")
    if not places.isin(content.index).all() or not training[KEY].isin(rows[KEY]).all():
        raise UserError(f"the tables of {rev or WORKSPACE} are of different runs; run `dvc repro` there")
    rows = rows.set_axis(pd.Index(content[places].to_numpy()))
    keys = pd.Series(rows.index, index=rows[KEY].to_numpy())
    one = Contender(
        rev,
        commit,
        model,
        told,
        tuple(locked_params(root, commit).get("features.age_bands", ())),
        rows[~rows.index.duplicated()],
        rows[TARGET],
        keys,
        pd.Index(keys[training[KEY]].to_numpy()),
    )
    _check_trained(one, training)
    return one


def _check_trained(one: Contender, training: pd.DataFrame) -> None:
    """Refuse (UserError) a model that does not score on these rows what its model.json tells: it has seen others."""
    before = one.told.get("training", {})
    now = scores(training[TARGET], one.chance(training)) if before else {}
    if any(abs(now[name] - before[name]) > ELSEWHERE for name in now if name in before):
        raise UserError(
            f"the model of {one.rev or WORKSPACE} does not score on {PROCESSED}/train.parquet what it did when it was "
            "trained: it has seen other rows, or needs other libraries; run `dvc repro` there"
        )


def _table(root: Path, path: Path, rev: str | None) -> pd.DataFrame:
    try:
        return pd.read_parquet(BytesIO(read_output(root, path.as_posix(), rev)))
    except ValueError as error:  # pyarrow's own errors are ValueErrors
        raise UserError(f"{path} is not a table: {' '.join(str(error).split())}") from None


def truth(found: list[Contender]) -> "pd.Series[int]":
    """Return the label of each row that any revision has; a row to which they give different labels is left out."""
    told = pd.concat([one.labels for one in found]).groupby(level=0, sort=False)
    lowest, highest = told.min(), told.max()
    labels: pd.Series[int] = lowest[lowest == highest]
    return labels


def unseen(found: list[Contender]) -> "pd.Series[int]":
    """Return the labels of the rows that no model was trained on, whatever key or label a row had then."""
    labels = truth(found)
    for one in found:
        labels = labels[~labels.index.isin(one.trained)]
    return labels


def features(root: Path, found: list[Contender], wanted: pd.Index) -> list[pd.DataFrame]:
    """Return for each model its input of the wanted rows; a row that one of them cannot have is in none.

    The features of rows that a revision had are those that it stored. For others this code makes them from the clean row
    that another revision has, with the revision's own parameters, if it makes what the model takes.
    """
    tables = [_features(root, one, found, wanted) for one in found]
    for table in tables:
        wanted = wanted[wanted.isin(table.index)]
    return [table.loc[wanted] for table in tables]


def _features(root: Path, one: Contender, found: list[Contender], wanted: pd.Index) -> pd.DataFrame:
    parts = [one.rows.loc[wanted[wanted.isin(one.rows.index)], one.columns]]
    missing = wanted[~wanted.isin(one.rows.index)]
    for other in found if one.age_bands and one.told["input"] == signature() else ():
        here = missing[missing.isin(other.rows.index)]
        if len(here) and set(Clean) <= set(clean := _clean(root, other)):
            parts.append(featurize(clean.loc[here], one.age_bands)[one.columns])
            missing = missing.difference(here, sort=False)
    return pd.concat(parts)


def _clean(root: Path, one: Contender) -> pd.DataFrame:
    clean = _table(root, INTERIM / "train.parquet", one.rev)
    clean = clean[clean[KEY].isin(one.keys.index)]
    clean = clean.set_axis(pd.Index(one.keys[clean[KEY]].to_numpy()))
    return clean[~clean.index.duplicated()]
