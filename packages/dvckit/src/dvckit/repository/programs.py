"""git and DVC as programs: the one place that starts them, which says where they work and what they see."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from signal import Signals

from dvckit.core.arithmetic import ARITHMETIC
from dvckit.core.errors import UserError

Variables = Mapping[str, str]  # of a process's environment

# What git hands to its hooks, and what else makes it work elsewhere or take paths for patterns: here the folder decides.
FOREIGN = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_CONFIG", "GIT_DIR", "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_INTERNAL_SUPER_PREFIX", "GIT_NAMESPACE", "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX", "GIT_QUARANTINE_PATH", "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_WORK_TREE",
    "GIT_GLOB_PATHSPECS", "GIT_ICASE_PATHSPECS", "GIT_LITERAL_PATHSPECS", "GIT_NOGLOB_PATHSPECS",
}  # fmt: skip
# What a user may have configured for the eye, and that changes what is read here.
PLAIN = {
    "color.ui": "false", "diff.relative": "false", "i18n.logOutputEncoding": "UTF-8", "log.showSignature": "false"
}  # fmt: skip
OPTIONS = [word for name, value in PLAIN.items() for word in ("-c", f"{name}={value}")]
REFUSED = re.compile(r"' validation failed|, in line \d+, column \d+")  # how DVC begins on a file, before it quotes it


class NotThereError(UserError):
    """git or DVC works, and has nothing of the name that it was asked for."""


def environment() -> dict[str, str]:
    """Return the environment for a program in any repository: the user's, without what git hands to its hooks."""
    # `python` in dvc.yaml must be the interpreter that runs now
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    # git takes no lock only to look, so that one that lies there is another process's
    ours = {"PATH": path, "DVC_NO_ANALYTICS": "1", "GIT_OPTIONAL_LOCKS": "0"}
    return {name: value for name, value in _unpinned().items() if name not in FOREIGN} | ours


def _unpinned() -> dict[str, str]:
    """Return the environment of this process with the variables of `ARITHMETIC` as they were when it began."""
    import psutil

    users = psutil.Process().environ()
    now = {name: value for name, value in os.environ.items() if name not in ARITHMETIC}
    return now | {name: users[name] for name in ARITHMETIC.keys() & users.keys()}


