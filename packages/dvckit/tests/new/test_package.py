"""The code that `dvckit new` writes, run without an installation."""

import json

import pandas as pd
import pytest

STAGES = ["dataset.ingest", "dataset.validate", "features", "modeling.split", "modeling.train", "modeling.evaluate"]
FIT_ALL = """
import pandas as pd
from dvckit.core.params import read
from dvckit.models.stored import card, dump, parse
from mine.features import FEATURES
from mine.modeling.pipelines import PIPELINES, Train, build
import json
import warnings

warnings.simplefilter("error")  # with their parameters of params.yaml, all models converge
table = pd.read_parquet("data/processed/train.parquet")
train = read("train", Train)
for name in PIPELINES:
    model = build(train.model_copy(update={"pipeline": name})).fit(table[list(FEATURES.inputs)], table[FEATURES.target])
    content = dump(model)
    stored, _ = parse(content, json.dumps(card(content, FEATURES, "all", {})).encode(), name, FEATURES)
    assert (stored.predict(table[list(FEATURES.inputs)]) == model.predict(table[list(FEATURES.inputs)])).all()
    print(name)
"""


@pytest.mark.parametrize("name", ["iris", "diabetes"])
def test_every_stage_runs_and_every_pipeline_can_be_stored(render, write_csv, name):
    project = render(write_csv(name), target="target")
    params = project.root / "params.yaml"
    params.write_text(
        params.read_text().replace("n_estimators: 100", "n_estimators: 3").replace("repeats: 3", "repeats: 1")
    )

    project.run(*STAGES, "reporting.diagnose", "reporting.report")

    assert "</html>" in (project.root / "reports/report.html").read_text()
    pipelines = ["random_forest", "gradient_boosting", "linear", "neural_network", "voting", "baseline"]
    assert project.python(FIT_ALL).split() == pipelines


def test_dates_become_parts_and_texts_are_hashed(render, tmp_path_factory):
    rows = [
        f"{1 + day % 28:02d}/{1 + day % 12:02d}/2024,{'late and wet' if day % 2 else 'dry road' if day % 3 else ''} {day},{day % 2}"
        for day in range(120)
    ]
    csv = tmp_path_factory.mktemp("csv") / "trips.csv"
    csv.write_text("\n".join(["day,note,delayed", *rows, ""]))

    project = render(csv, target="delayed", roles={"note": "text"}, keep=("note",))
    project.run(*STAGES)

    table = pd.read_parquet(project.root / "data/features/train.parquet")
    assert list(table) == ["row_number", "note", "delayed", "day_year", "day_month", "day_weekday"]
    assert table["day_year"].unique().tolist() == [2024]


def test_a_group_is_on_one_side_of_the_split(render, tmp_path_factory):
    csv = tmp_path_factory.mktemp("csv") / "visits.csv"
    lines = [f"p{row % 30},{row * 37 % 101},{row % 30 % 2}" for row in range(240)]
    csv.write_text("\n".join(["patient,dose,ill", *lines, ""]))

    project = render(csv, target="ill", roles={"patient": "group"})
    project.run(*STAGES)

    train, holdout = (pd.read_parquet(project.root / f"data/processed/{name}.parquet") for name in ("train", "holdout"))
    assert not set(train["patient"]) & set(holdout["patient"])
    assert "patient" not in json.loads((project.root / "data/models/model.json").read_text())["input"]
    assert "group" in pd.read_parquet(project.root / "data/processed/predictions.parquet")


def test_the_person_owns_few_lines(render, write_csv):
    project = render(write_csv("iris"), target="target")

    owned = [*project.root.glob("mine/**/*"), project.root / "params.yaml", *project.root.glob("tests/*")]
    assert sum(len(path.read_text().splitlines()) for path in owned if path.is_file()) <= 450
