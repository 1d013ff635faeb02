"""Objects of DVC: their names, which are hashes, and the folders of this machine that hold them."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, TypeVar

from dvckit.core.errors import UserError
from dvckit.core.formats import check_size, parse_json
from dvckit.repository import dvc_internals
from dvckit.repository.patience import PATIENCE, NoAnswerError, within
from dvckit.repository.shapes import MD5, is_member

STORAGE = ".dvc/storage"  # the embedded remote
PART = 1 << 20  # bytes that are read between two looks at the clock, and that DVC takes for text or not as a whole
BLOCK = 512  # bytes at the beginning, by which DVC tells text

_Value = TypeVar("_Value")


def object_path(store: Path, md5: str) -> Path:
    """Return where a store, such as the cache, keeps the object with this md5."""
    return store / "files/md5" / md5[:2] / md5[2:]


def legacy_path(store: Path, md5: str) -> Path:
    """Return where a store keeps the object if DVC 1 or 2 has written it."""
    return store / md5[:2] / md5[2:]


def has(store: Path, md5: str) -> bool:
    """Whether a store has the object with this md5, whichever DVC has written it."""
    return any(path.is_file() for path in object_paths(store, md5))


def object_paths(store: Path, md5: str) -> tuple[Path, Path]:
    """Return where a store may keep an object, whichever DVC has written it."""
    return object_path(store, md5), legacy_path(store, md5)


def answers(folder: Path, seconds: float | None = None) -> bool:
    """Whether the disk of a folder says if it is there: a dead mount does not."""
    try:
        within(folder.exists, seconds)
    except (NoAnswerError, OSError) as error:
        return isinstance(error, OSError)
    return True


def read_object(path: Path) -> bytes | None:
    """Return a file of a store; None where there is no such file, or its disk does not answer."""
    with suppress(OSError, NoAnswerError):
        return b"".join(_parts(path, float("inf")))
    return None


def _parts(path: Path, until: float) -> Iterator[bytes]:
    """Yield a file in parts; OSError where it is something else, such as a pipe, which would wait for a writer.

    NoAnswerError where its disk does not answer, or at `until`.
    """

    def bounded(action: Callable[[], _Value]) -> _Value:
        if time.monotonic() > until:
            raise NoAnswerError("the time is up")
        return within(action, min(PATIENCE, max(1.0, until - time.monotonic())))

    def opened() -> BinaryIO:  # without a buffer, which a read that hangs would keep locked
        return path.open("rb", buffering=0)

    if not bounded(path.is_file):
        raise FileNotFoundError(path)
    with bounded(opened) as file:
        while part := bounded(partial(file.read, PART)):
            yield part


def is_legacy(content: bytes | None, md5: str) -> bool:
    """Tell whether a content is that of an object that DVC 1 or 2 has written, or DVC 3 in its place."""
    if content is None:
        return False
    return md5.removesuffix(".dir") in (legacy_md5(content), _md5_of_dvc_2(content))


def legacy_md5(content: bytes) -> str:
    """Return the name of DVC 1 and 2 for a content, as DVC 3 computes it."""
    return _legacy_md5(BytesIO(content))


def _legacy_md5(file: Any) -> str:
    return str(dvc_internals.fobj_md5(file, name="md5-dos2unix"))


def _md5_of_dvc_2(content: bytes) -> str:
    """Return the name that DVC 1 and 2 gave: the first bytes of a file say whether all of it is text, not of each part."""
    if not dvc_internals.istextblock(content[:BLOCK]):
        return md5_of(content)
    parts = (content[start : start + PART] for start in range(0, len(content), PART))
    return md5_of(b"".join(part.replace(b"\r\n", b"\n") for part in parts))


def md5_of(content: bytes) -> str:
    """Return DVC's name for a content."""
    return hashlib.md5(content).hexdigest()  # noqa: S324 - DVC's


def is_intact(content: bytes | None, md5: str) -> bool:
    """Tell whether a content is that of the object with this name, of a folder's list too."""
    return content is not None and md5_of(content) == md5.removesuffix(".dir")


def file_md5(path: Path, until: float = float("inf"), *, legacy: bool = False) -> str | None:
    """Return the md5 of a file, "unreadable" where it cannot be read, None from `until` on, of time.monotonic().

    `legacy`: as DVC 1 and 2 hashed it.
    """
    digest = hashlib.md5()  # noqa: S324 - DVC's
    try:
        if legacy:
            parts = _parts(path, until)
            return _legacy_md5(SimpleNamespace(read=lambda _: next(parts, b"")))
        for part in _parts(path, until):
            digest.update(part)
    except OSError:
        return "unreadable"
    except NoAnswerError:
        return None
    return digest.hexdigest()


def file_md5s(paths: Iterable[Path], until: float, legacy: Collection[Path] = ()) -> dict[Path, str | None]:
    """Hash files in parallel, as `file_md5` does, those in `legacy` as DVC 1 and 2 did.

    Hashing leaves Python's other threads free.
    """
    listed = list(paths)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        hashes = pool.map(lambda path: file_md5(path, until, legacy=path in legacy), listed)
        return dict(zip(listed, hashes, strict=True))


def folder_object(folder: Path, *, legacy: bool = False) -> bytes:
    """Return the object that stands for a folder on disk."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return listing({name: file_md5(path, legacy=legacy) for name, path in files.items()})


def output_md5(path: Path, *, legacy: bool = False) -> str | None:
    """Return DVC's name for a file or folder on disk; None where there is neither."""
    if path.is_dir():
        return f"{md5_of(folder_object(path, legacy=legacy))}.dir"
    return file_md5(path, legacy=legacy) if path.is_file() else None


def listing(md5s: Mapping[str, str | None]) -> bytes:
    """Return the object that stands for a folder: DVC's list of its files and their hashes, sorted by path."""
    return json.dumps([{"md5": md5, "relpath": name} for name, md5 in sorted(md5s.items())]).encode()


def listed(content: bytes) -> dict[str, str]:
    """Return the md5 of each file that DVC's list of a folder names; UserError for what is no such list.

    A list may have a million files, so it has its own check, and a larger limit.
    """
    check_size("list of files", content)
    items = parse_json(content)
    if not isinstance(items, list) or not all(map(_is_file, items)):
        raise UserError("it is not a list of files as DVC writes it")
    return {item["relpath"]: item["md5"] for item in items}


def _is_file(item: Any) -> bool:
    if not isinstance(item, dict) or not isinstance(item.get("md5"), str):
        return False
    return bool(MD5.fullmatch(item["md5"])) and is_member(item.get("relpath"))