def start(
    command: list[str],
    root: Path,
    variables: Variables | None = None,
    stdin: bytes = b"",
    *,
    codes: tuple[int, ...] = (0,),
) -> bytes:
    """Run a program in `root` and return its stdout; UserError with its last line where it fails.

    `variables` are added to `environment()`, `stdin` is its standard input, `codes` are no failures.
    """
    words = command[2:] if command[0] == sys.executable else [word for word in command if word not in OPTIONS]
    shown = " ".join(words[:2])
    try:
        process = subprocess.run(
            command,
            cwd=root,
            env={**environment(), **(variables or {})},
            input=stdin,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:  # the program, or the folder to start it in
        raise UserError(
            f"{command[0]} is not installed" if error.filename == command[0] else f"{root} is gone"
        ) from None
    if process.returncode not in codes:
        raise failure(shown, process.returncode, (process.stderr or process.stdout).decode(errors="backslashreplace"))
    return process.stdout


def failure(shown: str, code: int, text: str) -> UserError:
    """Return what a program that failed has said of it."""
    lines = text.strip().splitlines()
    if code < 0:
        lines.append(f"it was ended by {Signals(-code).name}")
    if code == 1 and not lines:
        return NotThereError(f"`{shown}` found nothing")
    return UserError(f"`{shown}` failed: {'; '.join(_reasons(lines) or ['no output'])}")


def _reasons(lines: list[str]) -> list[str]:
    """Return the lines that say why: those of DVC and git, and the last of a stage's own, such as a missing package."""
    whys = [number for number, line in enumerate(lines) if line.startswith(("ERROR", "error", "fatal"))]
    if whys and whys[0] and "failed to reproduce" in lines[whys[0]]:
        whys.insert(0, whys[0] - 1)
    refused = [line for line in lines if REFUSED.search(line)]
    return [lines[number].strip() for number in whys if lines[number].strip()] or refused[:1] or lines[-1:]


def run(command: list[str], root: Path, variables: Variables | None = None, stdin: str = "") -> str:
    """Do the same with text; bytes that are not UTF-8, such as those of an old file name, pass through unchanged."""
    return start(command, root, variables, _bytes(stdin)).decode(errors="surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def readable(text: str) -> str:
    r"""Return a text of git's for people and files, with bytes that are not UTF-8 as \xe9."""
    return _bytes(text).decode(errors="backslashreplace")


def git(
    root: Path, *arguments: str, index: Path | None = None, stdin: str = "", variables: Variables | None = None
) -> str:
    """Run git in `root`, where asked for with an index of its own."""
    return run(["git", *OPTIONS, *arguments], root, _for_git(index, variables), stdin)


def _for_git(index: Path | None = None, variables: Variables | None = None) -> Variables:
    own = {"GIT_INDEX_FILE": str(index)} if index else {}
    return {"LC_ALL": "C", "LANGUAGE": "", **own, **(variables or {})}  # its messages are read here


def dvc(root: Path, *arguments: str) -> str:
    """Run DVC in `root`, the one of this interpreter's environment."""
    return run([sys.executable, "-m", "dvc", *arguments], root)


def git_files(root: Path, files: Iterable[tuple[str, str]]) -> list[bytes | None]:
    """Return files, each named by commit and path from `root`, by one process; None for what is not there."""
    listed = list(files)
    far = {path for _, path in listed if path.startswith(("/", "..")) or "/.." in path}
    far -= set(in_repository(root, far)) if far else set()
    near = [name for name in listed if name[1] not in far]
    asked = [name for name in near if "\n" not in name[1]]  # git's answers about the others would not fit
    names = _bytes("".join(f"{commit}:./{path}\n" for commit, path in asked))
    listing = BytesIO(start(["git", "cat-file", "--batch"], root, _for_git(), names))
    found = dict(zip(asked, _blobs(listing), strict=True))
    found |= {name: _blob(root, *name) for name in near if "\n" in name[1]}
    return [found.get(name) for name in listed]


def _blob(root: Path, commit: str, path: str) -> bytes | None:
    with suppress(UserError):
        return start(["git", "cat-file", "blob", f"{commit}:./{path}"], root, _for_git())
    return None


def _blobs(listing: BytesIO) -> Iterator[bytes | None]:
    """Yield each file of git's answer; None for what is missing or no file."""
    while head := listing.readline():
        *_, kind, size = head.split()  # or "NAME missing"
        content = listing.read(int(size) + 1)[:-1] if size.isdigit() else None
        yield content if kind == b"blob" else None


def copy_index(root: Path, copy: Path) -> Path:
    """Copy git's index, where there is one, and return its own path.

    The copy keeps the time: git compares the content of files that are no older than their index, and no others.
    """
    own = Path(root, git(root, "rev-parse", "--git-path", "index").rstrip("\n"))
    if own.is_file():
        shutil.copy2(own, copy)
    return own


def names_in(listing: str) -> list[str]:
    """Return the names that git lists with `-z`."""
    return [name for name in listing.split("\0") if name]


def tracked(root: Path, *arguments: str) -> list[str]:
    """Return files as `git ls-files` lists them, from `root`; none where there is no git repository."""
    try:
        return names_in(git(root, "ls-files", "-z", *arguments))
    except UserError as error:
        if "not a git repository" in str(error):
            return []
        raise


def in_repository(root: Path, paths: Iterable[str]) -> list[str]:
    """Return those of a project's deps and outs that are in its git repository: git refuses to look at others."""
    top = os.path.normpath(root / git(root, "rev-parse", "--show-cdup").rstrip("\n"))
    return sorted(
        path for path in paths if "://" not in path and Path(os.path.normpath(root / path)).is_relative_to(top)
    )


def find_root() -> Path:
    """Return the root of the DVC project that holds the current folder; UserError outside of one."""
    folders = (Path.cwd(), *Path.cwd().parents)
    for mark in (".dvc", "dvc.yaml"):  # a project that has lost its .dvc is still one
        for folder in folders:
            # DVC may have written objects to /.dvc by mistake
            if (folder / mark).exists() and (folder.parent != folder or (folder / ".dvc/config").exists()):
                return folder
    raise UserError(f"{Path.cwd()} is not inside a DVC project: no folder above it has .dvc or dvc.yaml")
