"""DVC's configuration and its remotes: reachable, their credentials present, and what they lack.

A remote that asks (for a password, for a browser) would ask for ever where nobody sits: DVC is started without a
terminal and for a few seconds only, and a Google Drive without credentials is found before DVC is started at all.
"""

import importlib.util
import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from titanic.stage import UserError, write_bytes
from titanic.versions.health.clone import ADVICE, OK, WRONG, Clone, Finding, object_in, one_line, read_config, some
from titanic.versions.health.gdrive import gdrive
from titanic.versions.repository import Output, dvc, git, run
from titanic.versions.tables import STORAGE

ANSWER = 5.0  # seconds that a remote has to answer
CONNECT = 4.0  # seconds that its address has
PORTS = {"ssh": 22, "http": 80, "https": 443, "webdav": 80, "webdavs": 443}

# What failures of remotes mean; the first that fits. The text is DVC's or the server's.
MEANING = {
    r"app (is|has been) blocked|access_denied|admin_policy_enforced": "Google refuses DVC's own app: make an OAuth client "
    "of your own and set gdrive_client_id and gdrive_client_secret with `dvc remote modify --local`",
    r"do not have storage quota|storageQuotaExceeded": "a service account has no storage of its own: let the remote's url "
    "be a folder in a shared drive of which the account is a member",
    r"invalid_grant|expired or revoked|invalid_client|Failed to authenticate GDrive": "Google does not take the "
    "credentials (expired, revoked, or of another client): make new ones at a terminal with `dvc pull -r`",
    r"cannotDownloadAbusiveFile|acknowledgeAbuse": "Google takes a file for harmful: set gdrive_acknowledge_abuse to true",
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
        (
            "AWS_SECRET_ACCESS_KEY",
            "AWS_PROFILE",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        ),
        (".aws/credentials", ".aws/config"),
    ),
    "gs": Kind(
        "dvc_gs",
        ("credentialpath", "allow_anonymous_login"),
        ("GOOGLE_APPLICATION_CREDENTIALS",),
        (".config/gcloud/application_default_credentials.json",),
    ),
    "azure": Kind(
        "dvc_azure",
        ("connection_string", "account_key", "sas_token", "client_secret", "allow_anonymous_login"),
        ("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_CLIENT_SECRET"),
        (".azure",),
    ),
    "ssh": Kind("dvc_ssh"),
    "webdav": Kind("dvc_webdav"),
    "webdavs": Kind("dvc_webdav"),
}


def plain_words(said: str) -> str:
    """Return what a failure of a remote means, in plain words; what was said where it is not known."""
    return next((meaning for pattern, meaning in MEANING.items() if re.search(pattern, said)), one_line(said))


def config(clone: Clone) -> Iterator[Finding]:
    """Read the configuration, and see that the embedded remote is the folder of this clone."""
    try:
        known = read_config(clone.root)
    except UserError as error:
        shared = "git checkout HEAD -- .dvc/config"
        yield Finding(WRONG, f"DVC's configuration cannot be read: {error}", shared)
        return
    if not (clone.root / ".dvc/config").is_file():
        yield Finding(WRONG, "there is no .dvc/config", "git checkout HEAD -- .dvc/config")
        return
    embedded = known["remote"].get("embedded")
    if embedded and Path(embedded.get("url", "")) != clone.root / STORAGE:
        cure = 'dvc remote modify --local embedded url "$PWD/.dvc/storage"'
        what = f"the embedded remote is {embedded.get('url')}: this clone was moved or copied"
        yield Finding(WRONG, what, cure, partial(_point_to_storage, clone.root))
    else:
        yield Finding(OK, "DVC's configuration can be read")


def _point_to_storage(root: Path) -> str:
    dvc(root, "remote", "modify", "--local", "embedded", "url", str(root / STORAGE))
    return f"the embedded remote is {STORAGE} of this clone"


