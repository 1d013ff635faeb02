"""Places where a repository may live, and what our commands do with git and DVC there: each in each."""

import os
import shutil
from pathlib import Path

import pytest

from dvckit.doctor.clone import WRONG
from dvckit.doctor.doctor import look
from dvckit.registry.tags import tag_version, versions
from dvckit.repository.objects import md5_of, object_path
from dvckit.repository.programs import git
from dvckit.repository.remotes import cloned
from dvckit.repository.revision import Revision
from dvckit.snapshot.commits import check_branch, commit, copied_index, publish, tag_object
from dvckit.testing import Repository

DVC_YAML = "stages:\n  copy: {cmd: cp in.csv out.csv, deps: [in.csv], outs: [out.csv, mäße/teil.csv]}\n"
TABLE, PART = b"a\n1\n", b"b\n2\n"
OUTPUTS = {"out.csv": TABLE, "mäße/teil.csv": PART, "über/model.bin": PART}


def entry(path, content):
    return f"{{path: {path}, hash: md5, md5: {md5_of(content)}, size: {len(content)}}}"


def lock(stage, outs):
    return f"schema: '2.0'\nstages:\n  {stage}:\n    cmd: cp in.csv out.csv\n    outs: [{', '.join(outs)}]\n"


def write_project(root):
    """Write a DVC project of two pipelines, run and pushed, by hand: no process is needed for it."""
    files = {
        "dvc.yaml": DVC_YAML.encode(),
        "dvc.lock": lock("copy", [entry(name, OUTPUTS[name]) for name in ("out.csv", "mäße/teil.csv")]).encode(),
        "über/dvc.yaml": b"stages:\n  fit: {cmd: cp in.csv model.bin, outs: [model.bin]}\n",
        "über/dvc.lock": lock("fit", [entry("model.bin", PART)]).encode(),
        ".dvc/config": b"[core]\n    remote = embedded\n['remote \"embedded\"']\n    url = storage\n    verify = true\n",
        ".dvc/config.local": b"['remote \"embedded\"']\n    url = storage\n",
        ".dvc/.gitignore": b"/config.local\n/tmp\n/cache\n",
        ".gitignore": "/out.csv\n/mäße/\n/über/model.bin\n".encode(),
        "in.csv": TABLE,
    } | {str(object_path(Path(".dvc/storage"), md5_of(content))): content for content in (TABLE, PART)}
    for name, content in (files | OUTPUTS).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def local(root):
    """Copy what git does not have, as a user's work in a clone does."""
    for name, content in OUTPUTS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / ".dvc/config.local").write_text("['remote \"embedded\"']\n    url = storage\n")
    return root


@pytest.fixture(scope="module")
def _made(tmp_path_factory):
    project = Repository(tmp_path_factory.mktemp("made") / "project")
    write_project(project.root)
    project.ok("git", "init", "--quiet", "--initial-branch", "main")
    project.commit("first")
    project.commit("made")
    return project


@pytest.fixture
def made(_made, tmp_path, monkeypatch):
    """A project with two commits; who commits is in the environment of this process."""
    for name, value in _made.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    shutil.copytree(_made.root, tmp_path / "made", symlinks=True)
    return Repository(tmp_path / "made")


def moved(name):
    def place(project):
        return project.root.rename(project.root.with_name(name))

    return place


def worktree(project):
    project.ok("git", "worktree", "add", "--quiet", "-b", "side", "../side")
    return local(project.root.with_name("side"))


def submodule(project):
    outer = Repository(project.root.with_name("outer"))
    outer.root.mkdir()
    outer.ok("git", "init", "--quiet", "--initial-branch", "main")
    outer.ok("git", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(project.root), "inner")
    outer.commit("with a submodule")
    return local(outer.root / "inner")


def monorepo(project):
    outer = Repository(project.root.with_name("outer"))
    shutil.copytree(project.root, outer.root / "teams/über uns", ignore=shutil.ignore_patterns(".git"))
    (outer.root / "dvc.yaml").write_text("another team's")
    outer.ok("git", "init", "--quiet", "--initial-branch", "main")
    outer.commit("all of us")
    return outer.root / "teams/über uns"


def shallow(project):
    project.ok("git", "clone", "--quiet", "--depth", "1", project.root.as_uri(), "../shallow")
    return local(project.root.with_name("shallow"))


def sparse(project):
    project.ok("git", "sparse-checkout", "set", "--no-cone", "/*", "!/in.csv")
    return project.root


def detached(project):
    project.ok("git", "checkout", "--quiet", "--detach")
    return project.root


def symlinked(project):
    project.root.with_name("link").symlink_to(project.root)
    return project.root.with_name("link")


