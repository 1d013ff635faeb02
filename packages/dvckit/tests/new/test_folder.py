import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from dvckit.core.errors import UserError
from dvckit.new.folder import check_identity, project_folder
from dvckit.testing import Repository

# Makes a project with a file and a program that starts another, says so, and waits.
PROGRAM = """
import contextlib, subprocess, sys, time
from pathlib import Path
from dvckit.new.folder import project_folder
with project_folder(Path("new")) as folder:
    (folder / "file").write_text("text")
    (folder / "data").symlink_to("../kept")
    {wait}
"""
CHILD = """
import subprocess, sys
child = "open('data/at work', 'w'); import time; [(time.sleep(.01), open('written', 'a').write('x')) for _ in range(9999)]"
subprocess.run([sys.executable, "-c", child])
"""
WAITS = {
    "in Python": "print('ready', flush=True); time.sleep(60)",
    "in a child": f"print('ready', flush=True); subprocess.run([sys.executable, '-c', {CHILD!r}], cwd=folder)",
    "lost in a library": "print('ready', flush=True)\n    with contextlib.suppress(KeyboardInterrupt): time.sleep(60)",
}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_stays_where_nothing_fails(tmp_path):
    with project_folder(tmp_path / "new") as folder:
        (folder / "file").write_text("text")

    assert names(tmp_path / "new") == ["file"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("failure", [UserError("no"), KeyboardInterrupt(), SystemExit(2), RuntimeError("bug")])
def test_it_is_removed_where_something_does(tmp_path, failure):
    (tmp_path / "beside").mkdir()

    def fail() -> None:
        with project_folder(tmp_path / "new") as folder:
            (folder / "sub").mkdir()
            (folder / "sub/file").write_text("text")
            (folder / "link").symlink_to(tmp_path / "beside")
            raise failure

    with pytest.raises(type(failure)) as raised:
        fail()

    assert raised.value is failure
    assert names(tmp_path) == ["beside"]


def test_what_has_its_name_stays(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")

    for name in ("folder", "file", "link"):
        with pytest.raises(UserError, match=f"{name} exists; name a folder that does not"):
            project_folder(tmp_path / name).__enter__()

    assert names(tmp_path) == ["file", "folder", "link"]
    assert names(tmp_path / "folder") == ["file"]


def test_its_parent_must_be_a_folder(tmp_path):
    (tmp_path / "file").write_text("mine")

    with pytest.raises(UserError, match="no/such is no folder; create it"):
        project_folder(tmp_path / "no/such/new").__enter__()
    with pytest.raises(UserError, match="file/new cannot be created: Not a directory"):
        project_folder(tmp_path / "file/new").__enter__()
    with pytest.raises(UserError, match="cannot be created: File name too long"):
        project_folder(tmp_path / ("n" * 300)).__enter__()


def test_its_parent_must_be_writable(tmp_path, monkeypatch):
    def refuse(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)  # root may write everywhere

    with pytest.raises(UserError, match="new cannot be created: Permission denied"):
        project_folder(tmp_path / "new").__enter__()


def test_a_full_disk_gives_one_sentence(tmp_path):
    with pytest.raises(UserError, match="is full; nothing is left"), project_folder(tmp_path / "new"):
        Path("/dev/full").write_text("text")

    assert names(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("wait", WAITS)
def test_a_signal_removes_it_and_ends_what_it_runs(tmp_path, number, wait):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/mine").write_text("mine")
    process = started(tmp_path, WAITS[wait])
    until(lambda: wait != "in a child" or (tmp_path / "kept/at work").exists())
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) == (2 if wait == "in a child" else 0)

    os.kill(process.pid, number)  # not its children: a terminal signals them, too, and `kill` does not

    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130 or errors.rstrip().endswith("KeyboardInterrupt")
    assert not any(child.is_running() for child in children)
    assert names(tmp_path) == ["kept"]
    assert "mine" in names(tmp_path / "kept")


@pytest.mark.faults
def test_a_signal_at_any_time_leaves_all_or_nothing(tmp_path):
    """From before the folder is there until the process has ended by itself, and a second one soon after."""
    lefts = set()
    for step in range(60):
        process = started(tmp_path, "print('ready', flush=True); time.sleep(.05)", wait_for=False)
        if step % 3:
            until((tmp_path / "new").exists)
        time.sleep(step / 1000)
        for number in (signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
            time.sleep(step % 7 / 10000)
        process.communicate(timeout=20)
        lefts.add((process.returncode == 0, tuple(names(tmp_path / "new")) if (tmp_path / "new").exists() else ()))
        subprocess.run(["rm", "-rf", "new"], cwd=tmp_path, check=True)

    assert lefts <= {(False, ()), (True, ("data", "file")), (False, ("data", "file"))}
    assert (False, ()) in lefts


def started(folder: Path, wait: str, *, wait_for: bool = True) -> subprocess.Popen[str]:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    command = [sys.executable, "-c", PROGRAM.format(wait=wait)]
    process = subprocess.Popen(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    if wait_for and process.stdout:
        assert process.stdout.readline() == "ready\n"
    return process


def until(holds) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_without_an_identity_nothing_begins(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("GIT_", "EMAIL"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    with pytest.raises(UserError, match="git does not know who you are") as error:
        check_identity(tmp_path)

    assert "`git config --global user.name NAME` and `git config --global user.email ADDRESS`" in str(error.value)
    repository = Repository(tmp_path)
    repository.ok("git", "config", "--global", "user.name", "Me", HOME=str(tmp_path))
    repository.ok("git", "config", "--global", "user.email", "me@localhost", HOME=str(tmp_path))
    check_identity(tmp_path)


def test_a_folder_that_is_not_there_is_no_question_of_who_commits(tmp_path):
    with pytest.raises(UserError, match="no/such is no folder; create it, or name another"):
        check_identity(tmp_path / "no/such")
