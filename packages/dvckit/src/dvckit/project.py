"""What a project tells the library: the seam between the two.

One object, which dvc.yaml names at the model's entry under `artifacts`: `meta: {project: mine.project:PROJECT}`.
Functions are named as text, `MODULE:NAME`, and imported when they are used, so that a command loads only what it needs.
Stages do not use it: each imports what it needs, and dvc.yaml names that as its deps.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvckit.core.errors import UserError
from dvckit.core.layout import PARAMS
from dvckit.core.params import Section, check
from dvckit.tables.schema import Rules, Schema
from dvckit.tasks import task_of

if TYPE_CHECKING:
    import pandas as pd

    from dvckit.repository.revision import Revision
    from dvckit.tasks.base import Task


@dataclass(frozen=True)
class Project:
    """A project with a table and a target."""

    rules: Rules  # for the tables of the source
    features: Schema  # of a row as the model sees it
    sections: Mapping[str, str]  # of params.yaml, each with its class
    featurize: str  # (clean table, params of features) -> features table, row by row
    words: str  # the project's `Words`, for pages and summaries
    trusted: str | None = None  # names of the project's own types in a stored model

    @property
    def clean(self) -> Schema:
        """The schema of a row as the source gives it, typed."""
        return self.rules.schema

    @property
    def task(self) -> "Task":
        """The kind of answer: it follows from the target's labels."""
        return task_of(self.features.values(self.features.target))

    @property
    def trusted_types(self) -> tuple[str, ...]:
        """The types of the project's own that its stored model may hold."""
        return tuple(load(self.trusted)) if self.trusted else ()

    def check_params(self, path: Path = PARAMS) -> None:
        """Check params.yaml as a whole; UserError names everything that is wrong."""
        check({key: load(name) for key, name in self.sections.items()}, path)

    def features_of(self, clean: "pd.DataFrame", params: Mapping[str, Any]) -> "pd.DataFrame":
        """Return the features of clean rows; `params` are those of a revision, by dotted key."""
        prefix = "features."
        values = {key.removeprefix(prefix): value for key, value in params.items() if key.startswith(prefix)}
        section: type[Section] = load(self.sections["features"])
        featurize: Callable[[pd.DataFrame, Any], pd.DataFrame] = load(self.featurize)
        return featurize(clean, section.model_validate(values))


def load(name: str) -> Any:
    """Return what `MODULE:NAME` names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def project_of(revision: "Revision") -> Project:
    """Import the project that the dvc.yaml of a revision names, as it is installed; UserError where that cannot be."""
    name = revision.model.project
    if name is None:
        raise UserError(
            f"dvc.yaml {revision.where} names no project; add `meta: {{project: MODULE:NAME}}` to the model's entry "
            "under `artifacts`"
        )
    try:
        project = load(name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"the project {name} of dvc.yaml cannot be imported: {error}; run `uv sync`") from None
    if not isinstance(project, Project):
        raise UserError(f"{name} of dvc.yaml is not a dvckit.Project, but a {type(project).__name__}")
    return project
