"""What MLflow loads a published model with: its project's own code and checks, and no pickle.

MLflow keeps the packages, as they were at the model's revision, beside the model and puts them on the path.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dvckit.models import stored
from dvckit.project import Project, load


@dataclass(frozen=True)
class LoadedModel:
    """The pipeline as MLflow calls it."""

    pipeline: Any
    project: Project

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002 - MLflow's
        """Return label and predictions for each row of features, in their order."""
        project = self.project
        return stored.answers(self.pipeline, project.features, project.task, model_input, "the model")


def _load_pyfunc(folder: str) -> LoadedModel:
    """Load the model for MLflow; refused where its sha256 is not the one of model.json."""
    model, card, name = (Path(folder) / file for file in ("model.skops", "model.json", "project.txt"))
    project: Project = load(name.read_text(encoding="utf-8"))
    return LoadedModel(stored.load(model, card, project.features, project.trusted_types)[0], project)
