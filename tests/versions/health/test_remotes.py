import json
import os
import shutil
import socket
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from titanic.versions.health.clone import Clone, object_in
from titanic.versions.health.remotes import config, credentials, folder, server
from titanic.versions.remote import plain_words
from titanic.versions.repository import locked_outputs

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
    project.ok("dvc", "remote", "add", "--force", "--default", "far", url)
    for name, value in options.items():
        project.ok("dvc", "remote", "modify", "--local", "far", name, value)


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
    done = project.run("titanic", "doctor")
    assert time.monotonic() - started < 10
    assert "Traceback" not in done.said
    return done.code, [line for line in done.said.splitlines() if line.startswith("WRONG")]


def use(project, scheme, number):
    keys = {"access_key_id": "a", "secret_access_key": "b", "endpointurl": f"http://127.0.0.1:{number}"}
    remote(project, URLS[scheme].format(number), **(keys if scheme == "s3" else {}))


@pytest.mark.parametrize("scheme", URLS)
def test_a_dead_server_is_told_by_name_in_time(small, scheme, dead):
    use(small, scheme, dead)

    code, (found,) = timed(small)

    assert code == 1
    assert found.startswith("WRONG   remote far (")
    assert f"): 127.0.0.1:{dead} cannot be reached (Connection refused); run `" in found


@pytest.mark.faults
@pytest.mark.parametrize("scheme", URLS)
def test_a_server_that_never_answers_is_told_by_name_in_time(small, scheme, port):
    use(small, scheme, port)

    code, (found,) = timed(small)

    assert code == 1
    assert found.startswith("WRONG   remote far (")
    assert "): no answer within 5 s; run `dvc status --cloud --verbose -r far`" in found


def test_a_drive_without_credentials_is_found_before_dvc_waits(small):
    small.ok("dvc", "remote", "default", "gdrive")

    code, (found,) = timed(small)

    assert code == 1
    assert found == (
        "WRONG   remote gdrive: no credentials are here; DVC's own app is refused by Google (`This app is blocked`): "
        "take a client of your own; run `dvc remote modify --local gdrive gdrive_client_id ID && "
        "dvc remote modify --local gdrive gdrive_client_secret SECRET`"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"gdrive_client_id": "me", "gdrive_client_secret": "s"}, "without a browser DVC would wait for ever; run `dvc pull -r far`"),
        ({"gdrive_client_id": "me"}, "belong together, and one is missing"),
        ({"gdrive_user_credentials_file": "/nowhere.json"}, "no credentials are here"),
        ({"gdrive_use_service_account": "true"}, "neither a key file nor GDRIVE_CREDENTIALS_DATA"),
        (
            {"gdrive_use_service_account": "true", "gdrive_service_account_json_file_path": "/nowhere.json"},
            "/nowhere.json cannot be read (No such file or directory)",
        ),
    ],
)  # fmt: skip
def test_what_a_drive_lacks_is_told(small, options, said, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("GDRIVE_CREDENTIALS_DATA", raising=False)
    remote(small, "gdrive://folder", **options)

    (found,) = wrong(credentials, small)

    assert said in found
    assert wrong(server, small) == []


def test_a_service_account_on_a_drive_of_its_own_is_told(small, tmp_path):
    key = tmp_path / "key.json"
    key.write_text("{}")
    options = {"gdrive_use_service_account": "true", "gdrive_service_account_json_file_path": str(key)}
    remote(small, f"{MY_DRIVE}/titanic", **options)

    (found,) = wrong(credentials, small)

    assert "(`do not have storage quota`): use a folder in a shared drive" in found


def test_credentials_of_a_drive_that_are_no_json_are_told(small, tmp_path):
    file = tmp_path / "mine.json"
    file.write_text("{")
    remote(small, "gdrive://folder", gdrive_user_credentials_file=str(file))

    assert f"the credentials {file} are not JSON; run `rm {file}`" in wrong(credentials, small)[0]
    file.write_text(json.dumps({"access_token": "x"}))
    assert wrong(credentials, small) == []


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Access blocked: This app is blocked. This app tried to access", "Google refuses DVC's own app"),
        ('"Service Accounts do not have storage quota. Leverage shared drives"', "a folder in a shared drive"),
        ("invalid_grant: Token has been expired or revoked.", "make new ones"),
        ("reason: cannotDownloadAbusiveFile", "set gdrive_acknowledge_abuse to true"),
        ("An error occurred (InvalidAccessKeyId) when calling", "the credentials are refused"),
        ("something else\n  altogether", "something else altogether"),
    ],
)
def test_what_a_remote_says_is_put_in_plain_words(said, meant):
    assert meant in plain_words(said)


