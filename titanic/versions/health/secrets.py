"""Secrets where everybody who has the repository can read them: in .dvc/config, and in files that git tracks."""

import re
from collections.abc import Iterator
from pathlib import PurePath

from titanic.stage import UserError
from titanic.versions.health.clone import OK, WRONG, Clone, Finding, tracked
from titanic.versions.repository import git

# Options of a remote whose value is a secret, of every kind that DVC knows.
OPTIONS = (
    "password", "passphrase", "secret_access_key", "session_token", "sse_customer_key", "connection_string",
    "sas_token", "account_key", "client_secret", "gdrive_client_secret", "token", "oss_key_secret",
)  # fmt: skip
NAMES = ("kaggle.json", "id_rsa", "id_ed25519", "id_ecdsa", ".netrc", ".env", "*.p12", "*.pfx", ".dvc/config.local")
# For `git grep -E`: private keys, keys of AWS and GitHub, Google's credentials.
PATTERNS = (
    "-----BEGIN ([A-Z]+ )*PRIVATE KEY-----",
    "(AKIA|ASIA)[0-9A-Z]{16}",
    "gh[pousr]_[A-Za-z0-9]{36}",
    '"(client_secret|refresh_token|private_key)" *: *"[^"]{10}',
)
_SECTION = re.compile(r"""^\s*\[['"]?(?:remote "(?P<remote>[^"]*)"|(?P<other>[^'"\]]*))""")
_OPTION = re.compile(rf"^\s*(?P<name>{'|'.join(OPTIONS)})\s*=\s*\S")
_URL = re.compile(r"^\s*url\s*=\s*\w+://[^/@\s]+:[^/@\s]+@")


def config(clone: Clone) -> Iterator[Finding]:
    """Look for secrets in .dvc/config, read line by line: it may be broken."""
    try:
        lines = (clone.root / ".dvc/config").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    found = [*_secrets(lines)]
    yield from found or [Finding(OK, "no secret in .dvc/config")]


def _secrets(lines: list[str]) -> Iterator[Finding]:
    remote = ""
    for line in lines:
        if section := _SECTION.match(line):
            remote = section["remote"] or ""
        if option := _OPTION.match(line):
            name = option["name"]
            cure = f"dvc remote modify --unset {remote} {name} && dvc remote modify --local {remote} {name} NEW_SECRET"
            yield Finding(WRONG, f".dvc/config, which git shares, holds {name} of {remote}; revoke it", cure)
        elif _URL.match(line):
            cure = f"dvc remote modify {remote} url URL && dvc remote modify --local {remote} password NEW_SECRET"
            yield Finding(WRONG, f".dvc/config, which git shares, holds a password in the URL of {remote}", cure)


def files(clone: Clone) -> Iterator[Finding]:
    """Look for secrets in files that git tracks, by name and by content."""
    names = [name for name in tracked(clone.root) if any(PurePath(name).match(pattern) for pattern in NAMES)]
    found = sorted({*names, *_speaking(clone)})
    for name in found:
        what = f"git tracks {name}, which holds a secret; revoke it: what was committed stays in the history"
        yield Finding(WRONG, what, f"git rm --cached {name}")
    if not found:
        yield Finding(OK, "no secret in the files that git tracks")


def _speaking(clone: Clone) -> list[str]:
    """Return the tracked files, as they are on disk, with the text of a secret; git ends with 1 where there is none."""
    try:
        said = git(clone.root, "grep", "-I", "-l", "-z", "-E", "-e", "|".join(PATTERNS), "--", ".", ":!.dvc/storage")
    except UserError:
        return []
    return [name for name in said.split("\0") if name]
