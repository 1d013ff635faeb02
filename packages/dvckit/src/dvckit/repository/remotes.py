"""One remote: whether it can be used, and what it has.

A remote that asks for a password, or opens a browser, would wait for ever where nobody sits: DVC is started without a
terminal and for a few seconds only, and what a remote lacks by its options is told before DVC is started at all.
"""

import importlib.util
import json
import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from dvckit.core.errors import UserError, one_line
from dvckit.repository import dvc_internals
from dvckit.repository.extras import install
from dvckit.repository.objects import STORAGE, is_intact, is_legacy, legacy_path, object_path
from dvckit.repository.programs import dvc, git, run

ANSWER = 5.0  # seconds that a remote has to answer
CONNECT = 4.0  # seconds that its address has
DOWNLOAD = 300.0  # seconds that an object has
# What to ask for where any answer will do; DVC takes WebDAV's refusal of one object alone for its absence.
NOTHING = ("d41d8cd98f00b204e9800998ecf8427e", "0" * 32)
GDRIVE = "GDRIVE_CREDENTIALS_DATA"
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

EXTRAS = ("s3", "gs", "azure", "gdrive", "ssh", "webdav")  # the kinds of remotes that need a library
# One of these gives the credentials: an option, a variable of the environment, or a file of the home folder.
CREDENTIALS = {
    "s3": (
        "secret_access_key", "profile", "credentialpath", "allow_anonymous_login", ".aws/credentials", ".aws/config",
        "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    ),
    "gs": (
        "credentialpath", "allow_anonymous_login", ".config/gcloud/application_default_credentials.json",
        "GOOGLE_APPLICATION_CREDENTIALS",
    ),
    "azure": (
        "connection_string", "account_key", "sas_token", "client_secret", "allow_anonymous_login", ".azure",
        "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_CLIENT_SECRET",
    ),
}  # fmt: skip


def plain_words(message: str) -> str:
    """Return what a failure of a remote means, in plain words; the message itself where it is not known."""
    return next((meaning for pattern, meaning in MEANING.items() if re.search(pattern, message)), one_line(message))


def problems(name: str, remote: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what keeps a remote from being used, each with the command that fixes it."""
    scheme, modify = urlsplit(remote.get("url", "")).scheme, f"dvc remote modify --local {name}"
    kind = scheme.replace("webdavs", "webdav")
    if kind in EXTRAS and importlib.util.find_spec(f"dvc_{kind}") is None:
        yield f"dvc-{kind} is not installed", install(kind, f"dvc-{kind}")
    elif kind == "gdrive":
        check = _service_account if remote.get("gdrive_use_service_account") else _own_account
        yield from check(modify, name, remote)
    places = CREDENTIALS.get(kind, ())
    at_home = [place for place in places if place.startswith(".") and (Path.home() / place).exists()]
    if places and not any([*map(remote.get, places), *map(os.environ.get, places), *at_home]):
        yield "there are no credentials", f"{modify} {places[0]} SECRET"
    key = remote.get("keyfile")
    if key and not Path(key).expanduser().is_file():
        yield f"there is no key file {key}", f"{modify} keyfile PATH"
    for secret in ("password", "passphrase"):
        if remote.get(f"ask_{secret}") and not remote.get(secret):
            yield f"it asks for a {secret} at each use", f"{modify} {secret} SECRET"


def _service_account(modify: str, name: str, remote: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    key = remote.get("gdrive_service_account_json_file_path")
    no_key = f"the service account has no key: there is neither a key file nor {GDRIVE}"
    if problem := _unreadable(Path(key)) if key else "" if os.environ.get(GDRIVE) else no_key:
        yield problem, f"{modify} gdrive_service_account_json_file_path FILE"
    if urlsplit(remote["url"]).netloc in ("root", "appDataFolder"):
        no_storage = "a service account has no storage of its own (`do not have storage quota`)"
        yield f"{no_storage}: use a folder in a shared drive", f"dvc remote modify {name} url gdrive://FOLDER_ID"


def _own_account(modify: str, name: str, remote: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    from appdirs import user_cache_dir  # as pydrive2 does

    client, secret = remote.get("gdrive_client_id"), remote.get("gdrive_client_secret")
    own_client = f"{modify} gdrive_client_id ID && {modify} gdrive_client_secret SECRET"
    # where pydrive2 keeps the credentials of a client, by default DVC's own
    app = client or dvc_internals.GDriveFileSystem.DEFAULT_GDRIVE_CLIENT_ID
    default = Path(user_cache_dir("pydrive2fs", appauthor=False), app, f"{remote.get('profile', 'default')}.json")
    file = Path(remote.get("gdrive_user_credentials_file") or default)
    if bool(client) != bool(secret):
        yield "gdrive_client_id and gdrive_client_secret belong together, and one is missing", own_client
    elif os.environ.get(GDRIVE):
        return
    elif file.is_file():
        if problem := _unreadable(file):
            yield problem, f"rm {file}"
    elif client:
        yield "there are no credentials, and without a browser DVC would wait for ever", f"dvc pull -r {name}"
    else:
        what = "there are no credentials, and Google refuses DVC's own app (`This app is blocked`): use your own client"
        yield what, own_client


def _unreadable(file: Path) -> str:
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        return f"the credentials {file} cannot be read ({error.strerror})"
    except ValueError:
        return f"the credentials {file} are not JSON"
    return ""


def named(name: str, remote: Mapping[str, Any]) -> str:
    """Return what a sentence calls a remote: its name, and where it is, without a password."""
    return f"remote {name} ({re.sub(r'(?<=//)[^/@]*:[^/@]*@', '', remote['url'])})"


def ask(root: Path, name: str, remote: Mapping[str, Any], md5s: Iterable[str]) -> set[str]:
    """Return which of these objects a remote behind a network has.

    UserError, with the remote's name and in plain words, where it cannot be used or gives no answer within ANSWER.
    """
    for problem, command in problems(name, remote):
        raise UserError(f"remote {name}: {problem}; run `{command}`")
    objects, present, failure = set(md5s), set[str](), ""
    # nothing limits the time in which a host's name is looked up: this thread may be left behind
    reasons: list[str] = []
    connection = Thread(target=lambda: reasons.append(_unreachable(remote)), daemon=True)
    connection.start()
    until = time.monotonic() + ANSWER
    try:
        # by the code that runs now, not by that of the commit in `root`
        program = [sys.executable, "-m", __name__, str(root), name]
        present = set(run(program, root, ANSWER, {"PYTHONSAFEPATH": "1"}, "\n".join(objects)).split())
    except UserError as error:
        failure = plain_words(str(error))
    if objects - present:  # DVC takes a dead HTTP server for an empty one
        connection.join(max(0.0, until - time.monotonic()))
        if any(reasons):
            raise UserError(f"{named(name, remote)}: {reasons[0]}")
    if failure:
        raise UserError(f"{named(name, remote)}: {failure}")
    return present


def read_config(root: Path) -> dict[str, Any]:
    """Return DVC's configuration, all levels together, with absolute paths; UserError where it cannot be read."""
    try:
        return dict(dvc_internals.Config(dvc_dir=str(root / ".dvc")))
    except (dvc_internals.ConfigError, OSError, UnicodeDecodeError) as error:
        raise UserError(f"DVC's configuration cannot be read: {one_line(error)}") from None


def default_remote(config: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the name of the default remote and its options, its url as an absolute path where it is a folder."""
    name = config["core"].get("remote", "")
    return name, config["remote"].get(name, {})


@cache
def check_remote(root: Path) -> None:
    """See that the default remote can be used, once for all; UserError, with its name, where it cannot."""
    name, remote = default_remote(read_config(root))
    url = remote.get("url", "")
    if "://" in url:
        ask(root, name, remote, NOTHING)
    elif not Path(url).is_dir() and not Path(url).is_relative_to(root):  # DVC makes the one in the project
        raise UserError(f"{named(name, remote)}: the folder does not exist")


def download(root: Path, name: str, md5: str) -> bytes:
    """Return an object of a remote, by a process that can be ended if it hangs; UserError with DVC's words."""
    with tempfile.TemporaryDirectory(prefix="dvckit-object-") as folder:
        target = Path(folder) / "object"
        try:
            dvc(root, "get-url", f"remote://{name}/{object_path(Path(), md5)}", str(target), timeout=DOWNLOAD)
        except UserError:  # DVC 1 and 2 kept it in another place
            dvc(root, "get-url", f"remote://{name}/{legacy_path(Path(), md5)}", str(target), timeout=DOWNLOAD)
        content = target.read_bytes()
        if not (is_intact(content, md5) or is_legacy(content, md5)):
            raise UserError("what it has is damaged")
        return content


@contextmanager
def cloned(root: Path, commit: str) -> Iterator[Path]:
    """Give a clone of a commit, with no object of DVC's but the committed ones, and remove it at the end.

    It has the remotes of `root`, with what its local config says of them; the embedded one is the clone's own.
    """
    ours = read_config(root)
    remotes = {name: remote for name, remote in ours["remote"].items() if Path(remote.get("url", "")) != root / STORAGE}
    top, prefix = (git(root, "rev-parse", option).rstrip("\n") for option in ("--show-toplevel", "--show-prefix"))
    with tempfile.TemporaryDirectory(prefix="dvckit-clone-") as folder:
        clone = Path(folder) / "clone"
        # no hook of the user's, which would work on the clone as if it were theirs
        plain = ("-c", "core.hooksPath=/dev/null", "-c", "clone.rejectShallow=false")
        git(root, *plain, "clone", "--quiet", "--no-checkout", "--", top, str(clone))
        git(clone, *plain, "checkout", "--quiet", commit)
        if not (clone / prefix / ".dvc").is_dir():
            raise UserError(f"commit {commit} has no DVC project in {prefix or 'its root'}; run `dvc init` and commit")
        sections = {f'remote "{name}"': remote for name, remote in remotes.items()}
        sections["core"] = {key: value for key, value in ours["core"].items() if key == "remote"}
        sections["cache"] = {"dir": str(Path(folder) / "cache")}
        dvc_internals.write_local_config(clone / prefix / ".dvc", sections)
        yield clone / prefix


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
        cloud, objects = dvc_internals.Repo(root).cloud, sys.stdin.read().split()
        present = set(cloud.get_remote_odb(name).oids_exist(objects))
        if others := [md5 for md5 in objects if md5 not in present]:  # DVC 1 and 2 kept them in another place
            present.update(cloud.get_remote_odb(name, hash_name="md5-dos2unix").oids_exist(others))
        print("\n".join(present))
    except Exception as error:  # noqa: BLE001 - whatever a remote's library raises
        causes = [error, error.__cause__, error.__context__]
        sys.exit("ERROR: " + ": ".join(dict.fromkeys(one_line(cause) for cause in causes if cause)))


if __name__ == "__main__":
    main()
