import json

import pytest

from dvckit.registry.tags import tag_version
from dvckit.repository.revision import Revision
from dvckit.snapshot.bumps import tags_due

METADATA = "data/interim/train_metadata.yaml"


@pytest.fixture
def tagged(fresh, monkeypatch):
    """A clone whose HEAD is v1.0.0 of both."""
    for name, value in fresh.environment.items():
        if name.startswith("GIT_"):
            monkeypatch.setenv(name, value)
    for name in ("data", "survival"):
        tag_version(Revision(fresh.root, "HEAD"), name, "minor", "first")
    return fresh


def other(project, path):
    """Commit a lock in which an output has another hash."""
    md5 = Revision(project.root).md5s[path]
    project.edit("dvc.lock", (md5, "a" * 32))
    project.commit(f"another {path}")


def ask(project, *replacements):
    """Let both locks tell of other params."""
    for lock in ("dvc.lock", "reports/dvc.lock"):
        project.edit(lock, *replacements)


def due(project, bump=None):
    tags = tags_due(project.root, "HEAD", bump)
    return {tag.partition("@")[0]: (tag.partition("@")[2], why) for tag, why in tags.items()}


def test_the_first_version_is_due_where_there_is_none(fresh):
    assert due(fresh) == dict.fromkeys(["data", "survival"], ("v1.0.0", "the first version here"))


def test_what_has_not_changed_is_not_due(tagged):
    tagged.edit("README.md", ("# titanic", "# Titanic"))
    tagged.commit("text")

    assert due(tagged) == due(tagged, "major") == {}


@pytest.mark.parametrize(("name", "path"), [("data", "data/raw/test.csv"), ("survival", "data/models/model.skops")])
def test_other_content_alone_is_a_patch_unless_it_is_overruled(tagged, name, path):
    other(tagged, path)

    assert due(tagged) == {name: ("v1.0.1", "same columns and params, other content since v1.0.0")}
    assert due(tagged, "major")[name][0] == "v2.0.0"


def test_other_data_that_the_params_ask_for_are_minor(tagged):
    ask(tagged, ("seed: 1912", "seed: 7"))
    other(tagged, "data/raw/train.csv")

    assert due(tagged) == {"data": ("v1.1.0", "other params (dataset.seed) since v1.0.0")}


def test_another_recipe_of_the_model_is_minor(tagged):
    ask(tagged, ("pipeline: random_forest", "pipeline: voting"), ("seed: 1912", "seed: 7"))
    other(tagged, "data/models/model.skops")

    assert due(tagged) == {"survival": ("v1.1.0", "other params (train.pipeline) since v1.0.0")}


@pytest.mark.parametrize("change", [("  Pclass:", "  Cabin_class:"), ("dtype: float64", "dtype: int64")])
def test_other_columns_of_the_data_are_major(tagged, change):
    tagged.edit(METADATA, change)
    other(tagged, "data/raw/train.csv")

    assert due(tagged)["data"][0] == "v2.0.0"
    assert due(tagged)["data"][1].startswith("other columns (train: ")


def test_a_column_that_is_only_described_otherwise_is_not_major(tagged):
    tagged.edit(METADATA, ("Key of the row", "The key of the row"))
    other(tagged, "data/raw/train.csv")

    assert due(tagged)["data"][0] == "v1.0.1"


def test_a_model_that_takes_other_columns_is_major(tagged):
    card = json.loads((tagged.root / "data/models/model.json").read_text())
    del card["input"]["Surname"]
    (tagged.root / "data/models/model.json").write_text(json.dumps(card))
    other(tagged, "data/models/model.skops")

    assert due(tagged) == {"survival": ("v2.0.0", "other columns (Surname) since v1.0.0")}


def test_a_version_of_another_branch_is_not_compared_and_its_number_not_reused(tagged):
    tagged.ok("git", "switch", "--quiet", "--create", "other")
    other(tagged, "data/raw/train.csv")
    tag_version(Revision(tagged.root, "HEAD"), "data", "minor", "elsewhere")
    tagged.ok("git", "switch", "--quiet", "--detach", "HEAD~1")
    assert due(tagged) == {}

    other(tagged, "data/raw/test.csv")

    assert due(tagged)["data"] == ("v1.1.1", "same columns and params, other content since v1.0.0")
