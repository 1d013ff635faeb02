"""Secrets where everybody who has the repository can read them: in .dvc/config, and in files that git tracks.

kingfisher looks for them, offline, by its own rules and those of secrets.toml. Here are the names of files that are
secrets whatever is in them, and what DVC's options mean.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path, PurePath

from dvckit.core.addresses import address
from dvckit.core.errors import UserError
from dvckit.core.grid import counted
from dvckit.core.scratch import abandoned, private_folder, remove_abandoned
from dvckit.doctor.clone import ADVICE, FIX, OK, WRONG, Clone, Finding
from dvckit.repository.objects import STORAGE, md5_of
from dvckit.repository.patience import within
from dvckit.repository.programs import environment, start
from dvckit.repository.remotes import CLONES

NAMES = (
    ".dvc/config.local", ".env", ".env.*", "*.env", ".netrc", "_netrc", ".pgpass", ".git-credentials", ".htpasswd", ".s3cfg",
    ".dockercfg", ".docker/config.json", ".aws/credentials", "kaggle.json", "clearml.conf", "rclone.conf",
    "application_default_credentials.json", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.ppk", "*.p12", "*.pfx", "*.jks",
    "*.keystore", "*.kdbx",
)  # fmt: skip
SAMPLES = ("*.example", "*.sample", "*.template", "*.dist", "example.env", "sample.env")  # no secrets yet
RULES = Path(__file__).with_name("secrets.toml")
MOST = 10  # MB of a file that is looked at
OPTIONS = (
    "--no-validate", "--no-update-check", "--no-extract-archives", "--turbo", "--git-history", "none", "--format", "jsonl",
    "--max-file-size", str(MOST),
)  # fmt: skip
FOUND = 200  # kingfisher's exit code
COPIES = (Path(tempfile.gettempdir()), "dvckit-secrets-")
KNOWN = 10_000  # contents without a secret that are remembered
LONGEST, TIDYING = 600.0, 1.0  # seconds that a search takes, and the removal of its copies
_SECTION = re.compile(r"""^\s*\[(?:['"]?remote "(?P<remote>[^"]*)")?""")
# Options of a remote whose value is a secret, of every kind that DVC knows, and those whose value is an address.
_OPTION = re.compile(r"^\s*(?P<name>password|passphrase|connection_string|\w*(token|secret)|\w+_key)\s*=\s*\S")
_URL = re.compile(r"""^\s*(?P<name>url|endpointurl|proxy)\s*=\s*['"]?(?P<url>[^'"\s]+)""")


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
        elif (option := _URL.match(line)) and address(option["url"]) != option["url"]:
            what = f".dvc/config, which git shares, holds a password in the URL of {remote}"
            wrong.append(Finding(WRONG, what, f"dvc remote modify {remote} url URL && {modify} password NEW_SECRET"))
    return wrong or [Finding(OK, "no secret in .dvc/config")]


def files(clone: Clone) -> list[Finding]:
    """Look for secrets in files that git tracks, by name and, as they are on disk, by content."""
    tracked = clone.tracked("--", ".", f":!{STORAGE}")
    secret = dict(_by_name(tracked))
    try:
        secret |= dict(_scan(clone, [name for name in tracked if _is_scanned(clone.root / name)]))
    except UserError as error:
        unknown = [Finding(ADVICE, f"files were not searched for secrets: {error}", "dvckit doctor")]
    else:
        unknown = []
    what = "git tracks {}, which holds a secret ({}); revoke it: what was committed stays in the history"
    wrong = [Finding(WRONG, what.format(*one), f"git rm --cached {one[0]}") for one in sorted(secret.items())]
    return [*wrong, *unknown] or [Finding(OK, "no secret in the files that git tracks")]


def _by_name(names: list[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        if _matches(name, NAMES) and not _matches(name, SAMPLES):
            yield name, "by its name"


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(PurePath(name).match(pattern) for pattern in patterns)


def _is_scanned(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size <= MOST << 20


def _scan(clone: Clone, names: list[str]) -> Iterator[tuple[str, str]]:
    """Yield name and kind of what holds a secret; UserError where kingfisher cannot say.

    Contents in which nothing was found are remembered beside the compiled rules, and not looked at again.
    """
    rules = _compiled(clone.until)
    clean = rules.with_name(f"{rules.name}.clean")
    known = set(clean.read_bytes().split()) if clean.is_file() else set()
    digests = {name: _digest(clone.root / name) for name in names}
    if not (new := [name for name in names if digests[name] not in known]):
        return
    found = _search(clone, new, rules)
    yield from found
    if not found:  # else what is in two files could have been reported of one
        with suppress(OSError), clean.open("wb" if len(known) > KNOWN else "ab") as file:
            file.write(b"\n".join([b"", *sorted({digests[name] for name in new}), b""]))


def _digest(file: Path) -> bytes:
    return hashlib.sha256(file.name.encode(errors="surrogateescape") + b"\n" + file.read_bytes()).hexdigest().encode()


def _search(clone: Clone, names: list[str], rules: Path) -> list[tuple[str, str]]:
    """Let kingfisher look at copies: it starts threads for each path that it is given, which is one here."""
    with private_folder(*COPIES) as folder:
        copies, report = folder / "copies", folder / "report"
        copies.mkdir()
        for number, name in enumerate(names):
            (copies / str(number)).mkdir()
            shutil.copyfile(clone.root / name, copies / str(number) / PurePath(name).name)
        if clone.until - TIDYING < time.monotonic():  # compiling took it
            raise UserError("there was no time left")
        by = ["--rules-path", str(RULES), "--rule-cache-dir", str(rules), "--output", str(report)]
        command = ["kingfisher", "scan", *OPTIONS, *by, str(copies)]
        within(partial(start, command, folder, codes=(0, FOUND)), _left(clone.until - TIDYING))
        return [(names[int(place.relative_to(copies).parts[0])], kind) for place, kind in _found(report)]


def _found(report: Path) -> Iterator[tuple[PurePath, str]]:
    for line in report.read_text(encoding="utf-8", errors="surrogateescape").split("\n")[:-1]:
        with suppress(KeyError):  # a summary
            found = json.loads(line)
            place, rule = found["finding"], found["rule"]["id"].partition(".")[2]
            yield PurePath(place["path"]), f"{rule} in line {place['line']}"


def _compiled(until: float) -> Path:
    """Return the folder with the compiled rules, seconds of work that is done once for an environment.

    UserError where there is no time for it; it then goes on by itself.
    """
    made_of = md5_of(version("kingfisher-bin").encode() + RULES.read_bytes())
    folder = Path(sys.prefix, "share/dvckit/rules", made_of)
    if folder.exists() or not os.access(sys.prefix, os.W_OK):
        return folder
    command = ["kingfisher", "rules", "compile-cache", "--rules-path", str(RULES), "--rule-cache-dir", str(folder)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        command, env=environment(), stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
    )
    try:
        process.wait(_left(until))
    except subprocess.TimeoutExpired:
        process.returncode = 0  # or Python warns of it
        raise UserError("the rules are being compiled, which is done once and takes a minute") from None
    return folder


def _left(until: float) -> float:
    return max(0.1, min(until - time.monotonic(), LONGEST))


def clones(_: Clone) -> list[Finding]:
    """Look for temporary clones that killed runs have left, with what only the local configuration may have."""
    if not (left := abandoned(*CLONES)):
        return []
    what = f"killed runs have left {counted(len(left), 'clone')} with passwords of remotes in {CLONES[0]}"
    return [Finding(WRONG, what, FIX, _remove_clones)]


def _remove_clones() -> str:
    remove_abandoned(*CLONES)
    return "removed the clones of killed runs"
