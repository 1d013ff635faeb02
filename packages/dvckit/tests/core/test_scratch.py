import shutil
import subprocess
import sys

from dvckit.core.scratch import abandoned, private_folder, remove_abandoned

KILLED = """
import os, signal, sys
from pathlib import Path
from dvckit.core.scratch import private_folder
with private_folder(Path(sys.argv[1]), "it-") as folder:
    (folder / "secret").write_text("x")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(parent):
    subprocess.run([sys.executable, "-c", KILLED, str(parent)], check=False)
    (folder,) = abandoned(parent, "it-")
    return folder


def test_only_the_user_can_read_it_and_it_goes_at_the_end(tmp_path):
    with private_folder(tmp_path, "it-") as folder:
        assert folder.stat().st_mode & 0o077 == 0

    assert [*tmp_path.iterdir()] == []


def test_the_next_one_removes_what_a_kill_has_left(tmp_path):
    left = killed(tmp_path)

    with private_folder(tmp_path, "it-") as folder:
        assert [*tmp_path.iterdir()] == [folder] != [left]


def test_a_folder_in_use_stays(tmp_path):
    with private_folder(tmp_path, "it-") as one, private_folder(tmp_path, "it-") as other:
        remove_abandoned(tmp_path, "it-")

        assert one.is_dir()
        assert other.is_dir()


def test_a_link_is_not_followed(tmp_path):
    left = killed(tmp_path)
    left.rename(own := tmp_path / "own")
    left.symlink_to(own)

    remove_abandoned(tmp_path, "it-")

    assert (own / "secret").is_file()


def test_what_has_the_name_alone_stays(tmp_path):
    (tmp_path / "it-file").touch()
    (tmp_path / "it-folder").mkdir()

    remove_abandoned(tmp_path, "it-")

    assert len([*tmp_path.iterdir()]) == 2


def test_what_a_child_writes_into_a_folder_that_is_being_removed_goes_with_the_next(tmp_path, monkeypatch):
    """The lock goes last, so that the rest of the folder has one."""
    left = killed(tmp_path)
    (left / "copy").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)  # it writes as fast as this removes
        remove_abandoned(tmp_path, "it-")
    assert abandoned(tmp_path, "it-") == [left]

    remove_abandoned(tmp_path, "it-")

    assert [*tmp_path.iterdir()] == []
