import importlib.util
import json
import os
import re
import shutil
import socket
import sys
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from dvc.config import Config

from dvckit.core.embedded import ensure_located
from dvckit.doctor.clone import Clone
from dvckit.doctor.doctor import fix
from dvckit.doctor.remotes import config, credentials, default
from dvckit.repository.meanings import plain_words
from dvckit.repository.objects import object_path
from dvckit.repository.revision import Revision

FEATURES = "data/features/train.parquet"
MY_DRIVE = "gdrive://root"
URLS = {
    "s3": "s3://bucket/path",
    "ssh": "ssh://127.0.0.1:{}/path",
    "webdav": "webdav://127.0.0.1:{}/path",
    "http": "http://127.0.0.1:{}/path",
}


def lines(look, project):
    return [str(finding) for finding in look(Clone(project.root))]


def wrong(look, project):
    return [line for line in lines(look, project) if line.startswith("WRONG")]


def remote(project, url, **options):
    """Make a remote the default one."""
    for level, values in {"repo": {"url": url}, "local": options}.items():
        with Config(dvc_dir=str(project.root / ".dvc")).edit(level) as config:
            config["core"]["remote"] = "far"
            config["remote"]["far"] = values


@pytest.fixture
def port():
    """A port of loopback that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def dead():
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def timed(project):
    started = time.monotonic()
    result = project.run("dvckit", "doctor")
    assert time.monotonic() - started < 10
    assert "Traceback" not in result.output
    wrong = [line for line in result.output.splitlines() if line.startswith("WRONG")]
    assert (result.code, len(wrong)) == (1, 1), result.output
    return wrong[0]


def use(project, scheme, number):
    keys = {"access_key_id": "a", "secret_access_key": "b", "endpointurl": f"http://127.0.0.1:{number}"}
    remote(project, URLS[scheme].format(number), **(keys if scheme == "s3" else {}))


@pytest.mark.parametrize("scheme", URLS)
def test_a_dead_server_is_named_in_time(toy, scheme, dead):
    use(toy, scheme, dead)

    line = timed(toy)

    assert line.startswith("WRONG   remote far (")
    assert f"): 127.0.0.1:{dead} cannot be reached (Connection refused); run `" in line


@pytest.mark.faults
@pytest.mark.parametrize("scheme", URLS)
def test_a_server_that_never_answers_is_named_in_time(toy, scheme, port):
    use(toy, scheme, port)

    line = timed(toy)

    assert line.startswith("WRONG   remote far (")
    assert re.search(r"\): no answer within [3-6] s; run `dvc status --cloud --verbose -r far`", line)


def test_a_drive_without_credentials_is_reported_before_dvc_waits(toy):
    toy.ok("dvc", "remote", "default", "gdrive")

    line = timed(toy)

    assert line == (
        "WRONG   remote gdrive: there are no credentials, and Google refuses DVC's own app (`This app is blocked`): "
        "use your own client; run `dvc remote modify --local gdrive gdrive_client_id ID && "
        "dvc remote modify --local gdrive gdrive_client_secret SECRET`"
    )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"gdrive_client_id": "me", "gdrive_client_secret": "s"}, "without a browser DVC would wait for ever; run `dvc pull -r far`"),
        ({"gdrive_client_id": "me"}, "belong together, and one is missing"),
        ({"gdrive_user_credentials_file": "/nowhere.json"}, "there are no credentials"),
        ({"gdrive_use_service_account": "true"}, "neither a key file nor GDRIVE_CREDENTIALS_DATA"),
        (
            {"gdrive_use_service_account": "true", "gdrive_service_account_json_file_path": "/nowhere.json"},
            "/nowhere.json cannot be read (No such file or directory)",
        ),
    ],
)  # fmt: skip
def test_what_a_drive_lacks_is_reported(toy, options, problem, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("GDRIVE_CREDENTIALS_DATA", raising=False)
    remote(toy, "gdrive://folder", **options)

    (line,) = wrong(credentials, toy)

    assert problem in line
    assert wrong(default, toy) == []


def test_a_service_account_with_its_own_drive_is_reported(toy, tmp_path):
    key = tmp_path / "key.json"
    key.write_text("{}")
    options = {"gdrive_use_service_account": "true", "gdrive_service_account_json_file_path": str(key)}
    remote(toy, f"{MY_DRIVE}/titanic", **options)

    (line,) = wrong(credentials, toy)

    assert "(`do not have storage quota`): use a folder in a shared drive" in line


def test_drive_credentials_that_are_not_json_are_reported(toy, tmp_path):
    file = tmp_path / "mine.json"
    file.write_text("{")
    remote(toy, "gdrive://folder", gdrive_user_credentials_file=str(file))

    assert f"the credentials {file} are not JSON; run `rm {file}`" in wrong(credentials, toy)[0]
    file.write_text(json.dumps({"access_token": "x"}))
    assert wrong(credentials, toy) == []


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        ("Access blocked: This app is blocked. This app tried to access", "Google refuses DVC's own app"),
        ('"Service Accounts do not have storage quota. Leverage shared drives"', "a folder in a shared drive"),
        ("invalid_grant: Token has been expired or revoked.", "make new ones"),
        ("reason: cannotDownloadAbusiveFile", "set gdrive_acknowledge_abuse to true"),
        ("An error occurred (InvalidAccessKeyId) when calling", "the credentials are refused"),
        ("something else\n  altogether", "something else altogether"),
    ],
)
def test_errors_of_remotes_are_put_in_plain_words(message, meaning):
    assert meaning in plain_words(message)


@pytest.mark.parametrize("url", ["s3://bucket", "gs://bucket", "azure://container"])
def test_a_bucket_without_credentials_is_reported_without_connecting(toy, url, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    remote(toy, url)

    assert (
        "WRONG   remote far: there are no credentials; run `dvc remote modify --local far "
        in wrong(credentials, toy)[0]
    )
    assert wrong(default, toy) == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"keyfile": "/nowhere"}, "there is no key file /nowhere"),
        ({"ask_password": "true"}, "it asks for a password at each use"),
    ],
)
def test_what_would_keep_ssh_waiting_is_reported(toy, options, problem):
    remote(toy, "ssh://127.0.0.1/path", **options)

    assert problem in wrong(credentials, toy)[0]


def test_a_remote_beside_the_default_one_is_only_advice(toy):
    advice = lines(credentials, toy)

    assert [line[:23] for line in advice] == ["advice  remote gdrive: "]


def test_committed_objects_missing_in_the_remote_are_pushed(toy, tmp_path):
    lost = object_path(toy.root / ".dvc/storage", Revision(toy.root).md5s[FEATURES])
    shutil.move(lost, tmp_path / "lost")
    ensure_located(toy.root)
    toy.commit("without the object")

    assert wrong(default, toy) == [
        f"WRONG   remote embedded (.dvc/storage) lacks {FEATURES}; run `dvckit doctor --fix`"
    ]
    fix(toy.root, (report := []).append)
    assert report == [f"fixed   copied to .dvc/storage what it lacked ({FEATURES}); commit it"]
    assert lost.read_bytes() == (tmp_path / "lost").read_bytes()


def test_what_is_not_committed_need_not_be_pushed_yet(toy):
    toy.edit("params.yaml", ("18, 35", "20, 35"))
    toy.ok("dvc", "repro", "featurize")

    (line,) = lines(default, toy)

    assert line.startswith("advice  remote embedded (.dvc/storage) lacks data/features/")
    assert line.endswith("; run `dvc push`")


def test_a_lost_object_is_reported_with_a_fix(toy):
    shutil.rmtree(toy.root / ".dvc/cache")
    shutil.rmtree(toy.root / ".dvc/storage")
    (toy.root / ".dvc/storage").mkdir()

    (line,) = lines(default, toy)

    assert line == (
        "advice  remote embedded (.dvc/storage) and the cache lack data/raw/train.csv, "
        "data/features/train.parquet, reports/report.html; run `dvc repro --all-pipelines && dvc push`"
    )


def test_a_missing_folder_of_another_default_remote_is_reported(toy, tmp_path):
    remote(toy, str(tmp_path / "unplugged/store"))

    (line,) = lines(default, toy)

    assert line == (
        f"WRONG   remote far ({tmp_path}/unplugged/store): the folder does not exist; "
        "run `dvc remote modify far url URL`"
    )


@pytest.mark.parametrize("place", ["beside", "inside", "embedded"])
def test_the_folder_of_a_new_remote_is_made_by_a_push(toy, tmp_path, place):
    path = {"beside": tmp_path / "new", "inside": toy.root / "a/new", "embedded": toy.root / ".dvc/storage"}[place]
    toy.ok("git", "rm", "-r", "--quiet", ".dvc/storage")
    toy.commit("without objects")
    remote(toy, str(path))

    (line,) = lines(default, toy)

    shown = str(path).removeprefix(f"{toy.root}/")
    assert line == (
        f"advice  remote far ({shown}): the folder does not exist yet, or its disk is not mounted, so it lacks "
        f"data/raw/train.csv, {FEATURES}, reports/report.html; run `dvc push`"
    )
    toy.ok("dvc", "push")
    assert lines(default, toy) == [f"ok      remote far ({shown}) has what the locks name"]


def test_what_is_nowhere_is_reported_of_a_new_remote_too(toy, tmp_path):
    (toy.root / "mine.csv").write_text("1\n")
    toy.ok("dvc", "add", "mine.csv")
    toy.commit("added")
    object_path(toy.root / ".dvc/cache", Revision(toy.root).all_md5s["mine.csv"]).unlink()
    remote(toy, str(tmp_path / "new"))

    at_hand, lost = lines(default, toy)

    assert "is not mounted, so it lacks " in at_hand
    assert lost.startswith(f"WRONG   remote far ({tmp_path}/new) and the cache lack mine.csv: push it from where")


def test_a_folder_that_nobody_may_make_is_reported(toy, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "access", lambda *_: False)  # as root may write anywhere
    remote(toy, str(tmp_path / "new"))

    assert wrong(default, toy)[0].endswith("the folder does not exist; run `dvc remote modify far url URL`")


def test_a_clone_that_was_moved_points_to_its_own_storage_again(toy):
    toy.ok("dvc", "remote", "modify", "--local", "embedded", "url", "/elsewhere/.dvc/storage")

    assert "the embedded remote is /elsewhere/.dvc/storage: this clone was moved" in wrong(config, toy)[0]
    fix(toy.root, (report := []).append)
    assert report == ["fixed   the embedded remote is .dvc/storage of this clone, for every revision"]
    assert wrong(config, toy) == []


def test_an_unreadable_configuration_is_reported_once(toy):
    (toy.root / ".dvc/config").write_text("[core")

    assert len(wrong(config, toy)) == 1
    assert wrong(default, toy) == []


@pytest.mark.parametrize("name", ["nobody", ""])
def test_an_invalid_default_remote_is_reported(toy, name):
    toy.edit(".dvc/config", ("remote = embedded", f"remote = {name}" if name else "autostage = false"))

    problem = f"the default remote {name} is not configured" if name else "there is no default remote"
    assert wrong(default, toy) == [f"WRONG   {problem}; run `dvc remote default embedded`"]


def test_without_a_remote_there_is_advice(toy):
    (toy.root / ".dvc/config").write_text("")
    (toy.root / ".dvc/config.local").unlink(missing_ok=True)

    (line,) = lines(default, toy)

    assert line.startswith("advice  there is no remote: the data are on this machine alone; run `dvc remote add ")


def test_a_missing_library_is_reported(toy, monkeypatch):
    monkeypatch.setitem(sys.modules, "dvc_gdrive", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    assert lines(credentials, toy) == [
        "advice  remote gdrive: dvc-gdrive is not installed; run `uv sync --extra gdrive`"
    ]


def test_objects_behind_a_server_are_counted(toy):
    storage = toy.root / ".dvc/storage"
    handler = partial(SimpleHTTPRequestHandler, directory=storage)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        remote(toy, f"http://127.0.0.1:{http.server_port}")
        all_there = lines(default, toy)
        object_path(storage, Revision(toy.root).md5s[FEATURES]).unlink()
        one_gone = lines(default, toy)
        remote(toy, f"http://127.0.0.1:{http.server_port}/elsewhere")
        all_gone = lines(default, toy)
        http.shutdown()

    name = f"remote far (http://127.0.0.1:{http.server_port})"
    assert all_there == [f"ok      {name} has what the locks name"]
    assert [line for line in one_gone if FEATURES in line and f"{name} lacks " in line] == one_gone
    assert all_gone == [
        f"WRONG   {name[:-1]}/elsewhere) has nothing of what the locks name; run `dvc remote modify far url URL`"
    ]