def configured(project):
    """In what users configure for the eye, or for all of their repositories."""
    hooks = project.root.with_name("shared-hooks")
    hooks.mkdir()
    (hooks / "post-checkout").write_text("#!/bin/sh\necho not here >&2\nexit 1\n")
    (hooks / "post-checkout").chmod(0o755)
    for name, value in {
        "core.hooksPath": str(hooks), "color.ui": "always", "log.showSignature": "true", "diff.relative": "true",
        "status.short": "true", "core.quotePath": "true", "clone.rejectShallow": "true", "grep.fullName": "true",
        "i18n.logOutputEncoding": "latin1", "push.default": "nothing", "core.autocrlf": "input",
    }.items():  # fmt: skip
        Repository(project.root).ok("git", "config", "--global", name, value, HOME=os.environ["HOME"])
    return project.root


PLACES = {
    "plain": moved("project"),
    "worktree": worktree,
    "submodule": submodule,
    "monorepo": monorepo,
    "shallow": shallow,
    "sparse": sparse,
    "detached": detached,
    "non-ASCII": moved("Schöne Äpfel ł"),
    "blank": moved(" two words "),
    "symbols": moved("a?b#c%20d,e'f\"g$HOME[x];~"),
    "symlinked": symlinked,
    "configured": configured,
}


@pytest.fixture(params=PLACES)
def place(request, made, tmp_path, monkeypatch):
    """The root of the project in a place."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir(exist_ok=True)
    return PLACES[request.param](made)


@pytest.fixture(params=["alone", "in a hook"])
def surroundings(request, tmp_path, monkeypatch):
    """Nothing, or what git gives to the hooks of another repository; what that is like afterwards is to be the same."""
    other = Repository(tmp_path / "other")
    other.root.mkdir()
    other.ok("git", "init", "--quiet", "--initial-branch", "main")
    (other.root / "file").write_text("theirs")
    other.commit("theirs")
    state = [other.ok("git", "for-each-ref"), (other.root / ".git/index").read_bytes(), other.ok("git", "status", "-s")]
    with monkeypatch.context() as patch:
        if request.param == "in a hook":
            for name, path in {"GIT_DIR": ".git", "GIT_INDEX_FILE": ".git/index", "GIT_WORK_TREE": ""}.items():
                patch.setenv(name, str(other.root / path))
            patch.setenv("GIT_PREFIX", "")
            patch.setenv("GIT_LITERAL_PATHSPECS", "1")
        yield
    now = [other.ok("git", "for-each-ref"), (other.root / ".git/index").read_bytes(), other.ok("git", "status", "-s")]
    assert now == state


pytestmark = pytest.mark.usefixtures("surroundings")


def test_a_commit_and_the_workspace_are_read(place):
    for name in ("HEAD", None):
        revision = Revision(place, name)

        assert revision.locks == ["dvc.lock", "über/dvc.lock"]
        assert {path: revision.read(path) for path in revision.md5s} == OUTPUTS
        assert ("in.csv" in revision.files()) == (name == "HEAD" or (place / "in.csv").exists())


def test_verify_and_register_get_a_clone_of_the_commit(place):
    with cloned(place, Revision(place, "HEAD").commit) as clone:
        assert Revision(clone).md5s == Revision(place, "HEAD").md5s
        assert (clone / "in.csv").read_bytes() == TABLE
        assert Revision(clone).default_remote[1]["url"] == str(clone / ".dvc/storage")


def test_doctor_looks_at_everything_and_nothing_is_wrong(place):
    findings = look(place, 30)

    assert [str(finding) for finding in findings if finding.level == WRONG] == []
    assert any("3 outputs, each what" in finding.what for finding in findings), findings


def test_a_snapshot_commits_and_tags_what_it_says(place):
    if git(place, "rev-parse", "--abbrev-ref", "HEAD").strip() == "HEAD":
        return  # refused, see below
    (place / "über/dvc.yaml").write_text("stages:\n  fit: {cmd: cp in.csv model.bin, outs: [model.bin], desc: new}\n")
    (place / "neu.txt").write_text("new")
    before = git(place, "rev-parse", "HEAD").strip()
    with copied_index(place) as index:
        check_branch(place)
        index.add(["neu.txt"])
        new = commit(index, "naïve")
        tags = {"data@v1.0.0": tag_object(place, "data@v1.0.0", new, "why")}
        publish(index, before, new, tags, "naïve")

    assert Revision(place, "HEAD").commit == Revision(place, "data@v1.0.0").commit == new
    assert [version.message for version in versions(place, "data")] == ["why"]
    assert Revision(place, "HEAD").file("neu.txt") == b"new"
    assert Revision(place, "HEAD").definitions("über/dvc.lock")["fit"]["desc"] == "new"
    assert git(place, "status", "--porcelain") == ""


def test_a_version_is_registered_at_the_commit(place):
    revision = Revision(place, "HEAD")

    assert tag_version(revision, "model", "major", "a message") == "model@v1.0.0"
    assert [(version.tag, version.revision.commit) for version in versions(place, "model")] == [
        ("model@v1.0.0", revision.commit)
    ]
