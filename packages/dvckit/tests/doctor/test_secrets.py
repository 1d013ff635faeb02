import re
import sys
import time
from importlib import util
from pathlib import Path

import pytest

from dvckit.doctor import secrets
from dvckit.doctor.clone import Clone
from dvckit.doctor.secrets import _by_name, clones, config, files
from dvckit.testing import Repository

_SPEC = util.spec_from_file_location("planted", Path(__file__).with_name("planted.py"))
_SPEC.loader.exec_module(_planted := util.module_from_spec(_SPEC))


def wrong(look, project):
    return [str(finding) for finding in look(Clone(project.root)) if finding.level == "WRONG"]


@pytest.fixture
def project(tmp_path):
    project = Repository(tmp_path / "project")
    (project.root / ".dvc").mkdir(parents=True)
    (project.root / ".dvc/config").touch()
    project.ok("git", "init", "--quiet")
    return project


@pytest.mark.parametrize(
    "option",
    [
        "password", "passphrase", "secret_access_key", "session_token", "sse_customer_key", "token", "connection_string",
        "account_key", "sas_token", "client_secret", "gdrive_client_secret", "oss_key_secret",
    ],  # of s3, http, webdav, azure, gdrive, oss, ssh
)  # fmt: skip
def test_a_secret_in_the_shared_config_is_reported(project, option):
    with (project.root / ".dvc/config").open("a") as shared:
        shared.write(f"['remote \"far\"']\n    url = s3://bucket\n    {option} = hunter2\n")

    (line,) = wrong(config, project)

    assert line == (
        f"WRONG   .dvc/config, which git shares, holds {option} of far; revoke it; "
        f"run `dvc remote modify --unset far {option} && dvc remote modify --local far {option} NEW_SECRET`"
    )


@pytest.mark.parametrize(
    "url",
    [
        "webdav://me:hunter2@127.0.0.1/x",
        "webdavs://me:a@hunter2@127.0.0.1/x",
        "https://hunter2hunter2@127.0.0.1/x",
        "ssh://me:hunter2@127.0.0.1/x",
        "https://127.0.0.1/c?sv=1&sig=hunter2",
    ],
)
def test_a_password_in_an_address_is_reported(project, url):
    with (project.root / ".dvc/config").open("a") as shared:
        shared.write(f"['remote \"far\"']\n    url = {url}\n")

    assert "holds a password in the URL of far" in wrong(config, project)[0]


def test_the_local_config_may_hold_secrets(fresh):
    fresh.ok("dvc", "remote", "modify", "--local", "embedded", "url", "ssh://me@127.0.0.1/x")
    fresh.ok("dvc", "remote", "modify", "--local", "embedded", "password", "hunter2")

    assert wrong(config, fresh) == []
    assert wrong(files, fresh) == []


NAMES = [
    "kaggle.json", "deep/id_ed25519", "id_rsa", ".dvc/config.local", ".env", ".env.production", "app/prod.env", ".netrc",
    "_netrc", ".pgpass", ".git-credentials", "key.ppk", "store.p12", "clearml.conf", ".docker/config.json",
]  # fmt: skip
HARMLESS = {
    ".env.example": "PASSWORD=\n",
    "public.asc": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBF\n",
    "cert.pem": "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIE\n-----END CERTIFICATE-----\n",
    "notes.md": "clone https://git.example/x.git, write to me@example.org; postgresql://me:PASSWORD@host/db, https://user:${TOKEN}@x\n",
    "data.md5": f"{'0123456789abcdef' * 2}  train.csv\n{'fedcba9876543210' * 4}  test.csv\n",
    "dvc.lock": f"schema: '2.0'\nstages:\n  a:\n    outs:\n    - path: a\n      md5: {'09af' * 8}\n",
    "settings.yaml": "max_tokens: 4096\npassword: null\ntoken_type: bearer\nkey: PassengerId\n",
    "code.py": "token = next(tokens)\npassword = getpass.getpass()\n",
}


def tracked(project, contents):
    for name, content in contents.items():
        file = project.root / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_bytes(content)
    project.ok("git", "add", "--force", "--all")


