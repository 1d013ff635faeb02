"""dvc.yaml as DVC reads it: its templates resolved, and the metrics, plots and artifacts that it names.

Where a template cannot be resolved, such as one whose file of parameters is gone, its text stands.
"""

import math
import posixpath
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from io import StringIO
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any, NamedTuple

from dvckit.core.errors import UserError
from dvckit.core.formats import every
from dvckit.repository import dvc_internals, shapes
from dvckit.repository.values import parsed

OUTS = ("outs", "metrics", "plots")
MOST = 10_000  # stages that one in dvc.yaml may stand for
REFERENCES = 25_000  # to values, in all stages together
TEMPLATE = 10_000  # characters of a text with such references
TEXT = 64 << 20  # characters of all stages
SECTIONS = ("metrics", "plots", "artifacts")  # of the file itself, beside its stages

Files = Callable[[str], bytes | None]  # the content of a file by its path, None where there is none
Named = dict[str, dict[str, Any]]  # options by path or name


class Pipeline(NamedTuple):
    """A dvc.yaml. Paths of `metrics`, `plots` and `artifacts` are relative to the project's root; those of stages are not."""

    path: str
    stages: Named  # those of `foreach` and `matrix` one by one, by DVC's name for each in this file
    metrics: list[str]
    plots: Named  # the settings of each file or folder with data
    artifacts: Named


def read_pipeline(path: str, content: Mapping[str, Any], files: Files) -> Pipeline:
    """Return what a dvc.yaml says; UserError with the reason where its stages or artifacts are not what DVC reads."""
    if not isinstance(content, dict):
        raise UserError("it is not a mapping")
    stages = content.get("stages") or {}
    if not isinstance(stages, dict) or not all(isinstance(stage, dict) for stage in stages.values()):
        raise UserError("its stages are not mappings")
    if _has_templates(content):
        content = _resolved(path, content, files)
    written = {str(name): stage.get("do", stage) for name, stage in (content.get("stages") or {}).items()}
    definitions: Named = shapes.fit(shapes.DEFINITIONS, written)
    of_stages = {
        kind: {_join(path, stage.get("wdir", "."), name): about for stage in definitions.values() for name, about in named(stage.get(kind)).items()}
        for kind in ("metrics", "plots")
    }  # fmt: skip
    metrics = [*of_stages["metrics"], *(_join(path, ".", name) for name in named(content.get("metrics")))]
    plots = of_stages["plots"] | {_join(path, ".", name): about for name, about in _plots(content.get("plots")).items()}
    artifacts = {
        _name(path, name): {**about, "path": _join(path, ".", str(about["path"])), "meta": _meta(about)}
        for name, about in named([content.get("artifacts") or {}]).items()
        if "path" in about and shapes.fit(shapes.ARTIFACT, about)
    }
    return Pipeline(path, definitions, list(dict.fromkeys(metrics)), plots, artifacts)


def named(items: Any) -> Named:
    """Return the options of each of `items`, which a dvc.yaml lists as `NAME`, `NAME: {OPTIONS}` or `NAME: [{OPTIONS}]`."""
    listed = items if isinstance(items, list) else [items or {}]
    pairs = [pair for item in listed for pair in (item.items() if isinstance(item, dict) else [(item, {})])]
    return {str(name): _options(about) for name, about in pairs}


def _options(about: Any) -> dict[str, Any]:
    parts = about if isinstance(about, list) else [about]
    return {key: value for part in parts if isinstance(part, dict) for key, value in part.items()}


def outs_of(definition: Mapping[str, Any]) -> Named:
    """Return the options of every output of a stage, by its path there."""
    return {path: about for kind in OUTS for path, about in named(definition.get(kind)).items()}


def _plots(items: Any) -> Named:
    """Return the settings by file: the name of a plot is its file, unless `x` or `y` name files."""
    settings: Named = {}
    for name, about in named(items).items():
        files = [file for axis in ("x", "y") if isinstance(about.get(axis), dict) for file in about[axis]]
        settings |= dict.fromkeys(map(str, files or [name]), about)
    return settings


def _join(path: str, folder: str, name: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), folder, name))


