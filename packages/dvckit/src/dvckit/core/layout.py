"""Paths of a project, relative to its root, in the layout of cookiecutter-data-science."""

from pathlib import Path

PARAMS = Path("params.yaml")
LIBRARIES = Path("libraries.json")  # the versions, of packages that decide the bytes of outputs, that dvc.lock records

# The tables of a source: with labels, and to predict. Each is NAME.csv.
TRAIN, TEST = "train", "test"

RAW = Path("data/raw")
INTERIM = Path("data/interim")
FEATURES = Path("data/features")
PROCESSED = Path("data/processed")
MODEL = Path("data/models/model.skops")
MODEL_CARD = Path("data/models/model.json")
SUBMISSION = PROCESSED / "submission.csv"
PREDICTIONS = PROCESSED / "predictions.parquet"
REJECTED = INTERIM / "rejected.csv"

REPORTS = Path("reports")
DATA_QUALITY = REPORTS / "data_quality.json"
METRICS = REPORTS / "metrics.json"
EVALUATION = REPORTS / "evaluation.json"
DIAGNOSTICS = REPORTS / "diagnostics.json"
PLOTS = REPORTS / "plots"
FIGURES = REPORTS / "figures"
REPORT = REPORTS / "report.html"
