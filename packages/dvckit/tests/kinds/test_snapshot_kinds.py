"""What a snapshot needs of a repository, and what it does without."""

import json
import shutil

import pytest

from dvckit.core.errors import UserError
from dvckit.snapshot import snapshot
from packages.dvckit.tests.kinds.builder import GIT, KINDS, build


@pytest.fixture(autouse=True)
def _identity(monkeypatch):
    for name, value in GIT.items():
        if name.startswith("GIT_"):
            monkeypatch.setenv(name, value)


def test_without_a_remote_that_is_said_before_anything_runs(tmp_path):
    root = build(KINDS["one stage"], tmp_path / "top")
    lines = []

    with pytest.raises(
        UserError, match=r"^there is no default remote to push to; run `dvc remote add --default NAME URL`$"
    ):
        snapshot.snapshot(root, "a version", lines.append)
    assert lines == []


def test_a_repository_without_dvc_is_told_to_make_it(tmp_path):
    root = build(KINDS["no run yet"], tmp_path / "top")
    shutil.rmtree(root / ".dvc")

    with pytest.raises(UserError, match=r"has no folder \.dvc; run `dvc init`, or `git restore \.dvc` where it was$"):
        snapshot.snapshot(root, "a version", print)


def test_what_git_keeps_alone_needs_no_remote(tmp_path, monkeypatch):
    root = build(KINDS["one key in two files"], tmp_path / "top")
    monkeypatch.setattr(snapshot, "dvc", lambda _, *arguments: "{}" if "status" in arguments else "")
    lines = []

    snapshot.snapshot(root, "a version", lines.append)

    assert lines[-1] == "nothing has changed: there is nothing to commit and nothing to tag"


def test_a_stage_that_always_runs_is_no_change(tmp_path, monkeypatch):
    root = build(KINDS["frozen stages and callbacks"], tmp_path / "top")
    asked = []
    status = {"tell": ["always changed"]}
    monkeypatch.setattr(snapshot, "dvc", lambda _, *arguments: asked.append(arguments) or json.dumps(status))

    snapshot._check_nothing_moved(root)

    assert asked == [("status", "--json", "dvc.yaml")]
    status["score"] = [{"changed outs": {"scores.json": "modified"}}]
    with pytest.raises(UserError, match=r"^files of score have changed in the meantime"):
        snapshot._check_nothing_moved(root)


def test_what_a_stage_reads_outside_of_the_project_is_not_asked_of_git(tmp_path):
    root = build(KINDS["frozen stages and callbacks"], tmp_path / "top")
    (root / "dvc.lock").write_text((root / "dvc.lock").read_text().replace("https://localhost/", "../"))

    snapshot._check_all_is_stored(root)
