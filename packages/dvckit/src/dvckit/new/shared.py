"""The files that all projects share, such as Makefile, Dockerfile and dvc.yaml, rendered from `templates/shared`.

`python -m dvckit.new.shared [PATH ...]` writes them in the current project, by default all: after a change of a template, or
of what `[tool.dvckit]` of pyproject.toml answers.
"""

import io
import json
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dvckit.core.errors import UserError, answered
from dvckit.core.files import write_bytes
from dvckit.new.rendering import render_folder
from dvckit.repository.programs import find_root

DVC_YAML, PYPROJECT = "dvc.yaml", "pyproject.toml"
UV_VERSION = "0.13.8"

# Labels that stand for those of a project's target, which its schema has: what DVC plots is the same for all.
LABELS = {"binary": ("the negative class", "the positive class"), "multiclass": ("a", "b", "c"), "regression": ()}

State = Literal["same", "changed", "missing"]
Stage = Literal["ingest", "validate", "featurize", "split", "train", "evaluate", "diagnose", "report"]
_Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f\x85\u2028\u2029]+\Z")]


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True, regex_engine="python-re"))
class Answers:
    """What the shared files are rendered from: `[tool.dvckit]` of a project's pyproject.toml."""

    # of the model's artifact; the other artifact is `data`
    name: Annotated[str, Field(pattern=r"^(?!data\Z)[a-z]([a-z0-9-]*[a-z0-9])?\Z")]
    # the folder of the code; also the container image
    package: Annotated[str, Field(pattern=r"^[a-z]([a-z0-9_]*[a-z0-9])?\Z")]
    title: _Line
    task: Literal["binary", "multiclass", "regression"]
    predict: bool  # whether there is a table of rows to predict
    # vendor/NAME.whl; the folder in packages/ where the library is developed here; or where uv gets it from
    library: Annotated[str, Field(pattern=r"^\S+\Z")]
    submission: str = ""  # the table of the source with example predictions, if it has one
    # files of the package, from its folder, that stages import beyond those that every project has
    modules: dict[Stage, list[str]] = Field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> "Answers":
        """Read them; UserError if they are missing or wrong."""
        try:
            content = tomllib.loads((root / PYPROJECT).read_text(encoding="utf-8"))
            return cls(**content["tool"]["dvckit"])
        except FileNotFoundError:
            raise UserError(f"there is no {PYPROJECT} in {root}; run this in the root of a project") from None
        except (KeyError, TypeError):
            raise UserError(f"{PYPROJECT} has no table [tool.dvckit], which `dvckit new` writes") from None
        except ValidationError as error:
            raise UserError(f"{PYPROJECT}: {'; '.join(map(_sentence, error.errors()))}") from None
        except ValueError as error:  # of TOML, or of UTF-8
            raise UserError(f"{PYPROJECT} cannot be read: {error}") from None

    @property
    def workspace(self) -> bool:
        """Whether the library is developed in the project's own repository."""
        return self.library.startswith("packages/")

    @property
    def wheel(self) -> bool:
        """Whether the library is a file of the project."""
        return self.library.startswith("vendor/")


def _sentence(problem: Any) -> str:
    key = ".".join(["tool.dvckit", *map(str, problem["loc"])])
    if problem["type"] == "missing":
        return f"the key {key} is missing"
    if problem["type"] == "unexpected_keyword_argument":
        return f"unknown key {key}"
    return f"{key} is {problem['input']!r}; it must be {problem['msg'].removeprefix('Input should be ')}"


def render(answers: Answers) -> dict[str, bytes]:
    """Return the content of each shared file by its path in the project; one that begins with #! is executable."""
    from dvckit.tasks import task_of

    values = asdict(answers) | {
        "workspace": answers.workspace,
        "wheel": answers.wheel,
        "dep": answers.library,
        "indexed": not (answers.workspace or answers.wheel),
        "plots": {name: plot._asdict() for name, plot in task_of(LABELS[answers.task]).plots.items()},
        "scalar": _scalar,
        "uv_version": UV_VERSION,
    }
    files = render_folder("shared", **values)
    return {path: _as_dvc_writes(content) if path.endswith(DVC_YAML) else content for path, content in files.items()}


def _as_dvc_writes(content: bytes) -> bytes:
    """Return a dvc.yaml in the form in which `dvc freeze` writes a stage, so that it changes no other line."""
    yaml, stream = YAML(), io.BytesIO()
    yaml.default_flow_style = False
    pipeline = yaml.load(content)
    for stage in pipeline["stages"].values():
        for kind in ("deps", "params", "outs"):
            stage[kind].sort(key=_in_dvcs_order)
        for out in stage["outs"]:
            for flags in out.values():
                flags.fa.set_block_style()
    yaml.dump(pipeline, stream)
    return stream.getvalue()


def _in_dvcs_order(entry: Any) -> tuple[bool, str]:
    """Sort by path, parameters of other files than params.yaml last."""
    path = next(iter(entry)) if isinstance(entry, dict) else entry
    return isinstance(entry, dict), path


def _scalar(text: str) -> str:
    """Return text as a scalar of YAML, in quotes where it would be something else without them."""
    try:
        same = YAML(typ="safe").load(text) == text
    except YAMLError:
        same = False
    return text if same else json.dumps(text, ensure_ascii=False)


def differences(root: Path, answers: Answers) -> dict[str, State]:
    """Return for each shared file of a project whether it is as rendered."""
    return {path: _state(root / path, content) for path, content in render(answers).items()}


def _state(file: Path, content: bytes) -> State:
    if not file.is_file():
        return "missing"
    return "same" if file.read_bytes() == content else "changed"


def write(root: Path, answers: Answers, paths: Iterable[str] = ()) -> None:
    """Write shared files, by default all; UserError if a path is none of them, before any is written."""
    files = render(answers)
    if unknown := [path for path in paths if path not in files]:
        raise UserError(f"{', '.join(unknown)}: not shared by all projects; shared are {', '.join(files)}")
    for path in paths or files:
        write_bytes(root / path, files[path])
        if files[path].startswith(b"#!"):
            (root / path).chmod(0o755)


def main() -> None:
    """Write them in the current project."""
    with answered():
        root = find_root()
        write(root, Answers.read(root), sys.argv[1:])


if __name__ == "__main__":
    main()
