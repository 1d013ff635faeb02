import hashlib
import json

import pandas as pd
import pytest

from dvckit.core.layout import MODEL, MODEL_CARD, PROCESSED
from packages.dvckit.tests.models.test_hostile import Forged


@pytest.fixture
def project(small):
    """A reproduced project, with a tag v1."""
    small.ok("git", "tag", "v1")
    return small


def predicted(project, name="out.csv"):
    return pd.read_csv(project.root / name)


def test_a_table_gets_labels_and_probabilities_in_its_order(project):
    output = project.ok("dvckit", "predict", "data/raw/test.csv", "out.csv")

    predictions, submission = predicted(project), pd.read_csv(project.root / PROCESSED / "submission.csv")
    assert list(predictions) == ["PassengerId", "Survived", "probability_0", "probability_1"]
    assert predictions[["PassengerId", "Survived"]].equals(submission)
    assert ((predictions.probability_1 > 0.5) == predictions.Survived).all()
    assert output == f"out.csv: {len(predictions)} rows\n"


def test_predictions_of_a_labelled_table_ignore_the_labels(project):
    train = pd.read_csv(project.root / "data/raw/train.csv", dtype=str, keep_default_na=False)
    train.assign(Survived=train.Survived.map({"0": "1", "1": "0"})).to_csv(project.root / "swapped.csv", index=False)

    project.ok("dvckit", "predict", "data/raw/train.csv", "out.csv")
    project.ok("dvckit", "predict", "swapped.csv", "again.csv")

    assert predicted(project).equals(predicted(project, "again.csv"))


def test_a_revision_predicts_with_its_own_model_and_age_bands(project):
    project.ok("dvckit", "predict", "data/raw/test.csv", "then.csv")
    project.edit("params.yaml", ("[13, 18, 35, 60]", "[30]"), ("n_estimators: 5", "n_estimators: 3"))
    project.ok("dvc", "repro", "train")

    project.ok("dvckit", "predict", "data/raw/test.csv", "now.csv")
    project.ok("dvckit", "predict", "data/raw/test.csv", "v1.csv", "--rev", "v1")

    assert predicted(project, "v1.csv").equals(predicted(project, "then.csv"))
    assert not predicted(project, "now.csv").equals(predicted(project, "then.csv"))


def refused(project, *command):
    """Run `dvckit predict`, which must end with one sentence and write nothing."""
    result = project.run("dvckit", "predict", *command)
    assert result.code == 1
    assert "Traceback" not in result.output
    assert not (project.root / "out.csv").exists()
    return result.output


def test_a_model_that_would_crash_the_interpreter_is_refused(project):
    """Whoever writes both files can write the sha256, too."""
    model, card = (project.root / MODEL, project.root / MODEL_CARD)
    forged = Forged(model.read_bytes())
    for tree in forged.nodes("Tree"):
        forged.edit(tree["content"]["content"]["nodes"], lambda nodes: nodes["left_child"].__setitem__(0, 10**6))
    model.write_bytes(forged.packed())
    about = json.loads(card.read_text()) | {"sha256": hashlib.sha256(model.read_bytes()).hexdigest()}
    card.write_text(json.dumps(about))

    output = refused(project, "data/raw/test.csv", "out.csv")

    assert (
        "error: data/models/model.skops is not a skops file of a model that is safe to load: a node of a tree" in output
    )


def test_a_bad_row_is_refused_with_its_reason(project):
    project.edit("data/raw/test.csv", ("female", "woman"))

    assert "Sex is 'woman': must be one of female, male" in refused(project, "data/raw/test.csv", "out.csv")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["none.csv", "out.csv"], "none.csv is not there; name a CSV file"),
        (["params.yaml", "out.csv"], "params.yaml"),
        (["data/raw/test.csv", "nowhere/out.csv"], "nowhere/out.csv cannot be written"),
        (["data/raw/test.csv", "data"], "data cannot be written"),
        (["data/raw/test.csv", "data/raw/../raw/test.csv"], "is the input itself"),
        (["data/raw/test.csv", "out.csv", "--rev", "v2"], "there is no revision 'v2'; did you mean v1?"),
    ],
)
def test_wrong_names_give_an_error(project, command, sentence):
    assert sentence in refused(project, *command)


def test_an_output_that_was_not_pulled_is_said_to_be_one(project):
    (project.root / "data/raw/test.csv").unlink()

    message = "data/raw/test.csv is not in this clone yet; run `dvc pull data/raw/test.csv`"
    assert message in refused(project, "data/raw/test.csv", "out.csv")


def test_without_a_model_there_is_an_error(project):
    (project.root / "data/models/model.json").unlink()
    (project.root / "data/models/model.skops").write_bytes(b"")

    assert "sha256 differs" in refused(project, "data/raw/test.csv", "out.csv")


def test_a_model_of_other_columns_is_refused(project):
    card = json.loads((project.root / "data/models/model.json").read_text())
    card["input"] = {"Pclass": "int", "Height": "float"}
    (project.root / "data/models/model.json").write_text(json.dumps(card))

    output = refused(project, "data/raw/test.csv", "out.csv")

    assert "was trained on other columns" in output
    assert "Height (float, here not made)" in output


def test_a_planted_pickle_is_refused_and_does_not_run(project):
    planted = b"cos\nsystem\n(S'touch exploded'\ntR."
    card = json.loads((project.root / "data/models/model.json").read_text())
    card["sha256"] = hashlib.sha256(planted).hexdigest()
    (project.root / "data/models/model.json").write_text(json.dumps(card))
    (project.root / "data/models/model.skops").write_bytes(planted)

    assert "not a skops file" in refused(project, "data/raw/test.csv", "out.csv")
    assert not (project.root / "exploded").exists()


def test_other_versions_of_libraries_are_noted(project):
    card = json.loads((project.root / "data/models/model.json").read_text())
    card["libraries"]["scikit-learn"] = "0.1"
    (project.root / "data/models/model.json").write_text(json.dumps(card))

    assert "note: data/models/model.skops was trained with other versions" in project.ok(
        "dvckit", "predict", "data/raw/test.csv", "out.csv"
    )
