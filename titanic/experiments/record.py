"""How a result becomes an experiment: objects in DVC's cache, then one commit beside HEAD, as `dvc exp run` leaves it."""

import json
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import NamedTuple

from dvc.repo.experiments.refs import ExpRefInfo
from dvc.utils import dict_sha256

from titanic.experiments.snapshot import Snapshot, git
from titanic.experiments.trial import Result, md5_of
from titanic.stage import UserError

READ_ONLY = 0o444  # DVC's mode for what is in its cache


def object_path(cache: Path, md5: str) -> Path:
    """Return where DVC keeps an object."""
    return cache / "files/md5" / md5[:2] / md5[2:]


def store(cache: Path, content: bytes) -> str:
    """Put an object into the cache, whole or not at all; return its name."""
    md5 = md5_of(content)
    target = object_path(cache, md5)
    with suppress(FileNotFoundError):
        if target.stat().st_size == len(content):
            return md5
    target.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=target.parent, delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            file.flush()
            temporary.chmod(READ_ONLY)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return md5


class Unrecorded(NamedTuple):
    """A result that is stored, and no experiment yet: its git tree, DVC's hash of it, the objects in the cache."""

    name: str
    head: str
    tree: str
    exp_hash: str
    objects: list[str]


class Recorder:
    """Writes the experiments of one snapshot."""

    def __init__(self, root: Path, snapshot: Snapshot, cache: Path, scratch: Path, identity: dict[str, str]) -> None:
        """Take the repository, what the experiments start from, and the environment in which git can commit."""
        self.root, self.snapshot, self.cache, self.scratch, self.identity = root, snapshot, cache, scratch, identity
        self.index = scratch / "record-index"
        self.journal = root / ".dvc/tmp/sweep/finished.jsonl"
        self.prefix = git(root, "rev-parse", "--show-prefix").strip()
        self.git_dir = git(root, "rev-parse", "--absolute-git-dir").strip()
        git(root, "read-tree", snapshot.tree, index=self.index)

    def ref(self, name: str) -> str:
        """Return DVC's ref of an experiment on HEAD."""
        return str(ExpRefInfo(self.snapshot.head, name))

    def existing(self) -> dict[str, str]:
        """Return the commits of all experiments on HEAD by name."""
        listed = git(
            self.root, "for-each-ref", "--format=%(refname) %(objectname)", str(ExpRefInfo(self.snapshot.head))
        )
        return {ref.rpartition("/")[2]: commit for ref, commit in (line.split(" ") for line in listed.splitlines())}

    def store(self, name: str, result: Result) -> Unrecorded:
        """Store what a trial made: in DVC's cache what DVC keeps, in git's objects the rest."""
        objects = [store(self.cache, result.files[path]) for path in result.cached]
        with TemporaryDirectory(dir=self.scratch) as scratch:
            index, folder = Path(scratch) / "index", Path(scratch) / "files"
            shutil.copyfile(self.index, index)
            paths = [path for path in result.files if path not in result.cached]
            for path in paths:
                target = folder / self.prefix / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(result.files[path])
            where = ["--git-dir", self.git_dir, "--work-tree", str(folder), "-C", str(folder)]
            given = "".join(f"{self.prefix}{path}\0" for path in paths)
            git(self.root, *where, "update-index", "--add", "-z", "--stdin", index=index, given=given)
            tree = git(self.root, "write-tree", index=index).strip()
        return Unrecorded(name, self.snapshot.head, tree, dict_sha256(result.ran), objects)

    def commit(self, made: Unrecorded) -> str:
        """Make the experiment, unless another sweep has just made it; return its commit."""
        message = f"dvc: commit experiment {made.exp_hash}"
        told = ["commit-tree", made.tree, "-p", made.head]
        commit = git(self.root, *told, given=message, environment=self.identity).strip()
        try:
            git(self.root, "update-ref", self.ref(made.name), commit, "")
        except UserError:
            if made.name not in self.existing():
                raise
        return commit

    def remember(self, made: Unrecorded) -> Unrecorded:
        """Note a result, so that the next sweep need not run it again."""
        with self.journal.open("a", encoding="utf-8") as journal:
            journal.write(f"\n{json.dumps(made._asdict())}\n")  # a kill may have left half a line
        return made

    def finished(self) -> dict[str, Unrecorded]:
        """Return the noted results on HEAD that are still there, by name."""
        lines = self.journal.read_text(encoding="utf-8").splitlines() if self.journal.is_file() else []
        noted = [made for line in lines if (made := _noted(line)) and made.head == self.snapshot.head]
        trees = "".join(f"{made.tree}\n" for made in noted)
        kinds = git(self.root, "cat-file", "--batch-check=%(objecttype)", given=trees).splitlines()
        there = [made for made, kind in zip(noted, kinds, strict=True) if kind == "tree"]
        return {
            made.name: made for made in there if all(object_path(self.cache, md5).is_file() for md5 in made.objects)
        }


def _noted(line: str) -> Unrecorded | None:
    """Return what a line of the journal tells; None where a kill has cut it."""
    with suppress(ValueError, TypeError):
        return Unrecorded(**json.loads(line))
    return None
