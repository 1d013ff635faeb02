"""`titanic predict`: the chance of survival of each passenger in a CSV file, by the model of a revision."""

import sys
import tempfile
from pathlib import Path

import pandas as pd

from titanic.config import MODEL, MODEL_CARD
from titanic.dataset.reading import check_bytes, read_header
from titanic.dataset.validate import check, refusal
from titanic.features import featurize
from titanic.modeling.artefact import parse, versions
from titanic.modeling.scoring import DIGITS, labels, survival_chance
from titanic.schema import KEY, TARGET, Passenger, columns
from titanic.stage import UserError, ended_by_ctrl_c, unfinished, write_table
from titanic.versions.repository import locked_params
from titanic.versions.tables import read_output, resolve

CHANCE = "SurvivalChance"


def predict(root: Path, source: Path, target: Path, rev: str | None) -> int:
    """Write key, label and chance of each row of `source`, in its order, to `target`; return how many rows there are.

    Labels in `source` are not looked at. Model and parameters are those of the revision, or of the workspace without one.
    UserError where a row of `source` is bad or the model is refused; then nothing is written.
    """
    if target.is_dir() or not target.parent.is_dir():
        raise UserError(f"{target} cannot be written; name a file in a folder that is there")
    if target.exists() and source.exists() and target.samefile(source):
        raise UserError(f"{target} is the list itself; name another file for the predictions")
    said = f"{MODEL} at {rev}" if rev else str(MODEL)
    model, card = parse(read_output(root, MODEL.as_posix(), rev), read_output(root, MODEL_CARD.as_posix(), rev), said)
    if card.get("libraries") != versions():
        print(f"note: {said} was trained with other versions of libraries: {card.get('libraries')}", file=sys.stderr)
    params = locked_params(root, rev and resolve(root, rev))
    features = featurize(_read(source), tuple(params["features.age_bands"]))
    chance = survival_chance(model, features)
    write_table(target, pd.DataFrame({KEY: features[KEY], TARGET: labels(chance), CHANCE: chance.round(DIGITS)}))
    return len(features)


def _read(source: Path) -> pd.DataFrame:
    """Return the rows of a list as `Passenger`s without labels; UserError where one is bad."""
    check_bytes(source)
    names = columns(Passenger, labelled=TARGET in read_header(source))
    with ended_by_ctrl_c(), unfinished(Path(tempfile.mkdtemp(prefix="titanic-"))) as folder:
        refused = refusal(check(source, folder / "clean.parquet", names), 0, ": each must get its prediction")
        if refused:
            raise UserError(refused)
        return pd.read_parquet(folder / "clean.parquet").drop(columns=TARGET, errors="ignore")
