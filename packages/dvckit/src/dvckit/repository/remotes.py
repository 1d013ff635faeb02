"""One remote: whether it can be used, and what it has.

A remote that asks for a password, or opens a browser, would wait for ever where nobody sits: it is asked by a courier
without a terminal, which is ended when it does not get on, and what a remote lacks by its options is told before.
"""

import importlib.util
import json
import os
import re
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from dvckit.core.addresses import address
from dvckit.core.errors import UserError, one_line
from dvckit.core.scratch import private_folder
from dvckit.repository import dvc_internals
from dvckit.repository.extras import install
from dvckit.repository.meanings import OTHER, plain_words
from dvckit.repository.objects import STORAGE, is_intact, is_legacy
from dvckit.repository.patience import USUAL, Limits, NoAnswerError, courier, shown_courier, within
from dvckit.repository.programs import git

CLONES = (Path(tempfile.gettempdir()), "dvckit-clone-")  # temporary ones, with what only the local config has
CONNECT = 4.0  # seconds that a remote's address has
GONE = "the folder does not exist"
NOBODYS = "0" * 32  # an object that no remote has
# What to ask for where any answer will do; DVC takes WebDAV's refusal of one object alone for its absence.
NOTHING = ("d41d8cd98f00b204e9800998ecf8427e", NOBODYS)
GDRIVE = "GDRIVE_CREDENTIALS_DATA"
PORTS = {"ssh": 22, "http": 80, "https": 443, "webdav": 80, "webdavs": 443}

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


class RemoteError(UserError):
    """A remote cannot be used; the message names it."""


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
    return f"remote {name} ({address(remote['url'])})"


def ask(
    root: Path,
    name: str,
    remote: Mapping[str, Any],
    md5s: Iterable[str],
    *,
    until: float = float("inf"),
    patience: float | None = None,
) -> set[str]:
    """Return which of these objects a remote behind a network has.

    UserError, with the remote's name and in plain words, where it cannot be used, does not get on within `patience`, or
    has not told all at `until`, of time.monotonic().
    """
    for problem, command in problems(name, remote):
        raise RemoteError(f"remote {name}: {problem}; run `{command}`")
    objects, began = {*md5s, NOBODYS}, time.monotonic()

    def check() -> None:
        if time.monotonic() > until:
            raise NoAnswerError(f"no answer within {until - began:.0f} s")

    answer = _sent(root, name, remote, "ask", stdin="\n".join(objects), limits=Limits(check, patience))
    present = set(answer.split())
    if NOBODYS in present:
        raise RemoteError(f"{named(name, remote)}: {OTHER}: it has every object, whatever its name")
    return present


def _sent(
    root: Path,
    name: str,
    remote: Mapping[str, Any],
    task: str,
    *words: str,
    stdin: str = "",
    limits: Limits = USUAL,
) -> str:
    """Send a courier to a remote and return what it brings; UserError with the remote's name, in plain words."""
    # nothing limits the time in which a host's name is looked up: this thread may be left behind
    reasons: list[str] = []
    connection = Thread(target=lambda: reasons.append(_unreachable(remote)), daemon=True)
    connection.start()
    try:
        return courier(root, task, str(root), name, *words, stdin=stdin, limits=limits)
    except UserError as error:
        connection.join(0.1)
        if any(reasons) and not re.search(r"HTTP \d{3}", str(error)):
            raise RemoteError(f"{named(name, remote)}: {reasons[0]}") from None
        raise RemoteError(f"{named(name, remote)}: {plain_words(str(error))}") from None


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
        return
    fault = folder_fault(Path(url))
    if fault and not (fault == GONE and Path(url).is_relative_to(root)):  # DVC makes the one in the project
        raise RemoteError(f"{named(name, remote)}: {fault}")


def folder_fault(folder: Path, patience: float | None = None) -> str:
    """Return why a folder cannot be used as a remote, or nothing; looking at one on a dead mount takes for ever."""
    try:
        if not within(folder.is_dir, patience):
            return "it is not a folder" if folder.exists() else GONE
        within(lambda: next(folder.iterdir(), None), patience)
    except NoAnswerError as error:
        return f"{error}; is its disk there?"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    return ""


