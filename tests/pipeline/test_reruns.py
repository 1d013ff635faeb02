"""A change reruns the stages that it touches, and no others."""

import json

import pytest
from ruamel.yaml import YAML

# a value other than the real one for every key of params.yaml, and the stages that read the key
CHANGES = {
    ("path: data/external/titanic", "path: data/external"): {"ingest", "report"},
    ("seed: 1912", "seed: 2"): {"ingest", "report"},
    ("max_rejected_share: 0.0", "max_rejected_share: 0.1"): {"validate", "report"},
    ("age_bands: [13, 18", "age_bands: [12, 18"): {"featurize", "diagnose", "report"},
    ("pipeline: random_forest", "pipeline: logistic_regression"): {"train", "report"},
    ("n_estimators: 5", "n_estimators: 6"): {"train", "report"},
    ("max_depth: 10", "max_depth: 9"): {"train", "report"},
    ("min_samples_leaf: 1  ", "min_samples_leaf: 2  "): {"train", "report"},
    ("C: 0.3  ", "C: 0.5  "): {
        "train",
        "report",
    },  # of a pipeline that is not chosen: the section is one, so that a typo in it cannot pass
    ("test_size: 0.2", "test_size: 0.3"): {"split", "train", "report"},
    ("seed: 1                       # seed of the split", "seed: 2 # seed of the split"): {"split", "train", "report"},
    ("folds: 2                      # strat", "folds: 3 # strat"): {"evaluate", "report"},
    ("repeats: 1 ", "repeats: 2 "): {"diagnose", "report"},
}


def changed(project):
    """The stages that DVC would run first: those with a changed dependency or parameter of their own."""
    status = json.loads(project.ok("dvc", "status", "--json"))
    return {
        stage.rpartition(":")[2]
        for stage, changes in status.items()
        if any("changed deps" in change for change in changes if isinstance(change, dict))
    }


@pytest.mark.parametrize(("change", "stages"), CHANGES.items(), ids=[new for _, new in CHANGES])
def test_a_parameter_touches_the_stages_that_read_it(small, change, stages):
    small.edit("params.yaml", change)

    assert changed(small) == stages


MODELS = {"split", "train", "evaluate", "diagnose"}


@pytest.mark.parametrize(
    ("library", "stages"),
    [
        ("scikit-learn", {"validate", *MODELS, "report"}),
        ("skops", MODELS - {"split"}),
        ("matplotlib", {"report"}),
    ],
)
def test_a_new_version_of_a_library_touches_the_stages_that_use_it(small, library, stages):
    small.edit("libraries.json", (f'"{library}": "', f'"{library}": "9'))

    assert changed(small) == stages


def test_a_frozen_stage_changes_no_other_line(fresh):
    stages = [
        "validate",
        "featurize",
        "split",
        "train",
        "evaluate",
        "reports/dvc.yaml:diagnose",
        "reports/dvc.yaml:report",
    ]

    fresh.ok("dvc", "freeze", *stages)
    frozen = fresh.ok("git", "diff", "--unified=0").splitlines()
    fresh.ok("dvc", "unfreeze", *stages)

    changes = [line for line in frozen if line[0] in "+-" and line[:3] not in {"+++", "---"}]
    assert changes == ["+    frozen: true"] * len(stages)
    assert fresh.ok("git", "status", "--porcelain") == ""


@pytest.mark.faults
def test_code_touches_the_stages_that_declare_it(small):
    pipelines = [YAML(typ="safe").load(small.root / path) for path in ("dvc.yaml", "reports/dvc.yaml")]
    stages = {name: stage["deps"] for pipeline in pipelines for name, stage in pipeline["stages"].items()}
    code = {dep for deps in stages.values() for dep in deps if dep.startswith(("titanic/", "packages/"))}
    for dep in sorted(code):
        place = small.root / dep
        file = place if place.is_file() else max(place.glob("*.py"))
        text = file.read_text()
        file.write_text(text + "\n")

        assert changed(small) == {name for name, deps in stages.items() if dep in deps}, dep

        file.write_text(text)


@pytest.mark.parametrize("name", ["doctor/doctor.py", "compare/compare.py", "sweep/trial.py", "cli.py", "project.py"])
def test_work_on_a_command_reruns_no_stage(small, name):
    file = small.root / "packages/dvckit/src/dvckit" / name
    file.write_text(file.read_text() + "\n")

    assert changed(small) == set()


def test_a_new_pipeline_reruns_neither_ingest_nor_validate(small):
    small.edit(
        "titanic/modeling/pipelines.py",
        ("neural_network, voting, baseline)", "neural_network, voting, baseline, GroupOutcome)"),
    )

    assert changed(small) == {"train", "evaluate", "diagnose"}


def test_a_new_feature_reruns_neither_ingest_nor_validate(small):
    small.edit("titanic/features.py", ("cabin.str[:1]", "cabin.str[:1].str.upper()"))

    assert changed(small) == {"featurize", "split", "train", "evaluate", "diagnose"}


def test_an_experiment_runs_only_what_its_parameter_touches(small):
    output = small.ok("dvc", "exp", "run", "-S", "train.n_estimators=7")

    ran = [line for line in output.splitlines() if line.startswith("Running stage")]
    assert ran == ["Running stage 'train':", "Running stage 'evaluate':"]


def test_a_changed_file_of_the_user_reruns_ingest(small, kaggle, tmp_path):
    for name in ("train.csv", "test.csv"):
        (tmp_path / "mine").mkdir(exist_ok=True)
        (tmp_path / "mine" / name).write_bytes((kaggle / name).read_bytes())
    small.edit("params.yaml", ("source: synthetic", "source: files"), ("data/external/titanic", "../mine"))
    small.ok("dvc", "repro")
    raw = small.root / "data/raw/train.csv"
    assert raw.read_bytes() == (kaggle / "train.csv").read_bytes()
    assert b"\r\n" in raw.read_bytes()

    (tmp_path / "mine/train.csv").write_bytes(
        (kaggle / "train.csv").read_bytes().replace(b"Braund, Mr.", b"Braund, Dr.")
    )
    output = small.ok("dvc", "repro", "ingest")

    assert "Running stage 'ingest'" in output
    assert b"Braund, Dr." in raw.read_bytes()
