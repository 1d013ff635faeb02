import shutil

import pytest
from ruamel.yaml import YAML

from titanic.versions.remote import missing_in_remote
from titanic.versions.repository import locked_outputs


def test_a_project_that_reproduces_is_verified(small):
    said = small.ok("titanic", "verify")

    lines = said.splitlines()
    assert lines[0].startswith("verify: commit ")
    assert [line.split()[0] for line in lines[1:]] == ["same"] * 8
    assert [line.split()[1] for line in lines[1:3]] == ["ingest", "validate"]
    assert small.ok("git", "status", "--porcelain") == ""


@pytest.mark.faults
def test_the_first_stage_that_diverges_is_told_with_its_files(small):
    """The lock of another seed stands beside this code, as it does when somebody commits the one without the other."""
    small.edit("params.yaml", ("age_bands: [13,", "age_bands: [12,"))
    lock = (small.root / "dvc.lock").read_text()
    small.ok("dvc", "repro")
    real = {output.path: output.md5 for output in locked_outputs(small.root)}
    (small.root / "dvc.lock").write_text(lock)
    small.commit("code without its lock")

    done = small.run("titanic", "verify")

    assert done.code == 1
    verdict = {line.split()[1]: line.split()[0] for line in done.said.splitlines() if "files)" in line}
    assert (verdict["validate"], verdict["featurize"], verdict["train"]) == ("same", "DIFFERENT", "DIFFERENT")
    first = [line for line in done.said.splitlines() if line.startswith("first to diverge: ")]
    assert [line.split()[4] for line in first] == ["data/features/test.parquet", "data/features/train.parquet"]
    assert real["data/features/train.parquet"] in first[1]


def test_a_stage_that_the_lock_lacks_is_told(small):
    lock = YAML(typ="safe").load(small.root / "dvc.lock")
    del lock["stages"]["evaluate"]
    YAML().dump(lock, small.root / "dvc.lock")
    small.commit("a merge that was not run")

    done = small.run("titanic", "verify")

    assert done.code == 1
    assert "DIFFERENT  evaluate" in done.said
    assert "dvc.lock promises nothing" in done.said


def test_what_was_edited_and_what_the_remote_lacks_is_told(small):
    small.edit("reports/metrics.json", ("holdout", "hold_out"))
    model = next(o for o in locked_outputs(small.root) if o.path == "data/models/model.skops")
    (small.root / ".dvc/storage/files/md5" / model.md5[:2] / model.md5[2:]).unlink()
    small.commit("better by hand, and a hole in the storage")

    done = small.run("titanic", "verify")

    assert done.code == 1
    assert "EDITED     reports/metrics.json" in done.said
    assert "MISSING    data/models/model.skops" in done.said
    assert "DIFFERENT" not in done.said


def test_a_clone_knows_what_its_remote_lacks_without_a_cache(small, tmp_path):
    clone = small.clone(tmp_path / "clone")
    assert missing_in_remote(clone.root) == []

    shutil.rmtree(clone.root / ".dvc/storage/files")

    kept_by_git = small.ok("git", "ls-files").split()
    objects = {output.path: output.md5 for output in locked_outputs(clone.root) if output.path not in kept_by_git}

    # of two outputs with the same bytes DVC names one
    assert {objects[path] for path in missing_in_remote(clone.root)} == set(objects.values())


def test_a_remote_is_asked_as_the_local_config_has_it(small, tmp_path):
    """As docs/docs/remotes.md sets it up: the address, and a password, stand in the local config, which no clone has."""
    small.ok("dvc", "remote", "add", "--default", "real", str(tmp_path / "unplugged"))
    small.commit("a real remote")
    small.ok("dvc", "remote", "modify", "--local", "real", "url", str(tmp_path / "real"))
    small.ok("dvc", "push")

    said = small.ok("titanic", "verify")

    assert "MISSING" not in said


def test_a_pipeline_that_does_not_run_is_told(small):
    small.edit("titanic/modeling/split.py", ("import pandas as pd", "import pandas as pd\nimport pandsa"))
    small.commit("broken")

    done = small.run("titanic", "verify")

    assert done.code == 1
    assert "failed to reproduce 'split'" in done.said
    assert "verify.py" not in done.said


def test_a_lock_with_conflict_markers_is_told(small):
    small.edit("dvc.lock", ("schema: '2.0'", "<<<<<<< HEAD\nschema: '2.0'"))
    small.commit("a merge gone wrong")

    done = small.run("titanic", "verify")

    assert done.code == 1
    assert "dvc.lock cannot be read" in done.said


def test_outside_of_a_project_there_is_a_sentence(small, tmp_path):
    done = type(small)(tmp_path).run("titanic", "verify")

    assert done.code == 1
    assert "is not inside a project" in done.said


def test_without_a_commit_there_is_a_sentence(small):
    shutil.rmtree(small.root / ".git")
    small.ok("git", "init", "--quiet")

    done = small.run("titanic", "verify")

    assert done.code == 1
    assert "does not have any commits yet" in done.said
    assert "Traceback" not in done.said
