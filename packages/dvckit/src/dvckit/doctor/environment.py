"""The machine and its user: Python, packages, git's identity and hooks, room on the disk; and params.yaml."""

import difflib
import getpass
import importlib.metadata
import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet

from dvckit.core.errors import UserError
from dvckit.core.layout import LIBRARIES, PARAMS
from dvckit.doctor.clone import ADVICE, OK, WRONG, Clone, Finding, some
from dvckit.doctor.installed import damaged, name_of, site
from dvckit.repository.libraries import locked, recorded
from dvckit.repository.locks import in_project, parse, pipeline_of
from dvckit.repository.packages import UV_LOCK, PackageLock
from dvckit.repository.programs import git, git_files

HOOKS = ("post-checkout", "pre-commit", "pre-push")
WRITTEN = (
    "*dvc.yaml",
    "*.dvc",
    "*.dvcignore",
    ".dvc/config",
    str(PARAMS),
    UV_LOCK,
)  # by people and programs; git has them
FEW = 4  # packages that a command names
ROOM = 200 << 20  # bytes under which a run may fill the disk


def files(clone: Clone) -> Iterator[Finding]:
    """Look for files that git has and that are gone from the disk, or cut off: the rest may still be valid YAML."""
    for name in clone.tracked("--deleted", "--", UV_LOCK, str(PARAMS)):
        yield Finding(WRONG, f"{name} is missing", f"git restore {name}")
    names = clone.tracked("--", *WRITTEN)
    with suppress(UserError):  # without a commit, or a git that works, which is reported
        committed = git_files(clone.root, [("HEAD", name) for name in names])
        for name, before in zip(names, committed, strict=True):
            now = clone.file(name)
            if now is not None and before and before != now and before.startswith(now):
                what = f"{name} is cut off: HEAD has {len(before) - len(now)} bytes more"
                yield Finding(WRONG, what, f"git restore {name}")


def python(clone: Clone) -> list[Finding]:
    """Compare Python's version and those of the packages with uv.lock, if there is one; nothing is imported for it."""
    try:
        lock = clone.packages
    except UserError as error:
        return [Finding(WRONG, str(error), f"git checkout HEAD -- {UV_LOCK}")]
    if "dvckit" not in lock.versions:
        return []  # there is none, or we run in another environment than the project's
    version, specifier, present = platform.python_version(), lock.lock.get("requires-python", ""), installed()
    broken = {name_of(folder): folder for folder in damaged(site())}
    other = [
        f"{name} {present[name]}, not {versions}"
        for name, versions in sorted(lock.versions.items())
        if name in present and name not in lock.own | broken.keys() and present[name] not in versions.split(", ")
    ]
    absent = sorted(lock.needed(here=True).keys() - present.keys() - broken.keys())
    faults = {
        f"Python is {version}, {UV_LOCK} is for {specifier}": not SpecifierSet(specifier).contains(version),
        f"packages differ from {UV_LOCK}: {some(other)}": other,
        f"packages are not installed: {some(absent)}": absent,
    }
    wrong = [Finding(WRONG, what, "uv sync") for what, is_wrong in faults.items() if is_wrong]
    if broken:
        what = f"files of packages are missing or changed, as after a killed `uv sync`: {some(broken)}"
        wrong.append(Finding(WRONG, what, _reinstall(lock, broken)))
    return wrong or [Finding(OK, f"Python {version}, and the packages are those of {UV_LOCK}")]


def _reinstall(lock: PackageLock, broken: dict[str, Path]) -> str:
    """Return the command that installs packages again; `uv sync` does so with those alone that the project runs with."""
    ours = lock.needed(here=True).keys() | lock.own
    named = [f"--reinstall-package {name}" for name in broken if name in ours]
    others = [
        folder.name.removesuffix(".dist-info").replace("-", "==") for name, folder in broken.items() if name not in ours
    ]
    sync = ["uv sync --inexact " + (" ".join(named) if len(named) <= FEW else "--reinstall")] if named else []
    return " && ".join(sync + ([f"uv pip install --no-deps --reinstall {' '.join(others)}"] if others else []))


def libraries(clone: Clone) -> Iterator[Finding]:
    """Compare libraries.json, which makes stages stale, with uv.lock."""
    try:
        named = locked(clone)
    except UserError as error:
        yield Finding(WRONG, str(error), "uv lock")
        return
    if named and recorded(clone.root) != named:
        yield Finding(WRONG, f"{LIBRARIES} does not have the versions of {UV_LOCK}", "dvckit libraries")


def installed() -> dict[str, str]:
    """Return the version of every installed package, under the name that uv.lock gives it."""
    versions = {}
    for package in importlib.metadata.distributions():
        with suppress(OSError, TypeError):  # what a killed set-up has left has no metadata; a backport raises, too
            versions[re.sub(r"[-_.]+", "-", package.metadata["Name"]).lower()] = package.version
    return versions