@pytest.mark.parametrize("url", ["s3://bucket", "gs://bucket", "azure://container"])
def test_a_bucket_without_credentials_is_told_without_a_connection(small, url, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    remote(small, url)

    assert (
        "WRONG   remote far: no credentials are here; run `dvc remote modify --local far "
        in wrong(credentials, small)[0]
    )
    assert wrong(server, small) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"keyfile": "/nowhere"}, "there is no key file /nowhere"),
        ({"ask_password": "true"}, "it asks for a password at each use"),
    ],
)
def test_what_would_keep_ssh_waiting_is_told(small, options, said):
    remote(small, "ssh://127.0.0.1/path", **options)

    assert said in wrong(credentials, small)[0]


def test_a_remote_beside_the_default_one_is_but_advice(small):
    found = lines(credentials, small)

    assert [line[:23] for line in found] == ["advice  remote gdrive: "]


def test_objects_that_the_commit_names_and_the_remote_lacks_are_pushed(small, tmp_path):
    md5 = next(output.md5 for output in locked_outputs(small.root) if output.path == FEATURES)
    lost = small.root / f".dvc/storage/files/md5/{md5[:2]}/{md5[2:]}"
    shutil.move(lost, tmp_path / "lost")

    assert wrong(folder, small) == [
        f"WRONG   remote embedded (.dvc/storage) lacks {FEATURES}; run `titanic doctor --fix`"
    ]
    assert f"fixed   copied to .dvc/storage what it lacked ({FEATURES}); commit it" in small.ok(
        "titanic", "doctor", "--fix"
    )
    assert lost.read_bytes() == (tmp_path / "lost").read_bytes()


def test_what_is_not_committed_need_not_be_pushed_yet(small):
    small.edit("params.yaml", ("18, 35", "20, 35"))
    small.ok("dvc", "repro", "featurize")

    (found,) = lines(folder, small)

    assert found.startswith("advice  remote embedded (.dvc/storage) lacks data/features/")
    assert found.endswith("; run `dvc push`")


def test_what_is_nowhere_is_told_with_how_it_comes_back(small):
    shutil.rmtree(small.root / ".dvc/cache")
    shutil.rmtree(small.root / ".dvc/storage")
    (small.root / ".dvc/storage").mkdir()

    (found,) = lines(folder, small)

    assert found.startswith("advice  remote embedded (.dvc/storage) and the cache lack data/")
    assert found.endswith(" more; run `dvc repro --all-pipelines && dvc push`")


def test_a_folder_of_another_default_remote_that_is_not_there_is_told(small, tmp_path):
    remote(small, str(tmp_path / "unplugged"))

    assert wrong(folder, small) == [
        f"WRONG   remote far ({tmp_path}/unplugged): the folder is not there; run `dvc remote modify far url URL`"
    ]


def test_a_clone_that_was_moved_points_to_its_own_storage_again(small):
    small.ok("dvc", "remote", "modify", "--local", "embedded", "url", "/elsewhere/.dvc/storage")

    assert "the embedded remote is /elsewhere/.dvc/storage: this clone was moved" in wrong(config, small)[0]
    assert "fixed   the embedded remote is .dvc/storage of this clone" in small.ok("titanic", "doctor", "--fix")


def test_a_configuration_that_cannot_be_read_is_told_once(small):
    (small.root / ".dvc/config").write_text("[core")

    assert len(wrong(config, small)) == 1
    assert wrong(folder, small) == []


@pytest.mark.parametrize("name", ["nobody", ""])
def test_a_default_remote_that_is_none_is_told(small, name):
    small.edit(".dvc/config", ("remote = embedded", f"remote = {name}" if name else "autostage = false"))

    said = f"the default remote {name} is not configured" if name else "there is no default remote"
    assert wrong(folder, small) == [f"WRONG   {said}; run `dvc remote default embedded`"]


def test_objects_behind_a_server_are_counted(small):
    storage = small.root / ".dvc/storage"
    handler = partial(SimpleHTTPRequestHandler, directory=storage)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        remote(small, f"http://127.0.0.1:{http.server_port}")
        all_there = lines(server, small)
        object_in(storage, next(o.md5 for o in locked_outputs(small.root) if o.path == FEATURES)).unlink()
        one_gone = lines(server, small)
        remote(small, f"http://127.0.0.1:{http.server_port}/elsewhere")
        all_gone = lines(server, small)
        http.shutdown()

    name = f"remote far (http://127.0.0.1:{http.server_port})"
    assert all_there == [f"ok      {name} has what the locks name"]
    assert [line for line in one_gone if FEATURES in line and f"{name} lacks " in line] == one_gone
    assert all_gone == [
        f"WRONG   {name[:-1]}/elsewhere) has nothing of what the locks name; run `dvc remote modify far url URL`"
    ]
