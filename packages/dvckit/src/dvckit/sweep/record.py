"""How a result becomes an experiment: objects in DVC's cache, then one commit beside HEAD, as `dvc exp run` leaves it.

What `dvc exp show` shows of it is noted where DVC notes it once it has read a commit. That takes DVC 0.14 s, which is half
a minute after a sweep of 200; nearly all of it is spent on dvc.yaml and dvc.lock, and what a trial changed in them is known.
"""

import json
import os
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import Any, Literal, NamedTuple

from voluptuous import ExactSequence, Invalid, Match, Schema

from dvckit.core.errors import UserError
from dvckit.core.interrupts import unfinished
from dvckit.core.layout import EVALUATION, PARAMS
from dvckit.core.mappings import leaves
from dvckit.repository import dvc_internals
from dvckit.repository.objects import md5_of, object_path
from dvckit.repository.programs import git
from dvckit.repository.revision import Revision
from dvckit.sweep.base import Base
from dvckit.sweep.scores import content_of, names, read_numbers
from dvckit.sweep.trial import Experiment, Outcome, Result, Trial

READ_ONLY = 0o444  # DVC's mode for what is in its cache
HASH = Match(r"[0-9a-f]+(\.dir)?\Z")
SHAPE = Schema(ExactSequence([str, HASH, HASH, HASH, [HASH]]))  # of a line of the journal


class Unrecorded(NamedTuple):
    """A result that is stored, and no experiment yet: its git tree, DVC's hash of it, the objects in the cache."""

    name: str
    head: str
    tree: str
    exp_hash: str
    objects: list[str]