def params(clone: Clone) -> list[Finding]:
    """See that params.yaml, if there is one, can be read in one way only, and for sections that no stage reads.

    DVC looks at no such section. It is wrong where a stage lacks one that is spelt much like it.
    """
    command = clone.diff(str(PARAMS))
    try:
        keys = set(_params(clone))
        used = {key for lock in clone.locks for key in _keys_used(clone, lock, keys)} or keys
    except UserError as error:
        return [Finding(WRONG, str(error).replace(f"{clone.root}/", ""), command)]
    near = {key: difflib.get_close_matches(key, sorted(used - keys), n=1) for key in sorted(keys - used)}
    old = _keys_committed(clone)
    unknown = [
        Finding(WRONG, f"{PARAMS}: unknown key {key}; did you mean {others[0]}?", "" if key in old else command)
        for key, others in near.items()
        if others
    ]
    unread = [key for key, others in near.items() if not others]
    if new := [key for key in unread if command and key not in old]:
        unknown.append(Finding(ADVICE, f"{PARAMS}: {_unknown(new)}", command))
    if others := [key for key in unread if key not in new]:
        it = "it" if len(others) == 1 else "them"
        cure = f"remove {it}, or name {it} under `params` of a stage"
        unknown.append(Finding(ADVICE, f"{PARAMS}: {_unknown(others)}: {cure}"))
    fine = [Finding(OK, f"{PARAMS} can be read, and stages read every section")] if keys else []
    return unknown or fine


def _unknown(keys: list[str]) -> str:
    words = ("key", "it") if len(keys) == 1 else ("keys", "them")
    return f"unknown {words[0]} {some(keys)}; no stage reads {words[1]}"


def _keys_committed(clone: Clone) -> set[str]:
    """Return the keys that HEAD has, where its file can be read."""
    with suppress(UserError, TypeError):
        return set(parse(clone.committed(str(PARAMS)) or b"{}"))
    return set()


def _params(clone: Clone) -> dict[str, Any]:
    """Return the parameters; those of a project, which the library reads, strictly."""
    if not any(about["meta"].get("project") for about in clone.artifacts.values()):
        return clone.yaml(str(PARAMS))
    try:
        from dvckit.core.params import read_values
    except ImportError:  # without the extra `project`
        return clone.yaml(str(PARAMS))
    return read_values(clone.root / PARAMS) if (clone.root / PARAMS).is_file() else {}


def _keys_used(clone: Clone, lock: str, keys: set[str]) -> Iterator[str]:
    """Yield the top-level keys of params.yaml that a pipeline reads, by `params` of a stage or as `${KEY}`.

    A stage whose command or deps name the file may read all of it.
    """
    yield from re.findall(r"\$\{\s*(\w+)", (clone.file(pipeline_of(lock)) or b"").decode(errors="replace"))
    for stage in clone.definitions(lock).values():
        if PARAMS.name in f"{stage.get('cmd')} {stage.get('deps')}":
            yield from keys
        for item in stage.get("params") or ():
            files = item if isinstance(item, dict) else {PARAMS.name: [item]}
            for file, names in files.items():
                if in_project(lock, stage, file) == str(PARAMS):
                    yield from (str(name).partition(".")[0] for name in names or keys)


def user(_: Clone) -> Iterator[Finding]:
    """Look for a name of the user id: DVC asks for it, and dies where a container's user has none."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        yield Finding(WRONG, f"user id {os.getuid()} has no name, and DVC needs one", "export USER=$(id -u)")


def identity(clone: Clone) -> list[Finding]:
    """Look for the name and address that commits and tags need, and `dvc exp run` on changed files."""
    examples = {"name": '"Your Name"', "email": "you@example.org"}
    config = {part: git(clone.root, "config", "--default", "", "--get", f"user.{part}").strip() for part in examples}
    missing = [part for part in examples if not (os.environ.get(f"GIT_COMMITTER_{part.upper()}") or config[part])]
    if not missing:
        return [Finding(OK, "git knows who you are")]
    what = f"git does not know your {' and '.join(missing)}: commits, tags and experiments fail"
    commands = [f"git config --global user.{part} {examples[part]}" for part in missing]
    return [Finding(WRONG, what, " && ".join(commands))]


def hooks(clone: Clone) -> list[Finding]:
    """Look for git's hooks that call DVC, unless DVC does without git here."""
    if clone.config["core"].get("no_scm"):
        return []
    try:
        folder = clone.root / git(clone.root, "rev-parse", "--git-path", "hooks").rstrip("\n")
    except UserError as error:
        command = f"git config --global --add safe.directory {clone.root}" if "dubious" in str(error) else "git status"
        return [Finding(WRONG, f"this is no git repository that git would read: {error}", command)]
    calls = {name: (folder / name).read_bytes() if (folder / name).is_file() else b"" for name in HOOKS}
    if missing := [name for name, call in calls.items() if b"git-hook" not in call]:
        what = f"git's hooks do not call DVC ({', '.join(missing)}): checkout, commit and push leave the data behind"
        return [Finding(ADVICE, what, "dvckit hooks")]
    of_dvc = [name for name, call in calls.items() if b"exec dvc git-hook" in call]
    if of_dvc and clone.is_embedded:
        what = (
            f"git's hooks need dvc on PATH, and let a push pass whose objects are not committed ({', '.join(of_dvc)})"
        )
        return [Finding(ADVICE, what, "dvckit hooks")]
    return [Finding(OK, "git's hooks call DVC")]


def disk(clone: Clone) -> Iterator[Finding]:
    """Look for room for another run."""
    free = shutil.disk_usage(clone.root).free
    if free < ROOM:
        what = f"the disk is nearly full: {free >> 20} MB are left"
        yield Finding(WRONG, what, "dvc gc --all-commits --all-experiments")
