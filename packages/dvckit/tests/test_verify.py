import shutil

import pytest
from ruamel.yaml import YAML

from dvckit.core.errors import UserError
from dvckit.repository.objects import object_path
from dvckit.repository.remotes import missing_in_remote
from dvckit.repository.revision import Revision
from dvckit.testing import Repository
from dvckit.verify import verify

FEATURES = "data/features/train.parquet"


def verified(project):
    """Whether the project reproduces, and the lines about it."""
    lines = []
    return verify(project.root, lines.append), lines


def test_a_project_that_reproduces_is_verified(toy):
    holds, lines = verified(toy)

    assert holds
    assert lines[0].startswith("verify: commit ")
    assert lines[1].startswith("HEAD has no uv.lock: stages run with Python 3.")
    assert lines[2:] == [
        f"same       {stage} (1 file)" for stage in ("ingest", "featurize", "evaluate", "reports/dvc.yaml:report")
    ]
    assert toy.ok("git", "status", "--porcelain") == ""


def test_uncommitted_changes_have_no_effect(toy):
    toy.edit("params.yaml", ("18, 35", "20, 35"))

    holds, lines = verified(toy)

    assert holds
    assert lines[0].endswith(", without the uncommitted changes, in an empty clone")


def test_the_first_diverging_stage_is_reported_with_its_files(toy):
    """The lock of other params is beside these, as it is when somebody commits the one without the other."""
    toy.edit("params.yaml", ("18, 35", "20, 35"))
    lock = (toy.root / "dvc.lock").read_text()
    toy.ok("dvc", "repro", "--quiet")
    now = Revision(toy.root).md5s
    (toy.root / "dvc.lock").write_text(lock)
    before = Revision(toy.root).md5s
    toy.commit("params without their lock")

    holds, lines = verified(toy)

    assert not holds
    assert [line.split()[0] for line in lines if "file" in line] == ["same", "DIFFERENT", "same", "same"]
    assert lines[-1] == (
        f"first to diverge: featurize: {FEATURES} is {now[FEATURES]}, dvc.lock promises {before[FEATURES]}"
    )


def test_data_that_a_user_has_added_are_pulled(toy):
    (toy.root / "mine").mkdir()
    (toy.root / "mine/train.csv").write_text("a\n1\n")
    toy.ok("dvc", "add", "mine")
    toy.ok("dvc", "stage", "add", "-n", "copy", "-d", "mine", "-o", "copy.csv", "cp mine/train.csv copy.csv")
    toy.ok("dvc", "repro", "--quiet")
    toy.ok("dvc", "push", "--quiet")
    toy.commit("data of my own")

    holds, lines = verified(toy)

    assert holds, lines
    assert "same       copy (1 file)" in lines


def test_a_stage_missing_in_the_lock_is_reported(toy):
    lock = YAML(typ="safe").load(toy.root / "dvc.lock")
    del lock["stages"]["evaluate"]
    YAML().dump(lock, toy.root / "dvc.lock")
    toy.commit("a merge that was not run")

    holds, lines = verified(toy)

    assert not holds
    assert "DIFFERENT  evaluate (1 file)" in lines
    assert lines[-1].endswith("dvc.lock promises nothing")


def test_edited_files_and_objects_missing_in_the_remote_are_reported(toy):
    (toy.root / "reports/metrics.json").write_text("9\n")
    object_path(toy.root / ".dvc/storage", Revision(toy.root).md5s[FEATURES]).unlink()
    toy.commit("better by hand, and a hole in the storage")

    holds, lines = verified(toy)

    assert not holds
    assert [line.split(":")[0] for line in lines[2:4]] == ["EDITED     reports/metrics.json", f"MISSING    {FEATURES}"]
    assert "DIFFERENT" not in "".join(lines)


def test_a_clone_knows_what_its_remote_lacks_without_a_cache(toy, tmp_path):
    clone = toy.clone(tmp_path / "clone")
    assert missing_in_remote(clone.root, Revision(clone.root).all_md5s) == []

    shutil.rmtree(clone.root / ".dvc/storage/files")

    assert missing_in_remote(clone.root, Revision(clone.root).all_md5s) == [
        FEATURES,
        "data/raw/train.csv",
        "reports/report.html",
    ]


def test_a_remote_is_asked_as_the_local_config_has_it(toy, tmp_path):
    """As docs/docs/remotes.md sets it up: the address, and a password, are in the local config, which no clone has."""
    toy.ok("dvc", "remote", "add", "--default", "real", str(tmp_path / "unplugged"))
    toy.commit("a real remote")
    toy.ok("dvc", "remote", "modify", "--local", "real", "url", str(tmp_path / "real"))
    toy.ok("dvc", "push")

    holds, lines = verified(toy)

    assert holds
    assert "MISSING" not in "".join(lines)


def test_a_pipeline_that_does_not_run_is_reported(toy):
    toy.edit("dvc.yaml", ("wc -l", "false"))
    toy.commit("broken")

    result = toy.run("dvckit", "verify")

    assert result.code == 1
    assert "failed to reproduce 'evaluate'" in result.output
    assert "verify.py" not in result.output


def test_what_a_stage_says_last_is_part_of_the_error(toy):
    toy.edit("dvc.yaml", ("wc -l", "echo No module named mlflow >&2; false"))
    toy.commit("a package that is not there")

    with pytest.raises(
        UserError, match=r"^`dvc repro` failed: No module named mlflow; ERROR: failed to reproduce 'evalu"
    ):
        verified(toy)


def test_a_lock_with_conflict_markers_is_reported(toy):
    toy.edit("dvc.lock", ("schema: '2.0'", "<<<<<<< HEAD\nschema: '2.0'"))
    toy.commit("a merge gone wrong")

    with pytest.raises(UserError, match=r"^dvc\.lock cannot be read"):
        verified(toy)


def test_a_commit_without_a_lock_is_reported(toy):
    toy.ok("git", "rm", "--quiet", "dvc.lock", "reports/dvc.lock")
    toy.commit("no lock")

    with pytest.raises(UserError, match=r"^HEAD has no dvc\.lock that promises an output; run"):
        verified(toy)


def test_outside_of_a_project_there_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()

    result = Repository(tmp_path / "empty").run("dvckit", "verify")

    assert result.code == 1
    assert "is not inside a DVC project" in result.output


def test_without_a_commit_there_is_an_error(toy):
    shutil.rmtree(toy.root / ".git")
    toy.ok("git", "init", "--quiet")

    result = toy.run("dvckit", "verify")

    assert result.code == 1
    assert "does not have any commits yet" in result.output
    assert "Traceback" not in result.output
