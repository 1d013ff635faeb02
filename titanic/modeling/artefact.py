"""The stored model: canonical skops bytes, checked against their sha256 before anything in them is looked at.

skops numbers objects and members by memory address and stamps the time, so that no two dumps are alike. Here objects
are numbered by first appearance, members are named and ordered by those numbers, the bytes between the fields of a
tree's nodes are zeroed (they hold whatever was in memory), and the time is fixed. Members are deflated by the zlib
inside pyarrow, which `uv.lock` fixes: Python's is the machine's, and other ones give other bytes.
"""

import hashlib
import importlib.metadata
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import skops
import skops.io
from numpy.lib import format as npy
from sklearn.pipeline import Pipeline
from skops.io._utils import SaveContext, get_state
from skops.io.exceptions import UntrustedTypesFoundException

from titanic.modeling.transformers import GroupFate
from titanic.schema import MODEL_INPUT, PassengerFeatures, kind
from titanic.stage import UserError

# Beyond the types that skops trusts by itself. A type that is not listed is never constructed.
TRUSTED = [
    "numpy.dtype",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    f"{GroupFate.__module__}.{GroupFate.__qualname__}",
]
LIBRARIES = ("numpy", "pandas", "pyarrow", "scikit-learn", "skops")
SCHEMA = "schema.json"
GZIP_HEAD, GZIP_TAIL = 10, 8  # bytes around what is deflated (RFC 1952)
MOST_PACKED = 200  # times that a model may be larger than its archive; a forest is some 5 times as large


def dump(model: Pipeline) -> bytes:
    """Return the model as the bytes of a .skops file: equal models give equal bytes."""
    with zipfile.ZipFile(io.BytesIO(), "w") as raw:
        # what `skops.io.dumps` does before it writes the schema out in lines, which takes twice as long as all the rest
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
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ():
        _renumber(child, ids, members)
    return members


def without_padding(member: bytes) -> bytes:
    """Return a .npy member with zeros between the fields of its records, where a tree leaves what was in memory."""
    if not member.startswith(npy.MAGIC_PREFIX) or b"'descr': [" not in member[:32]:  # nothing but records has a list
        return member
    array = npy.read_array(io.BytesIO(member), allow_pickle=False)
    clean = np.zeros(array.shape, array.dtype)  # zeros_like leaves the padding as it finds it
    for name in array.dtype.names or ():
        clean[name] = array[name]
    buffer = io.BytesIO()
    npy.write_array(buffer, clean, allow_pickle=False)
    return buffer.getvalue()


class _Deflate:
    """What zipfile takes for a compressor of one member, given at once."""

    codec = pa.Codec("gzip", compression_level=6)

    def compress(self, content: bytes) -> bytes:
        packed: bytes = self.codec.compress(content, asbytes=True)
        return packed[GZIP_HEAD:-GZIP_TAIL]

    def flush(self) -> bytes:
        return b""


def _pack(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in contents.items():
            member = zipfile.ZipInfo(name)  # its time is 1980-01-01 and its system is set by the platform
            member.create_system = 3
            member.compress_type = zipfile.ZIP_DEFLATED
            member.file_size = len(content)  # tells zipfile whether it is one for ZIP64
            with archive.open(member, "w") as writer:
                writer._compressor = _Deflate()  # type: ignore[attr-defined] # noqa: SLF001 - zipfile lets nobody choose
                writer.write(content)
    return buffer.getvalue()


def signature() -> dict[str, str]:
    """Return the columns that this code gives to a model, with their types, in their order."""
    return {name: kind(PassengerFeatures, name).__name__ for name in MODEL_INPUT}


def card(content: bytes, training: dict[str, float]) -> dict[str, Any]:
    """Return what stands in model.json: the sha256 of the model, its input, its scores on the training rows, libraries."""
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "input": signature(),
        "training": training,
        "libraries": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of the libraries that a model's bytes and chances depend on."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def load(path: Path, card_path: Path) -> tuple[Pipeline, dict[str, Any]]:
    """Return a stored model and its card; UserError where one is not there or `parse` refuses it."""
    try:
        return parse(path.read_bytes(), card_path.read_bytes(), str(path))
    except FileNotFoundError as error:
        raise UserError(f"there is no {error.filename}; run `dvc repro`") from None


def parse(
    content: bytes, card_content: bytes, said: str, *, any_input: bool = False
) -> tuple[Pipeline, dict[str, Any]]:
    """Return the model and what its model.json tells; `said` names the model in a refusal.

    UserError, before anything in it is looked at, where the sha256 is not that of model.json or the model was trained on
    other columns than this code makes; and where it holds anything but a pipeline of trusted types. `any_input` is for a
    caller that has the columns of the model's own revision.
    """
    try:
        told = json.loads(card_content)
        expected, columns = told["sha256"], dict(told["input"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError(f"the model.json of {said} does not tell sha256 and input; run `git checkout` on it") from None
    if hashlib.sha256(content).hexdigest() != expected:
        raise UserError(f"{said} is not the model that model.json describes (sha256 differs); run `dvc checkout`")
    if not any_input and (columns != signature() or list(columns) != list(signature())):
        raise UserError(
            f"{said} was trained on other columns than this code makes: {_difference(columns)}; "
            "check out the revision that it comes from, or run `dvc repro`"
        )
    return _unpack(content, said), told


def _difference(columns: dict[str, Any]) -> str:
    ours = signature()
    changed = [
        f"{name} ({columns.get(name, 'not there')}, here {ours.get(name, 'not made')})"
        for name in {**columns, **ours}
        if columns.get(name) != ours.get(name)
    ]
    return ", ".join(changed) or "their order"


def _unpack(content: bytes, said: str) -> Pipeline:
    try:
        _refuse_bomb(content)
        model = skops.io.loads(content, trusted=TRUSTED)
    except UntrustedTypesFoundException:
        strange = sorted(set(skops.io.get_untrusted_types(data=content)) - set(TRUSTED))
        raise UserError(
            f"{said} holds the types {', '.join(strange)}, which are not trusted; nothing was run"
        ) from None
    except Exception as error:  # noqa: BLE001 - skops raises whatever a wrong archive leads it to
        raise UserError(f"{said} is no skops file of a model ({type(error).__name__}: {error})") from None
    if not isinstance(model, Pipeline):
        raise UserError(f"{said} holds no pipeline, but a {type(model).__name__}")
    return model


def _refuse_bomb(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MOST_PACKED * len(content):
        raise ValueError(f"it would unpack to {size} bytes, {size // len(content)} times its size")
