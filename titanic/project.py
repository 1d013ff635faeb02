"""What dvckit's commands need to know about this project; dvc.yaml names it at the model's entry under `artifacts`."""

from dvckit.project import Project
from titanic.features import FEATURES
from titanic.schema import RULES

PROJECT = Project(
    rules=RULES,
    features=FEATURES,
    sections={
        "dataset": "titanic.dataset.ingest:Dataset",
        "validate": "dvckit.tables.validation:Validate",
        "features": "titanic.features:FeaturesParams",
        "train": "titanic.modeling.pipelines:Train",
        "evaluate": "dvckit.models.stages:Evaluate",
        "diagnose": "dvckit.models.stages:Diagnose",
    },
    featurize="titanic.features:featurize",
    words="titanic.reporting.words:WORDS",
    trusted="titanic.modeling.transformers:TRUSTED",
)
