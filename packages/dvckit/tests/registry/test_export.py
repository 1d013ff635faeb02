import hashlib
import json
import re
import shutil
import tomllib

import numpy as np
import pandas as pd
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from ruamel.yaml import YAML
from sklearn import metrics as sklearn_metrics

from dvckit.core.errors import UserError
from dvckit.models.folds import Recipe
from dvckit.models.stored import load
from dvckit.registry.export import export
from dvckit.tasks import task_of
from dvckit.tasks.binary import losses
from dvckit.tasks.uncertainty import folds_interval, positive_mean_interval, roc_auc_interval, wilson
from titanic.features import FEATURES
from titanic.modeling.transformers import TRUSTED
from titanic.schema import LABELS, TARGET

FILES = ["README.md", "bom.json", "metadata.json", "model.json", "model.skops", "model.skops.sha256"]


@pytest.fixture(scope="module")
def project(_small, tmp_path_factory):
    """A project with one version, to be read only."""
    root = tmp_path_factory.mktemp("registered") / "titanic"
    shutil.copytree(_small.root, root, symlinks=True)
    project = type(_small)(root)
    project.ok("dvckit", "models", "register")
    return project


@pytest.fixture(scope="module")
def exported(project):
    """The folder of that version."""
    return export(project.root, "v1.0.0", project.root.parent / "exported")


@pytest.fixture
def registered(project, tmp_path):
    """A copy of that project."""
    shutil.copytree(project.root, tmp_path / "titanic", symlinks=True)
    return type(project)(tmp_path / "titanic")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def front_matter(folder):
    return YAML(typ="safe").load((folder / "README.md").read_text().split("---\n")[1])


def test_an_exported_version_is_complete_by_itself(project, exported):
    assert exported.name == "survival_v1.0.0"
    assert sorted(contents(exported)) == FILES
    assert (exported / "model.skops").read_bytes() == (project.root / "data/models/model.skops").read_bytes()
    assert type(project)(exported).ok("sha256sum", "--check", "model.skops.sha256") == "model.skops: OK\n"
    details = json.loads(project.ok("dvckit", "models", "show", "v1.0.0", "--json"))
    del details["stages"]
    assert json.loads((exported / "metadata.json").read_text()) == details
    load(exported / "model.skops", exported / "model.json", FEATURES, TRUSTED)


def test_the_same_version_gives_the_same_bytes_from_a_clone_that_pulled_nothing(registered, exported, tmp_path):
    """Also after it was promoted, and under another locale and time zone."""
    registered.ok("dvckit", "models", "promote", "v1.0.0", "--to", "prod")
    clone = registered.clone(tmp_path / "clone")

    output = clone.ok("dvckit", "models", "export", "prod", "out/models", TZ="Asia/Tokyo", LANG="C")

    assert output == "out/models/survival_v1.0.0\n"
    assert contents(clone.root / "out/models/survival_v1.0.0") == contents(exported)


def test_an_existing_folder_is_not_overwritten(registered, tmp_path):
    target = tmp_path / "out/survival_v1.0.0"
    target.mkdir(parents=True)

    with pytest.raises(UserError, match=r"survival_v1\.0\.0 exists already; remove it, or name another folder"):
        export(registered.root, "v1.0.0", tmp_path / "out")
    assert list(target.iterdir()) == []


def test_nothing_is_left_of_an_export_that_fails(registered, tmp_path, monkeypatch):
    """The object of the model is in no place."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    shutil.rmtree(registered.root / ".dvc/cache")
    md5 = hashlib.md5((registered.root / "data/models/model.skops").read_bytes()).hexdigest()
    stored = f".dvc/storage/files/md5/{md5[:2]}/{md5[2:]}"
    registered.ok("git", "rm", "--quiet", stored)
    registered.ok("git", "commit", "--quiet", "--amend", "--no-edit")
    registered.ok("git", "tag", "--force", "-a", "-m", "again", "survival@v1.0.0", "HEAD")

    with pytest.raises(UserError, match=r"data/models/model\.skops at survival@v1\.0\.0 is in none of"):
        export(registered.root, "v1.0.0", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def recomputed(root):
    """Return every score that the model card may tell, from the model's recipe and the tables alone."""
    model, _ = load(root / "data/models/model.skops", root / "data/models/model.json", FEATURES, TRUSTED)
    recipe = Recipe(FEATURES, task_of(LABELS), model)
    train, holdout = (pd.read_parquet(root / f"data/processed/{part}.parquet") for part in ("train", "holdout"))
    params = YAML(typ="safe").load(root / "params.yaml")
    truth, probability = holdout[TARGET], recipe.fit(train).predict(holdout)
    predicted = recipe.task.labels(probability)
    scores = {
        "accuracy": sklearn_metrics.accuracy_score(truth, predicted),
        "roc_auc": sklearn_metrics.roc_auc_score(truth, probability),
        "f1": sklearn_metrics.f1_score(truth, predicted),
        "precision": sklearn_metrics.precision_score(truth, predicted),
        "recall": sklearn_metrics.recall_score(truth, predicted),
        "log_loss": sklearn_metrics.log_loss(truth, probability),
    }
    intervals = {
        "accuracy": wilson(int((truth == predicted).sum()), len(truth)),
        "roc_auc": roc_auc_interval(truth, probability),
        "log_loss": positive_mean_interval(losses(truth.to_numpy(), probability)),
    }
    rows = {("hold-out", name): (value, *intervals.get(name, ())) for name, value in scores.items()}
    folds = params["evaluate"]["folds"]
    over_folds = recipe.folds(train, folds=folds, seed=params["evaluate"]["seed"]).scores
    for name, column in over_folds.items():
        ends = np.clip(folds_interval(column, folds), 0, np.inf if name == "log_loss" else 1)
        rows["cross-validation", name] = (column.mean(), *ends)
    rows["cross-validation", "accuracy_sd"] = (over_folds["accuracy"].std(),)
    rows["hold-out", "baseline: majority"] = ((truth == 0).mean(),)
    women = (holdout["Sex"] == "female").astype(int)
    rows["hold-out", "baseline: gender"] = ((truth == women).mean(),)
    return rows, holdout.assign(right=truth == predicted)


