"""Google Drive as a remote, as far as its options tell: DVC would open a browser, and wait where there is none."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dvckit.repository import dvc_internals

VARIABLE = "GDRIVE_CREDENTIALS_DATA"


def gdrive(name: str, remote: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what keeps a Google Drive from being used, each with the command that fixes it."""
    check = _service_account if remote.get("gdrive_use_service_account") else _oauth
    return check(name, remote, given=bool(environ.get(VARIABLE)))


def _service_account(name: str, remote: Mapping[str, Any], *, given: bool) -> Iterator[tuple[str, str]]:
    key = remote.get("gdrive_service_account_json_file_path")
    lacking = f"the service account has no key: there is neither a key file nor {VARIABLE}"
    if problem := _unreadable(Path(key)) if key else "" if given else lacking:
        yield problem, f"dvc remote modify --local {name} gdrive_service_account_json_file_path FILE"
    if urlsplit(remote["url"]).netloc in ("root", "appDataFolder"):
        what = (
            "a service account has no storage of its own (`do not have storage quota`): use a folder in a shared drive"
        )
        yield what, f"dvc remote modify {name} url gdrive://FOLDER_ID"


def _oauth(name: str, remote: Mapping[str, Any], *, given: bool) -> Iterator[tuple[str, str]]:
    modify = f"dvc remote modify --local {name}"
    own_client = f"{modify} gdrive_client_id ID && {modify} gdrive_client_secret SECRET"
    client, secret = remote.get("gdrive_client_id"), remote.get("gdrive_client_secret")
    file = Path(remote.get("gdrive_user_credentials_file") or _default_file(client, remote.get("profile", "default")))
    if bool(client) != bool(secret):
        yield "gdrive_client_id and gdrive_client_secret belong together, and one is missing", own_client
    elif not given and file.is_file():
        if problem := _unreadable(file):
            yield problem, f"rm {file}"
    elif not given and client:
        yield "there are no credentials, and without a browser DVC would wait for ever", f"dvc pull -r {name}"
    elif not given:
        what = "there are no credentials, and Google refuses DVC's own app (`This app is blocked`): use your own client"
        yield what, own_client


def _default_file(client: str | None, profile: str) -> str:
    """Return where pydrive2 keeps the credentials of a client, by default DVC's own."""
    from appdirs import user_cache_dir  # as pydrive2 does

    client = client or dvc_internals.GDriveFileSystem.DEFAULT_GDRIVE_CLIENT_ID
    return f"{user_cache_dir('pydrive2fs', appauthor=False)}/{client}/{profile}.json"


def _unreadable(file: Path) -> str:
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        return f"the credentials {file} cannot be read ({error.strerror})"
    except ValueError:
        return f"the credentials {file} are not JSON"
    return ""
