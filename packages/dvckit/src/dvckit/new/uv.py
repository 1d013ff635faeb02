"""uv as a program, run in another project than the one whose environment runs now."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import distributions
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from dvckit.core.errors import UserError, one_line
from dvckit.new.shared import UV_VERSION
from dvckit.repository.packages import UV_LOCK
from dvckit.repository.programs import environment

UV_LEAST = "0.8"  # as `required-version` in pyproject.toml

# What belongs to the project around this process, and what uv would write into the lock or look for in later runs.
_SURROUNDINGS = (
    *("VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__"),
    *("UV", "UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY", "UV_RUN_RECURSION_DEPTH"),
    *("UV_FROZEN", "UV_LOCKED", "UV_NO_SYNC", "UV_ISOLATED", "UV_NO_EDITABLE", "UV_NO_INSTALL_PROJECT", "UV_ENV_FILE"),
    *("UV_DEV", "UV_NO_DEV", "UV_NO_DEFAULT_GROUPS", "UV_GROUP", "UV_NO_GROUP", "UV_CONSTRAINT", "UV_OVERRIDE"),
    *("UV_EXCLUDE_NEWER", "UV_RESOLUTION", "UV_PRERELEASE", "UV_FORK_STRATEGY", "UV_NO_SOURCES", "UV_PYTHON"),
)

# How uv begins its error, and each cause of it; the last three are those of older versions.
_CAUSE = re.compile(r"^\s*(?:error:|cause:|Caused by:|×|╰─▶)", re.MULTILINE)  # noqa: RUF001 - uv prints it


def uv_program() -> list[str]:
    """Return the command of uv: on PATH, that of `make`, or a module; UserError where there is none or it is too old."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    program = shutil.which("uv") or shutil.which(f"{cache}/dvckit/uv-{UV_VERSION}/bin/uv")
    module = [sys.executable, "-m", "uv"] if importlib.util.find_spec("uv") else []
    command = [program] if program else module
    if not command:
        raise UserError("uv is not installed; install it with `pip install uv`, or see docs.astral.sh/uv")
    shown = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"uv (\d+(?:\.\d+)*)", shown)
    if not version or Version(version[1]) < Version(UV_LEAST):
        raise UserError(
            f"{' '.join(command)} is too old; install uv {UV_LEAST} or newer with `pip install --upgrade uv`"
        )
    return command


def environment_of(root: Path) -> dict[str, str]:
    """Return the environment variables for a program of the project in `root`: nothing of the project around us."""
    variables = {name: value for name, value in environment().items() if name not in _SURROUNDINGS}
    ours = str(Path(sys.prefix) / "bin")
    path = [folder for folder in variables["PATH"].split(os.pathsep) if folder != ours]
    return {**variables, "PATH": os.pathsep.join([str(root / ".venv/bin"), *path])}


def lock(root: Path, *arguments: str) -> None:
    """Write uv.lock; a first one has, as far as they fit, the versions of this environment, which were tried together."""
    path = root / UV_LOCK
    first = not path.exists()
    try:
        if first:
            path.write_text(_preferences())
        _resolve(root, *arguments)
    except BaseException:
        if first:
            path.unlink(missing_ok=True)
        raise


def _resolve(root: Path, *arguments: str) -> None:
    """Run `uv lock`, without a network from uv's cache; quiet, or it lists the preferences that were not needed."""
    try:
        run_uv(root, "lock", "--quiet", *arguments)
    except UserError:
        with suppress(UserError):
            run_uv(root, "lock", "--quiet", "--offline", *arguments)
            return
        raise


def sync(root: Path, *arguments: str) -> None:
    """Install what uv.lock names into .venv; at a terminal uv shows its progress."""
    run_uv(root, "sync", "--locked", *arguments, progress=sys.stderr.isatty())


def run_uv(root: Path, *arguments: str, progress: bool = False) -> str:
    """Run uv in `root` with the Python that runs now; return its stdout, UserError with its own reason where it fails."""
    process = subprocess.run(
        [*uv_program(), *arguments],
        cwd=root,
        env={**environment_of(root), "UV_PYTHON": sys.executable},
        stdin=subprocess.DEVNULL,
        stdout=None if progress else subprocess.PIPE,
        stderr=None if progress else subprocess.PIPE,
        text=True,
        check=False,
    )
    if process.returncode:
        reason = "see above" if progress else _reason(process.stderr)
        raise UserError(f"`uv {arguments[0]}` failed: {reason}")
    return process.stdout or ""


def _preferences() -> str:
    """Return a lock that only says which versions to prefer; uv replaces all else in it."""
    versions = dict[str, str]()
    for distribution in distributions():
        try:
            version = str(Version(distribution.version))
        except InvalidVersion:
            continue
        if distribution.read_text("direct_url.json") is None:  # from an index
            versions.setdefault(canonicalize_name(distribution.name), version)
    entries = [
        f'[[package]]\nname = "{name}"\nversion = "{version}"\nsource = {{ registry = "." }}\n'
        for name, version in sorted(versions.items())
    ]
    return "\n".join(['version = 1\nrequires-python = "==3.11.*"\n', *entries])


def _reason(output: str) -> str:
    """Return on one line what uv says: its error and the last cause of it, without hints."""
    _, *parts = _CAUSE.split(re.split(r"^\s*hint:", output, maxsplit=1, flags=re.MULTILINE)[0])
    causes = [one_line(part) for part in parts or output.splitlines()[-1:]]
    return ": ".join(dict.fromkeys([*causes[:1], *causes[-1:]])).replace("::", ":") or "it says nothing"
