"""What every check of `titanic doctor` works with: its findings, the clone, and the hashes of files."""

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from titanic.stage import UserError
from titanic.versions.remote import STORAGE
from titanic.versions.repository import Output, git, one_line, outputs_of, read_lock

OK, ADVICE, WRONG, FIXED = "ok", "advice", "WRONG", "fixed"
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
PART = 1 << 20  # bytes that are hashed between two looks at the clock
NAMED = 8  # files that a line names


@dataclass(frozen=True)
class Finding:
    """One line: what is so, the command that cures it, and, where that loses nothing, a function that does it.

    `mend` returns what it did.
    """

    level: str
    what: str
    cure: str = ""
    mend: Callable[[], str] | None = None

    def __str__(self) -> str:
        return f"{self.level:8}{self.what}" + (f"; run `{self.cure}`" if self.cure else "")


class Clone:
    """A clone as it was when it was looked at. What cannot be read is empty here: the check that is about it tells."""

    def __init__(self, root: Path, until: float = float("inf")) -> None:
        self.root = root
        self.until = until  # of time.monotonic(): when hashing ends, done or not

    @cached_property
    def config(self) -> dict[str, Any]:
        """DVC's configuration, all levels together, with absolute paths."""
        try:
            return read_config(self.root)
        except UserError:
            return {}

    @cached_property
    def outputs(self) -> list[Output]:
        """What the readable dvc.lock files on disk name."""
        return [output for lock in lock_files(self.root) for output in _outputs_or_none(self.root, lock)]

    @cached_property
    def added(self) -> list[Output]:
        """The data of the .dvc files; `stage` is the file."""
        names = tracked(self.root, "--cached", "--others", "--exclude-standard", "--", "*.dvc")
        return [output for name in names for output in _added_or_none(self.root, name)]

    @cached_property
    def kept(self) -> dict[str, Output]:
        """What DVC keeps, by md5: the outputs but those with `cache: false`, what was added, and what is in folders."""
        others = {*tracked(self.root), *(path for name in lock_files(self.root) for path in _not_kept(self.root, name))}
        kept = [output for output in self.outputs if output.path not in others] + self.added
        return {output.md5: output for output in [*kept, *(item for output in kept for item in self.members(output))]}

    def members(self, output: Output) -> list[Output]:
        """Return the files of an output that is a folder, as its object lists them; none where no store has that."""
        for store in self.stores.values() if output.md5.endswith(".dir") else ():
            path = object_in(store, output.md5)
            if md5_of(path) == output.md5.removesuffix(".dir"):
                items = json.loads(path.read_bytes())
                return [Output(output.stage, f"{output.path}/{item['relpath']}", item["md5"]) for item in items]
        return []

    @property
    def stores(self) -> dict[str, Path]:
        """The folders of this machine that hold objects, by what a line calls them; the cache comes first."""
        remotes = self.config.get("remote", {})
        local = {name: Path(remote["url"]) for name, remote in remotes.items() if "://" not in remote.get("url", "://")}
        named = {STORAGE if path == self.root / STORAGE else f"remote {name}": path for name, path in local.items()}
        cache = Path(self.config.get("cache", {}).get("dir") or self.root / ".dvc/cache")
        return {"cache": cache, STORAGE: self.root / STORAGE} | named


def read_config(root: Path) -> dict[str, Any]:
    """Return DVC's configuration; UserError where it cannot be read."""
    from dvc.config import Config, ConfigError

    try:
        return dict(Config(dvc_dir=str(root / ".dvc")))
    except (ConfigError, OSError, UnicodeDecodeError) as error:
        raise UserError(one_line(error)) from None


def lock_files(root: Path) -> list[str]:
    """Return where the lock of each pipeline is or would be: beside the dvc.yaml of the root and of its folders."""
    return [str(file.with_suffix(".lock").relative_to(root)) for file in (root / "dvc.yaml", *_inner(root))]


def _inner(root: Path) -> list[Path]:
    return sorted(root.glob("[!.]*/dvc.yaml"))


