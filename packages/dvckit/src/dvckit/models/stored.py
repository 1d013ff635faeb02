"""The stored model: canonical skops bytes, checked against their sha256 before anything in them is read.

skops numbers objects and members by memory address and stores the time, so no two dumps are alike. A text vectorizer notes
an address, too. Here objects are
numbered by first appearance, members are named and ordered by these numbers, the bytes between the fields of a tree's
nodes are zeroed (they are uninitialised memory), and the time is fixed. Members are compressed with the zlib inside
pyarrow, which `uv.lock` fixes: Python uses that of the machine, and other versions give other bytes.
"""

import hashlib
import importlib.metadata
import io
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from textwrap import shorten
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import skops
import skops.io
from sklearn.pipeline import Pipeline
from skops.io._utils import SaveContext, get_state

from dvckit.core.errors import UserError, one_line
from dvckit.models.archive import SCHEMA, HostileError, most, repack, unpack
from dvckit.models.nodes import UntrustedError, check_nodes
from dvckit.tables.schema import Schema
from dvckit.tasks.base import Task
from dvckit.tasks.uncertainty import Floats

ADDRESS = "_stop_words_id"  # where scikit-learn's text vectorizers note an address in memory, to save a check
LIBRARIES = ("numpy", "pandas", "pyarrow", "scikit-learn", "skops")
GZIP_HEAD, GZIP_TAIL = 10, 8  # bytes around the compressed data (RFC 1952)


def dump(model: Pipeline) -> bytes:
    """Return the model as the bytes of a .skops file: equal models give equal bytes."""
    with zipfile.ZipFile(io.BytesIO(), "w") as raw:
        # like `skops.io.dumps`, which also indents the schema, and that takes twice as long as all the rest
        context = SaveContext(raw)
        schema = get_state(model, context) | {"protocol": context.protocol, "_skops_version": skops.__version__}
        members = _renumber(schema, {}, {})
        contents = {new: without_padding(raw.read(old)) for old, new in members.items()}
    contents[SCHEMA] = json.dumps(schema, separators=(",", ":")).encode()
    return _pack(contents)


def _renumber(node: Any, ids: dict[int, int], members: dict[str, str]) -> dict[str, str]:
    """Set `__id__` and `file` to numbers by first appearance, in place; return the members' old names with the new."""
    if isinstance(node, dict):
        if "__id__" in node:
            node["__id__"] = ids.setdefault(node["__id__"], len(ids))
        if node.get("__loader__") and isinstance(node.get("file"), str):
            suffix = Path(node["file"]).suffix
            node["file"] = members.setdefault(node["file"], f"{len(members)}{suffix}")
        if ADDRESS in node:
            node[ADDRESS]["content"] = "0"
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ():
        _renumber(child, ids, members)
    return members


def without_padding(member: bytes) -> bytes:
    """Return a .npy member with zeros between the fields of its records, where a tree leaves uninitialised memory."""
    # nothing but records has a list as its type
    if not member.startswith(np.lib.format.MAGIC_PREFIX) or b"'descr': [" not in member[:32]:
        return member
    array = np.load(io.BytesIO(member))
    clean = np.zeros(array.shape, array.dtype)  # zeros_like copies the padding
    for name in array.dtype.names or ():
        clean[name] = array[name]
    buffer = io.BytesIO()
    np.save(buffer, clean)
    return buffer.getvalue()


def _deflate(content: bytes) -> bytes:
    packed: bytes = pa.Codec("gzip", compression_level=6).compress(content, asbytes=True)
    return packed[GZIP_HEAD:-GZIP_TAIL]


