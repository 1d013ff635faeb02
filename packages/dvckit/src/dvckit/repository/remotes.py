"""One remote: whether it can be used, and what it has.

A remote that asks for a password, or opens a browser, would wait for ever where nobody sits: DVC is started without a
terminal and for a few seconds only, and a Google Drive without credentials is noticed before DVC is started at all.
"""

import importlib.util
import json
import os
import re
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from dvckit.core.errors import UserError, one_line
from dvckit.repository import dvc_internals
from dvckit.repository.gdrive import gdrive
from dvckit.repository.objects import STORAGE
from dvckit.repository.programs import dvc, run

ANSWER = 5.0  # seconds that a remote has to answer
CONNECT = 4.0  # seconds that its address has
# What to ask for where any answer will do; DVC takes WebDAV's refusal of one object alone for its absence.
NOTHING = ("d41d8cd98f00b204e9800998ecf8427e", "0" * 32)
PORTS = {"ssh": 22, "http": 80, "https": 443, "webdav": 80, "webdavs": 443}

# What failures of remotes mean; the first that fits. The text is DVC's or the server's.
MEANING = {
    r"app (is|has been) blocked|access_denied|admin_policy_enforced": "Google refuses DVC's own app: make an OAuth client "
    "of your own and set gdrive_client_id and gdrive_client_secret with `dvc remote modify --local`",
    r"do not have storage quota|storageQuotaExceeded": "a service account has no storage of its own: let the remote's url "
    "be a folder in a shared drive of which the account is a member",
    r"invalid_grant|expired or revoked|invalid_client|Failed to authenticate GDrive": "Google refuses the "
    "credentials (expired, revoked, or of another client): make new ones at a terminal with `dvc pull -r`",
    r"cannotDownloadAbusiveFile|acknowledgeAbuse": "Google calls a file harmful: set gdrive_acknowledge_abuse to true",
    r"NoCredentials|Unable to locate credentials": "there are no credentials",
    r"InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|\b40[13]\b|Forbidden|Unauthorized": "the credentials are refused",
    r"NoSuchBucket|bucket does not exist": "there is no such bucket",
    r"PermissionDenied|Permission denied": "access is denied",
    r"[Hh]ost key": "the server's key is not known: connect once with `ssh`, and compare the key",
    r"gave no answer": f"no answer within {ANSWER:.0f} s",
    r"Connect call failed|Connection refused|Could not connect": "the connection is refused",
}


class Kind(NamedTuple):
    """What a kind of remote needs: a library, and one of these options, variables or files of the home folder."""

    library: str
    options: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


