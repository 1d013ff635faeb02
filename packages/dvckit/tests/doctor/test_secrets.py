import pytest

from dvckit.doctor.clone import Clone
from dvckit.doctor.secrets import config, files


def wrong(look, project):
    return [str(finding) for finding in look(Clone(project.root)) if finding.level == "WRONG"]


@pytest.mark.parametrize(
    "option", ["password", "secret_access_key", "token", "connection_string", "gdrive_client_secret"]
)
def test_a_secret_in_the_shared_config_is_reported(fresh, option):
    with (fresh.root / ".dvc/config").open("a") as shared:
        shared.write(f"['remote \"far\"']\n    url = s3://bucket\n    {option} = hunter2\n")

    (line,) = wrong(config, fresh)

    assert line == (
        f"WRONG   .dvc/config, which git shares, holds {option} of far; revoke it; "
        f"run `dvc remote modify --unset far {option} && dvc remote modify --local far {option} NEW_SECRET`"
    )


def test_a_password_in_an_address_is_reported(fresh):
    fresh.ok("dvc", "remote", "add", "far", "webdav://me:hunter2@127.0.0.1/x")

    assert "holds a password in the URL of far" in wrong(config, fresh)[0]


def test_the_local_config_may_hold_secrets(fresh):
    fresh.ok("dvc", "remote", "modify", "--local", "embedded", "url", "ssh://me@127.0.0.1/x")
    fresh.ok("dvc", "remote", "modify", "--local", "embedded", "password", "hunter2")

    assert wrong(config, fresh) == []
    assert wrong(files, fresh) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("kaggle.json", "{}"),
        ("deep/id_ed25519", "x"),
        (".dvc/config.local", "[core]\n"),
        ("notes.md", "use " + "AKIA" + "ABCDEFGHIJKLMNOP"),
        ("server.pem", "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE"),
        ("drive.json", '{"type": "service_account", "private_' + 'key": "-----BEGIN"}'),
        ("oauth.json", '{"installed": {"client_' + 'secret": "GOCSPX-0123456789"}}'),
        ("with space.txt", "gh" + "p_" + "a" * 36),
    ],
)
def test_a_secret_that_git_tracks_is_reported(fresh, name, text):
    file = fresh.root / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    assert wrong(files, fresh) == []
    fresh.ok("git", "add", "--force", name)

    (line,) = wrong(files, fresh)

    assert line.startswith(f"WRONG   git tracks {name}, which holds a secret; revoke it")
    assert line.endswith(f"; run `git rm --cached {name}`")