def _pack(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in contents.items():
            member = zipfile.ZipInfo(name)  # its time is 1980-01-01 and its system is set by the platform
            member.create_system = 3
            member.compress_type = zipfile.ZIP_DEFLATED
            member.file_size = len(content)  # tells zipfile whether it is one for ZIP64
            with archive.open(member, "w") as writer:
                # zipfile lets nobody choose; each member is written at once, so that nothing is left to flush
                compressor = SimpleNamespace(compress=_deflate, flush=bytes)
                writer._compressor = compressor  # type: ignore[attr-defined] # noqa: SLF001
                writer.write(content)
    return buffer.getvalue()


def signature(schema: Schema) -> dict[str, str]:
    """Return the columns of a model's input with their types, in their order."""
    return {name: schema.kind(name).__name__ for name in schema.inputs}


def card(content: bytes, schema: Schema, refit: str, training: dict[str, float]) -> dict[str, Any]:
    """Return the content of model.json: the model's sha256, its input, which rows it learned from and its scores on these, libraries."""
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "input": signature(schema),
        "refit": refit,
        "training": training,
        "libraries": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of the libraries that a model's bytes and predictions depend on."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def load(path: Path, card_path: Path, schema: Schema, trusted: Iterable[str] = ()) -> tuple[Pipeline, dict[str, Any]]:
    """Return a stored model and its card; UserError if one is missing or `parse` refuses it."""
    try:
        return parse(path.read_bytes(), card_path.read_bytes(), str(path), schema, trusted)
    except FileNotFoundError as error:
        raise UserError(f"there is no {error.filename}; run `dvc repro`") from None


def parse(
    content: bytes, card_content: bytes, shown: str, schema: Schema, trusted: Iterable[str] = ()
) -> tuple[Pipeline, dict[str, Any]]:
    """Return a model and its card; `shown` names the model in errors, `trusted` are the project's own types.

    UserError, before anything in it is read, if the sha256 is not that of its card or the model was trained on other
    columns than those of `schema`; and if it contains anything but a pipeline of trusted types.
    """
    try:
        card = json.loads(card_content)
        expected, columns = card["sha256"], dict(card["input"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError(f"the model.json of {shown} lacks sha256 or input; run `git checkout` on it") from None
    if hashlib.sha256(content).hexdigest() != expected:
        raise UserError(f"{shown} is not the model that model.json describes (sha256 differs); run `dvc checkout`")
    ours = signature(schema)
    if list(columns.items()) != list(ours.items()):
        differing = [
            f"{name} ({columns.get(name, 'not there')}, here {ours.get(name, 'not made')})"
            for name in {**columns, **ours}
            if columns.get(name) != ours.get(name)
        ]
        raise UserError(
            f"{shown} was trained on other columns than this code makes: {', '.join(differing) or 'their order'}; "
            "check out the revision that it comes from, or run `dvc repro`"
        )
    return _unpack(content, shown, trusted), card


def _unpack(content: bytes, shown: str, trusted: Iterable[str]) -> Pipeline:
    """Return the pipeline in an archive whose every member, node and value was checked before skops reads it."""
    try:
        members = unpack(content)
        types = check_nodes(members, trusted, most(content))
        model = skops.io.loads(repack(members), trusted=sorted(types))
    except UntrustedError as error:
        raise UserError(
            f"{shown} holds the types {error}, which are not trusted; nothing was run. "
            "A pipeline that needs them names them in the project's list of trusted types"
        ) from None
    except HostileError as error:
        raise UserError(f"{shown} is not a skops file of a model that is safe to load: {error}") from None
    except Exception as error:  # noqa: BLE001 - skops raises whatever a wrong archive leads it to
        raise UserError(f"{shown} is not a skops file of a model ({type(error).__name__}: {one_line(error)})") from None
    if not isinstance(model, Pipeline):
        raise UserError(f"{shown} holds not a pipeline, but a {type(model).__name__}")
    return model


def answers(model: Pipeline, schema: Schema, task: Task, rows: pd.DataFrame, shown: str) -> pd.DataFrame:
    """Return a stored model's label and predictions for each row of features; UserError where it has none."""
    predictions = predictions_of(model, task, rows, shown)
    return pd.DataFrame(task.answer(schema.target, predictions), index=rows.index)


def predictions_of(model: Pipeline, task: Task, rows: pd.DataFrame, shown: str) -> Floats:
    """Return a stored model's predictions for rows of features; UserError where it has none.

    What is in a file may be of the right types and yet not fit together.
    """
    try:
        predictions = task.predict(model, rows)
    except Exception as error:  # noqa: BLE001 - whatever a model that does not fit together leads scikit-learn to
        reason = shorten(f"{type(error).__name__}: {error}", 100)
        raise UserError(f"{shown} cannot predict these rows ({reason}); run `dvc repro`") from None
    if not np.isfinite(predictions).all():
        raise UserError(f"{shown} predicts what is no number; run `dvc repro`")
    return predictions