class Recorder:
    """Writes the experiments of one sweep; a copy of the project has the files of one trial after the other."""

    def __init__(self, base: Base) -> None:
        """Prepare git to commit beside HEAD; UserError where it has no name to commit with."""
        self.base, self.root, self.head, self.cache = base, base.root, base.head, base.cache
        self.identity = _identity(base.root, dirty=bool(base.changed))
        self.journal = self.root / ".dvc/tmp/sweep/finished.jsonl"
        self.copy = base.origin.copy(base.folder / "recorded")
        prefix = git(self.root, "rev-parse", "--show-prefix").strip()
        self.top = Path("/", prefix)
        top = (self.copy, *self.copy.parents)[prefix.count("/")]
        git_dir = git(self.root, "rev-parse", "--absolute-git-dir").strip()
        index = base.folder / "record-index"
        self._git = partial(git, self.copy, "--git-dir", git_dir, "--work-tree", str(top), index=index)
        with dvc_internals.Repo(str(self.root)) as repo:
            self.notes = dvc_internals.ExpCache(repo)
        self._repos: dict[int, Any] = {}  # DVC's view of the copy, for each way to resolve its stages
        self._busy = Lock()
        # what metrics are called at the start they are called in each trial
        self.names = names(read_numbers(Revision(self.root, commit=base.tree), base.pipeline(()).metrics), {})

    def existing(self) -> dict[str, str]:
        """Return the commits of all experiments on HEAD by name."""
        refs = str(dvc_internals.ExpRefInfo(self.head))
        listed = git(self.root, "for-each-ref", "--format=%(refname) %(objectname)", refs)
        return {ref.rpartition("/")[2]: commit for ref, commit in (line.split(" ") for line in listed.splitlines())}

    def read(self, trial: Trial, state: Literal["new", "done"], tree: str) -> Outcome:
        """Return the outcome of a trial with the scores in its tree of git's."""
        revision = Revision(self.root, commit=tree)
        numbers = read_numbers(revision, self.base.pipeline(trial.configuration).metrics)
        named = names(numbers, self.names)
        scores = {named[place]: number for place, number in numbers.items()}
        content = revision.file(EVALUATION.as_posix()) if self.base.project else None
        evaluation = dict(leaves(content_of(EVALUATION.as_posix(), content or b"{}")))
        return Outcome(trial.name, trial.configuration, state, scores=scores, evaluation=evaluation)

    def store(self, trial: Trial, result: Result | Experiment) -> Unrecorded:
        """Store what a trial gave, where DVC has not: in DVC's cache what DVC keeps, in git's objects the rest."""
        if isinstance(result, Experiment):
            own = str(dvc_internals.ExpRefInfo(self.head, trial.name))
            quiet = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc", "--no-recurse-submodules")
            git(self.root, "fetch", *quiet, result.clone, own)
            tree, message = git(self.root, "show", "--no-patch", "--format=%T%n%s", result.commit).splitlines()
            return Unrecorded(trial.name, self.head, tree, message.rpartition(" ")[2], result.objects)
        objects = [self._put(result.files[path]) for path in result.cached]
        with self._busy:
            self._git("read-tree", self.base.tree)
            self._git("update-index", "--add", "-z", "--stdin", stdin="\0".join(self._written(trial, result)))
            tree = self._git("write-tree").strip()
        return Unrecorded(trial.name, self.head, tree, dvc_internals.dict_sha256(result.ran), objects)

    def _put(self, content: bytes) -> str:
        """Put an object into the cache, whole or not at all; return its name."""
        md5 = md5_of(content)
        target = object_path(self.cache, md5)
        with suppress(FileNotFoundError):
            if target.stat().st_size == len(content):
                return md5
        self.base.make_folder(str(target.parent))
        with unfinished(target.with_name(token_hex(16))) as temporary:
            temporary.write_bytes(content)
            temporary.chmod(READ_ONLY)
            temporary.replace(target)
        return md5

    def _written(self, trial: Trial, result: Result) -> list[str]:
        """Write the files that git has, and those that DVC shows, into the copy; return the paths of the former."""
        paths = [path for path in result.files if path not in result.cached]
        for path in {*paths, *(out.path for stage in trial.stages for out in stage.outs if out.metric)}:
            (self.copy / path).parent.mkdir(parents=True, exist_ok=True)
            (self.copy / path).unlink(missing_ok=True)  # git may have a link there
            (self.copy / path).write_bytes(result.files[path])
        return paths

    def commit(self, result: Unrecorded) -> str:
        """Make the experiment, unless another sweep has just made it; return its commit."""
        message = f"dvc: commit experiment {result.exp_hash}"
        commit = git(self.root, *self.identity, "commit-tree", result.tree, "-p", result.head, stdin=message).strip()
        try:
            git(self.root, "update-ref", str(dvc_internals.ExpRefInfo(self.head, result.name)), commit, "")
        except UserError:
            if result.name not in self.existing():
                raise
        return commit

    def note(self, commit: str, trial: Trial, result: Result | Experiment) -> None:
        """Note what DVC shows of an experiment that a trial gave; of one that DVC has made it finds out itself."""
        if isinstance(result, Experiment):
            return
        seconds = int(git(self.root, "show", "--no-patch", "--format=%ct", commit))
        when = datetime.fromtimestamp(seconds)  # noqa: DTZ006 - DVC's, in local time
        with self._busy:
            self._written(trial, result)
            repo = self._repo(trial, result)
            exp = dvc_internals.SerializableExp.from_repo(repo, rev=commit, timestamp=when)
        if not exp.contains_error:
            self.notes.put(replace(exp, deps={self._shown(path): dep for path, dep in exp.deps.items()}))

    def _shown(self, path: str) -> str:
        """Return how DVC shows a dep in a commit, where nothing is above the repository: `../mine` is `mine`."""
        place = Path(os.path.normpath(self.copy / path))
        in_copy = place.is_relative_to(self.base.folder)  # else its path in dvc.yaml is absolute
        return os.path.relpath(os.path.normpath(self.top / path) if in_copy else place, self.top)

    def _repo(self, trial: Trial, result: Result) -> Any:
        """Return DVC's view of the copy, with the dvc.lock of a trial."""
        key = id(trial.stages)  # parameters can change the paths in dvc.yaml, and so the stages
        if key not in self._repos:
            self._repos[key] = dvc_internals.Repo(str(self.copy))
        for stage in self._repos[key].index.stages:
            if stage.path == str(self.copy / "dvc.yaml"):
                entry = (self.base.start.lock | result.ran).get(stage.name)
                dvc_internals.StageLoader.fill_from_lock(stage, entry)
        return self._repos[key]

    def remember(self, result: Unrecorded) -> Unrecorded:
        """Add a result to the journal, so that the next sweep need not run it again."""
        with self.journal.open("a", encoding="utf-8") as journal:
            journal.write(f"\n{json.dumps(result)}\n")  # a kill may have left half a line
        return result

    def finished(self) -> dict[str, Unrecorded]:
        """Return the results in the journal on HEAD that git and the cache still have, by name."""
        lines = self.journal.read_bytes().splitlines() if self.journal.is_file() else []
        results = [result for line in lines if (result := _read(line))]
        trees = "".join(f"{result.tree}\n" for result in results)
        kinds = git(self.root, "cat-file", "--batch-check=%(objecttype)", stdin=trees).splitlines()
        return {
            result.name: result
            for result, kind in zip(results, kinds, strict=True)
            if result.head == self.head
            and kind == "tree"
            and all(object_path(self.cache, md5).is_file() for md5 in result.objects)
        }


def _read(line: bytes) -> Unrecorded | None:
    """Return the result in a line of the journal; None where a kill has cut it, or it is damaged."""
    try:
        return Unrecorded(*SHAPE(json.loads(line)))
    except (ValueError, RecursionError, Invalid):
        return None


def _identity(root: Path, *, dirty: bool) -> list[str]:
    """Return git's options to commit without an identity: the name that DVC makes up; UserError where DVC fails, too."""
    try:
        git(root, "-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT")
    except UserError:
        if dirty:
            raise UserError(
                f"git does not know who you are, and there are uncommitted changes; commit {PARAMS} and the rest, or "
                "run `git config user.name NAME` and `git config user.email ADDRESS`"
            ) from None
        config = dvc_internals.StackedConfig.default()
        name, _, address = dvc_internals.get_user_identity(config).decode().rpartition(" ")
        return ["-c", f"user.name={name}", "-c", f"user.email={address.strip('<>')}"]
    return []
