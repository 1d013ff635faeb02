"""Secrets where everybody who has the repository can read them: in .dvc/config, and in files that git tracks."""

import re
from contextlib import suppress
from pathlib import PurePath

from dvckit.core.errors import UserError
from dvckit.doctor.clone import OK, WRONG, Clone, Finding
from dvckit.repository.objects import STORAGE
from dvckit.repository.programs import git, names_in

NAMES = ("kaggle.json", "id_rsa", "id_ed25519", "id_ecdsa", ".netrc", ".env", "*.p12", "*.pfx", ".dvc/config.local")
# For `git grep -E`: private keys, keys of AWS and GitHub, Google's credentials.
PATTERNS = (
    "-----BEGIN ([A-Z]+ )*PRIVATE KEY-----",
    "(AKIA|ASIA)[0-9A-Z]{16}",
    "gh[pousr]_[A-Za-z0-9]{36}",
    '"(client_secret|refresh_token|private_key)" *: *"[^"]{10}',
)
_SECTION = re.compile(r"""^\s*\[(?:['"]?remote "(?P<remote>[^"]*)")?""")
# Options of a remote whose value is a secret, of every kind that DVC knows.
_OPTION = re.compile(r"^\s*(?P<name>password|passphrase|connection_string|\w*(token|secret)|\w+_key)\s*=\s*\S")
_URL = re.compile(r"^\s*url\s*=\s*\w+://[^/@\s]+:[^/@\s]+@")


def config(clone: Clone) -> list[Finding]:
    """Look for secrets in .dvc/config, read line by line: it may be broken."""
    wrong, remote = list[Finding](), ""
    for line in (clone.file(".dvc/config") or b"").decode(errors="replace").splitlines():
        if section := _SECTION.match(line):
            remote = section["remote"] or ""
        modify = f"dvc remote modify --local {remote}"
        if option := _OPTION.match(line):
            name = option["name"]
            command = f"dvc remote modify --unset {remote} {name} && {modify} {name} NEW_SECRET"
            wrong.append(Finding(WRONG, f".dvc/config, which git shares, holds {name} of {remote}; revoke it", command))
        elif _URL.match(line):
            what = f".dvc/config, which git shares, holds a password in the URL of {remote}"
            wrong.append(Finding(WRONG, what, f"dvc remote modify {remote} url URL && {modify} password NEW_SECRET"))
    return wrong or [Finding(OK, "no secret in .dvc/config")]


def files(clone: Clone) -> list[Finding]:
    """Look for secrets in files that git tracks, by name and, as they are on disk, by content."""
    names = {name for name in clone.tracked() if any(PurePath(name).match(pattern) for pattern in NAMES)}
    where = ("--", ".", f":!{STORAGE}")
    with suppress(UserError):  # git ends with 1 where there is none
        output = git(clone.root, "grep", "-I", "-l", "-z", "-E", "-e", "|".join(PATTERNS), *where)
        names.update(names_in(output))
    what = "git tracks {}, which holds a secret; revoke it: what was committed stays in the history"
    wrong = [Finding(WRONG, what.format(name), f"git rm --cached {name}") for name in sorted(names)]
    return wrong or [Finding(OK, "no secret in the files that git tracks")]
