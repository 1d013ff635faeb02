"""Data of one's own travel: whoever clones the clone reproduces with them."""

import shutil

import pytest


@pytest.fixture
def bringer(small, tmp_path):
    """A clone in which a table of one's own was added and run, and nothing was pushed."""
    clone = small.clone(tmp_path / "bringer")
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("train", "test"):
        shutil.copy(small.root / f"data/raw/{name}.csv", mine)
    clone.ok("dvc", "remote", "modify", "--local", "embedded", "url", str(clone.root / ".dvc/storage"))
    clone.ok("dvckit", "data", "add", str(mine / "train.csv"), str(mine / "test.csv"), "--name", "mine")
    clone.edit(
        "params.yaml",
        ("source: synthetic", "source: files"),
        ("path: data/external/titanic", "path: data/external/mine"),
    )
    clone.ok("dvc", "repro", "--all-pipelines")
    return clone


@pytest.mark.faults
def test_data_of_ones_own_reach_a_clone_of_the_clone(bringer, tmp_path):
    bringer.ok("dvc", "push")
    bringer.commit("a table of my own")
    bringer.ok("dvckit", "models", "register")

    clone = bringer.clone(tmp_path / "second")
    clone.pull_added()  # as `make reproduce` does
    clone.ok("dvc", "repro", "--all-pipelines")

    assert clone.ok("git", "status", "--porcelain") == ""
    clone.ok("dvckit", "verify")


@pytest.mark.faults
def test_data_that_were_not_pushed_are_named(bringer):
    bringer.commit("a table of my own, not pushed")

    result = bringer.run("dvckit", "models", "register")

    assert result.code == 1
    assert "the default remote embedded does not have" in result.output
    assert "data/external/mine" in result.output
    assert "data/external/mine" in bringer.run("dvckit", "doctor").output
