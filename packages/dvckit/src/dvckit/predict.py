"""`dvckit predict`: what the model of a revision says of each row of a CSV file, or of the parts of a table."""

import sys
import tempfile
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pandas as pd
from sklearn.pipeline import Pipeline

from dvckit.core.errors import UserError
from dvckit.core.files import write_table
from dvckit.core.interrupts import ended_by_ctrl_c, unfinished
from dvckit.core.pool import pool
from dvckit.core.scratch import private_folder
from dvckit.core.screen import say
from dvckit.models.stored import answers, parse, versions
from dvckit.project import Project, load, project_of
from dvckit.repository.revision import Revision
from dvckit.tables.rows import check, check_source, table_in
from dvckit.tables.sources.parts import decode_parquet
from dvckit.tables.stores import fetched, inside, parts_in, written
from dvckit.tables.validation import refusal
from dvckit.tasks.base import DIGITS

SCRATCH = "dvckit-predict-"


class Stored(NamedTuple):
    """The model of a revision: what a task needs to predict, wherever it runs."""

    shown: str
    model: Path
    card: Path
    project: str  # MODULE:NAME
    params: Mapping[str, Any]


def predict(revision: Revision, source: Path, target: Path) -> int:
    """Write key, label and predictions of each row of `source`, in its order, to `target`; return how many rows there are.

    Labels in `source` are not looked at. Model and parameters are those of the revision. UserError where a row of
    `source` is bad or the model is refused; then nothing is written.
    """
    if target.is_dir() or not target.parent.is_dir():
        raise UserError(f"{target} cannot be written; name a file in a folder that is there")
    if target.exists() and source.exists() and target.samefile(source):
        raise UserError(f"{target} is the input itself; name another file for the predictions")
    with ended_by_ctrl_c(), unfinished(Path(tempfile.mkdtemp(prefix="dvckit-"))) as folder:
        table = _predictions(_stored(revision, folder), source, str(source), folder)
        write_table(target, table)
    return len(table)


def predict_parts(revision: Revision, source: str, target: str, scheduler: str | None = None) -> int:
    """Do so for each CSV or Parquet file in a folder; the predictions go to a CSV file of its name in another folder.

    Folders are paths, or addresses such as `s3://BUCKET/FOLDER`. Parts are predicted side by side, in processes or on the
    cluster of a Dask scheduler; each is written whole or not at all. UserError as above, for the first part with a fault.
    """
    parts = parts_in(source)
    targets = [inside(target, f"{PurePosixPath(part).stem}.csv") for part in parts]
    if not parts or len({*targets}) < len(targets) or {*targets} & {*parts}:
        fault = "has no .csv or .parquet files" if not parts else "has two parts of one name"
        raise UserError(f"{source} {fault if target != source else 'is the output, too; name another folder'}")
    (parent := revision.root.resolve() / ".dvc/tmp").mkdir(parents=True, exist_ok=True)
    with ended_by_ctrl_c(), private_folder(parent, SCRATCH) as folder, pool(revision.root, scheduler) as running:
        work = partial(_predict_part, _stored(revision, folder))
        return sum(running.map(work, [*zip(parts, targets, strict=True)], "predict", "parts"))


def _stored(revision: Revision, folder: Path) -> Stored:
    """Put the model of a revision into a folder; a note says where other versions of libraries have trained it."""
    project_of(revision)  # the sentence where there is none
    about = revision.model
    shown = about.path if revision.commit is None else f"{about.path} at {revision.name}"
    stored = Stored(shown, folder / "model", folder / "card", about.project or "", dict(revision.params))
    stored.model.write_bytes(revision.read(about.path))
    stored.card.write_bytes(revision.read(about.card))
    libraries = _model(stored.model, stored.card, shown, stored.project)[1].get("libraries")
    if libraries != versions():
        say(f"note: {shown} was trained with other versions of libraries: {libraries}", sys.stderr)
    return stored


@cache
def _model(model: Path, card: Path, shown: str, project: str) -> tuple[Pipeline, dict[str, Any]]:
    about: Project = load(project)
    return parse(model.read_bytes(), card.read_bytes(), shown, about.features, about.trusted_types)


def _predict_part(stored: Stored, addresses: tuple[str, str]) -> int:
    """Predict the rows of a part; return how many there are."""
    source, target = addresses
    with tempfile.TemporaryDirectory(prefix="dvckit-") as name:
        table = _predictions(stored, fetched(source, Path(name)), source, Path(name))
        with written(target, Path(name)) as path:
            write_table(path, table)
    return len(table)


def _predictions(stored: Stored, source: Path, shown: str, folder: Path) -> pd.DataFrame:
    """Return key, label and predictions of each row of a file, CSV or Parquet, named `shown` in errors."""
    project: Project = load(stored.project)
    rules, clean = project.rules, folder / "clean.parquet"
    if source.suffix == ".parquet":
        table = decode_parquet(source, folder / "plain.csv", rules)
        checked = check(folder / "plain.csv", clean, rules.schema, rules.fields(table))
    else:
        checked = check_source(source, clean, rules, table_in(rules, source))
    checked = checked._replace(path=Path(shown))
    if refused := refusal(checked, 0, ": each must get its prediction"):
        raise UserError(refused)
    rows = pd.read_parquet(clean).drop(columns=rules.schema.target, errors="ignore")
    features, schema = project.features_of(rows, stored.params), project.features
    model, _ = _model(stored.model, stored.card, stored.shown, stored.project)
    answer = answers(model, schema, project.task, features[list(schema.inputs)], stored.shown).round(DIGITS)
    answer.insert(0, schema.key, features[schema.key].to_numpy())
    return answer
