"""How a result becomes an experiment: objects in DVC's cache, then one commit beside HEAD, as `dvc exp run` leaves it."""

import json
import shutil
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import NamedTuple

from dvckit.core.errors import UserError
from dvckit.core.files import unfinished
from dvckit.core.layout import PARAMS
from dvckit.repository.dvc_internals import ExpRefInfo, StackedConfig, dict_sha256, get_user_identity
from dvckit.repository.objects import md5_of, object_path
from dvckit.repository.programs import git
from dvckit.sweep.base import Base
from dvckit.sweep.trial import Result

READ_ONLY = 0o444  # DVC's mode for what is in its cache


def store(cache: Path, content: bytes) -> str:
    """Put an object into the cache, whole or not at all; return its name."""
    md5 = md5_of(content)
    target = object_path(cache, md5)
    with suppress(FileNotFoundError):
        if target.stat().st_size == len(content):
            return md5
    target.parent.mkdir(parents=True, exist_ok=True)
    with unfinished(target.with_name(token_hex(16))) as temporary:
        temporary.write_bytes(content)
        temporary.chmod(READ_ONLY)
        temporary.replace(target)
    return md5


class Unrecorded(NamedTuple):
    """A result that is stored, and no experiment yet: its git tree, DVC's hash of it, the objects in the cache."""

    name: str
    head: str
    tree: str
    exp_hash: str
    objects: list[str]


class Recorder:
    """Writes the experiments of one sweep."""

    def __init__(self, base: Base) -> None:
        """Prepare git to commit beside HEAD; UserError where it has no name to commit with."""
        self.root, self.head, self.cache, self.scratch = base.root, base.head, base.cache, base.folder
        self.identity = _identity(base.root, dirty=bool(base.changed))
        self.index = self.scratch / "record-index"
        self.journal = self.root / ".dvc/tmp/sweep/finished.jsonl"
        self.prefix = git(self.root, "rev-parse", "--show-prefix").strip()
        self.git_dir = git(self.root, "rev-parse", "--absolute-git-dir").strip()
        git(self.root, "read-tree", base.tree, index=self.index)

    def existing(self) -> dict[str, str]:
        """Return the commits of all experiments on HEAD by name."""
        listed = git(self.root, "for-each-ref", "--format=%(refname) %(objectname)", str(ExpRefInfo(self.head)))
        return {ref.rpartition("/")[2]: commit for ref, commit in (line.split(" ") for line in listed.splitlines())}

    def store(self, name: str, result: Result) -> Unrecorded:
        """Store what a trial wrote: in DVC's cache what DVC keeps, in git's objects the rest."""
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
        return Unrecorded(name, self.head, tree, dict_sha256(result.ran), objects)

    def commit(self, result: Unrecorded) -> str:
        """Make the experiment, unless another sweep has just made it; return its commit."""
        message = f"dvc: commit experiment {result.exp_hash}"
        arguments = ["commit-tree", result.tree, "-p", result.head]
        commit = git(self.root, *arguments, given=message, environment=self.identity).strip()
        try:
            git(self.root, "update-ref", str(ExpRefInfo(self.head, result.name)), commit, "")
        except UserError:
            if result.name not in self.existing():
                raise
        return commit

    def remember(self, result: Unrecorded) -> Unrecorded:
        """Note a result, so that the next sweep need not run it again."""
        with self.journal.open("a", encoding="utf-8") as journal:
            journal.write(f"\n{json.dumps(result._asdict())}\n")  # a kill may have left half a line
        return result

    def finished(self) -> dict[str, Unrecorded]:
        """Return the noted results on HEAD that git and the cache still have, by name."""
        lines = self.journal.read_text(encoding="utf-8").splitlines() if self.journal.is_file() else []
        noted = [result for line in lines if (result := _parsed(line)) and result.head == self.head]
        trees = "".join(f"{result.tree}\n" for result in noted)
        kinds = git(self.root, "cat-file", "--batch-check=%(objecttype)", given=trees).splitlines()
        return {
            result.name: result
            for result, kind in zip(noted, kinds, strict=True)
            if kind == "tree" and all(object_path(self.cache, md5).is_file() for md5 in result.objects)
        }


def _parsed(line: str) -> Unrecorded | None:
    """Return what a line of the journal says; None where a kill has cut it."""
    with suppress(ValueError, TypeError):
        return Unrecorded(**json.loads(line))
    return None


def _identity(root: Path, *, dirty: bool) -> dict[str, str]:
    """Return the environment that git needs to commit: empty, or, on a clean tree, the name that DVC makes up.

    UserError without an identity on a dirty tree, where `dvc exp run` fails, too.
    """
    try:
        git(root, "-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT")
    except UserError:
        if dirty:
            raise UserError(
                f"git does not know who you are, and there are uncommitted changes; commit {PARAMS} and the rest, or "
                "run `git config user.name NAME` and `git config user.email ADDRESS`"
            ) from None
        config = StackedConfig.default()
        name, _, address = get_user_identity(config).decode().rpartition(" ")
        values = {"NAME": name, "EMAIL": address.strip("<>")}
        return {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in values.items()}
    return {}
