"""The git and DVC repository of a project, as the commands see it: both programs, and what dvc.lock names."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from titanic.config import leaves
from titanic.stage import UserError


class Output(NamedTuple):
    """An output of a stage as dvc.lock names it; `path` relative to the project's root."""

    stage: str
    path: str
    md5: str


def run(
    command: list[str],
    root: Path,
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
    given: str = "",
) -> str:
    """Run a program in `root` with no terminal and return its stdout; UserError with its last line where it fails.

    `environment` is added to that of this process, `given` is what the program reads.
    """
    # `python` in dvc.yaml must be the interpreter that runs now
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    # git takes no lock only to look, so that one that lies there is another's
    ours = {"PATH": path, "DVC_NO_ANALYTICS": "1", "GIT_OPTIONAL_LOCKS": "0"}
    said = " ".join(command[2:4] if command[0] == sys.executable else command[:2])
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env={**os.environ, **ours, **(environment or {})},
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            start_new_session=timeout is not None,  # or a question for a password goes past stdin, to the terminal
        )
    except FileNotFoundError:
        raise UserError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"`{said}` gave no answer within {timeout:.0f} s") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        told = [line for line in lines if "ERROR" in line or line.startswith(("error", "fatal"))] or lines[-1:]
        raise UserError(f"`{said}` failed: {'; '.join(told)}")
    return done.stdout


def one_line(error: object) -> str:
    """Return what an error says, on one line."""
    return " ".join(str(error).split())


def git(root: Path, *arguments: str) -> str:
    """Run git in `root`."""
    return run(["git", *arguments], root)


def dvc(root: Path, *arguments: str, timeout: float | None = None) -> str:
    """Run DVC in `root`, the one of this interpreter's environment."""
    return run([sys.executable, "-m", "dvc", *arguments], root, timeout)


def find_root() -> Path:
    """Return the root of the project that holds the current folder; UserError outside of one."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "dvc.yaml").is_file() and (folder / "params.yaml").is_file():
            return folder
    raise UserError(f"{Path.cwd()} is not inside a project: no folder above it has dvc.yaml and params.yaml")


def git_file(root: Path, rev: str, path: str) -> bytes | None:
    """Return a file as a commit has it, `path` relative to `root`; None where the commit or the file is not there."""
    command = ["git", "cat-file", "blob", f"{rev}:./{path}"]
    done = subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return None if done.returncode else done.stdout


def git_files(root: Path, wanted: Iterable[tuple[str, str]]) -> list[bytes | None]:
    """Return files, each named by commit and path, in the way of `git_file`, all by one process."""
    names = "".join(f"{rev}:./{path}\n" for rev, path in wanted).encode()
    done = subprocess.run(["git", "cat-file", "--batch"], cwd=root, input=names, capture_output=True, check=True)
    said = BytesIO(done.stdout)
    found: list[bytes | None] = []
    while head := said.readline():
        *_, kind, size = head.split()
        if size.isdigit():
            content = said.read(int(size) + 1)[:-1]
            found.append(content if kind == b"blob" else None)
        else:  # "NAME missing"
            found.append(None)
    return found


def locked_outputs(root: Path, rev: str | None = None) -> list[Output]:
    """Return every output that the dvc.lock files name, file by file, in their order; see `locked_stages`."""
    return outputs_of(locked_stages(root, rev))


def locked_params(root: Path, rev: str | None = None) -> dict[str, Any]:
    """Return the parameters that the outputs were made with, by dotted key; see `params_of`."""
    return params_of(locked_stages(root, rev))


def params_of(stages: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that stages were run with, by dotted key, each as the first of them to read it has it.

    The stages of reports/ come last, and an experiment leaves them as they were.
    """
    return {
        key: value
        for stage in reversed(stages.values())
        for file in stage.get("params", {}).values()
        for section, values in file.items()
        for key, value in leaves({section: values})
    }


def fresh_stages(stages: dict[str, Any]) -> dict[str, Any]:
    """Return those of `locked_stages` that read what the others made last.

    After an experiment the second pipeline's lock still tells of the run before: of another model and other parameters.
    """
    made = {output.path: output for output in outputs_of(stages)}
    stale: set[str] = set()
    while True:
        found = {
            name
            for name, stage in stages.items()
            for dep in stage.get("deps", ())
            if (source := made.get(dep["path"])) and (source.md5 != dep.get("md5") or source.stage in stale)
        }
        if found == stale:
            return {name: stage for name, stage in stages.items() if name not in stale}
        stale = found


def locked_stages(root: Path, rev: str | None = None) -> dict[str, Any]:
    """Return what the dvc.lock files tell of each stage, by DVC's name for it.

    The files are those of a commit, or, without one, those on disk that git knows. UserError where one is not a lock.
    """
    stages: dict[str, Any] = {}
    for lock in _lock_files(root, rev):
        text = git(root, "show", f"{rev}:./{lock}") if rev else (root / lock).read_text(encoding="utf-8")
        stages |= read_lock(lock, text, f" at {rev}" if rev else "")
    return stages


def read_lock(lock: str, text: str, where: str = "") -> dict[str, Any]:
    """Return what the text of a dvc.lock tells of each stage, by DVC's name for it; UserError where it is no lock."""
    prefix = "" if lock == "dvc.lock" else f"{Path(lock).parent}/dvc.yaml:"
    try:
        stages = {prefix + name: dict(told) for name, told in _parsed(text)["stages"].items()}
        outputs_of(stages)
    except YAMLError as error:
        raise UserError(f"{lock} cannot be read{where}: {one_line(error)}") from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(f"{lock} cannot be read{where}: it is not what DVC writes") from None
    return stages


@lru_cache(maxsize=64)
def _parsed(text: str) -> Any:
    """Return the content of a lock, which is asked for anew for each output of a revision; nobody may change it."""
    return YAML(typ="safe", pure=True).load(text)


def outputs_of(stages: dict[str, Any]) -> list[Output]:
    """Return the outputs of stages as `read_lock` gives them, in their order."""
    return [Output(name, out["path"], out["md5"]) for name, stage in stages.items() for out in stage.get("outs", ())]


def _lock_files(root: Path, rev: str | None) -> list[str]:
    if rev is None:
        return git(root, "ls-files", "--", "dvc.lock", "*/dvc.lock").splitlines()
    paths = git(root, "ls-tree", "-r", "--name-only", rev).splitlines()
    return [path for path in paths if path.rpartition("/")[2] == "dvc.lock"]
