"""The machine and its user: Python, packages, git's identity and hooks, room on the disk; and params.yaml."""

import getpass
import importlib.metadata
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from packaging.markers import Marker

from titanic.config import PARAMS, load_params
from titanic.stage import UserError
from titanic.versions.health.clone import ADVICE, OK, WRONG, Clone, Finding, some
from titanic.versions.repository import git

HOOKS = ("post-checkout", "pre-commit", "pre-push")
ROOM = 200 << 20  # bytes under which a run may fill the disk


def python(clone: Clone) -> Iterator[Finding]:
    """Compare Python's version and those of the packages with uv.lock; nothing is imported for it."""
    try:
        lock = tomllib.loads((clone.root / "uv.lock").read_text(encoding="utf-8"))
        packages, wanted = lock["package"], lock["requires-python"]
    except (OSError, ValueError, KeyError) as error:
        yield Finding(WRONG, f"uv.lock cannot be read ({type(error).__name__})", "git checkout HEAD -- uv.lock")
        return
    version = ".".join(map(str, sys.version_info[:3]))
    if not version.startswith(f"{wanted.strip('=.*')}."):
        yield Finding(WRONG, f"Python is {version}, uv.lock is for {wanted}", "uv sync --python 3.11")
    locked = {name: {entry.get("version", "") for entry in packages if entry["name"] == name} for name in _names(lock)}
    present = installed()
    other = [
        f"{name} {present[name]} for {_either(locked[name])}" for name in locked if _differs(name, present, locked)
    ]
    absent = [name for name in sorted(needed(packages)) if name not in present]
    if other:
        yield Finding(WRONG, f"packages differ from uv.lock: {some(other)}", "uv sync")
    if absent:
        yield Finding(WRONG, f"packages are not installed: {some(absent)}", "uv sync")
    if not other and not absent:
        yield Finding(OK, f"Python {version}, and the packages are those of uv.lock")


def _names(lock: dict[str, Any]) -> list[str]:
    return sorted({entry["name"] for entry in lock["package"]} - {"titanic"})


def _either(versions: set[str]) -> str:
    return " or ".join(sorted(versions))


def _differs(name: str, present: dict[str, str], locked: dict[str, set[str]]) -> bool:
    return name in present and present[name] not in locked[name]


@cache
def installed() -> dict[str, str]:
    """Return the version of every installed package, under the name that uv.lock gives it."""
    found = importlib.metadata.distributions()
    return {re.sub(r"[-_.]+", "-", item.metadata["Name"]).lower(): item.version for item in found}


def needed(packages: list[dict[str, Any]]) -> set[str]:
    """Return the packages that `titanic` cannot run without on this platform: no extra, no development group."""
    known = {entry["name"]: entry for entry in packages}
    found: set[tuple[str, str]] = set()
    waiting = [("titanic", "")]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in found:
            continue
        found.add((name, extra))
        entry = known.get(name, {})
        wanted = entry.get("optional-dependencies", {}).get(extra, []) if extra else entry.get("dependencies", [])
        for item in wanted:
            if "marker" not in item or Marker(item["marker"]).evaluate():
                waiting += [(item["name"], part) for part in ["", *item.get("extra", [])]]
    return {name for name, _ in found} - {"titanic"}


def params(clone: Clone) -> Iterator[Finding]:
    """Check params.yaml as a whole, top-level keys too, which DVC never looks at."""
    try:
        load_params(clone.root / PARAMS)
    except UserError as error:
        said = str(error).replace(f"{clone.root}/", "")
        yield Finding(WRONG, said, f"git diff HEAD -- {PARAMS}")
    else:
        yield Finding(OK, f"{PARAMS}: every key, type and range is right")


def user(_: Clone) -> Iterator[Finding]:
    """Look for a name of the user id: DVC asks for it, and dies where a container's user has none."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        yield Finding(WRONG, f"user id {os.getuid()} has no name, and DVC needs one", "export USER=$(id -u)")


def identity(clone: Clone) -> Iterator[Finding]:
    """Look for the name and address that commits and tags need, and `dvc exp run` on changed files."""
    lacking = [name for name in ("name", "email") if not _identity(clone.root, name)]
    if lacking:
        examples = {
            "name": 'git config --global user.name "Your Name"',
            "email": "git config --global user.email you@x",
        }
        what = f"git does not know your {' and '.join(lacking)}: commits, tags and experiments fail"
        yield Finding(WRONG, what, " && ".join(examples[name] for name in lacking))
    else:
        yield Finding(OK, "git knows who you are")


def _identity(root: Path, part: str) -> str:
    try:
        return os.environ.get(f"GIT_COMMITTER_{part.upper()}") or git(root, "config", f"user.{part}").strip()
    except UserError:
        return ""


def hooks(clone: Clone) -> Iterator[Finding]:
    """Look for git's hooks that call DVC."""
    try:
        folder = clone.root / git(clone.root, "rev-parse", "--git-path", "hooks").strip()
    except UserError as error:
        cure = f"git config --global --add safe.directory {clone.root}" if "dubious" in str(error) else "git status"
        yield Finding(WRONG, f"this is no git repository that git would read: {error}", cure)
        return
    lacking = [name for name in HOOKS if not _calls_dvc(folder / name)]
    if lacking:
        what = f"git's hooks do not call DVC ({', '.join(lacking)}): checkout, commit and push leave the data behind"
        yield Finding(ADVICE, what, "make hooks")
    else:
        yield Finding(OK, "git's hooks call DVC")


def _calls_dvc(hook: Path) -> bool:
    try:
        return "dvc git-hook" in hook.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def disk(clone: Clone) -> Iterator[Finding]:
    """Look for room for another run."""
    free = shutil.disk_usage(clone.root).free
    if free < ROOM:
        yield Finding(
            WRONG, f"the disk is nearly full: {free >> 20} MB are left", "dvc gc --all-commits --all-experiments"
        )
