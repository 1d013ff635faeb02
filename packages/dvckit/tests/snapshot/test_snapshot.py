import shutil
import socket

import pytest

from dvckit.core.errors import UserError
from dvckit.registry.tags import versions
from dvckit.snapshot.commits import copied_index
from dvckit.snapshot.snapshot import _check_all_is_stored, _check_nothing_moved, _push

# each reproduces and pushes; that `make test` sees it at all is the README's doing
pytestmark = pytest.mark.faults

WHY = ("dvckit", "snapshot", "--message", "why")


def tags(project):
    """Return the commit of each version's tag, and what it says."""
    history = versions(project.root, "data") + versions(project.root, "survival")
    return {version.tag: (version.revision.commit, version.message) for version in history}


def head(project):
    return project.ok("git", "rev-parse", "HEAD").strip()


def state(project):
    """What a snapshot that refuses leaves as it was."""
    return project.ok("git", "for-each-ref"), project.ok("git", "diff", "HEAD"), project.outputs()


def refused(project, **environment):
    """Run a snapshot that must refuse with a sentence and change nothing; return what it says."""
    before = state(project)
    code, output = project.run(*WHY, **environment)
    assert (code, output.count("\nerror: ") + output.startswith("error: ")) == (1, 1), output
    assert "Traceback" not in output
    assert state(project) == before
    return output


def completes(project):
    """See that the same command makes a whole version now."""
    project.ok(*WHY)
    assert {commit for commit, _ in tags(project).values()} == {head(project)}
    assert project.ok("git", "status", "--porcelain") == ""


def hook(project, name):
    path = project.root / ".git/hooks" / name
    path.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    path.chmod(0o755)
    return path


def test_what_changed_is_committed_and_tagged_and_the_rest_is_named(small):
    small.ok(*WHY)
    first = head(small)
    assert "nothing has changed" in small.ok(*WHY)
    assert set(tags(small)) == {"data@v1.0.0", "survival@v1.0.0"}
    (small.root / "notes.txt").write_text("mine")
    small.edit("params.yaml", ("max_depth: 10", "max_depth: 3"))
    small.edit("README.md", ("# titanic", "# Titanic"))

    output = small.ok("dvckit", "snapshot", "-m", "Flat trees")

    assert "reproduced: train, evaluate, " in output
    assert "untracked, and no stage names them: notes.txt\n" in output
    assert "README.md" in output.partition("committed ")[2]
    assert set(tags(small)) == {"data@v1.0.0", "survival@v1.0.0", "survival@v1.1.0"}
    assert tags(small)["data@v1.0.0"][0] == first == small.ok("git", "rev-parse", "HEAD~1").strip()
    assert tags(small)["survival@v1.1.0"][0] == head(small)
    assert tags(small)["survival@v1.1.0"][1] == "Flat trees\n\nother params (train.max_depth) since v1.0.0"
    assert small.ok("git", "status", "--porcelain") == "?? notes.txt\n"
    assert small.ok("git", "fsck", "--strict") == ""


def test_a_users_own_dataset_is_committed_and_its_findings_reported(small, tmp_path):
    small.ok(*WHY)
    mine = tmp_path / "mine"
    mine.mkdir()
    shutil.copy(small.root / "data/raw/test.csv", mine)
    header, first, *rest = (small.root / "data/raw/train.csv").read_text().splitlines(keepends=True)
    (mine / "train.csv").write_text("".join([header, first, "9999" + first[first.index(",") :], *rest]))
    small.ok("dvckit", "data", "add", str(mine))
    small.edit("params.yaml", ("source: synthetic", "source: files"), ("data/external/titanic ", "data/external/mine "))

    output = small.ok(*WHY, "--bump", "major")

    assert "look at this: " in output
    assert " in reports/data_quality.json: " in output
    assert "data/external/mine.dvc" in small.ok("git", "ls-files")
    assert set(tags(small)) == {"data@v1.0.0", "survival@v1.0.0", "data@v2.0.0", "survival@v2.0.0"}
    assert small.ok("git", "status", "--porcelain") == ""


def test_an_interrupted_commit_gets_its_tags(small):
    small.edit("params.yaml", ("repeats: 1", "repeats: 2"))
    small.ok(*WHY)
    commit = head(small)
    small.ok("git", "tag", "--delete", "data@v1.0.0", "survival@v1.0.0")

    completes(small)

    assert head(small) == commit


@pytest.mark.parametrize("name", ["pre-commit", "commit-msg", "reference-transaction"])
def test_a_failing_hook_stops_the_snapshot(small, name):
    small.edit("README.md", ("# titanic", "# Titanic"))
    failing = hook(small, name)

    assert ("ref updates aborted by hook" if name == "reference-transaction" else "not today") in refused(small)

    failing.unlink()
    completes(small)


def test_dvcs_hooks_do_not_stop_a_snapshot(small):
    small.ok("dvc", "install")
    small.edit("README.md", ("# titanic", "# Titanic"))

    completes(small)


def test_a_remote_that_is_gone_stops_it_before_anything_is_done(small):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    small.ok("dvc", "remote", "add", "--local", "--default", "far", f"http://127.0.0.1:{port}/objects")

    assert f"remote far (http://127.0.0.1:{port}/objects): 127.0.0.1:{port} cannot be reached" in refused(small)

    small.ok("dvc", "remote", "default", "--local", "--unset")
    completes(small)


