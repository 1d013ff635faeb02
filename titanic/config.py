"""params.yaml as one typed, frozen object, and the path of every file that a stage reads or writes.

Paths are relative to the project's root, where DVC starts each stage. The values stand in params.yaml alone: nothing
here has a default.
"""

import difflib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from yaml import YAMLError as YAML11Error

from titanic.stage import UserError

PARAMS = Path("params.yaml")

# The lists of a source: with labels, to predict, and Kaggle's example submission. Each is NAME.csv.
TRAIN, TEST, GENDER = "train", "test", "gender_submission"

RAW = Path("data/raw")
INTERIM = Path("data/interim")
FEATURES = Path("data/features")
PROCESSED = Path("data/processed")
MODEL = Path("data/models/model.skops")
MODEL_CARD = Path("data/models/model.json")
SUBMISSION = PROCESSED / "submission.csv"
REJECTED = INTERIM / "rejected.csv"

REPORTS = Path("reports")
DATA_QUALITY = REPORTS / "data_quality.json"
METRICS = REPORTS / "metrics.json"
EVALUATION = REPORTS / "evaluation.json"
DIAGNOSTICS = REPORTS / "diagnostics.json"
PLOTS = REPORTS / "plots"
FIGURES = REPORTS / "figures"
REPORT = REPORTS / "report.html"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


_StrictInt = Annotated[int, Field(strict=True)]
# What numpy and scikit-learn take as a seed.
_SEED = Field(ge=0, le=2**32 - 1)


_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", strict=True)]


class Sha256(_Section):
    """The sha256 of each file of the web source."""

    train: _Sha256
    test: _Sha256


class Dataset(_Section):
    """Where the passengers come from."""

    source: Literal["synthetic", "files", "web", "kaggle"]
    path: str = Field(min_length=1)
    seed: int = _SEED
    rows: int = Field(ge=50, le=1_000_000_000)
    mirrors: tuple[Annotated[str, Field(pattern="^https?://.")], ...] = Field(min_length=1, strict=False)
    sha256: Sha256


class Validate(_Section):
    """How much bad data is set aside before it stops the run."""

    max_rejected_share: float = Field(ge=0, le=0.5)


class Features(_Section):
    """Choices of the row-wise features; `age_bands` in years, rising."""

    age_bands: tuple[_StrictInt, ...] = Field(min_length=1, max_length=20, strict=False)  # YAML has lists, not tuples

    @field_validator("age_bands")
    @classmethod
    def _rising(cls, years: tuple[int, ...]) -> tuple[int, ...]:
        if years[0] < 1 or any(a >= b for a, b in pairwise(years)):
            raise ValueError("must be whole years from 1 on, rising")
        return years


class Train(_Section):
    """The split and the model; which pipeline reads what stands in `modeling.pipelines.READS`."""

    pipeline: Literal[
        "random_forest", "gradient_boosting", "logistic_regression", "neural_network", "voting", "baseline"
    ]
    n_estimators: int = Field(ge=1, le=10_000)
    max_depth: int | None = Field(ge=1, le=1_000)
    x_size: int = Field(ge=1, le=1_000)
    y_size: int = Field(ge=1, le=1_000)
    max_iter: int = Field(ge=1, le=10_000)
    test_size: float = Field(ge=0.05, le=0.5)
    seed: int = _SEED


class Evaluate(_Section):
    """Cross-validation beside the hold-out."""

    folds: int = Field(ge=2, le=50)
    seed: int = _SEED


class Diagnose(_Section):
    """Repeated cross-validation and permutation importance."""

    folds: int = Field(ge=2, le=50)
    repeats: int = Field(ge=1, le=1_000)
    seed: int = _SEED


class Params(_Section):
    """The whole of params.yaml, one attribute for each section."""

    dataset: Dataset
    validate_: Validate = Field(alias="validate")  # `validate` is a method of every pydantic model
    features: Features
    train: Train
    evaluate: Evaluate
    diagnose: Diagnose


def load_params(path: Path = PARAMS) -> Params:
    """Read params.yaml; UserError names every wrong key, type, range or spelling in it."""
    try:
        return Params.model_validate(_read(path))
    except ValidationError as error:
        problems = "; ".join(_sentence(problem) for problem in error.errors())
        raise UserError(f"{path}: {problems}") from None


def _read(path: Path) -> dict[str, Any]:
    """Read the file with OmegaConf, and hold it to mean the same to DVC, which reads another version of YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"there is no {path} in {Path.cwd()}; run this in the project's root") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start})") from None
    try:
        ours = OmegaConf.to_container(OmegaConf.create(text))
        dvcs = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, YAML11Error, OmegaConfBaseException) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(ours, dict) or not isinstance(dvcs, dict):
        raise UserError(f"{path} must be a mapping of sections; it is {type(dvcs).__name__}")
    _refuse_ambiguous(path, ours, dvcs)
    return {str(key): value for key, value in ours.items()}


def _refuse_ambiguous(path: Path, ours: Any, dvcs: Any) -> None:
    values, theirs = dict(leaves(ours)), dict(leaves(dvcs))
    for key, value in theirs.items():
        if isinstance(value, str) and "${" in value:
            raise UserError(f"{path}: {key} is {value!r}; write the value itself, DVC would record the reference")
        if repr(values.get(key)) != repr(value):
            raise UserError(
                f"{path}: {key} means {value!r} to DVC and {values.get(key)!r} to YAML 1.1; write it plainly, "
                "text in quotes and numbers in decimal"
            )


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of everything in nested mappings that is none itself."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def _sentence(problem: Any) -> str:
    *section, name = (str(part) for part in problem["loc"])
    key = ".".join([*section, name])
    if problem["type"] == "extra_forbidden":
        known = [known for known, _ in _keys()]
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5) or [
            other for other in known if other.rpartition(".")[2] == name
        ]
        hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(_siblings(section))}"
        return f"unknown key {key}; {hint}"
    if problem["type"] == "missing":
        return f"the key {key} is missing"
    said = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{key} is {problem['input']!r}; it must be {said.removeprefix('must be ')}"


def _keys(model: type[BaseModel] = Params, parent: str = "") -> Iterator[tuple[str, str]]:
    """Every known dotted key, with its parent."""
    for name, field in model.model_fields.items():
        key = ".".join(filter(None, (parent, field.alias or name)))
        yield key, parent
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _keys(field.annotation, key)


def _siblings(section: list[str]) -> list[str]:
    return [key for key, parent in _keys() if parent == ".".join(section)]
