"""Google Drive as a remote, as far as its options tell: DVC would open a browser, and wait where there is none."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from appdirs import user_cache_dir  # as pydrive2, which keeps its credentials there

LOCALLY = "dvc remote modify --local {0} "
OWN_CLIENT = f"{LOCALLY}gdrive_client_id ID && {LOCALLY}gdrive_client_secret SECRET"
VARIABLE = "GDRIVE_CREDENTIALS_DATA"


def gdrive(name: str, remote: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what keeps a Google Drive from being used, each with its cure."""
    found = _service_account(remote, environ) if remote.get("gdrive_use_service_account") else _oauth(remote, environ)
    for problem, cure in found:
        yield problem, cure.format(name)


def _service_account(remote: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    cure = f"{LOCALLY}gdrive_service_account_json_file_path FILE"
    key = remote.get("gdrive_service_account_json_file_path")
    if key:
        yield from ((problem, cure) for problem in _unreadable(Path(key)))
    elif not environ.get(VARIABLE):
        yield f"the service account has no key: there is neither a key file nor {VARIABLE}", cure
    if urlsplit(remote["url"]).netloc in ("root", "appDataFolder"):
        what = (
            "a service account has no storage of its own (`do not have storage quota`): use a folder in a shared drive"
        )
        yield what, "dvc remote modify {0} url gdrive://FOLDER_ID"


def _oauth(remote: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    client, secret = remote.get("gdrive_client_id"), remote.get("gdrive_client_secret")
    if bool(client) != bool(secret):
        yield "gdrive_client_id and gdrive_client_secret belong together, and one is missing", OWN_CLIENT
        return
    if environ.get(VARIABLE):
        return
    file = Path(remote.get("gdrive_user_credentials_file") or _kept(client, remote.get("profile", "default")))
    if file.is_file():
        yield from ((problem, f"rm {file}") for problem in _unreadable(file))
    elif client:
        yield "no credentials are here, and without a browser DVC would wait for ever", "dvc pull -r {0}"
    else:
        what = "no credentials are here; DVC's own app is refused by Google (`This app is blocked`): take a client of your own"
        yield what, OWN_CLIENT


def _kept(client: str | None, profile: str) -> str:
    """Return where pydrive2 keeps the credentials of a client, by default DVC's own."""
    from dvc_gdrive import GDriveFileSystem

    client = client or GDriveFileSystem.DEFAULT_GDRIVE_CLIENT_ID
    return f"{user_cache_dir('pydrive2fs', appauthor=False)}/{client}/{profile}.json"


def _unreadable(file: Path) -> Iterator[str]:
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        yield f"the credentials {file} cannot be read ({error.strerror})"
    except ValueError:
        yield f"the credentials {file} are not JSON"