def test_what_a_kill_has_left_is_fixed_first(small):
    (small.root / ".dvc/tmp/rwlock").write_text("")
    (small.root / ".git/index.lock").write_text("")
    (small.root / ".git/refs/heads/main.lock").write_text("")
    (small.root / ".git/index.dvckit.lock").write_text("")
    damaged = next((small.root / ".dvc/cache").glob("files/md5/??/*"))
    damaged.chmod(0o644)
    damaged.write_bytes(b"")
    damaged.chmod(0o444)
    small.edit("README.md", ("# titanic", "# Titanic"))
    before = small.outputs()

    completes(small)

    assert small.outputs() == before


def test_a_stage_that_fails_stops_it(small):
    small.edit("params.yaml", ("source: synthetic", "source: files"))

    assert "train.csv" in refused(small)


def test_without_a_name_for_the_commit_nothing_is_done(small):
    nobody = {f"GIT_{kind}_{part}": "" for kind in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}

    assert "git does not know who you are" in refused(small, **nobody)


def test_a_commit_that_would_be_lost_is_refused(small):
    small.ok("git", "checkout", "--quiet", "--detach")

    assert "run `git switch --create NAME`" in refused(small)


def test_a_merge_is_not_disturbed(small):
    small.ok("git", "switch", "--quiet", "--create", "other")
    small.edit("README.md", ("# titanic", "# Titanic"))
    small.commit("other")
    small.ok("git", "switch", "--quiet", "main")
    small.edit("README.md", ("# titanic", "# TITANIC"))
    small.commit("ours")
    small.run("git", "merge", "other")

    assert "git has files in conflict" in refused(small)

    small.ok("git", "checkout", "--ours", "README.md")
    small.ok("git", "add", "README.md")
    assert "a merge is under way; end it, or drop it with `git merge --abort`" in refused(small)


def test_a_wrong_key_stops_it(small):
    small.edit("params.yaml", ("diagnose:", "diagnoze:"))

    assert "unknown key diagnoze; did you mean diagnose?" in refused(small)


def test_a_version_has_a_reason(small):
    result = small.run("dvckit", "snapshot", "-m", " ")

    assert (result.code, result.output) == (1, "error: a version needs a reason; say it with --message\n")


def test_an_edit_in_the_meantime_is_noticed(small):
    _check_nothing_moved(small.root)
    small.edit("titanic/features.py", ("import", "import os\nimport"))

    with pytest.raises(UserError, match=r"^files of featurize, "):
        _check_nothing_moved(small.root)


def test_data_that_nobody_keeps_are_refused(small):
    _check_all_is_stored(small.root)
    shutil.copy(small.root / "data/raw/train.csv", small.root / "data/external/titanic")

    with pytest.raises(UserError, match=r"data/external/titanic/train[.]csv, which neither git nor DVC keeps"):
        _check_all_is_stored(small.root)


def test_bytecode_in_a_folder_that_a_stage_reads_is_not_data(small):
    folder = small.root / "packages/dvckit/src/dvckit/core/__pycache__"
    folder.mkdir(exist_ok=True)
    (folder / "errors.cpython-311.pyc").write_bytes(b"")

    _check_all_is_stored(small.root)


def test_what_dvc_wrongly_believes_to_be_pushed_is_pushed(small, tmp_path):
    folder = small.root / "data/external/mine"
    folder.mkdir()
    for name in ("one.csv", "two.csv"):
        (folder / name).write_text(name)
    small.ok("dvc", "add", "data/external/mine")
    small.ok("dvc", "remote", "add", "--default", "far", str(tmp_path / "far"))
    small.ok("dvc", "push")
    objects = [path for path in (tmp_path / "far").rglob("*") if path.is_file() and path.read_bytes() == b"one.csv"]
    objects[0].unlink()
    small.ok("dvc", "push")
    assert not objects[0].exists()

    _push(small.root)

    assert objects[0].read_bytes() == b"one.csv"


def test_an_index_that_somebody_changes_is_not_written_over(small):
    with copied_index(small.root) as index:
        index.add([])
        (small.root / "mine.txt").write_text("mine")
        small.ok("git", "add", "mine.txt")

        with pytest.raises(UserError, match="index was changed in the meantime"):
            index.replace()

    assert small.ok("git", "status", "--porcelain") == "A  mine.txt\n"


STEPS = {  # what each version of the history changes, and the tags that it gets
    "first": ((), {"data@v1.0.0", "survival@v1.0.0"}),
    "other data": ((("seed: 1912", "seed: 7"),), {"data@v1.1.0", "survival@v1.0.1"}),
    "other params": ((("max_depth: 10", "max_depth: 3"),), {"survival@v1.1.0"}),
    "other pipeline": ((("pipeline: random_forest", "pipeline: logistic_regression"),), {"survival@v1.2.0"}),
}


@pytest.mark.faults
def test_every_version_of_a_history_comes_back_to_the_byte(small, tmp_path):
    by_tag = {}
    for why, (replacements, expected) in STEPS.items():
        small.edit("params.yaml", *replacements)
        small.ok("dvckit", "snapshot", "-m", why)
        assert set(small.ok("git", "tag", "--points-at", "HEAD").split()) == expected
        by_tag[max(expected)] = small.outputs()
    stranger = small.clone(tmp_path / "stranger")

    for tag, outputs in by_tag.items():
        small.ok("git", "checkout", "--quiet", tag)
        small.ok("dvc", "checkout")
        assert small.outputs() == outputs
        stranger.ok("git", "checkout", "--quiet", tag)
        stranger.ok("dvc", "pull")
        assert stranger.outputs() == outputs
    assert "DIFFERENT" not in stranger.ok("dvckit", "verify")
    assert len({outputs["data/models/model.skops"] for outputs in by_tag.values()}) == len(by_tag)
