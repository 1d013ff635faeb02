"""What is held by a disk that does not answer, a pipe in a file's place, or a command of DVC's that waits for a server."""

import ctypes
import os
import shutil
import signal
import time
from functools import partial

import psutil
import pytest

from dvckit.core.errors import UserError
from dvckit.doctor.clone import Clone
from dvckit.doctor.objects import objects
from dvckit.doctor.remotes import default
from dvckit.repository import patience
from dvckit.repository.objects import file_md5, object_path
from dvckit.repository.patience import NoAnswerError, within
from dvckit.repository.remotes import folder_fault, use_remote
from dvckit.repository.revision import Revision
from packages.dvckit.tests.remotes import hostile
from packages.dvckit.tests.remotes.hostile import serving, status

FEATURES = "data/features/train.parquet"
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")


@pytest.fixture
def dead_mount(tmp_path):
    """A folder of a file system whose program says nothing: whoever looks at it waits."""
    libc, folder = ctypes.CDLL(None, use_errno=True), tmp_path / "dead"
    folder.mkdir()
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    assert libc.mount(b"dead", os.fsencode(folder), b"fuse", 0, options) == 0, os.strerror(ctypes.get_errno())
    yield folder
    os.close(device)  # who waits gets an error
    libc.umount2(os.fsencode(folder), 2)


def use(project, url):
    """Make a remote the default one, and let the objects be nowhere else."""
    config = project.root / ".dvc/config.local"
    config.write_text(f"[core]\n    remote = far\n['remote \"far\"']\n    url = {url}\n")
    shutil.rmtree(project.root / ".dvc/cache")
    project.ok("git", "rm", "-r", "--quiet", ".dvc/storage")
    project.commit("objects elsewhere")
    (project.root / FEATURES).unlink()


def objects_of(project):
    """Return the objects of a project by their names."""
    files = (project.root / ".dvc/cache").glob("files/md5/??/*")
    return {path.parent.name + path.name: path.read_bytes() for path in files}


def test_what_a_function_returns_or_raises_is_passed_on():
    assert within(lambda: 3) == 3
    with pytest.raises(FileNotFoundError):
        within(partial(os.stat, "/nowhere"))


def test_a_function_that_hangs_is_left_behind():
    reader, writer = os.pipe()
    with pytest.raises(NoAnswerError, match="no answer within 0 s"):
        within(partial(os.read, reader, 1), 0.1)
    os.close(writer)
    time.sleep(0.1)
    os.close(reader)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_stands_in_the_place_of_an_object_and_is_no_file_is_damaged(toy, make):
    md5 = Revision(toy.root).md5s[FEATURES]
    place = object_path(toy.root / ".dvc/cache", md5)
    place.unlink()
    make(place)

    assert file_md5(place) == "unreadable"
    assert Revision(toy.root).stored(md5) == (toy.root / FEATURES).read_bytes()
    (line,) = [finding.what for finding in objects(Clone(toy.root)) if md5 in finding.what]
    assert line == f"cache: the object {md5} ({FEATURES}) is damaged"


def test_doctor_ends_where_an_object_is_a_pipe_and_puts_the_file_in_its_place(toy):
    md5 = Revision(toy.root).md5s[FEATURES]
    place = object_path(toy.root / ".dvc/cache", md5)
    place.unlink()
    os.mkfifo(place)

    assert f"fixed   cache: the object {md5}" in toy.run("timeout", "60", "dvckit", "doctor", "--fix").output
    assert place.read_bytes() == (toy.root / FEATURES).read_bytes()


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda _: None, "the folder does not exist"),
        (os.mkfifo, "it is not a folder"),
        (lambda path: path.touch(), "it is not a folder"),
    ],
)
def test_what_is_no_folder_is_no_remote(tmp_path, make, fault):
    make(tmp_path / "far")

    assert folder_fault(tmp_path / "far") == fault


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_forbidden_folder_is_said_to_be(tmp_path):
    tmp_path.chmod(0)

    assert folder_fault(tmp_path) == "it cannot be read (Permission denied)"