def download(root: Path, name: str, md5: str, most: float = float("inf")) -> bytes:
    """Return an object of a remote, of at most `most` bytes; UserError, with the remote's name, where there is none."""
    remote = read_config(root)["remote"][name]
    with tempfile.TemporaryDirectory(prefix="dvckit-object-") as folder:
        target = Path(folder) / "object"

        def check() -> None:
            if target.exists() and target.stat().st_size > most:
                raise UserError(f"{OTHER}: it sends more than the {most} bytes of the object")

        _sent(root, name, remote, "get", md5, str(target), limits=Limits(check))
        content = target.read_bytes()
    if not (is_intact(content, md5) or is_legacy(content, md5)):
        raise RemoteError(f"{named(name, remote)}: what it has is damaged")
    return content


@contextmanager
def cloned(root: Path, commit: str) -> Iterator[Path]:
    """Give a clone of a commit, with no object of DVC's but the committed ones, and remove it at the end.

    It has the remotes of `root`, with what its local config says of them; the embedded one is the clone's own.
    """
    ours = read_config(root)
    remotes = {name: remote for name, remote in ours["remote"].items() if Path(remote.get("url", "")) != root / STORAGE}
    top, prefix = (git(root, "rev-parse", option).rstrip("\n") for option in ("--show-toplevel", "--show-prefix"))
    with private_folder(*CLONES) as folder:
        clone = folder / "clone"
        # no hook of the user's, which would work on the clone as if it were theirs
        plain = ("-c", "core.hooksPath=/dev/null", "-c", "clone.rejectShallow=false")
        git(root, *plain, "clone", "--quiet", "--no-checkout", "--", top, str(clone))
        git(clone, *plain, "checkout", "--quiet", commit)
        if not (clone / prefix / ".dvc").is_dir():
            raise UserError(f"commit {commit} has no DVC project in {prefix or 'its root'}; run `dvc init` and commit")
        sections = {f'remote "{name}"': remote for name, remote in remotes.items()}
        sections["core"] = {key: value for key, value in ours["core"].items() if key == "remote"}
        sections["cache"] = {"dir": str(folder / "cache")}
        dvc_internals.write_local_config(clone / prefix / ".dvc", sections)
        yield clone / prefix


def send(root: Path, name: str, remote: Mapping[str, Any], md5s: Iterable[str]) -> None:
    """Push objects from the cache to a remote; UserError, with its name, where one of them could not be."""
    _sent(root, name, remote, "push", stdin="\n".join(md5s))


def missing_in_remote(root: Path, md5s: Mapping[str, str]) -> list[str]:
    """Return the outputs that DVC keeps and whose objects the default remote does not have; UserError as `check_remote`.

    `md5s` are those of outputs by path: DVC takes every failure of a web server for the absence of an object.
    """
    check_remote(root)
    name, remote = default_remote(read_config(root))
    states: dict[str, str] = json.loads(use_remote(root, "status", "--cloud", "--json"))
    # "new": in the cache alone; "missing": in neither; "deleted": in the remote alone
    missing = {path for path, state in states.items() if state in {"new", "missing"}}
    if "://" in remote.get("url", "") and (objects := {md5s[path] for path in missing if path in md5s}):
        present = ask(root, name, remote, objects)
        missing = {path for path in missing if md5s.get(path) not in present}
    return sorted(missing)


@contextmanager
def _default_named(root: Path) -> Iterator[None]:
    """Say of DVC's failure that it was the default remote's, if it was."""
    name, remote = default_remote(read_config(root))
    try:
        yield
    except NoAnswerError as error:
        raise RemoteError(f"{named(name, remote)}: {error}" if remote else str(error)) from None
    except UserError:
        if remote:
            check_remote(root)  # DVC counts what it could not transfer, and does not say why
        raise


def use_remote(root: Path, *words: str) -> str:
    """Run a command of DVC's that uses the default remote; UserError, with the remote's name if that is the cause."""
    with _default_named(root):
        return courier(root, "dvc", *words)


def show_dvc(root: Path, *words: str) -> int:
    """Run DVC before the user's eyes and return its exit code; UserError where the remote no longer answers."""
    with _default_named(root):
        return shown_courier(root, "dvc", *words)


def _unreachable(remote: Mapping[str, Any]) -> str:
    """Return why no connection to a remote can be made, or nothing."""
    place = urlsplit(remote.get("endpointurl") or remote["url"])
    port = remote.get("port") or place.port or PORTS.get(place.scheme)
    if not port or not place.hostname:
        return ""
    try:
        socket.create_connection((place.hostname, int(port)), CONNECT).close()
    except OSError as error:
        return f"{place.hostname}:{port} cannot be reached ({error.strerror or error})"
    return ""
