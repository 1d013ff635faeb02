"""What tasks have written before, so that a part of data that is as it was is not computed again.

An entry is found by the content of what its task read, the code, the parameters and the versions of libraries. Its files
are hard links of those that the stage wrote; one that has been written to since is no entry any more. `.dvc/tmp`, where
they lie, is not git's and can be removed.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import dvckit
from dvckit.core.files import write_json
from dvckit.core.layout import LIBRARIES
from dvckit.core.pool import Pool

FOLDER = Path(".dvc/tmp/dvckit/parts")
RESULT, STAMPS = "result.json", "stamps.json"
BLOCK = 1 << 20


def content_hash(path: Path) -> str:
    """Return 20 hexadecimal digits for the content of a file."""
    found = hashlib.blake2b(digest_size=10)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()


def _stamp(path: Path) -> list[int]:
    """Return what changes when a file is written to or replaced."""
    about = path.stat()
    return [about.st_size, about.st_mtime_ns, about.st_ino]


def _code(package: str) -> str:
    """Return a hash of the code of the library and of a project's package, and of the versions that it runs with."""
    found = hashlib.blake2b(digest_size=10)
    folders = [Path(dvckit.__file__).parent, Path(package)]
    for file in [*(file for folder in folders for file in sorted(folder.rglob("*.py"))), LIBRARIES]:
        if file.is_file():
            found.update(f"{file.name} ".encode() + file.read_bytes())
    return found.hexdigest()


class Memo:
    """The entries of one kind of task; those that are not asked for are forgotten at the end."""

    def __init__(self, kind: str, package: str, *inputs: Any, folder: Path = FOLDER) -> None:
        """`package` holds the project's code, `inputs` are what the task depends on beside its files."""
        self._folder, self._used = folder / kind, set[str]()
        self._inputs = json.dumps([_code(package), *map(repr, inputs)])

    def hashes(self, paths: Sequence[Path], pool: Pool) -> list[str]:
        """Return the content hash of each file; that of one which is as it was is known."""
        known = self._read(self._folder / STAMPS) or {}
        stamps = {str(path): _stamp(path) for path in paths}
        new = [path for path in paths if known.get(str(path), [None])[:-1] != stamps[str(path)]]
        found = dict(zip(map(str, new), pool.map(content_hash, new, "read", "parts"), strict=True))
        hashes = [found[str(path)] if str(path) in found else str(known[str(path)][-1]) for path in paths]
        of_all = {str(path): [*stamps[str(path)], one] for path, one in zip(paths, hashes, strict=True)}
        write_json(self._folder / STAMPS, known | of_all)
        return hashes

    def _entry(self, content: str) -> Path:
        name = hashlib.blake2b(f"{self._inputs} {content}".encode(), digest_size=10).hexdigest()
        self._used.add(name)
        return self._folder / name

    def restore(self, content: str, targets: Sequence[Path]) -> Any:
        """Put the files of an entry in their places and return its result; None where there is no such entry."""
        entry = self._entry(content)
        about = self._read(entry / RESULT)
        files = [entry / str(number) for number in range(len(targets))]
        if about is None or not all(file.is_file() for file in files):
            return None
        if about["stamps"] != [_stamp(file) for file in files]:
            return None
        for file, target in zip(files, targets, strict=True):
            target.hardlink_to(file)
        return about["result"]

    def keep(self, content: str, files: Sequence[Path], result: Any) -> None:
        """Make an entry of what a task has written."""
        entry = self._entry(content)
        shutil.rmtree(entry, ignore_errors=True)
        with suppress(OSError):  # a file system without links
            entry.mkdir(parents=True)
            for number, file in enumerate(files):
                (entry / str(number)).hardlink_to(file)
            write_json(entry / RESULT, {"stamps": [_stamp(file) for file in files], "result": result})

    def forget_others(self) -> None:
        """Remove the entries that were not used."""
        for entry in self._others():
            shutil.rmtree(entry, ignore_errors=True)

    def _others(self) -> Iterable[Path]:
        return [entry for entry in self._folder.iterdir() if entry.is_dir() and entry.name not in self._used]

    @staticmethod
    def _read(path: Path) -> Any:
        try:
            return json.loads(path.read_bytes())
        except (OSError, ValueError):
            return None
