"""libraries.json: the versions, from uv.lock, of the packages that decide the bytes of a stage's outputs.

dvc.yaml names these packages among the params of each stage. So a new scikit-learn makes the stages stale that use it, and
`dvc status` names it; a new ruff makes none stale.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

from dvckit.core.errors import UserError
from dvckit.core.files import write_json
from dvckit.core.formats import read_json
from dvckit.core.layout import LIBRARIES
from dvckit.repository.packages import UV_LOCK
from dvckit.repository.revision import Revision


def named(revision: Revision) -> set[str]:
    """Return the packages that stages name."""
    stages = (stage for lock in revision.locks for stage in revision.definitions(lock).values())
    entries = (entry for stage in stages for entry in stage.get("params") or () if isinstance(entry, dict))
    return {name for entry in entries for name in entry.get(LIBRARIES.name) or ()}


def locked(revision: Revision) -> dict[str, str]:
    """Return the version of each package that stages name; UserError where uv.lock lacks one."""
    names, versions = sorted(named(revision)), revision.packages.sources
    if absent := [name for name in names if name not in versions]:
        raise UserError(f"dvc.yaml names {', '.join(absent)} of {LIBRARIES}, which {UV_LOCK} lacks; run `uv lock`")
    return {name: versions[name] for name in names}


def write(root: Path) -> None:
    """Write libraries.json, unless no stage names a package or it is right already."""
    versions = locked(Revision(root))
    if versions and versions != recorded(root):
        write_json(root / LIBRARIES, versions)


def recorded(root: Path) -> Any:
    """Return what libraries.json has; None where it is missing or no JSON."""
    with suppress(OSError, UserError):
        return read_json((root / LIBRARIES).read_bytes())
    return None
