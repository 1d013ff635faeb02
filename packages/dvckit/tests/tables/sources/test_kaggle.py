"""The source `kaggle`: Kaggle's real client, against a server on this machine that plays Kaggle.

The client takes its endpoint from no variable but KAGGLE_API_ENVIRONMENT, whose LOCALHOST is http://localhost, port 80.
The server is therefore its proxy: nothing listens on port 80, and nothing leaves this machine.
"""

import io
import json
import os
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dvckit.core.errors import UserError
from dvckit.tables.sources import kaggle as module

SECRET = "0123456789abcdef0123456789abcdef"
FILES = {
    "train.csv": b"PassengerId,Survived\n1,0\n",
    "test.csv": b"PassengerId\n892\n",
    "gender_submission.csv": b"PassengerId,Survived\n892,0\n",
}
RULES = "You must accept this competition's rules before you'll be able to download files."
CALL = "http://localhost/api/v1/competitions.CompetitionApiService/DownloadDataFiles"
WHO = "http://localhost/api/v1/security.OAuthService/IntrospectToken"
STORED = "http://localhost/stored/archive.zip"


def archive(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as target:
        for name, content in files.items():
            target.writestr(name, content)
    return packed.getvalue()


class Kaggle(ThreadingHTTPServer):
    """`answers` are status and body by URL; a dict is sent as JSON."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = {
            WHO: (200, {"active": True, "username": "tester"}),
            CALL: (302, b""),
            STORED: (200, archive(FILES)),
        }
        self.tokens = []


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def do_GET(self):
        self.server.tokens.append(self.headers["Authorization"])
        status, body = self.server.answers.get(self.path, (404, b""))
        if body == "hang":
            time.sleep(3)
            return
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if isinstance(body, dict) else "application/zip")
        self.send_header("Content-Length", str(len(content)))
        if status == 302:
            self.send_header("Location", STORED)
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home without a token, and a network that ends on this machine."""
    for name in os.environ:
        if name.startswith("KAGGLE_") or name.lower().endswith("_proxy") or name == "XDG_CONFIG_HOME":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    # port 9 of this machine: no proxy answers there, until `server` names another
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    (tmp_path / "home" / ".kaggle").mkdir(parents=True)
    return tmp_path / "home"


@pytest.fixture
def server(home, monkeypatch):
    with Kaggle() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()


@pytest.fixture
def token(home, monkeypatch):
    """The user name and key of an older kaggle.json, about which the client does not ask before it uses them."""
    monkeypatch.setenv("KAGGLE_USERNAME", "tester")
    monkeypatch.setenv("KAGGLE_KEY", SECRET)


@pytest.fixture
def ingest(tmp_path):
    """Run the source; return what it wrote."""

    def run():
        folder = tmp_path / "out"
        folder.mkdir()
        module.download("titanic", [*FILES], folder)
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    return run


@pytest.fixture
def refused(ingest, capfd):
    """Run the source, which must fail; return the sentence, which must not hold the token."""

    def run():
        with pytest.raises(UserError) as raised:
            ingest()
        message = str(raised.value)
        assert "\n" not in message
        assert SECRET not in message
        assert capfd.readouterr() == ("", "")
        return message

    return run


def test_the_three_files_are_written(server, token, ingest):
    assert ingest() == FILES


def test_a_token_in_a_file_is_used_and_stays_the_only_thing_there(server, home, ingest):
    (home / ".kaggle/access_token").write_text(f"{SECRET}\n")

    assert ingest() == FILES
    assert f"Bearer {SECRET}" in server.tokens
    assert [path.name for path in home.rglob("*") if path.is_file()] == ["access_token"]


def test_without_the_client_the_error_names_the_command_to_install_it(monkeypatch, refused):
    monkeypatch.setitem(sys.modules, "kaggle", None)

    assert refused() == "dataset.source is kaggle, and Kaggle's client is not installed; run: uv sync --extra kaggle"


def test_without_a_token_the_error_names_where_to_get_one(server, refused):
    assert refused() == f"Kaggle needs a token, and there is none; {module.HOW_TO}"
    assert server.tokens == []


def test_a_refused_key_and_a_missing_key_differ(server, token, refused):
    server.answers[CALL] = (401, {"code": 401, "message": "Unauthenticated"})

    assert refused() == f"Kaggle does not accept the token that it finds; {module.HOW_TO}"


@pytest.mark.parametrize("answer", [(401, b""), (403, b""), (200, {"active": False})])
def test_a_refused_token_and_a_missing_token_differ(server, home, monkeypatch, refused, answer):
    monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    server.answers[WHO] = answer

    assert refused() == f"Kaggle does not accept the token that it finds; {module.HOW_TO}"


@pytest.mark.parametrize(
    ("body", "reason"),
    [({"code": 403, "message": RULES}, RULES), (b"", f"403 Client Error: Forbidden for url: {CALL}")],
)
def test_unaccepted_rules_are_reported_with_their_page(server, token, refused, body, reason):
    server.answers[CALL] = (403, body)

    assert refused() == (
        f"Kaggle does not give you the files ({reason}); "
        "open https://www.kaggle.com/competitions/titanic/rules and accept the rules of the competition"
    )


def test_no_network_gives_one_error(home, token, refused):
    assert refused() == ("Kaggle cannot be reached; check the network, or use another dataset.source")


def test_another_failure_is_reported_by_the_clients_last_line(server, token, refused):
    server.answers[CALL] = (500, b"")

    assert refused() == f"Kaggle's client failed: 500 Server Error: Internal Server Error for url: {CALL}"


def test_the_client_has_a_timeout(server, token, refused, monkeypatch):
    server.answers[CALL] = (200, "hang")
    monkeypatch.setattr(module, "TIMEOUT", 2)

    assert refused() == "Kaggle did not finish within 2 s; check the network and try again"


def test_the_requests_that_a_verbose_client_prints_are_not_shown(server, token, refused, monkeypatch):
    monkeypatch.setenv("VERBOSE", "true")
    server.answers[CALL] = (500, b"")

    assert refused().startswith("Kaggle's client failed: 500")


@pytest.mark.parametrize("value", [SECRET * 9, f"{SECRET}\nsecond"], ids=["longer than a file name", "two lines"])
def test_a_token_that_the_client_quotes_is_not_shown(server, monkeypatch, refused, value):
    monkeypatch.setenv("KAGGLE_API_TOKEN", value)

    assert refused().startswith("Kaggle's client failed: ")


@pytest.mark.parametrize("content", [b"<html>", archive({"train.csv": b""})], ids=["no archive", "a file missing"])
def test_another_archive_is_refused(server, token, refused, content):
    server.answers[STORED] = (200, content)

    assert refused().startswith("Kaggle did not give an archive with train.csv, test.csv, gender_submission.csv: ")


def test_nothing_else_in_the_archive_is_unpacked(server, token, ingest, tmp_path):
    server.answers[STORED] = (200, archive(FILES | {"../escaped.csv": b"", "other.csv": b""}))

    assert ingest() == FILES
    assert not list(Path(tmp_path).rglob("e*.csv"))
