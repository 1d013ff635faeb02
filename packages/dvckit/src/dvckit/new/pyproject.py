"""pyproject.toml of a project: as `dvckit new` writes it, and with another library."""

import json
import re
from dataclasses import asdict
from typing import Any

import tomlkit

from dvckit.core.errors import UserError
from dvckit.new.library import Library
from dvckit.new.shared import Answers
from dvckit.reports.templates import render


def render_pyproject(answers: Answers, library: Library) -> str:
    """Return the pyproject.toml of a new project."""
    values = asdict(answers) | {"library": library, "quoted": _quoted}
    return f"{render('new/templates/pyproject.toml.jinja', **values)}\n"


def _quoted(text: str) -> str:
    """Return a string as TOML has it: JSON's, where DEL is escaped, too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def with_library(text: str, library: Library) -> str:
    """Return a pyproject.toml that has another library, and is as it was in all else; UserError where it is not made so."""
    document: Any = tomlkit.parse(text)
    try:
        document["tool"]["dvckit"]["library"] = library.name
        _set_source(document["tool"]["uv"], library)
        _set_specifier(document["project"]["dependencies"], library)
    except (KeyError, TypeError, StopIteration):
        raise UserError("pyproject.toml has no dvckit among `dependencies`, or no table [tool.uv]") from None
    return tomlkit.dumps(document)


def _set_source(uv: Any, library: Library) -> None:
    sources = uv.get("sources", tomlkit.table())
    if set(sources.get("dvckit", ())) != set(library.source):
        sources["dvckit"] = tomlkit.inline_table()
    sources.setdefault("dvckit", {}).update(library.source)  # written as it was
    if not library.source:
        del sources["dvckit"]
    if sources:
        uv["sources"] = sources
    else:
        uv.pop("sources", None)


def _set_specifier(dependencies: Any, library: Library) -> None:
    pattern = re.compile(r"\s*(dvckit\b\s*(?:\[[^]]*\])?)(?![\w.-])")
    position, match = next(
        (number, found) for number, text in enumerate(dependencies) if (found := pattern.match(text))
    )
    dependencies[position] = f"{match[1].strip()}{library.specifier}"
