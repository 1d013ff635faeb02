import json
import os
import re
import shutil
from pathlib import Path

import pytest

import dvckit
from dvckit.core.errors import UserError
from dvckit.registry.tags import tag_version, versions
from dvckit.repository.programs import (
    NotThereError,
    copy_index,
    dvc,
    environment,
    git,
    git_files,
    in_repository,
    readable,
    tracked,
)
from dvckit.repository.revision import Revision, head, resolve
from dvckit.snapshot.commits import check_branch, tag_object
from dvckit.testing import Repository

LATIN = os.fsdecode(b"caf\xe9")  # a name as an old system wrote it


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A git repository with one commit, whose subject and file name are in Latin-1; its user is in the environment."""
    project = Repository(tmp_path / "project")
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    project.root.mkdir()
    project.ok("git", "init", "--quiet", "--initial-branch", "main")
    (project.root / f"{LATIN}.dvc").write_text("outs: []")
    project.ok("git", "add", "--all")
    project.ok("git", "commit", "--quiet", "--message", LATIN)
    return project


def test_names_that_are_not_utf8_pass_through_and_are_shown_escaped(project):
    project.ok("git", "tag", "--annotate", "--message", LATIN, f"{LATIN}@v1.0.0")

    assert tracked(project.root) == [f"{LATIN}.dvc"]
    assert git_files(project.root, [("HEAD", f"{LATIN}.dvc")]) == [b"outs: []"]
    assert resolve(project.root, f"{LATIN}@v1.0.0") == head(project.root)
    assert Revision(project.root, "HEAD").added_files == [f"{LATIN}.dvc"]
    assert readable(LATIN) == "caf\\xe9"


def test_what_a_tag_says_in_latin1_can_be_written_as_json(project):
    project.ok("git", "tag", "--annotate", "--message", LATIN, "model@v1.0.0", GIT_COMMITTER_NAME=LATIN)

    (version,) = versions(project.root, "model")

    assert (version.author, version.message) == ("caf\\xe9", "caf\\xe9")
    json.dumps(version.as_json(), ensure_ascii=False).encode()


def test_a_subject_in_latin1_becomes_the_message_of_a_version(project):
    message = ["-c", "i18n.commitEncoding=ISO-8859-1", "commit", "--quiet", "--allow-empty", "--message", LATIN]
    project.ok("git", *message)
    subject = git(project.root, "log", "--max-count=1", "--format=%s")

    tag_version(Revision(project.root, "HEAD"), "model", "major", subject)

    assert [version.message for version in versions(project.root, "model")] == ["café"]


def test_a_tag_that_is_not_annotated_keeps_its_number(project):
    project.ok("git", "tag", "model@v1.0.0")

    with pytest.raises(UserError, match=r"tag 'model@v1\.0\.0' already exists"):
        tag_version(Revision(project.root, "HEAD"), "model", "major", "why")


def broken_index(project):
    (project.root / ".git/index").write_bytes(b"junk")


def broken_config(project):
    (project.root / ".git/config").write_text("[core\n")


def without_the_commit(project):
    project.ok("git", "tag", "old")
    commit = head(project.root)
    (project.root / ".git/objects" / commit[:2] / commit[2:]).unlink()


@pytest.mark.parametrize(
    ("damage", "look", "sentence"),
    [
        (broken_index, lambda root: Revision(root).files(), "index file smaller than expected"),
        (broken_config, lambda root: Revision(root, "v1"), "bad config line 1"),
        (broken_config, lambda root: Revision(root).committed("file"), "bad config line 1"),
        (broken_config, lambda root: Revision(root).repository, "bad config line 1"),
        (broken_config, check_branch, "bad config line 1"),
        (without_the_commit, lambda root: Revision(root, "old"), "old names no commit that this clone has"),
        (lambda project: shutil.rmtree(project.root / ".git"), check_branch, "not a git repository"),
    ],
)
def test_a_failure_of_git_is_a_sentence_of_git_and_not_an_absence(project, damage, look, sentence):
    damage(project)

    with pytest.raises(UserError, match=sentence) as raised:
        look(project.root)

    assert not isinstance(raised.value, NotThereError)


def test_what_is_not_there_is_told_from_a_failure(project):
    with pytest.raises(NotThereError):
        git(project.root, "config", "--get", "user.nickname")
    with pytest.raises(UserError, match="there is no revision 'v1'"):
        resolve(project.root, "v1")


def test_no_commit_yet_is_no_failure(tmp_path):
    project = Repository(tmp_path / "empty")
    project.root.mkdir()
    project.ok("git", "init", "--quiet")

    assert Revision(project.root).committed("file") is None


def test_dvc_works_in_its_folder_whatever_a_hook_says(toy, tmp_path, monkeypatch):
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))

    assert json.loads(dvc(toy.root, "status", "--json")) == {}


@pytest.fixture
def signed(project):
    """A repository whose user signs commits and tags with a key of SSH."""
    key = project.root.with_name("key")
    project.ok("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    for name, value in {
        "gpg.format": "ssh", "user.signingKey": f"{key}.pub", "commit.gpgSign": "true", "tag.gpgSign": "true",
        "log.showSignature": "true",
    }.items():  # fmt: skip
        project.ok("git", "config", name, value)
    return project


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen")
def test_tags_are_signed_where_the_user_signs_them(signed):
    commit = head(signed.root)

    made = tag_object(signed.root, "data@v1.0.0", commit, "why\n\nbecause")
    tag = tag_version(Revision(signed.root, "HEAD"), "model", "major", "why")

    for name in (made, tag):
        text = signed.ok("git", "cat-file", "tag", name)
        assert text.startswith(f"object {commit}\ntype commit\ntag ")
        assert "-----BEGIN SSH SIGNATURE-----" in text
    assert signed.ok("git", "tag") == f"{tag}\n"  # the object alone is no tag yet


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen")
def test_signatures_stay_out_of_what_is_read(signed):
    signed.ok("git", "commit", "--quiet", "--allow-empty", "--message", "signed")

    assert git(signed.root, "log", "--max-count=1", "--format=%s") == "signed\n"
    assert git(signed.root, "show", "--no-patch", "--format=%s") == "signed\n"


def test_a_tag_without_a_key_to_sign_it_is_not_made(project):
    project.ok("git", "config", "tag.gpgSign", "true")
    project.ok("git", "config", "gpg.program", "false")

    with pytest.raises(UserError, match="gpg failed to sign"):
        tag_object(project.root, "data@v1.0.0", head(project.root), "why")


def test_what_is_outside_the_repository_is_not_asked_of_git(project):
    (project.root / "teams/ours").mkdir(parents=True)
    paths = ["data.csv", "../shared.csv", "../../../outside.csv", "/etc/passwd", "https://example.org/x.csv"]

    assert in_repository(project.root / "teams/ours", paths) == ["../shared.csv", "data.csv"]
    assert in_repository(project.root, paths) == ["data.csv"]


def test_a_missing_program_and_a_missing_folder_are_told_apart(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"/gone is gone$"):
        git(tmp_path / "gone", "status")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(UserError, match=r"^git is not installed$"):
        git(tmp_path, "status")


def test_one_module_alone_starts_git():
    texts = {path.name: path.read_text() for path in Path(dvckit.__file__).parent.rglob("*.py")}

    assert [name for name, text in texts.items() if re.search(r'[(= ]\["git"', text)] == ["programs.py"]


def test_an_edit_as_young_as_the_index_is_seen_through_a_copy_of_it(tmp_path):
    """Git compares stat data, and the content where a file is no older than the index: a copy keeps the index's time."""
    project = Repository(tmp_path / "project")
    project.root.mkdir()
    project.ok("git", "init", "--quiet")
    project.ok("git", "config", "core.trustctime", "false")
    file = project.root / "params.yaml"
    for text in ("bands: 18\n", "bands: 20\n"):
        project.commit("the text before")
        file.write_text(text)
        for path in (file, project.root / ".git/index"):
            os.utime(path, (1e9, 1e9))

    index = tmp_path / "index"
    copy_index(project.root, index)
    git(project.root, "add", "--update", index=index)

    assert git(project.root, "diff", "--cached", "--name-only", index=index) == "params.yaml\n"


def test_a_program_sees_the_environment_of_the_user(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as the command sets it, for its own arithmetic
    monkeypatch.setenv("MINE", "yes")

    seen = environment()

    first = Path("/proc/self/environ").read_bytes()
    assert seen["MINE"] == "yes"
    assert ("OMP_NUM_THREADS" in seen) == (b"OMP_NUM_THREADS=" in first)