def _meta(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `meta` of an artifact where it is a mapping; DVC takes anything there."""
    meta = about.get("meta")
    return dict(shapes.fit(shapes.META, meta)) if isinstance(meta, dict) else {}


def _name(path: str, name: str) -> str:
    """Return DVC's and GTO's name of an artifact, which begins with its folder."""
    return f"{folder}:{name}" if (folder := posixpath.dirname(path)) else name


def _has_templates(content: Mapping[str, Any]) -> bool:
    """Whether names of stages, their folders or outputs, or sections of the file are to be worked out."""
    stages = (content.get("stages") or {}).values()
    asked = [[stage.get(key) for key in ("wdir", "params", *OUTS)] for stage in stages]
    if any(isinstance(text, str) and "${" in text and len(text) > TEMPLATE for text in every(content)):
        raise UserError(f"it has a template of more than {TEMPLATE:,} characters")
    several = any({"foreach", "matrix"} & stage.keys() for stage in stages)
    return several or "${" in str([asked, [content.get(section) for section in SECTIONS]])


def _resolved(path: str, content: Mapping[str, Any], files: Files) -> dict[str, Any]:
    resolver = _attempt(lambda: dvc_internals.DataResolver(_repository(files), posixpath.dirname(path), content))
    if resolver is None:
        return dict(content)
    names = {name: _attempt(partial(_generated, name, of)) for name, of in resolver.definitions.items()}
    _check_effort(content, {name: len(of or []) for name, of in names.items()}, resolver.context.data)
    stages: dict[str, Any] = {}
    for name, generated in names.items():
        for one in generated or []:
            stages |= _attempt(partial(resolver.resolve_one, one)) or {one: content["stages"][name]}
        if generated is None:
            stages[name] = content["stages"][name]
    sections = {section: _attempt(getattr(resolver, f"resolve_{section}")) for section in SECTIONS}
    return {**content, "stages": stages, **{name: value for name, value in sections.items() if value is not None}}


def _generated(name: str, definition: Any) -> list[str]:
    """Return the names of the stages that one in dvc.yaml stands for, before any of them is made."""
    if not hasattr(definition, "get_generated_names"):
        return [name]
    if hasattr(definition, "matrix_data"):
        axes = [len(values) for values in definition.resolved_iterable.values()]
        if math.prod(axes) > MOST:
            raise UserError(f"the matrix of {name} stands for more than {MOST:,} stages")
    return list(definition.get_generated_names())


def _check_effort(content: Mapping[str, Any], stages: Mapping[str, int], values: Mapping[str, Any]) -> None:
    """Refuse templates that DVC would work on for minutes; `stages` says for how many each entry stands."""
    texts = {name: str(content["stages"][name]) for name in stages}
    references = {name: text.count("${") for name, text in texts.items()}
    if sum(count * (1 + references[name]) for name, count in stages.items()) > REFERENCES:
        raise UserError(f"its templates have more than {REFERENCES:,} references")
    longest = max((len(str(value)) for value in values.values()), default=0)
    if sum(count * (len(texts[name]) + references[name] * longest) for name, count in stages.items()) > TEXT:
        raise UserError(f"its templates stand for more than {TEXT >> 20} MiB of text")


def _attempt(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except UserError:
        raise
    except Exception:  # noqa: BLE001 - DVC checks a dvc.yaml before it resolves one, and here it may be any
        return None


def _repository(files: Files) -> SimpleNamespace:
    """Return what DVC needs of its repository to resolve templates: no code is run, a params.py is parsed only."""

    def content(path: str) -> bytes | None:
        return files(posixpath.normpath(path))

    def opened(path: str) -> StringIO:
        text = content(path) or b""
        try:
            parsed(path, text)  # DVC's own readers have no limits
        except UserError as error:
            raise ValueError(error) from None  # who reads that file says so
        return StringIO(text.decode())

    fs = SimpleNamespace(
        join=posixpath.join,
        normpath=posixpath.normpath,
        suffix=lambda path: PurePosixPath(path).suffix,
        exists=lambda path: content(path) is not None,
        isdir=lambda _: False,
        open=lambda path, **_: opened(path),
    )
    return SimpleNamespace(fs=fs, config={})


def expanded(paths: Iterable[str], members: Callable[[str], Iterable[str]]) -> list[str]:
    """Return paths, folders replaced by the files that `members` finds in them."""
    return [file for path in paths for file in (list(members(path)) or [path])]