def test_a_damaged_object_of_a_folder_is_named(toy, tmp_path):
    md5 = Revision(toy.root).md5s[FEATURES]
    use(toy, tmp_path / "far")
    place = object_path(tmp_path / "far", md5)
    place.parent.mkdir(parents=True)
    os.mkfifo(place)

    with pytest.raises(UserError, match=rf"remote far \({tmp_path}/far\): what it has is damaged$"):
        Revision(toy.root).read(FEATURES)


@pytest.mark.system
@root_only
def test_a_dead_mount_is_named_by_whoever_needs_it(toy, dead_mount, monkeypatch):
    use(toy, dead_mount / "objects")

    began = time.monotonic()
    output = toy.run("timeout", "60", "dvckit", "doctor").output
    assert time.monotonic() - began < 20
    assert f"remote far ({dead_mount}/objects): no answer within" in output
    monkeypatch.setattr(patience, "PATIENCE", 1.0)
    with pytest.raises(UserError, match=r"remote far \(no answer\); remote far .*: no answer within 1 s"):
        Revision(toy.root).read(FEATURES)


@pytest.mark.system
@root_only
def test_a_cache_on_a_dead_mount_is_named(toy, dead_mount):
    (toy.root / ".dvc/config.local").write_text(f"[cache]\n    dir = {dead_mount}/cache\n")

    output = toy.run("timeout", "60", "dvckit", "doctor").output

    assert f"the cache {dead_mount}/cache does not answer" in output


@pytest.mark.parametrize("command", ["pull", "fetch"])
def test_a_command_of_dvc_is_ended_when_it_no_longer_gets_on(toy, monkeypatch, command):
    monkeypatch.setattr(patience, "PATIENCE", 2.0)
    store = objects_of(toy)
    with serving(hostile.silent, store) as server:
        use(toy, server.url)
        with pytest.raises(UserError, match=r"remote far \(http.*\): no answer within 2 s"):
            use_remote(toy.root, command, FEATURES)
    assert not [child for child in psutil.Process().children() if "courier" in " ".join(child.cmdline())]


@pytest.mark.faults
def test_a_command_of_dvc_that_fails_names_the_remote_and_why(toy):
    store = objects_of(toy)
    with serving(status("503 Service Unavailable"), store) as server:
        use(toy, server.url)
        with pytest.raises(UserError, match=r"remote far \(http.*\): its server has an error \(HTTP 503\)"):
            use_remote(toy.root, "pull", FEATURES)


@pytest.mark.faults
def test_a_slow_pull_that_gets_on_is_waited_for(toy, monkeypatch):
    monkeypatch.setattr(patience, "PATIENCE", 2.0)
    monkeypatch.setattr(patience, "LEAST", 20)
    store = objects_of(toy)
    with serving(partial(hostile.dripping, seconds=0.5, part=6), store) as server:
        use(toy, server.url)
        use_remote(toy.root, "pull", FEATURES)
    assert (toy.root / FEATURES).is_file()


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_ended_leaves_no_courier(toy, number):
    with serving(hostile.silent, objects_of(toy)) as server:
        use(toy, server.url)
        command = toy.start("dvckit", "data", "pull", "data/raw/train.csv")
        while not server.asked:
            time.sleep(0.05)
        couriers = psutil.Process(command.pid).children(recursive=True)
        os.kill(command.pid, number)
        assert command.wait(3) != 0
        command.stdout.close()
        assert couriers
        assert psutil.wait_procs(couriers, timeout=3)[1] == []


@pytest.mark.faults
def test_objects_behind_an_error_are_not_said_to_be_missing(toy):
    with serving(hostile.only_found(status("500 Internal Server Error")), objects_of(toy)) as server:
        use(toy, server.url)
        (finding,) = default(Clone(toy.root, time.monotonic() + 60))
    assert "its server has an error (HTTP 500)" in finding.what
    assert "url" not in finding.command
