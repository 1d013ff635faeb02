import json
import shutil
import socket
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from dvckit.repository.remotes import named

pytestmark = pytest.mark.faults
HANGING = 100  # seconds, of which some ten are needed
COMMANDS = {
    "predict": ("dvckit", "predict", "{list}", "predicted.csv", "--rev", "HEAD"),
    "register": ("dvckit", "models", "register"),
    "verify": ("dvckit", "verify"),
    "snapshot": ("dvckit", "snapshot", "--message", "why"),
}


class Refusing(BaseHTTPRequestHandler):
    """Refuses every password."""

    def do_PROPFIND(self):
        self.send_error(401)

    do_GET = do_HEAD = do_OPTIONS = do_PROPFIND  # noqa: N815 - as the library calls them

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def elsewhere(small, tmp_path):
    """A clone that pulled nothing, of a commit whose objects are in no place but a remote called far."""
    small.ok("git", "rm", "-r", "--quiet", "--cached", ".dvc/storage")
    small.edit(".dvc/config", ("remote = embedded", "remote = far"))
    small.ok("git", "commit", "--quiet", "--all", "--message", "objects elsewhere")
    small.ok("dvc", "remote", "add", "--quiet", "far", str(tmp_path / "far"))
    small.ok("dvc", "push")
    clone = small.clone(tmp_path / "clone")
    shutil.copy(small.root / "data/raw/test.csv", clone.root / "list.csv")
    return clone


@pytest.fixture
def deaf():
    """A port of loopback that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def dead():
    """A port that nobody listens at."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return server.getsockname()[1]


def use(project, url, **options):
    project.ok("dvc", "remote", "add", "--quiet", "far", url)
    for name, value in options.items():
        project.ok("dvc", "remote", "modify", "far", name, value)
    project.ok("git", "commit", "--quiet", "--all", "--message", "a remote")


def refused(project, command):
    """Run a command without a terminal; it must end by itself; return what it says."""
    words = (word.format(list="list.csv") for word in COMMANDS[command])
    result = project.run("setsid", "--wait", "timeout", str(HANGING), *words)
    # verify reproduces without a remote, and says that it was not asked
    assert result.code == (0 if command == "verify" else 1), result.output
    return result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_drive_without_credentials_is_reported_before_dvc_waits_for_a_browser(elsewhere, command):
    use(elsewhere, "gdrive://folder")

    output = refused(elsewhere, command)

    assert "remote far: there are no credentials, and Google refuses DVC's own app" in output


@pytest.mark.parametrize(("scheme", "command"), [("http", "predict"), ("ssh", "register"), ("http", "snapshot")])
def test_a_server_that_never_answers_is_named_in_time(elsewhere, deaf, scheme, command):
    use(elsewhere, f"{scheme}://127.0.0.1:{deaf}/path")

    assert f"remote far ({scheme}://127.0.0.1:{deaf}/path): no answer within 10 s" in refused(elsewhere, command)


@pytest.mark.parametrize(("scheme", "command"), [("http", "register"), ("s3", "predict"), ("webdav", "predict")])
def test_a_dead_server_is_named_in_time(elsewhere, dead, scheme, command):
    keys = {"access_key_id": "a", "secret_access_key": "b", "endpointurl": f"http://127.0.0.1:{dead}"}
    use(elsewhere, f"{scheme}://127.0.0.1:{dead}/path", **(keys if scheme == "s3" else {}))

    output = refused(elsewhere, command)

    assert f"remote far ({scheme}://127.0.0.1:{dead}/path): 127.0.0.1:{dead} cannot be reached" in output


def test_a_remote_is_asked_by_the_running_code_not_by_the_commits(elsewhere, dead):
    elsewhere.ok("git", "rm", "--quiet", "packages/dvckit/src/dvckit/repository/remotes.py")
    use(elsewhere, f"webdav://127.0.0.1:{dead}/path")

    assert f"127.0.0.1:{dead} cannot be reached" in refused(elsewhere, "register")


@pytest.mark.parametrize("command", ["predict", "register"])
def test_a_wrong_password_does_not_look_like_an_empty_remote(elsewhere, command):
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        use(elsewhere, f"webdav://127.0.0.1:{server.server_port}/path", user="ada", password="wrong")
        output = refused(elsewhere, command)
        server.shutdown()

    assert f"remote far (webdav://127.0.0.1:{server.server_port}/path): the credentials are refused" in output


@pytest.mark.parametrize("command", ["predict", "verify"])
def test_a_missing_folder_is_named(elsewhere, tmp_path, command):
    use(elsewhere, str(tmp_path / "unplugged"))

    output = refused(elsewhere, command)

    assert f"remote far ({tmp_path}/unplugged): the folder does not exist" in output


def test_what_is_in_a_remote_folder_is_read(elsewhere, tmp_path):
    use(elsewhere, str(tmp_path / "far"))

    elsewhere.ok("dvckit", "predict", "list.csv", "predicted.csv", "--rev", "HEAD")
    report = json.loads(elsewhere.ok("dvckit", "data", "diff", "HEAD~1", "HEAD", "--json"))

    assert {table["state"] for table in report["tables"].values()} == {"same"}


def test_a_password_in_an_address_is_not_shown():
    remote = {"url": "webdav://ada:not-a-secret@data.example.org/dav"}

    assert named("cloud", remote) == "remote cloud (webdav://data.example.org/dav)"
