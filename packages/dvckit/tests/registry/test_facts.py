"""What is known of versions of a project that has little: no predictions, no slices, and folders of its own."""

import hashlib
import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from ruamel.yaml import YAML

from dvckit.registry.export import export
from dvckit.testing import Repository

DVC_YAML = """
artifacts:
  grades:
    path: fitted/model.skops
    type: model
    desc: Grade of a beam
  beams:
    path: source/train.csv
    type: dataset
    desc: Beams of a warehouse
"""
FILES = {
    "source/train.csv": "grade\n1\n2\n3\n",
    "source/test.csv": "width\n1\n2\n",
    "tables/train.parquet": "two rows",
    "tables/holdout.parquet": "one row",
    "tables/test.parquet": "rows to predict",
    "fitted/model.skops": "a model",
    "fitted/model.json": json.dumps(
        {"sha256": hashlib.sha256(b"a model").hexdigest(), "input": {"width": "int"}, "libraries": {"numpy": "2.4.6"}}
    ),
    "reports/metrics.json": json.dumps({"holdout": {"accuracy": 0.5}, "cv": {"accuracy": 0.6}}),
    "reports/evaluation.json": json.dumps({"holdout": {"rows": 1, "accuracy": {"low": 0.1, "high": 0.9}}, "cv": {}}),
    "reports/diagnostics.json": "{}",
    "reports/data_quality.json": json.dumps(
        {"train": {"rows": {"read": 3, "accepted": 3}}, "test": {"rows": {"read": 2, "accepted": 2}}}
    ),
}
STAGES = {  # what each reads and writes
    "fetch": ((), ("source/train.csv", "source/test.csv")),
    "check": (("source/train.csv", "source/test.csv"), ("reports/data_quality.json",)),
    "divide": (
        ("source/train.csv", "source/test.csv"),
        ("tables/train.parquet", "tables/holdout.parquet", "tables/test.parquet"),
    ),
    "fit": (("tables/train.parquet",), ("fitted/model.skops", "fitted/model.json")),
    "score": (
        ("fitted/model.skops", "tables/holdout.parquet"),
        ("reports/metrics.json", "reports/evaluation.json", "reports/diagnostics.json"),
    ),
}


def entry(path):
    content = FILES[path].encode()
    return {"path": path, "md5": hashlib.md5(content).hexdigest(), "size": len(content)}


@pytest.fixture
def export_version(tmp_path):
    """Export a version that was made with these parameters; return its folder."""

    def export_version(params):
        project = Repository(tmp_path / "project")
        lock = {
            name: {"cmd": name, "deps": [*map(entry, deps)], "outs": [*map(entry, outs)]}
            for name, (deps, outs) in STAGES.items()
        }
        lock["fetch"]["params"] = {"params.yaml": params}
        files = {"dvc.yaml": DVC_YAML, "dvc.lock": json.dumps({"schema": "2.0", "stages": lock}), **FILES}
        for name, text in files.items():
            (project.root / name).parent.mkdir(parents=True, exist_ok=True)
            (project.root / name).write_text(text)
        project.ok("git", "init", "--quiet")
        project.commit("made")
        project.ok("git", "tag", "-a", "-m", "by hand", "grades@v1.0.0")
        return export(project.root, "v1.0.0", tmp_path / "out")

    return export_version


def test_the_data_are_those_of_the_stages_in_whatever_folders(export_version):
    folder = export_version({})

    files = json.loads((folder / "metadata.json").read_text())["data"]["files"]
    bom = json.loads((folder / "bom.json").read_text())
    assert {file["path"]: file["rows"] for file in files} == {
        "source/train.csv": 3,
        "source/test.csv": 2,
        "tables/train.parquet": 2,
        "tables/holdout.parquet": 1,
        "tables/test.parquet": 2,
    }
    learned = bom["metadata"]["component"]["modelCard"]["modelParameters"]["datasets"]
    assert learned == [{"ref": "tables/train.parquet"}, {"ref": "tables/holdout.parquet"}]
    assert "trained on 2 labelled rows; the scores below are from 1 rows" in (folder / "README.md").read_text()


def test_a_version_without_predictions_is_exported_without_its_task(export_version):
    folder = export_version({})

    front_matter = YAML(typ="safe").load((folder / "README.md").read_text().split("---\n")[1])
    bom = (folder / "bom.json").read_text()
    assert front_matter["tags"] == ["sklearn", "skops"]
    assert front_matter["metrics"] == ["accuracy"]
    assert not {"pipeline_tag", "model-index"} & set(front_matter)
    assert "task" not in json.loads(bom)["metadata"]["component"]["modelCard"]["modelParameters"]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bom) is None


def test_a_version_without_slices_and_without_a_named_pipeline_is_exported(export_version):
    folder = export_version({"train": {"depth": 3}})

    card = (folder / "README.md").read_text()
    parameters = json.loads((folder / "bom.json").read_text())["metadata"]["component"]["modelCard"]["modelParameters"]
    assert "Slices of the hold-out" not in card
    assert "- `train.depth`: 3" in card
    assert "architectureFamily" not in parameters


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"source": "synthetic", "rows": 9, "seed": 4}, "synthetic: a program made up 9 rows from seed 4, and what is"),
        ({"source": "files", "path": "mine"}, "the user's own files, from the folder mine)"),
        ({"source": "web", "mirrors": ["https://a.org"]}, "downloaded from https://a.org, or from another mirror"),
        ({"source": "kaggle"}, "downloaded from Kaggle)"),
        ({"source": "sensors"}, "sensors)"),
        ({}, "from a source that no parameter names)"),
    ],
)
def test_the_card_says_in_words_which_data_these_are_and_where_they_come_from(export_version, source, words):
    folder = export_version({"dataset": source})

    assert f"Beams of a warehouse ({words}" in (folder / "README.md").read_text()
