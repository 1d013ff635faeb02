"""Files of parameters and metrics, in each format that DVC reads."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from dvckit.core.errors import UserError, one_line
from dvckit.core.formats import check_size, checked, read_json, read_toml, read_yaml
from dvckit.core.mappings import leaves
from dvckit.repository import dvc_internals
from dvckit.repository.locks import short


def parsed(path: str, content: bytes) -> Any:
    """Return the content of a file by its suffix: JSON, TOML or Python, by default YAML. UserError if it is none.

    What is empty is an empty mapping, as for DVC. A Python file is parsed, not run.
    """
    return _READERS.get(PurePosixPath(path).suffix.lower(), read_yaml)(content) or {}


def _read_python(content: bytes) -> Any:
    check_size("Python", content)
    try:
        with warnings.catch_warnings(action="ignore"):  # of a backslash in a text
            return checked(dvc_internals.PARSERS[".py"](content.decode(), "params.py"))
    except (dvc_internals.ParseError, SyntaxError, ValueError, TypeError) as error:
        raise UserError(f"it is not Python: {one_line(error.__cause__ or error)[:200]}") from None
    except (RecursionError, MemoryError):  # the parser's, whose stack is full
        raise UserError("it is nested too deeply") from None


_READERS: dict[str, Callable[[bytes], Any]] = {".json": read_json, ".toml": read_toml, ".py": _read_python}


def numbers(files: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers in the contents of files, by dotted key, or by `FILE:KEY` where several files have the key.

    A file that is one number is called by its name.
    """
    found = {(path, key or PurePosixPath(path).stem): value for path in files for key, value in leaves(files[path])}
    kept = {name: value for name, value in found.items() if isinstance(value, int | float)}
    return short({name: value for name, value in kept.items() if not isinstance(value, bool)})
