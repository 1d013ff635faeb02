"""What MLflow loads the published model with: its own code, checks and no pickle.

MLflow keeps this file and the package as it was at the model's revision beside the model, and puts both on the path.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from titanic.modeling.artefact import load
from titanic.modeling.scoring import labels, survival_chance


class SurvivalModel:
    """The pipeline as MLflow calls it."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002 - MLflow's
        """Return label and chance of survival of each row of features, in their order."""
        chance = survival_chance(self.pipeline, model_input)
        return pd.DataFrame({"Survived": labels(chance), "SurvivalChance": chance}, index=model_input.index)


def _load_pyfunc(folder: str) -> SurvivalModel:
    """Load the model for MLflow; refused where its sha256 is not the one of model.json."""
    pipeline, _ = load(Path(folder) / "model.skops", Path(folder) / "model.json")
    return SurvivalModel(pipeline)