def table(text, header):
    block = text.split(f"{header}\n|---", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in block]


def test_every_score_of_the_model_card_is_that_of_the_model(project, exported):
    expected, _ = recomputed(project.root)
    card = (exported / "README.md").read_text()

    shown = {(on, score): numbers for on, score, *numbers in table(card, "| on | score | value | low | high |")}

    assert set(shown) == set(expected)
    for key, numbers in shown.items():
        assert [float(number) for number in numbers if number] == pytest.approx(expected[key], abs=6e-7), key
    results = front_matter(exported)["model-index"][0]["results"][0]["metrics"]
    assert [result["type"] for result in results] == ["accuracy", "roc_auc", "log_loss", "f1", "precision", "recall"]
    assert [[r["value"]] for r in results] == [
        pytest.approx(expected["hold-out", r["type"]][:1], abs=6e-7) for r in results
    ]


def test_every_part_of_the_hold_out_in_the_card_is_recomputed(project, exported):
    _, holdout = recomputed(project.root)
    header = "| column | value | rows | positive | accuracy | low | high |"

    shown = table((exported / "README.md").read_text(), header)

    assert {row[0] for row in shown} == {"Sex", "Pclass", "AgeBand", "Embarked"}
    for column, value, *numbers in shown:
        part = holdout[holdout[column].astype(object).fillna("missing").astype(str) == value]
        right = int(part["right"].sum())
        expected = [len(part), part[TARGET].mean(), right / len(part), *wilson(right, len(part))]
        assert [float(number) for number in numbers] == pytest.approx(expected, abs=6e-4), (column, value)


def test_every_other_number_of_the_card_is_a_count_a_parameter_or_a_name(project, exported):
    root = project.root
    text = (exported / "README.md").read_text().split("---\n", 2)[2]
    prose = re.sub(r"`[^`]*`|^\|.*$|^- `.*$|\bv?\d+\.\d+\.\d+\b|\d{4}-\d\d-\d\dT\S+Z", "", text, flags=re.MULTILINE)
    rows = {
        name: len(pd.read_parquet(root / f"data/processed/{name}.parquet")) for name in ("train", "holdout", "test")
    }
    params = YAML(typ="safe").load(root / "params.yaml")

    numbers = {int(number) for number in re.findall(r"\b\d+\b", prose)}

    counts = {rows["train"] + rows["holdout"], rows["holdout"], params["dataset"]["rows"], params["dataset"]["seed"]}
    assert counts <= numbers
    assert numbers - counts == {95, 1912} - counts
    for path, count, md5 in re.findall(r"\| `(data/\S+)` \| (?:(\d+) rows, )?md5 `(\w+)` \|", text):
        file = root / path
        assert hashlib.md5(file.read_bytes()).hexdigest() == md5
        read = pd.read_csv if file.suffix == ".csv" else pd.read_parquet
        assert not count or int(count) == len(read(file))
    for section, name, value in re.findall(r"^- `(\w+)\.(\w+)`: `(.*)`$", text, flags=re.MULTILINE):
        assert str(params[section][name]) == value


def test_the_front_matter_is_what_hugging_face_reads(exported):
    matter = front_matter(exported)

    assert (matter["license"], matter["library_name"], matter["pipeline_tag"]) == (
        "mit",
        "sklearn",
        "tabular-classification",
    )
    assert matter["model-index"][0]["name"] == "survival v1.0.0"
    assert matter["model-index"][0]["results"][0]["task"] == {"type": "tabular-classification"}
    assert matter["model_file"] == "model.skops"


def test_the_bill_of_materials_keeps_the_schema(exported):
    text = (exported / "bom.json").read_text()

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    broken = text.replace('"machine-learning-model"', '"model"')
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(broken) is not None


def test_the_bill_of_materials_has_model_data_and_packages(project, exported):
    bom = json.loads((exported / "bom.json").read_text())
    model = bom["metadata"]["component"]
    listed = {package["name"]: package for package in tomllib.loads((project.root / "uv.lock").read_text())["package"]}

    content = (project.root / "data/models/model.skops").read_bytes()
    assert {"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()} in model["hashes"]
    metrics = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert {metric["type"] for metric in metrics} >= {"accuracy", "roc_auc"}
    data = [part for part in bom["components"] if part["type"] == "data"]
    assert [part["hashes"][0]["content"] for part in data] == [
        hashlib.md5((project.root / part["name"]).read_bytes()).hexdigest() for part in data
    ]
    libraries = {part["name"]: part["version"] for part in bom["components"] if part["type"] == "library"}
    assert libraries == {name: listed[name]["version"] for name in libraries}
    assert {"dvc", "scikit-learn", "skops", "numpy"} <= set(libraries)
    assert bom["metadata"]["timestamp"] == json.loads((exported / "metadata.json").read_text())["registered"]["when"]