def parse_lock(lock: str, text: str) -> list[Output]:
    """Return the outputs in the text of a lock; UserError also where DVC would refuse it, and where a kill has cut it."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from dvc.utils.serialize import ParseError, parse_yaml
    from voluptuous import Invalid

    outputs = outputs_of(read_lock(lock, text))
    try:
        COMPILED_LOCKFILE_SCHEMA(parse_yaml(text, lock))
    except (ParseError, Invalid) as error:
        raise UserError(f"{lock} cannot be read: DVC refuses it: {one_line(error)}") from None
    hashes = re.findall(r"^ *(?:- )?md5:(.*)$", text, flags=re.MULTILINE)
    if not text.endswith("\n") or not all(MD5.fullmatch(md5.strip()) for md5 in hashes):
        raise UserError(f"{lock} cannot be read: it is cut off")
    return outputs


def _outputs_or_none(root: Path, lock: str) -> list[Output]:
    try:
        return parse_lock(lock, (root / lock).read_text(encoding="utf-8"))
    except (UserError, OSError, UnicodeDecodeError):
        return []


def _not_kept(root: Path, lock: str) -> list[str]:
    """Return the outputs of a pipeline that DVC does not push."""
    try:
        text = (root / lock).with_suffix(".yaml").read_text(encoding="utf-8")
        stages = YAML(typ="safe", pure=True).load(text)["stages"].values()
        outs = [out for stage in stages for kind in ("outs", "metrics", "plots") for out in stage.get(kind, ())]
        options = [pair for out in outs if isinstance(out, dict) for pair in out.items()]
        return [path for path, said in options if False in (said.get("cache"), said.get("push"))]
    except (YAMLError, KeyError, TypeError, AttributeError, OSError, UnicodeDecodeError):
        return []


def read_added(root: Path, name: str) -> list[Output]:
    """Return the data that a .dvc file names; UserError where it cannot be read."""
    try:
        outs = YAML(typ="safe", pure=True).load((root / name).read_text(encoding="utf-8"))["outs"]
        return [Output(name, (Path(name).parent / out["path"]).as_posix(), out["md5"]) for out in outs]
    except (YAMLError, KeyError, TypeError, AttributeError, OSError, UnicodeDecodeError) as error:
        raise UserError(one_line(error)) from None


def _added_or_none(root: Path, name: str) -> list[Output]:
    try:
        return read_added(root, name)
    except UserError:
        return []


def tracked(root: Path, *arguments: str) -> list[str]:
    """Return files as `git ls-files` lists them; none where there is no git repository."""
    try:
        return [name for name in git(root, "ls-files", "-z", *arguments).split("\0") if name]
    except UserError:
        return []


def object_in(store: Path, md5: str) -> Path:
    """Return where a store keeps the object with this md5."""
    return store / "files/md5" / md5[:2] / md5[2:]


def md5_of(path: Path, until: float = float("inf")) -> str | None:
    """Return the md5 of a file's content, "unreadable" where it cannot be read, None where the time is up."""
    found = hashlib.md5()  # noqa: S324 - DVC's
    try:
        with path.open("rb") as file:
            while part := file.read(PART):
                if time.monotonic() > until:
                    return None
                found.update(part)
    except OSError:
        return "unreadable"
    return found.hexdigest()


def md5s_of(paths: Iterable[Path], until: float) -> dict[Path, str | None]:
    """Hash files in parallel, as `md5_of` does: hashing leaves Python's other threads free."""
    listed = list(paths)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(listed, pool.map(lambda path: md5_of(path, until), listed), strict=True))


def listing(folder: Path) -> bytes:
    """Return the object that stands for a folder: DVC's list of its files and their hashes, sorted by path."""
    files = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
    return json.dumps([{"md5": md5_of(path), "relpath": name} for name, path in files]).encode()


def put_aside(root: Path, path: Path) -> Path:
    """Move what is damaged into .dvc/tmp/damaged, beside what is there already."""
    folder = root / ".dvc/tmp/damaged"
    folder.mkdir(parents=True, exist_ok=True)
    names = (folder / (f"{path.name}.{number}" if number else path.name) for number in count())
    free = next(name for name in names if not name.exists())
    shutil.move(path, free)
    return free.relative_to(root)


def some(names: Iterable[str]) -> str:
    """Join names, the first few of many."""
    listed = list(names)
    more = [f"and {len(listed) - NAMED} more"] if len(listed) > NAMED else []
    return ", ".join(listed[:NAMED] + more)
