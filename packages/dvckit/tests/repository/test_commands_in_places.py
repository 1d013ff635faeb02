"""Whole commands, with DVC, in the places where they once failed: what each says, and that it leaves nothing behind."""

import shutil

import pytest

from dvckit.repository.revision import Revision
from dvckit.sweep.base import Base, private_folder
from dvckit.sweep.record import Recorder
from dvckit.testing import Repository

pytestmark = pytest.mark.faults

ASCII = {"LANG": "C", "LC_ALL": "C"}  # a machine without any locale


def monorepo(toy):
    outer = Repository(toy.root.with_name("outer"))
    shutil.copytree(toy.root, outer.root / "teams/ours", ignore=shutil.ignore_patterns(".git"), symlinks=True)
    outer.ok("git", "init", "--quiet", "--initial-branch", "main")
    outer.commit("all of us")
    return outer.root / "teams/ours"


def worktree(toy):
    toy.ok("git", "worktree", "add", "--quiet", "-b", "side", "../side")
    side = Repository(toy.root.with_name("side"))
    side.ok("dvc", "pull", "--quiet")
    return side.root


def shallow(toy):
    toy.ok("git", "commit", "--quiet", "--allow-empty", "--message", "again")
    toy.ok("git", "clone", "--quiet", "--depth", "1", toy.root.as_uri(), "../shallow")
    clone = Repository(toy.root.with_name("shallow"))
    clone.ok("dvc", "pull", "--quiet")
    return clone.root


def moved(name):
    return lambda toy: toy.root.rename(toy.root.with_name(name))


@pytest.fixture(
    params={
        "monorepo": monorepo, "worktree": worktree, "shallow": shallow, "non-ASCII": moved("Schöne Äpfel ł"),
        "symbols": moved("a?b#c%20d,e'f [x]"),
    }.items(),
    ids=lambda item: item[0],
)  # fmt: skip
def place(request, toy):
    """The toy project in a place, on a machine without locales."""
    project = Repository(request.param[1](toy))
    project.environment |= ASCII | {name: toy.environment[name] for name in ("HOME", "DVC_SITE_CACHE_DIR")}
    return project


def test_commands_work_in_each_place(place):
    assert "same       featurize (1 file)" in place.ok("dvckit", "verify")
    assert place.ok("dvckit", "doctor").endswith("nothing is wrong\n")

    place.edit("params.yaml", ("18, 35", "20, 35"))
    output = place.ok("dvckit", "snapshot", "--message", "naïve bands")

    assert "reproduced: featurize, evaluate" in output
    assert "params.yaml" in output.partition("committed ")[2]
    assert place.ok("git", "status", "--porcelain") == ""
    assert Revision(place.root, "HEAD").md5s == Revision(place.root).md5s
    assert place.ok("dvckit", "doctor").endswith("nothing is wrong\n")
    assert "same       featurize (1 file)" in place.ok("dvckit", "verify")


@pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # of DVC
def test_a_sweep_reads_the_project_in_each_place(place, monkeypatch):
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    (place.root / "params.yaml").write_text("features:\n  bands: 20, 35\n")
    with private_folder(place.root) as folder:
        base = Base(place.root, folder)
        recorder = Recorder(base)

        assert [stage.name for stage in base.stages(())] == ["ingest", "featurize", "evaluate"]
        assert base.changed == ["params.yaml"]
        assert (base.copy / "params.yaml").read_text() == "features:\n  bands: 20, 35\n"
        assert recorder.existing() == {}
