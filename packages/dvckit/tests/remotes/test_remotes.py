"""The commands of the page on remotes, run as they are, against real servers."""

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest

HOST = "127.0.0.1"
DISK = "disk"
LAB, BUCKET, CLOUD, MIRROR = (
    pytest.param(name, marks=pytest.mark.system) for name in ("lab", "bucket", "cloud", "mirror")
)
kinds = pytest.mark.parametrize("remote", [DISK, LAB, BUCKET, CLOUD, MIRROR], indirect=True)
servers = pytest.mark.parametrize("remote", [LAB, BUCKET, CLOUD, MIRROR], indirect=True)
written = pytest.mark.parametrize("remote", [LAB, BUCKET, CLOUD], indirect=True)

FAILURE = "ERROR: failed to pull data from the cloud"
PATIENCE = 10.0  # seconds


def set_up(project, script):
    """Run a set-up of the page; what it exports is seen by the commands that follow."""
    output = project.ok("bash", "-euc", f"{script}\nenv")
    project.environment |= dict(re.findall(r"^(AWS_\w+)=(.*)$", output, flags=re.MULTILINE))
    project.commit("a remote")


def elsewhere(project, remote, name="elsewhere"):
    """Clone the project on another machine: no cache, no index, and only the `--local` lines are done again."""
    clone = project.clone(project.root.parent / name)
    clone.environment = project.environment | {"DVC_SITE_CACHE_DIR": f"{clone.root}-site"}
    clone.ok("bash", "-euc", "\n".join(line for line in remote.set_up().splitlines() if "--local" in line))
    return clone


def data(project):
    """Return the content of every file that is in the work tree and not git's."""
    ignored = project.ok("git", "ls-files", "--others", "--", ":!.dvc").splitlines()
    return {path: (project.root / path).read_bytes() for path in ignored}


def md5(content):
    return hashlib.md5(content).hexdigest()


def damaged(remote):
    return [name for name, content in remote.objects().items() if md5(content) != name.removesuffix(".dir")]


def replace_damaged(project, remote):
    """What the page says: remove what is damaged and every list of a folder, and push."""
    for name in damaged(remote):
        remote.delete(name)
    for name in remote.objects():
        if name.endswith(".dir"):
            remote.delete(name)
    project.ok("dvc", "push", "--remote", remote.written_as)


def add_much(project):
    """Put 96 MB of random data under DVC."""
    (project.root / "much").mkdir()
    for number in range(24):
        (project.root / f"much/{number}").write_bytes(os.urandom(1 << 22))
    project.ok("dvc", "add", "--quiet", "much")
    project.commit("much")


def started(project, *command):
    """Start a command and do not wait for it."""
    return subprocess.Popen(
        command,
        cwd=project.root,
        env=project.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )


def wait_for(count, process):
    """Wait until there is something, and the process has not ended yet."""
    while not count():
        assert process.poll() is None, "it ended before it could be cut short"
        time.sleep(0.01)


def ends(project, *command, within=PATIENCE):
    """Run a command that must fail in time; return what it says."""
    start = time.monotonic()
    result = project.run(*command)
    assert result.code != 0, result.output
    assert time.monotonic() - start < within, result.output
    return result.output


@contextmanager
def deaf(port):
    """Let nobody connect to a port, and nobody be refused: its queue of one is full, and the kernel drops the rest."""
    with socket.socket() as queue, socket.socket() as first, socket.socket() as second:
        queue.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        queue.bind((HOST, port))
        queue.listen(0)
        for waiting in (first, second):
            waiting.settimeout(0)
            waiting.connect_ex((HOST, port))
        yield


@kinds
def test_what_was_pushed_is_pulled_elsewhere(project, remote):
    set_up(project, remote.set_up())
    pushed = data(project)

    project.ok("dvc", "push", "--remote", remote.written_as)
    clone = elsewhere(project, remote)
    clone.ok("dvc", "pull", "--remote", remote.name)

    assert len(pushed) == 4
    assert data(clone) == pushed
    assert project.run("git", "grep", "--quiet", "not-a-secret").code == 1


