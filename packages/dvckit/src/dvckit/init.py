"""`dvckit init`: the entry in dvc.yaml that a repository lacks so that its models can be compared."""

import difflib
import posixpath
import sys
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import typer
from ruamel.yaml import YAML
from ruamel.yaml.util import load_yaml_guess_indent

from dvckit.core.errors import UserError
from dvckit.core.files import write_bytes
from dvckit.core.grid import first
from dvckit.core.screen import say
from dvckit.repository.pipelines import outs_of
from dvckit.repository.programs import git
from dvckit.repository.revision import Revision
from dvckit.tasks.predictions import check_predictions

MODELS = {
    ".bin", ".cbm", ".ckpt", ".h5", ".hdf5", ".joblib", ".keras", ".model", ".onnx", ".pickle", ".pkl", ".pmml", ".pt",
    ".pth", ".safetensors", ".skops", ".tflite", ".ubj", ".xgb",
}  # fmt: skip
TABLES = {".csv", ".parquet", ".tsv"}
NO_TABLE = (
    "no output is a table of predictions; let the stage that evaluates write one, with a row for each labelled row and the "
    "columns row, key, part, truth, and prediction or probability_LABEL; --predictions PATH says what yours lacks"
)


class Edit(NamedTuple):
    """A change of a dvc.yaml; the path is relative to the project's root."""

    path: str
    before: str
    after: str

    @property
    def undo(self) -> str:
        """The command that undoes it."""
        return f"git restore {self.path}" if self.before else f"rm {self.path}"

    @property
    def diff(self) -> str:
        """The change for people."""
        before, after = (text.splitlines(keepends=True) for text in (self.before, self.after))
        return "".join(difflib.unified_diff(before, after, self.path, self.path))


def init(root: Path, model: str | None, predictions: str | None) -> Edit | None:
    """Return how dvc.yaml will name the model and the table of its predictions; None where it does.

    Where there are several to choose from, the user is asked at a terminal. UserError where there is nothing to choose,
    nobody to ask, or the change could not be undone by git.
    """
    revision = Revision(root)
    outputs = _outputs(revision)
    old = next((name for name, about in revision.artifacts.items() if about.get("type") == "model"), None)
    if old is not None and revision.model.predictions and model is predictions is None:
        check_predictions(revision.table(revision.model.predictions), revision.model.predictions)
        return None
    if old is not None and model not in {None, revision.model.path}:
        raise UserError(f"dvc.yaml names the model {revision.model.path}; `compare` and `models` use the first one")
    tables = [path for path in outputs if PurePosixPath(path).suffix in TABLES and not _fault(revision, path)]
    if predictions is None and not tables:
        raise UserError(NO_TABLE)
    predictions = _choose("the table of predictions", "--predictions", predictions, tables, list(outputs))
    if fault := _fault(revision, predictions):
        raise UserError(fault)
    kinds = [path for path in outputs if PurePosixPath(path).suffix in MODELS or PurePosixPath(path).stem == "model"]
    model = revision.model.path if old else _choose("the model", "--model", model, kinds, list(outputs))
    path = next((pipeline.path for pipeline in revision.pipelines if old in pipeline.artifacts), outputs.get(model))
    return _edited(root, path or "dvc.yaml", old, model, predictions)


def _outputs(revision: Revision) -> dict[str, str]:
    """Return the paths of what stages make and `dvc add` tracks, each with the dvc.yaml that would name it."""
    made = {
        posixpath.normpath(posixpath.join(folder, stage.get("wdir", "."), out)): pipeline.path
        for pipeline in revision.pipelines
        for folder in [posixpath.dirname(pipeline.path)]
        for stage in pipeline.stages.values()
        for out in outs_of(stage)
    }
    return made | {output.path: "dvc.yaml" for output in revision.added}


def _choose(what: str, flag: str, given: str | None, kinds: list[str], outputs: list[str]) -> str:
    """Return what the user names, the one that there is, or the answer to a question."""
    if given is not None and given not in outputs:
        near = difflib.get_close_matches(given, outputs, 3)
        raise UserError(
            f"no stage and no .dvc file has the output {given}; "
            + (f"did you mean {' or '.join(near)}?" if near else f"there are {first(outputs) or 'none'}")
        )
    if given is not None or len(kinds) == 1:
        return given or kinds[0]
    choices = kinds or outputs
    if not sys.stdin.isatty():
        raise UserError(f"which output is {what}? Name it with {flag} PATH: {first(choices)}")
    for number, choice in enumerate(choices, 1):
        say(f"{number:3}  {choice}")
    answer = 0
    while not 1 <= answer <= len(choices):
        answer = typer.prompt(f"Which output is {what}? (1 to {len(choices)})", type=int)
    return choices[answer - 1]


def _fault(revision: Revision, path: str) -> str:
    """Return why an output is no table of predictions; nothing where it is one."""
    try:
        check_predictions(revision.table(path), path)
    except UserError as error:
        return str(error)
    return ""


def _edited(root: Path, path: str, old: str | None, model: str, predictions: str) -> Edit:
    """Name model and predictions in a dvc.yaml; UserError where this could not be undone by git."""
    if git(root, "status", "--porcelain", "--", path).strip():
        raise UserError(f"{path} has changes that are not committed; commit it first, so that git can undo this")
    file = root / path
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    content, sequence, offset = load_yaml_guess_indent(before)
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, sys.maxsize
    yaml.indent(mapping=2, sequence=sequence or 2, offset=offset or 0)
    content = yaml.load(before) or yaml.map()
    folder = posixpath.dirname(path) or "."
    name = (old or _name(model)).removeprefix(f"{folder}:")
    artifacts = content["artifacts"] = content.get("artifacts") or {}
    entry = artifacts.setdefault(name, {"path": posixpath.relpath(model, folder), "type": "model"})
    meta = entry["meta"] = entry.get("meta") or {}
    if not isinstance(meta, dict):
        raise UserError(
            f"`meta` of {name} in {path} is no mapping; make it one, such as {{predictions: {predictions}}}"
        )
    meta["predictions"] = predictions
    text = StringIO()
    yaml.dump(content, text)
    return Edit(path, before, text.getvalue())


def _name(model: str) -> str:
    """Return a name as DVC allows it."""
    words = "".join(
        letter if letter.isascii() and letter.isalnum() else "-" for letter in PurePosixPath(model).stem.lower()
    )
    return words.strip("-") or "model"


def write(root: Path, edit: Edit) -> None:
    """Write a change."""
    write_bytes(root / edit.path, edit.after.encode())