def credentials(clone: Clone) -> Iterator[Finding]:
    """See whether every remote could be used; nothing is sent. What fails in the default one is wrong."""
    default = clone.config.get("core", {}).get("remote")
    for name, remote in clone.config.get("remote", {}).items():
        what = [*_problems(name, remote, os.environ, Path.home())]
        for problem, cure in what:
            yield Finding(WRONG if name == default else ADVICE, f"remote {name}: {problem}", cure)
        if not what and not remote.get("verify") and "://" in remote.get("url", ""):
            cure = f"dvc remote modify {name} verify true"
            yield Finding(ADVICE, f"remote {name}: DVC would trust whatever it sends", cure)


def _problems(
    name: str, remote: Mapping[str, Any], environ: Mapping[str, str], home: Path
) -> Iterator[tuple[str, str]]:
    """Yield what keeps a remote from being used, each with its cure."""
    scheme = urlsplit(remote.get("url", "")).scheme
    if scheme == "gdrive":
        yield from gdrive(name, remote, environ)
    kind = KINDS.get(scheme)
    if kind is None:
        return
    if importlib.util.find_spec(kind.library) is None:
        yield f"the library for {scheme} is not installed", f"uv sync --extra {kind.library.removeprefix('dvc_')}"
    given = [remote.get(option) for option in kind.options] + [environ.get(variable) for variable in kind.variables]
    if kind.options and not any(given) and not any((home / file).exists() for file in kind.files):
        yield "no credentials are here", f"dvc remote modify --local {name} {kind.options[0]} SECRET"
    key = remote.get("keyfile")
    if key and not Path(key).expanduser().is_file():
        yield f"there is no key file {key}", f"dvc remote modify --local {name} keyfile PATH"
    for asked in ("password", "passphrase"):
        if remote.get(f"ask_{asked}") and not remote.get(asked):
            yield f"it asks for a {asked} at each use", f"dvc remote modify --local {name} {asked} SECRET"


def folder(clone: Clone) -> Iterator[Finding]:
    """See that there is a default remote, and, where it is a folder, that it has what the locks name."""
    name, remote = _default(clone)
    url = remote.get("url", "")
    if not url:
        said = f"the default remote {name} is not configured" if name else "there is no default remote"
        yield Finding(WRONG, said, "dvc remote default embedded")
    elif "://" not in url:
        where = f"remote {name} ({url.replace(f'{clone.root}/', '')})"
        lacking = [output for md5, output in clone.kept.items() if not object_in(Path(url), md5).is_file()]
        if lacking and not Path(url).is_dir():
            cure = f"git checkout HEAD -- {STORAGE}" if url == str(clone.root / STORAGE) else _other_url(name)
            yield Finding(WRONG, f"{where}: the folder is not there", cure)
        else:
            yield from _told(clone, where, lacking)


def server(clone: Clone) -> Iterator[Finding]:
    """Try the default remote where it is behind a network: whether it answers, and has what the locks name.

    Not by `dvc status --cloud`, which removes what is damaged and not write-protected from the cache.
    """
    name, remote = _default(clone)
    url = remote.get("url", "")
    if "://" not in url or any(_problems(name, remote, os.environ, Path.home())):
        return  # problems are told above; DVC could wait for ever
    where = f"remote {name} ({url})"
    problem = _unreachable(remote)
    try:
        there = set(run([sys.executable, "-m", __name__, str(clone.root), name], clone.root, ANSWER).split())
    except UserError as error:
        yield Finding(
            WRONG, f"{where}: {problem or plain_words(str(error))}", f"dvc status --cloud --verbose -r {name}"
        )
        return
    lacking = [output for md5, output in clone.kept.items() if md5 not in there]
    if lacking and problem:
        yield Finding(WRONG, f"{where}: {problem}", _other_url(name))
    else:
        yield from _told(clone, where, lacking)


