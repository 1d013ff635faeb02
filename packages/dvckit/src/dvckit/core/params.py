"""params.yaml: read strictly, one typed section for each stage.

Values are in params.yaml only: a section has types and ranges, and no defaults. A stage reads its own section; `check`
reads the whole file.
"""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from yaml import YAMLError as YAML11Error

from dvckit.core.errors import UserError, one_line, undo
from dvckit.core.formats import every, read_yaml
from dvckit.core.layout import PARAMS
from dvckit.core.mappings import leaves


class Section(BaseModel):
    """One section of params.yaml: strict types, no unknown key, frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


MOST = 20_000  # values of the file, for which OmegaConf needs seconds
# A seed that numpy and scikit-learn accept.
Seed = Annotated[int, Field(ge=0, le=2**32 - 1, strict=True)]
AnySection = TypeVar("AnySection", bound=Section)


def read(key: str, section: type[AnySection], path: Path = PARAMS) -> AnySection:
    """Return the section `key` of params.yaml; UserError names every wrong key, type, range or spelling in it."""
    values = read_values(path)
    typed, problems = _typed(key, section, values)
    if typed is None:
        raise UserError(f"{path}: {'; '.join(problems)}{undo(path)}")
    return typed


def check(sections: Mapping[str, type[Section]], path: Path = PARAMS) -> None:
    """Check the whole file against its sections; UserError names everything that is wrong, unknown sections too."""
    values = read_values(path)
    problems = [problem for key, section in sections.items() for problem in _typed(key, section, values)[1]]
    keys = [*sections, *(name for key, section in sections.items() for name in _keys(section, key))]
    problems += [_unknown(key, keys, sections) for key in values if key not in sections]
    if problems:
        raise UserError(f"{path}: {'; '.join(problems)}{undo(path)}")


def _typed(key: str, section: type[AnySection], values: dict[str, Any]) -> tuple[AnySection | None, list[str]]:
    if key not in values:
        return None, [f"the key {key} is missing"]
    try:
        return section.model_validate(values[key]), []
    except ValidationError as error:
        keys = [*_keys(section, key), *(name for name, _ in leaves(values) if name.partition(".")[0] != key)]
        return None, [_sentence(problem, key, keys) for problem in error.errors()]


def read_values(path: Path = PARAMS) -> dict[str, Any]:
    """Return the values of params.yaml; the only check is that they mean the same to us and to DVC.

    OmegaConf reads YAML 1.1 and DVC reads YAML 1.2. UserError if the file is missing, not UTF-8 or not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"there is no {path} in {Path.cwd()}; run this in the project's root") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start}){undo(path)}") from None
    try:
        dvcs = read_yaml(text.encode())  # first: it has limits
        _check_count(dvcs)
        ours = OmegaConf.to_container(OmegaConf.create(text))
    except (UserError, YAML11Error, OmegaConfBaseException, ValueError) as error:
        raise UserError(f"{path} is not valid YAML: {one_line(error)}{undo(path)}") from None
    if not isinstance(ours, dict) or not isinstance(dvcs, dict):
        raise UserError(f"{path} must be a mapping of sections; it is {type(dvcs).__name__}{undo(path)}")
    _refuse_ambiguous(path, ours, dvcs)
    return {str(key): value for key, value in ours.items()}


def _check_count(values: Any) -> None:
    if len([*every(values)]) > MOST:
        raise UserError(f"it has more than {MOST:,} values")


def _refuse_ambiguous(path: Path, ours: Any, dvcs: Any) -> None:
    values, theirs = dict(leaves(ours)), dict(leaves(dvcs))
    for key, value in theirs.items():
        if isinstance(value, str) and "${" in value:
            reason = f"{key} is {value!r}; write the value itself, DVC would record the reference"
            raise UserError(f"{path}: {reason}{undo(path)}")
        if repr(values.get(key)) != repr(value):
            raise UserError(
                f"{path}: {key} means {value!r} to DVC and {values.get(key)!r} to YAML 1.1; write it plainly, "
                f"text in quotes and numbers in decimal{undo(path)}"
            )


def _sentence(problem: Any, section: str, keys: list[str]) -> str:
    *parents, name = [section, *map(str, problem["loc"])]
    key = ".".join([*parents, name])
    if problem["type"] == "extra_forbidden":
        siblings = [other for other in keys if other.rpartition(".")[0] == ".".join(parents)]
        return _unknown(key, keys, siblings)
    if problem["type"] == "missing":
        return f"the key {key} is missing"
    expected = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{key} is {problem['input']!r}; it must be {expected.removeprefix('must be ')}"


def _unknown(key: str, keys: list[str], siblings: Any) -> str:
    name = key.rpartition(".")[2]
    near = difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
    near = near or [other for other in keys if other.rpartition(".")[2] == name]
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(siblings)}"
    return f"unknown key {key}; {hint}"


def _keys(section: type[BaseModel], parent: str) -> Iterator[str]:
    """Yield every known dotted key below a section."""
    for name, field in section.model_fields.items():
        yield f"{parent}.{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _keys(field.annotation, f"{parent}.{name}")
