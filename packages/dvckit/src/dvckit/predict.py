"""`dvckit predict`: what the model of a revision says of each row of a CSV file."""

import sys
import tempfile
from pathlib import Path

import pandas as pd

from dvckit.core.errors import UserError
from dvckit.core.files import ended_by_ctrl_c, unfinished, write_table
from dvckit.core.screen import say
from dvckit.models.stored import answers, parse, versions
from dvckit.project import Project, project_of
from dvckit.repository.revision import Revision
from dvckit.tables.validation import check_source, refusal, table_in
from dvckit.tasks.base import DIGITS


def predict(revision: Revision, source: Path, target: Path) -> int:
    """Write key, label and predictions of each row of `source`, in its order, to `target`; return how many rows there are.

    Labels in `source` are not looked at. Model and parameters are those of the revision. UserError where a row of
    `source` is bad or the model is refused; then nothing is written.
    """
    if target.is_dir() or not target.parent.is_dir():
        raise UserError(f"{target} cannot be written; name a file in a folder that is there")
    if target.exists() and source.exists() and target.samefile(source):
        raise UserError(f"{target} is the input itself; name another file for the predictions")
    project, stored = project_of(revision), revision.model
    shown = stored.path if revision.commit is None else f"{stored.path} at {revision.name}"
    schema = project.features
    model, card = parse(revision.read(stored.path), revision.read(stored.card), shown, schema, project.trusted_types)
    if card.get("libraries") != versions():
        say(f"note: {shown} was trained with other versions of libraries: {card.get('libraries')}", sys.stderr)
    features = project.features_of(_read(source, project), revision.params)
    table = answers(model, schema, project.task, features[list(schema.inputs)], shown).round(DIGITS)
    table.insert(0, schema.key, features[schema.key].to_numpy())
    write_table(target, table)
    return len(features)


def _read(source: Path, project: Project) -> pd.DataFrame:
    """Return the rows of a CSV file, typed and without labels; UserError where one is bad."""
    rules = project.rules
    name = table_in(rules, source)
    with ended_by_ctrl_c(), unfinished(Path(tempfile.mkdtemp(prefix="dvckit-"))) as folder:
        clean = folder / "clean.parquet"
        if refused := refusal(check_source(source, clean, rules, name), 0, ": each must get its prediction"):
            raise UserError(refused)
        return pd.read_parquet(clean).drop(columns=rules.schema.target, errors="ignore")
