"""What is known of versions of a project that has little: no predictions, no slices, and folders of its own."""

import json
import shutil

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from ruamel.yaml import YAML

from dvckit.core.errors import UserError
from dvckit.registry.export import export
from dvckit.registry.facts import check_line_ends, differing, facts
from dvckit.registry.registry import models
from dvckit.registry.tags import model_version
from dvckit.repository.revision import Revision


@pytest.fixture
def export_version(tiny, tmp_path):
    """Export the version that was made with these parameters; return its folder."""
    return lambda params: export(tiny(params).root, "v1.0.0", tmp_path / "out")


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
    assert "- `train.depth`: `3`" in card
    assert "architectureFamily" not in parameters


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"source": "synthetic", "rows": 9, "seed": 4}, "synthetic: a program made up 9 rows from seed 4, and what is"),
        ({"source": "files", "path": "mine"}, "the user's own files, from the folder mine)"),
        ({"path": "mine"}, "the user's own files, from the folder mine)"),
        ({"source": "web", "mirrors": ["https://a.org"]}, r"downloaded from https\://a.org, or from another mirror"),
        ({"source": "kaggle"}, "downloaded from Kaggle)"),
        ({"source": "sensors"}, "sensors)"),
        ({}, "from a source that no parameter names)"),
    ],
)
def test_the_card_describes_the_data_and_their_source(export_version, source, words):
    folder = export_version({"dataset": source})

    assert f"Beams of a warehouse ({words}" in (folder / "README.md").read_text()


@pytest.mark.parametrize("content", ["stages: {}", None])
def test_a_version_whose_lock_lacks_the_model_is_incomplete(tiny, content):
    """The tag was made by hand: `dvckit models register` refuses such a commit."""
    project = tiny()
    (project.root / "dvc.lock").unlink()
    if content:
        (project.root / "dvc.lock").write_text(content)
    project.commit("without the model")
    project.ok("git", "tag", "-a", "-m", "by hand", "grades@v1.1.0")

    expected = r"grades@v1\.1\.0 is incomplete: no dvc\.lock of its commit names fitted/model\.skops; register one that"
    with pytest.raises(UserError, match=expected):
        facts(model_version(project.root, "v1.1.0"))


@pytest.mark.parametrize("content", ["[]", '{"holdout": {"f1": null, "auc": "x"}}', "{"])
def test_metrics_of_another_form_are_no_scores_in_the_list(tiny, content):
    project = tiny()
    (project.root / "reports/metrics.json").write_text(content)
    project.commit("other metrics")
    project.ok("git", "tag", "-a", "-m", "by hand", "grades@v1.1.0")

    assert [scores for _, scores in models(project.root)] == [{}, {"accuracy": 0.5}]


@pytest.fixture
def differing_after(tiny):
    """Change files, a path with its text each, and commit; return what the locks do not name."""

    def differing_after(changes, params=None):
        project = tiny(params or {})
        assert differing(Revision(project.root, "HEAD")) == []
        for name, text in changes.items():
            (project.root / name).write_text(text)
        project.commit("without a run")
        return differing(Revision(project.root, "HEAD"))

    return differing_after


@pytest.mark.parametrize("path", ["code/fit.py", "reports/metrics.json", "source/train.csv"])
def test_a_file_that_was_committed_without_a_run_is_named(differing_after, path):
    assert differing_after({path: "{}"}) == ["code" if path == "code/fit.py" else path]


def test_a_file_that_was_added_to_a_folder_of_code_without_a_run_is_named(differing_after):
    assert differing_after({"code/more.py": ""}) == ["code"]


def test_a_parameter_that_was_committed_without_a_run_is_named(differing_after):
    assert differing_after({"params.yaml": "train: {depth: 4}"}, {"train": {"depth": 3}}) == ["train.depth"]


def test_a_folder_that_nobody_keeps_is_named_unless_dvc_added_it(tiny):
    project = tiny()
    project.ok("git", "rm", "--quiet", "-r", "code")
    project.commit("lost")
    assert differing(Revision(project.root, "HEAD")) == ["code"]

    (project.root / "code.dvc").write_text("outs: []")
    project.commit("added")

    assert differing(Revision(project.root, "HEAD")) == []


def test_line_ends_that_git_changes_are_named_with_the_command_that_cures_them(tiny):
    project = tiny()
    (project.root / ".gitattributes").write_text("*.py text eol=lf\n")
    (project.root / "code/fit.py").write_bytes(b"import this\r\n")
    (project.root / "code/read.py").write_bytes(b"import csv")
    project.commit("saved on Windows")
    assert project.ok("git", "status", "--porcelain") == ""

    with pytest.raises(
        UserError, match=r"git stores code/fit\.py with other line ends than stages read; save it with LF"
    ):
        check_line_ends(Revision(project.root, "HEAD"))

    (project.root / "code/fit.py").write_bytes(b"import this\n")
    check_line_ends(Revision(project.root, "HEAD"))


def test_a_project_keeps_each_byte_as_a_stage_read_it(tiny, source):
    project = tiny()
    shutil.copyfile(source / ".gitattributes", project.root / ".gitattributes")
    (project.root / "code/fit.py").write_bytes(b"import this\r\n")
    project.ok("git", "config", "core.autocrlf", "true")
    project.commit("saved on Windows")

    assert Revision(project.root, "HEAD").file("code/fit.py") == b"import this\r\n"
    assert (
        project.clone(project.root.with_name("clone")).root.joinpath("code/fit.py").read_bytes() == b"import this\r\n"
    )
