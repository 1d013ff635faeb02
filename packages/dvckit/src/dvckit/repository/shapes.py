"""What the files of a repository must look like: the types that the rest of the library relies on, and no more.

A file with more in it, or other things that nobody reads, is as good.
"""

import math
import os
import re
from pathlib import PurePosixPath
from typing import Any

from packaging.specifiers import SpecifierSet
from voluptuous import ALLOW_EXTRA, All, Invalid, Required, Schema
from voluptuous import Any as Either

from dvckit.core.errors import UserError

MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
LONGEST = 4096, 255  # bytes of a path, and of a name in it


def fit(shape: Schema, content: Any) -> Any:
    """Return a content that has a shape; UserError with the place and the reason where it has another."""
    try:
        return shape(content)
    except Invalid as error:
        first = min(getattr(error, "errors", [error]), key=lambda one: len(one.path))
        place = ".".join(str(getattr(key, "schema", key)) for key in first.path)
        raise UserError(f"{place[:100] or 'the whole'}: {first.msg[:100]}") from None


def is_path(value: Any) -> bool:
    """Tell whether a file may have such a name."""
    if not isinstance(value, str) or not value or "\0" in value:
        return False
    try:
        names = [os.fsencode(value), *map(os.fsencode, value.split("/"))]
    except UnicodeEncodeError:
        return False
    return len(names[0]) < LONGEST[0] and max(map(len, names[1:])) <= LONGEST[1]


def _path(value: Any) -> str:
    if not is_path(value):
        raise Invalid("expected the path of a file")
    return str(value)


def _of_output(value: Any) -> str:
    """Return a path that is not the folder of the pipeline, nor one above it."""
    if PurePosixPath(os.path.normpath(_path(value))).name in ("", "..") and "://" not in value:
        raise Invalid("expected the path of an output")
    return str(value)


def is_member(value: Any) -> bool:
    """Tell whether a path leads to a file in the folder that lists it."""
    return is_path(value) and not value.startswith("/") and ".." not in value.split("/")


def _member(value: Any) -> str:
    if not is_member(value):
        raise Invalid("expected the path of a file in the folder")
    return str(value)


def _md5(value: Any) -> str:
    if not isinstance(value, str) or not MD5.fullmatch(value):
        raise Invalid("expected an md5 of 32 hexadecimal digits")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Invalid("expected a number")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Invalid("expected a number of rows")
    return value


def _specifier(value: str) -> str:
    SpecifierSet(value)  # a ValueError is a wrong value to voluptuous
    return value


def _open(content: Any) -> Schema:
    return Schema(content, extra=ALLOW_EXTRA)


def _each(shape: Any) -> Schema:
    """Return the shape of a mapping with text for keys."""
    return Schema({str: shape})


_FILE = _open({Required("relpath"): _member, Required("md5"): _md5})
_DEP = _open({Required("path"): _path, "md5": str, "files": [_FILE]})
_OUT = _open({Required("path"): _of_output, "md5": _md5, "files": [_FILE]})

LOCKED = _each(_open({"deps": [_DEP], "outs": [_OUT], "params": _each(dict), "cmd": Either(str, list)}))  # the stages
DVC_FILE = _open({"deps": Either("", [_DEP]), "outs": Either("", [_OUT]), "wdir": Either("", _path)})  # all is text

_NAMED = Either(None, str, dict, list)
_PARAM = Either(str, {str: Either(None, [str])})
STAGES = Either(None, _each(dict))
DEFINITIONS = _each(
    _open({"wdir": _path, "params": Either(None, [_PARAM]), "outs": _NAMED, "metrics": _NAMED, "plots": _NAMED})
)
ARTIFACT = _open({"path": _path, "desc": Either(None, str)})
META = _open({name: Either(None, _path) for name in ("predictions", "project", "intended_use")})

ANY = _open({})  # any mapping
COLUMNS = _open({"columns": Either(None, _each(dict))})

_NEED = _open({Required("name"): str, "extra": [str], "marker": str})
_PACKAGE = _open(
    {
        Required("name"): str,
        Required("source"): _open({"git": str}),
        "version": str,
        "dependencies": [_NEED],
        "optional-dependencies": _each([_NEED]),
    }
)
UV_LOCK = _open({"package": [_PACKAGE], "requires-python": All(str, _specifier)})

CARD = _open({Required("sha256"): str, Required("input"): _each(str), Required("libraries"): _each(str)})
INPUT = _open({Required("input"): dict})
_INTERVAL = _open({"value": _number, "low": _number, "high": _number})
_SCORES = _each(Either(_number, _INTERVAL))
METRICS = Schema({Required("holdout"): _each(_number), str: _each(_number)})
EVALUATION = _open({Required("holdout"): Schema({Required("rows"): _count, str: object}), Required("cv"): _SCORES})
DIAGNOSTICS = _open({"slices": [_open({Required("interval"): list})]})
ROWS = _open({Required("rows"): _open({Required("read"): _count, Required("accepted"): _count})})
QUALITY = _open({Required("train"): ROWS, "test": ROWS})
CHECKS = _open({"checks": _each(_open({Required("ok"): bool, Required("found"): [str]}))})
