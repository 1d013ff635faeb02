import os
import shutil
import stat

import pytest

from dvckit.core.embedded import ensure_located, is_located
from dvckit.doctor import remotes
from dvckit.doctor.clone import Clone
from dvckit.doctor.doctor import fix
from dvckit.repository.remotes import read_config

OURS = "['remote \"embedded\"']\n    url = storage\n"


@pytest.fixture
def own(tmp_path):
    """The local configuration of a project with an embedded remote."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text(f"[core]\n    remote = embedded\n{OURS}    verify = true\n")
    return tmp_path / ".dvc/config.local"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, OURS),
        ("[core]\n    autostage = true", f"[core]\n    autostage = true\n{OURS}"),
        ("['remote \"s3\"']\n    url = storage\n", f"['remote \"s3\"']\n    url = storage\n{OURS}"),
        (
            "['remote \"embedded\"']\n    jobs = 2\n['remote \"b\"']\n    url = storage\n",
            f"{OURS}    jobs = 2\n['remote \"b\"']\n    url = storage\n",
        ),
        ("[cache]\n    dir = /home/jürgen/cache\n", f"[cache]\n    dir = /home/jürgen/cache\n{OURS}"),
    ],
)
def test_the_url_is_added_to_what_the_user_has(own, before, after):
    if before is not None:
        own.write_text(before)

    ensure_located(own.parents[1])

    assert own.read_text() == after
    assert is_located(own.parents[1])
    assert read_config(own.parents[1])["remote"]["embedded"]["url"] == str(own.with_name("storage"))


@pytest.mark.parametrize("url", ["storage", "/elsewhere", '"/else where"'])
def test_a_url_that_is_there_stays(own, url):
    own.write_text(f'[remote "embedded"]\nurl = {url}\n')

    ensure_located(own.parents[1])

    assert own.read_text() == f'[remote "embedded"]\nurl = {url}\n'


def test_the_absolute_path_of_the_folder_is_as_good(own):
    own.write_text(f"['remote \"embedded\"']\n    url = {own.with_name('storage')}\n")

    assert is_located(own.parents[1])


def test_a_project_whose_embedded_remote_is_another_is_left_alone(own):
    own.with_name("config").write_text("['remote \"embedded\"']\n    url = s3://bucket\n")

    ensure_located(own.parents[1])

    assert not own.exists()


def test_secrets_stay_readable_by_their_owner_alone(own):
    own.touch(0o600)

    ensure_located(own.parents[1])

    assert stat.S_IMODE(own.stat().st_mode) == 0o600


@pytest.mark.skipif(os.getuid() == 0, reason="root can write everywhere")
def test_a_clone_that_cannot_be_written_to_is_left_as_it_is(own):
    own.parent.chmod(0o555)

    ensure_located(own.parents[1])

    own.parent.chmod(0o755)
    assert not own.exists()


def test_doctor_locates_it_in_a_clone_where_nothing_of_ours_has_run(own):
    (finding,) = remotes.config(Clone(own.parents[1]))

    assert (finding.level, finding.command) == ("advice", "dvckit doctor --fix")
    fix(own.parents[1], print)
    assert own.read_text() == OURS
    assert [again.level for again in remotes.config(Clone(own.parents[1]))] == ["ok"]


def test_doctor_names_what_dvc_has_written_to_the_root_of_the_disk(own, tmp_path, monkeypatch):
    monkeypatch.setattr(remotes, "STRAY", tmp_path / "disk/.dvc/storage")
    assert [*remotes.stray(Clone(own.parents[1]))] == []
    remotes.STRAY.mkdir(parents=True)

    (finding,) = remotes.stray(Clone(own.parents[1]))

    assert finding.level == "WRONG"
    assert finding.command.endswith(f"&& rm -r {tmp_path}/disk/.dvc")
    (tmp_path / "disk/.dvc/config").touch()  # a project that is meant
    assert [*remotes.stray(Clone(own.parents[1]))] == []


@pytest.mark.faults
def test_every_revision_finds_the_embedded_remote_also_after_a_move(toy, tmp_path):
    """Each command of ours does it; DVC then pushes an experiment into the clone, not to the root of the disk."""
    toy.ok("git", "init", "--quiet", "--bare", str(tmp_path / "origin"))
    toy.ok("git", "remote", "add", "origin", str(tmp_path / "origin"))
    toy.run("dvckit", "verify")
    moved = toy.root.rename(tmp_path / "naïve ü")
    toy.root = moved
    toy.ok("dvc", "exp", "run", "--quiet", "-n", "other", "-S", "features.bands=20")
    shutil.rmtree(moved / ".dvc/storage")

    toy.ok("dvc", "exp", "push", "origin", "other")

    script = "from dvc.repo import Repo\nr = Repo()\nprint({r.config['remote']['embedded']['url'] for _ in r.brancher(all_commits=True)})"
    assert toy.ok("python", "-c", script) == f"{{'{moved}/.dvc/storage'}}\n"
    assert list((moved / ".dvc/storage").rglob("files/md5/*/*"))


def test_doctor_warns_of_a_path_that_dvc_cannot_write(own):
    ensure_located(own.parents[1])
    clone = own.parents[1].rename(own.parents[2] / "naïve")

    (finding,) = remotes.config(Clone(clone))

    assert (finding.level, finding.what[:20]) == ("advice", "letters outside ASCI")