@kinds
def test_a_damaged_object_reaches_no_work_tree_and_can_be_fixed(project, remote):
    set_up(project, remote.set_up())
    pushed = data(project)
    project.ok("dvc", "push", "--remote", remote.written_as)
    remote.write(md5(b"a,b\n1,2\n"), b"a,b\n1,3\n")
    remote.write(md5(b"a" * 1000), b"a" * 500)

    clone = elsewhere(project, remote)
    result = clone.run("dvc", "pull", "--remote", remote.name)

    assert result.code != 0
    assert FAILURE in result.output
    assert data(clone) == {}
    replace_damaged(project, remote)
    clone.ok("dvc", "pull", "--remote", remote.name)
    assert data(clone) == pushed


@pytest.mark.parametrize("remote", [DISK, LAB, CLOUD], indirect=True)
def test_the_line_of_the_page_names_what_is_damaged_on_a_server(project, remote, page):
    set_up(project, remote.set_up())
    project.ok("dvc", "push", "--remote", remote.name)
    (script,) = re.findall(r"^```sh\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    folder = next(remote.folder.rglob("files")).parent

    assert subprocess.run(["sh", "-c", script], cwd=folder, check=True, capture_output=True).stdout == b""
    name = md5(b"b" * 1000)
    remote.write(name, b"b")

    named = subprocess.run(["sh", "-c", script], cwd=folder, check=False, capture_output=True, text=True).stdout
    assert named == f"files/md5/{name[:2]}/{name[2:]}: FAILED\n"


@written
def test_a_push_whose_server_goes_away_fails_and_completes_later(project, remote):
    set_up(project, remote.set_up())
    add_much(project)

    push = started(project, "dvc", "push", "--remote", remote.name)
    wait_for(remote.objects, push)
    remote.stop()

    assert push.wait(PATIENCE) != 0
    remote.start()
    project.ok("dvc", "push", "--remote", remote.name)
    if remote.name == "cloud":  # a WebDAV server may keep half an object, and DVC trusts it
        replace_damaged(project, remote)
    assert damaged(remote) == []
    clone = elsewhere(project, remote)
    clone.ok("dvc", "pull", "--remote", remote.name)
    assert data(clone) == data(project)


@pytest.mark.parametrize("remote", [MIRROR], indirect=True)
def test_a_pull_whose_server_goes_away_fails_and_completes_later(project, remote):
    set_up(project, remote.set_up())
    add_much(project)
    project.ok("dvc", "push", "--remote", remote.written_as)
    clone = elsewhere(project, remote)

    pull = started(clone, "dvc", "pull", "--remote", remote.name)
    wait_for(lambda: list(clone.root.glob(".dvc/cache/files/md5/*/*")), pull)
    remote.stop()

    assert pull.wait(PATIENCE) != 0
    assert set(data(clone).items()) <= set(data(project).items())
    remote.start()
    clone.ok("dvc", "pull", "--remote", remote.name)
    assert data(clone) == data(project)


@written
def test_a_push_to_a_server_that_hangs_is_ended_as_timeout_does_and_completes_later(project, remote):
    set_up(project, remote.set_up())
    add_much(project)

    push = started(project, "dvc", "push", "--remote", remote.name)
    wait_for(remote.objects, push)
    remote.signal(signal.SIGSTOP)
    time.sleep(2)
    push.terminate()

    assert push.wait(PATIENCE) != 0
    remote.signal(signal.SIGCONT)
    project.ok("dvc", "push", "--remote", remote.name)
    if remote.name == "cloud":
        replace_damaged(project, remote)
    assert damaged(remote) == []


@pytest.mark.parametrize("remote", [LAB], indirect=True)
def test_ssh_leaves_a_hanging_server_after_its_timeout(project, remote, page):
    set_up(project, remote.set_up())
    add_much(project)
    (config,) = re.findall(r"^```text\n(Host .*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    keys = project.root.parent / "home/.ssh"
    keys.mkdir()
    (keys / "config").write_text(config.replace("data.example.org", HOST))

    push = started(project, "dvc", "push", "--remote", remote.name)
    wait_for(remote.objects, push)
    remote.signal(signal.SIGSTOP)

    assert push.wait(3 * PATIENCE) != 0


@servers
def test_a_missing_server_is_reported_at_once_and_a_silent_one_in_time(project, remote):
    set_up(project, remote.set_up())
    clone = elsewhere(project, remote)

    remote.stop()

    ends(clone, "dvc", "pull", "--remote", remote.name)
    ends(project, "dvc", "push", "--remote", remote.name)
    with deaf(remote.port):
        ends(clone, "dvc", "pull", "--remote", remote.name, within=120)


@pytest.mark.parametrize(
    ("remote", "option", "value"),
    [
        pytest.param("lab", "keyfile", "/dev/null", marks=pytest.mark.system),
        pytest.param("cloud", "password", "wrong", marks=pytest.mark.system),
    ],
    indirect=["remote"],
)
def test_wrong_credentials_are_reported_without_a_prompt(project, remote, option, value):
    set_up(project, remote.set_up())
    project.ok("dvc", "remote", "modify", "--local", remote.name, option, value)

    ends(project, "setsid", "--wait", "dvc", "push", "--remote", remote.name)

    assert remote.objects() == {}


def test_an_output_with_a_remote_of_its_own_goes_there_alone(project, tmp_path):
    for name in ("disk", "other"):
        project.ok("dvc", "remote", "add", name, str(tmp_path / name))
    project.ok("dvc", "remote", "default", "other")
    with (project.root / "numbers.csv.dvc").open("a") as pointer:
        pointer.write("  remote: disk\n")

    project.ok("dvc", "push")

    assert len(list(tmp_path.glob("disk/files/md5/*/*"))) == 1
    assert len(list(tmp_path.glob("other/files/md5/*/*"))) == 4


@pytest.mark.parametrize("remote", [DISK, BUCKET], indirect=True)
def test_the_default_moves_away_from_the_embedded_remote_with_every_commit(small, remote, commands):
    set_up(small, remote.set_up())
    before = small.ok("git", "rev-parse", "HEAD~2").strip()  # the project as it is, with its own dvc.lock

    small.ok("bash", "-euc", commands("Another default").replace(" disk", f" {remote.name}"))
    clone = elsewhere(small, remote)
    clone.ok("dvc", "pull")

    assert clone.outputs() == small.outputs()
    assert not (clone.root / ".dvc/storage").exists()
    clone.ok("git", "checkout", "--quiet", before)
    shutil.rmtree(clone.root / ".dvc/storage")
    clone.ok("dvc", "pull", "--remote", remote.name)


@pytest.mark.system
def test_google_drive_without_credentials_hangs_and_timeout_ends_it(fresh):
    fresh.ok("dvc", "remote", "add", "gdrive", "gdrive://folder")

    result = fresh.run("timeout", "20", "dvc", "pull", "--remote", "gdrive", BROWSER="true")

    assert result.code == 124


def test_a_service_account_without_a_key_is_reported_at_once(fresh):
    fresh.ok("dvc", "remote", "add", "gdrive", "gdrive://folder")
    fresh.ok("dvc", "remote", "modify", "--local", "gdrive", "gdrive_use_service_account", "true")

    assert "gdrive_service_account_json_file_path" in ends(fresh, "dvc", "pull", "--remote", "gdrive")


@pytest.mark.parametrize("remote", [DISK, LAB, BUCKET, CLOUD], indirect=True)
def test_the_doctor_pushes_again_what_a_remote_has_lost(project, remote):
    set_up(project, remote.set_up())
    project.ok("dvc", "remote", "default", remote.name)
    project.commit("the default remote")
    project.ok("dvc", "push")
    before = remote.objects()
    lost = min(name for name in before if not name.endswith(".dir"))
    remote.delete(lost)
    assert "lacks" in project.run("dvckit", "doctor").output

    output = project.run("dvckit", "doctor", "--fix").output

    assert "fixed   pushed to remote" in output
    assert remote.objects() == before
