"""The scores of a revision: the numbers in the files that its dvc.yaml calls metrics."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from sys import float_info

from dvckit.core.errors import UserError
from dvckit.core.mappings import leaves
from dvckit.repository.pipelines import expanded
from dvckit.repository.revision import Revision
from dvckit.repository.values import parsed

Place = tuple[str, str]  # a file, and a dotted key in it


def read_numbers(revision: Revision, paths: Iterable[str]) -> dict[Place, float]:
    """Return the numbers in JSON, YAML or TOML files; a file that is not there, or cannot be read, has none."""
    return {
        (path, key or path): float(value)
        for path in expanded(paths, revision.members_here)
        for key, value in leaves(content_of(path, _content(revision, path)))
        if isinstance(value, int | float) and abs(value) <= float_info.max
    }


def names(places: Collection[Place], known: Mapping[Place, str]) -> dict[Place, str]:
    """Return what numbers are called: as before, else by key, or `PATH:KEY` where another has the key."""
    named = {place: known[place] for place in places if place in known}
    times = Counter([key for _, key in places if (_, key) not in known] + list(named.values()))
    return named | {
        (path, key): key if times[key] == 1 else f"{path}:{key}" for path, key in places if (path, key) not in known
    }


def _content(revision: Revision, path: str) -> bytes:
    """Return a metric, which git has or DVC; nothing where neither has it on this machine."""
    content = revision.file(path)
    if content is None and (md5 := _md5(revision, path)):
        content = revision.stored(md5)
    return content or b""


def _md5(revision: Revision, path: str) -> str | None:
    """Return the md5 of a file that DVC keeps, also in a folder if its list is on this machine: no remote is asked."""
    folders = map(str, PurePosixPath(path).parents)
    if path in revision.md5s or any(path in revision.members_here(folder) for folder in folders):
        return revision.md5(path)
    return None


def content_of(path: str, content: bytes) -> object:
    """Return what is in a file of metrics; None where it cannot be read."""
    with suppress(UserError):
        return parsed(path, content)
    return None