def _default(clone: Clone) -> tuple[str, Mapping[str, Any]]:
    name = clone.config.get("core", {}).get("remote", "")
    return name, clone.config.get("remote", {}).get(name, {})


def _other_url(name: str) -> str:
    return f"dvc remote modify {name} url URL"


def _unreachable(remote: Mapping[str, Any]) -> str:
    """Return why no connection to a remote can be made, or nothing: DVC takes a dead HTTP server for an empty one."""
    address = urlsplit(remote.get("endpointurl") or remote["url"])
    port = remote.get("port") or address.port or PORTS.get(address.scheme)
    if not port or not address.hostname:
        return ""
    try:
        socket.create_connection((address.hostname, int(port)), CONNECT).close()
    except OSError as error:
        return f"{address.hostname}:{port} cannot be reached ({error.strerror or error})"
    return ""


def _told(clone: Clone, where: str, lacking: list[Output]) -> Iterator[Finding]:
    """Tell what the remote lacks: wrong where the commit promises it, advice where it is still the workspace's own."""
    if not lacking:
        yield Finding(OK, f"{where} has what the locks name")
    here = [output for output in lacking if object_in(clone.stores["cache"], output.md5).exists()]
    if here:
        promised = _committed(clone)
        what = f"{where} lacks {_paths(here)}"
        mend = partial(_fill_storage if where.endswith(f"({STORAGE})") else _push, clone, here)
        yield Finding(*((WRONG, what, "titanic doctor --fix") if promised else (ADVICE, what, "dvc push")), mend)
    lost = [output for output in lacking if output not in here and output.stage.endswith(".dvc")]
    if lost:
        yield Finding(WRONG, f"{where} and the cache lack {_paths(lost)}; where that was added", "dvc push")
    again = [output for output in lacking if output not in here and output not in lost]
    if again:
        yield Finding(ADVICE, f"{where} and the cache lack {_paths(again)}", "dvc repro --all-pipelines && dvc push")


def _paths(outputs: list[Output]) -> str:
    return some(output.path for output in outputs)


def _committed(clone: Clone) -> bool:
    try:
        return not git(clone.root, "status", "--porcelain", "--", "*dvc.lock", "*.dvc").strip()
    except UserError:
        return False


def _fill_storage(clone: Clone, outputs: list[Output]) -> str:
    """Copy to the embedded remote what the cache has, which is intact: after a killed push DVC believes it to be there."""
    for output in outputs:
        content = object_in(clone.stores["cache"], output.md5).read_bytes()
        write_bytes(object_in(clone.root / STORAGE, output.md5), content)
    return f"copied to {STORAGE} what it lacked ({_paths(outputs)}); commit it"


def _push(clone: Clone, outputs: list[Output]) -> str:
    """Push object by object what a remote lacks: DVC takes a folder's files for there when the folder's list is."""
    from dvc.repo import Repo
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.transfer import transfer

    name, repo = _default(clone)[0], Repo(clone.root)
    lacking = {HashInfo("md5", output.md5) for output in outputs}
    done = transfer(repo.cache.local, repo.cloud.get_remote_odb(name), lacking)
    if done.failed:
        raise UserError(f"{len(done.failed)} of {len(lacking)} objects could not be pushed to remote {name}")
    return f"pushed to remote {name} what it lacked ({_paths(outputs)})"


def main() -> None:
    """Print which of the objects that a clone keeps a remote has, a line for each: in a process that can be ended."""
    from dvc.repo import Repo

    root, name = sys.argv[1:]
    try:
        odb = Repo(root).cloud.get_remote_odb(name)
        print("\n".join(odb.oids_exist(list(Clone(Path(root)).kept))))
    except Exception as error:  # noqa: BLE001 - whatever a remote's library raises
        causes = [error, error.__cause__, error.__context__]
        sys.exit("ERROR: " + ": ".join(dict.fromkeys(one_line(cause) for cause in causes if cause)))


if __name__ == "__main__":
    main()