def test_every_kind_of_secret_is_found_where_git_tracks_it(project):
    contents = dict(_planted.planted())
    tracked(project, contents)

    lines = wrong(files, project)

    assert {
        name for name in contents if not any(line.startswith(f"WRONG   git tracks {name}, ") for line in lines)
    } == set()
    assert not any(content.decode(errors="ignore").strip() in line for content in contents.values() for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_a_secret_is_found_by_its_name(name):
    assert [one for one, _ in _by_name([name, "train.csv", ".env.example", "config.json"])] == [name]


def test_what_is_no_secret_is_not_reported(project):
    tracked(project, {name: text.encode() for name, text in HARMLESS.items()})

    assert wrong(files, project) == []


def test_a_secret_is_reported_when_git_tracks_it_and_no_earlier(project):
    (project.root / "notes.md").write_text("use " + "ghp" + "_" + "aB3dE6gH9kL2" * 3)
    assert wrong(files, project) == []
    tracked(project, {})

    (line,) = wrong(files, project)

    assert line == (
        "WRONG   git tracks notes.md, which holds a secret (github-pat in line 1); revoke it: "
        "what was committed stays in the history; run `git rm --cached notes.md`"
    )


def test_a_line_can_be_declared_to_be_none(project):
    tracked(project, {"notes.md": ("ghp" + "_" + "aB3dE6gH9kL2" * 3 + "  # kingfisher:ignore\n").encode()})

    assert wrong(files, project) == []


def test_this_repository_holds_none(source):
    assert wrong(files, Repository(source)) == []


def test_contents_without_a_secret_are_searched_once(project, monkeypatch):
    tracked(project, {"notes.md": str(time.time_ns()).encode()})
    assert wrong(files, project) == []
    monkeypatch.setattr("dvckit.doctor.secrets._search", lambda _, names, __: [(name, "looked at") for name in names])

    assert wrong(files, project) == []
    tracked(project, {"others.md": str(time.time_ns()).encode()})
    (line,) = wrong(files, project)
    assert "git tracks others.md, which holds a secret (looked at)" in line


def test_a_secret_in_two_files_is_reported_until_it_is_in_none(project):
    secret = ("use " + "ghp" + "_" + "aB3dE6gH9kL2" * 3).encode()
    tracked(project, {"a/notes.md": secret, "b/notes.md": secret, "clean.md": b"nothing"})
    assert wrong(files, project) != []
    (project.root / "a/notes.md").write_text("nothing")
    assert [line.split()[3] for line in wrong(files, project)] == ["b/notes.md,"]
    (project.root / "a/notes.md").write_bytes(secret)
    (project.root / "b/notes.md").write_text("nothing")
    assert [line.split()[3] for line in wrong(files, project)] == ["a/notes.md,"]


@pytest.mark.parametrize("spoil", [Path.mkdir, lambda path: path.write_bytes(b"\xff\x00" * 999)])
def test_without_a_memory_everything_is_searched(project, tmp_path, monkeypatch, spoil):
    rules = secrets._compiled(time.monotonic() + 100)
    (tmp_path / "rules").symlink_to(rules)
    monkeypatch.setattr("dvckit.doctor.secrets._compiled", lambda _: tmp_path / "rules")
    spoil(tmp_path / "rules.clean")
    tracked(project, {"clean.md": b"nothing"})
    assert wrong(files, project) == []
    tracked(project, {"notes.md": ("use " + "ghp" + "_" + "aB3dE6gH9kL2" * 3).encode()})

    assert len(wrong(files, project)) == 1


def test_a_search_without_time_says_so(project):
    tracked(project, {"notes.md": b"x"})

    (finding,) = files(Clone(project.root, time.monotonic() - 1))

    why = "(there was no time left|the rules are being compiled, which is done once and takes a minute)"
    assert re.fullmatch(f"advice  files were not searched for secrets: {why}; run `dvckit doctor`", str(finding))


def test_the_clone_of_a_killed_run_is_found_and_removed(fresh, monkeypatch):
    place = fresh.root.parent / "temporary"
    place.mkdir()
    monkeypatch.setattr("dvckit.doctor.secrets.CLONES", (place, "dvckit-clone-"))
    program = (
        "import os; from pathlib import Path; from dvckit.repository.remotes import cloned\n"
        "with cloned(Path.cwd(), 'HEAD'): os.kill(os.getpid(), 9)"
    )
    fresh.ok("dvc", "remote", "add", "--local", "far", "ssh://me@127.0.0.1/x")
    fresh.ok("dvc", "remote", "modify", "--local", "far", "password", "hunter2")
    fresh.run(sys.executable, "-c", program, TMPDIR=str(place))
    (left,) = place.iterdir()
    assert left.stat().st_mode & 0o077 == 0

    (finding,) = clones(Clone(fresh.root))

    assert finding.what == f"killed runs have left 1 clone with passwords of remotes in {place}"
    finding.fix()
    assert [*place.iterdir()] == []
    assert clones(Clone(fresh.root)) == []