KINDS = {
    "s3": Kind(
        "dvc_s3",
        ("secret_access_key", "profile", "credentialpath", "allow_anonymous_login"),
        ("AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        (".aws/credentials", ".aws/config"),
    ),
    "gs": Kind(
        "dvc_gs", ("credentialpath", "allow_anonymous_login"), ("GOOGLE_APPLICATION_CREDENTIALS",),
        (".config/gcloud/application_default_credentials.json",),
    ),
    "azure": Kind(
        "dvc_azure",
        ("connection_string", "account_key", "sas_token", "client_secret", "allow_anonymous_login"),
        ("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_CLIENT_SECRET"),
        (".azure",),
    ),
    "gdrive": Kind("dvc_gdrive"),  # its options: gdrive.py
    "ssh": Kind("dvc_ssh"),
    "webdav": Kind("dvc_webdav"),
    "webdavs": Kind("dvc_webdav"),
}  # fmt: skip


def plain_words(message: str) -> str:
    """Return what a failure of a remote means, in plain words; the message itself where it is not known."""
    return next((meaning for pattern, meaning in MEANING.items() if re.search(pattern, message)), one_line(message))


def problems(name: str, remote: Mapping[str, Any], environ: Mapping[str, str], home: Path) -> Iterator[tuple[str, str]]:
    """Yield what keeps a remote from being used, each with the command that fixes it."""
    scheme, modify = urlsplit(remote.get("url", "")).scheme, f"dvc remote modify --local {name}"
    if scheme not in KINDS:
        return
    kind = KINDS[scheme]
    if importlib.util.find_spec(kind.library) is None:
        package = kind.library.replace("_", "-")
        yield f"{package} is not installed", f"uv sync --extra {package.removeprefix('dvc-')}"
    elif scheme == "gdrive":
        yield from gdrive(name, remote, environ)
    given = [remote.get(option) for option in kind.options] + [environ.get(variable) for variable in kind.variables]
    if kind.options and not any(given) and not any((home / file).exists() for file in kind.files):
        yield "there are no credentials", f"{modify} {kind.options[0]} SECRET"
    key = remote.get("keyfile")
    if key and not Path(key).expanduser().is_file():
        yield f"there is no key file {key}", f"{modify} keyfile PATH"
    for secret in ("password", "passphrase"):
        if remote.get(f"ask_{secret}") and not remote.get(secret):
            yield f"it asks for a {secret} at each use", f"{modify} {secret} SECRET"


class UnreachableError(UserError):
    """No connection can be made to the address of a remote."""


def named(name: str, remote: Mapping[str, Any]) -> str:
    """Return what a sentence calls a remote: its name, and where it is, without a password."""
    return f"remote {name} ({re.sub(r'(?<=//)[^/@]*:[^/@]*@', '', remote['url'])})"


def ask(root: Path, name: str, remote: Mapping[str, Any], md5s: Iterable[str]) -> set[str]:
    """Return which of these objects a remote behind a network has.

    UserError, with the remote's name and in plain words, where it cannot be used or gives no answer within ANSWER.
    """
    for problem, command in problems(name, remote, os.environ, Path.home()):
        raise UserError(f"remote {name}: {problem}; run `{command}`")
    wanted, present, failure = set(md5s), set[str](), ""
    # nothing limits the time in which a host's name is looked up: this thread may be left behind
    reasons: list[str] = []
    connection = Thread(target=lambda: reasons.append(_unreachable(remote)), daemon=True)
    connection.start()
    until = time.monotonic() + ANSWER
    try:
        # by the code that runs now, not by that of the commit in `root`
        program = [sys.executable, "-m", __name__, str(root), name]
        present = set(run(program, root, ANSWER, {"PYTHONSAFEPATH": "1"}, "\n".join(wanted)).split())
    except UserError as error:
        failure = plain_words(str(error))
    if wanted - present:  # DVC takes a dead HTTP server for an empty one
        connection.join(max(0.0, until - time.monotonic()))
        if any(reasons):
            raise UnreachableError(f"{named(name, remote)}: {reasons[0]}")
    if failure:
        raise UserError(f"{named(name, remote)}: {failure}")
    return present


def read_config(root: Path) -> dict[str, Any]:
    """Return DVC's configuration, all levels together, with absolute paths; UserError where it cannot be read."""
    try:
        return dict(dvc_internals.Config(dvc_dir=str(root / ".dvc")))
    except (dvc_internals.ConfigError, OSError, UnicodeDecodeError) as error:
        raise UserError(f"DVC's configuration cannot be read: {one_line(error)}") from None


def default_remote(root: Path) -> tuple[str, Mapping[str, Any]]:
    """Return the name of the default remote and its options, its url as an absolute path where it is a folder."""
    config = read_config(root)
    name = config["core"].get("remote", "")
    return name, config["remote"].get(name, {})


@cache
def check_remote(root: Path) -> None:
    """See that the default remote can be used, once for all; UserError, with its name, where it cannot."""
    name, remote = default_remote(root)
    url = remote.get("url", "")
    if "://" in url:
        ask(root, name, remote, NOTHING)
    elif not Path(url).is_dir() and not Path(url).is_relative_to(root):  # DVC makes the one in the project
        raise UserError(f"{named(name, remote)}: the folder does not exist")


def take_remotes(root: Path, clone: Path) -> None:
    """Give a clone the remotes of `root`, with what its local config says of them; the embedded one remains its own."""
    ours = read_config(root)
    remotes = {name: remote for name, remote in ours["remote"].items() if Path(remote.get("url", "")) != root / STORAGE}
    with dvc_internals.Config(dvc_dir=str(clone / ".dvc")).edit("local") as config:
        config["core"] = {key: value for key, value in ours["core"].items() if key == "remote"}
        config["remote"] = remotes


def missing_in_remote(root: Path) -> list[str]:
    """Return the outputs that DVC keeps and whose objects the default remote does not have; UserError as `check_remote`."""
    check_remote(root)
    states: dict[str, str] = json.loads(dvc(root, "status", "--cloud", "--json", timeout=120))
    # "new": in the cache alone; "missing": in neither; "deleted": in the remote alone
    return sorted(path for path, state in states.items() if state in {"new", "missing"})


def _unreachable(remote: Mapping[str, Any]) -> str:
    """Return why no connection to a remote can be made, or nothing."""
    address = urlsplit(remote.get("endpointurl") or remote["url"])
    port = remote.get("port") or address.port or PORTS.get(address.scheme)
    if not port or not address.hostname:
        return ""
    try:
        socket.create_connection((address.hostname, int(port)), CONNECT).close()
    except OSError as error:
        return f"{address.hostname}:{port} cannot be reached ({error.strerror or error})"
    return ""


def main() -> None:
    """Print which of the objects that stdin names a remote has, a line for each: in a process that can be ended."""
    root, name = sys.argv[1:]
    try:
        store = dvc_internals.Repo(root).cloud.get_remote_odb(name)
        print("\n".join(store.oids_exist(sys.stdin.read().split())))
    except Exception as error:  # noqa: BLE001 - whatever a remote's library raises
        causes = [error, error.__cause__, error.__context__]
        sys.exit("ERROR: " + ": ".join(dict.fromkeys(one_line(cause) for cause in causes if cause)))


if __name__ == "__main__":
    main()
