"""Every object re-hashed, in the cache and in the remotes of this machine, and every output compared with its lock.

DVC trusts a cache object that is write-protected, whatever is in it, and so checks out, trains on and pushes a truncated
one.
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from titanic.config import RAW
from titanic.stage import write_bytes
from titanic.versions.health.clone import (
    ADVICE,
    MD5,
    OK,
    WRONG,
    Clone,
    Finding,
    listing,
    md5_of,
    md5s_of,
    object_in,
    put_aside,
    some,
)
from titanic.versions.remote import STORAGE
from titanic.versions.repository import Output, git_file


def objects(clone: Clone) -> Iterator[Finding]:
    """Hash every object of every store."""
    for name, store in clone.stores.items():
        yield from _store(clone, name, store)


def _store(clone: Clone, name: str, store: Path) -> Iterator[Finding]:
    found = {path: path.parent.name + path.name for path in store.glob("files/md5/??/*")}
    named = {output.md5 for output in clone.outputs + clone.added}
    paths = sorted((path for path, md5 in found.items() if MD5.fullmatch(md5)), key=lambda p: found[p] not in named)
    hashes = md5s_of(paths, clone.until)
    unread = [path for path in paths if hashes[path] is None]
    damaged = [path for path in paths if hashes[path] not in (None, found[path].removesuffix(".dir"))]
    for path in damaged:
        md5 = found[path]
        said = f"{name}: the object {md5}{_whose(clone, md5)} is damaged"
        yield Finding(WRONG, said, "titanic doctor --fix", partial(_mend, clone, name, path, md5))
    if unread:
        said = f"{name}: there was no time for {len(unread)} of {len(paths)} objects; --fix takes all the time it needs"
        yield Finding(ADVICE, said, "titanic doctor --fix")
    elif paths and not damaged:
        yield Finding(OK, f"{name}: {len(paths)} objects, each what its name says")


def _whose(clone: Clone, md5: str) -> str:
    paths = [output.path for output in clone.outputs + clone.added if output.md5 == md5]
    return f" ({some(paths)})" if paths else ""


def _mend(clone: Clone, name: str, path: Path, md5: str) -> str:
    """Put the intact object in the place of a damaged one, or nothing; likewise in the place of its copies.

    A copy is an output that has the damaged content: a link to the object, or what DVC made of it.
    """
    damaged = md5_of(path)
    copies = [file for file in _files(clone, md5) if md5_of(file) == damaged != "unreadable"]
    content = _intact(clone, md5)
    mode = path.stat().st_mode & 0o777
    if content is None:
        kept = put_aside(clone.root, path)
        for copy in copies:
            copy.unlink()
        back = "dvc repro --all-pipelines" if any(o.md5 == md5 for o in clone.outputs) else "dvc pull"
        return f"{name}: {md5}{_whose(clone, md5)} is intact nowhere here; moved to {kept}; `{back}` brings it back"
    for file in [path, *copies]:
        write_bytes(file, content)
    path.chmod(mode)
    also = f", and {some(str(copy.relative_to(clone.root)) for copy in copies)}" if copies else ""
    return f"{name}: {md5}{_whose(clone, md5)} is whole again{also}"


def _intact(clone: Clone, md5: str) -> bytes | None:
    """Return the content with this md5 from wherever on this machine it is: stores, git, the work tree."""
    places: list[Callable[[], bytes | None]] = [
        *(object_in(store, md5).read_bytes for store in clone.stores.values()),
        lambda: git_file(clone.root, "HEAD", object_in(Path(STORAGE), md5).as_posix()),
        *(file.read_bytes for file in _files(clone, md5)),
        *(partial(listing, clone.root / o.path) for o in clone.outputs + clone.added if o.md5 == md5),
    ]
    return next((content for place in places if _is(content := _read(place), md5)), None)


def _is(content: bytes | None, md5: str) -> bool:
    return content is not None and hashlib.md5(content).hexdigest() == md5.removesuffix(".dir")  # noqa: S324 - DVC's


def _read(place: Callable[[], bytes | None]) -> bytes | None:
    try:
        return place()
    except OSError:
        return None


def _files(clone: Clone, md5: str) -> list[Path]:
    """Return the files of the work tree that should have this content, also those in folders that are outputs."""
    named = clone.outputs + clone.added
    every = [*named, *(member for output in named for member in clone.members(output))]
    files = [clone.root / output.path for output in every if output.md5 == md5]
    return [file for file in files if file.is_file()]


def outputs(clone: Clone) -> Iterator[Finding]:
    """Compare what lies in the work tree with what the locks name."""
    states = _states(clone, clone.outputs)
    edited = [path for path in states["other"] if Path(path).is_relative_to(RAW)]
    other = [path for path in states["other"] if path not in edited]
    for path in edited:
        here = any(
            object_in(clone.stores["cache"], output.md5).exists() for output in clone.outputs if output.path == path
        )
        cure = f"dvc {'checkout' if here else 'pull'} --force {path}"
        yield Finding(WRONG, f"{path} was edited in place (a list of your own: `titanic data add`)", cure)
    if other:
        yield Finding(ADVICE, f"not what the last run made: {some(other)}", "dvc repro --all-pipelines")
    if states["absent"]:
        what = f"outputs that are not there: {some(states['absent'])}"
        yield Finding(ADVICE, what, "dvc pull` or `dvc repro --all-pipelines")
    if states["unread"]:
        yield Finding(ADVICE, f"there was no time to read {some(states['unread'])}", "titanic doctor --fix")
    if clone.outputs and not any(states[state] for state in ("other", "absent", "unread")):
        yield Finding(OK, f"{len(states['same'])} outputs, each what the last run made")


def external(clone: Clone) -> Iterator[Finding]:
    """Compare the data that a user has brought with their .dvc files."""
    states = _states(clone, clone.added)
    files = {output.path: output.stage for output in clone.added}
    for path in states["other"]:
        what = f"{path} was changed since it was added (to keep that as a new version: `dvc add {path}`)"
        yield Finding(WRONG, what, f"dvc checkout --force {files[path]}")
    for path in states["absent"]:
        yield Finding(ADVICE, f"{path} is not there", f"dvc pull {files[path]}")
    if states["same"]:
        yield Finding(OK, f"{some(states['same'])}: as it was added")


def _states(clone: Clone, outputs: list[Output]) -> dict[str, list[str]]:
    """Return the paths of outputs by how they are: same, other, absent, unread (no time)."""
    files = [clone.root / output.path for output in outputs if not output.md5.endswith(".dir")]
    hashes = md5s_of([file for file in files if file.is_file()], clone.until)
    found: dict[str, list[str]] = {"same": [], "other": [], "absent": [], "unread": []}
    for output in outputs:
        found[_state(clone.root / output.path, output.md5, hashes)].append(output.path)
    return found


def _state(path: Path, md5: str, hashes: dict[Path, str | None]) -> str:
    if not path.exists():
        return "absent"
    if path.is_dir():
        return "same" if _is(listing(path), md5) and md5.endswith(".dir") else "other"
    now = hashes.get(path, "")
    return "unread" if now is None else "same" if now == md5 else "other"
