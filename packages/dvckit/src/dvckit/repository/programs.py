"""git and DVC as programs, started in one place."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path

from dvckit.core.errors import UserError

Variables = Mapping[str, str]  # of a process's environment


def run(
    command: list[str], root: Path, timeout: float | None = None, environment: Variables | None = None, stdin: str = ""
) -> str:
    """Run a program in `root` with no terminal and return its stdout; UserError with its last line where it fails.

    `environment` is added to that of this process, `stdin` is its standard input, `timeout` is in seconds.
    """
    # `python` in dvc.yaml must be the interpreter that runs now
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    # git takes no lock only to look, so that one that lies there is another process's
    ours = {"PATH": path, "DVC_NO_ANALYTICS": "1", "GIT_OPTIONAL_LOCKS": "0"}
    shown = " ".join(command[2:4] if command[0] == sys.executable else command[:2])
    try:
        process = subprocess.run(
            command,
            cwd=root,
            env={**os.environ, **ours, **(environment or {})},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            start_new_session=timeout is not None,  # or a question for a password goes past stdin, to the terminal
        )
    except FileNotFoundError:
        raise UserError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"`{shown}` gave no answer within {timeout:.0f} s") from None
    if process.returncode:
        lines = (process.stderr or process.stdout).strip().splitlines() or ["no output"]
        reasons = [line for line in lines if "ERROR" in line or line.startswith(("error", "fatal"))] or lines[-1:]
        raise UserError(f"`{shown}` failed: {'; '.join(reasons)}")
    return process.stdout


def git(
    root: Path, *arguments: str, index: Path | None = None, stdin: str = "", environment: Variables | None = None
) -> str:
    """Run git in `root`, where asked for with an index of its own."""
    own = {"GIT_INDEX_FILE": str(index)} if index else {}
    return run(["git", *arguments], root, environment={**own, **(environment or {})}, stdin=stdin)


def dvc(root: Path, *arguments: str, timeout: float | None = None) -> str:
    """Run DVC in `root`, the one of this interpreter's environment."""
    return run([sys.executable, "-m", "dvc", *arguments], root, timeout)


def git_files(root: Path, files: Iterable[tuple[str, str]]) -> list[bytes | None]:
    """Return files, each named by commit and path from `root`, by one process; None for what is not there."""
    names = "".join(f"{commit}:./{path}\n" for commit, path in files).encode()
    process = subprocess.run(["git", "cat-file", "--batch"], cwd=root, input=names, capture_output=True, check=True)
    listing = BytesIO(process.stdout)
    contents: list[bytes | None] = []
    while head := listing.readline():
        *_, kind, size = head.split()  # or "NAME missing"
        content = listing.read(int(size) + 1)[:-1] if size.isdigit() else None
        contents.append(content if kind == b"blob" else None)
    return contents


def tracked(root: Path, *arguments: str) -> list[str]:
    """Return files as `git ls-files` lists them, from `root`; none where there is no git repository."""
    try:
        return [name for name in git(root, "ls-files", "-z", *arguments).split("\0") if name]
    except UserError:
        return []


def find_root() -> Path:
    """Return the root of the DVC project that holds the current folder; UserError outside of one."""
    folders = (Path.cwd(), *Path.cwd().parents)
    for mark in (".dvc", "dvc.yaml"):  # a project that has lost its .dvc is still one
        for folder in folders:
            if (folder / mark).exists():
                return folder
    raise UserError(f"{Path.cwd()} is not inside a DVC project: no folder above it has .dvc or dvc.yaml")
