"""A revision: a commit or the workspace, and what git and DVC know of it.

An output of any stage is read here wherever its bytes are. DVC resolves a relative remote URL against `/` when it reads
another revision, so it cannot read the embedded remote of an old commit, and a file with `cache: false` is git's alone.
So the places are tried one by one, and what is found must have the md5 that the revision's dvc.lock names: DVC itself
trusts a truncated cache object. No code of the revision is run.
"""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from dvckit.core.errors import UserError, one_line
from dvckit.core.layout import INTERIM, TEST, TRAIN
from dvckit.repository import locks
from dvckit.repository.locks import Output, Stages
from dvckit.repository.objects import STORAGE, is_intact, object_path
from dvckit.repository.packages import UV_LOCK, PackageLock
from dvckit.repository.programs import NotThereError, git, git_files, names_in, tracked
from dvckit.repository.remotes import check_remote, default_remote, download, read_config

if TYPE_CHECKING:
    import pandas as pd

WORKSPACE = "workspace"
SPARSE = "S"  # as `git ls-files -t` marks what a sparse checkout leaves out
# An experiment: refs/exps/ab/cdef…/NAME, where abcdef… is the commit that it was run on.
NAMED = ("refs/heads", "refs/tags", "refs/remotes", "refs/exps/*/*/*")


class Model(NamedTuple):
    """The model of a project, as the `artifacts` of dvc.yaml name it; paths are relative to the project's root."""

    name: str
    path: str
    description: str
    predictions: str | None  # the table of its predictions, `meta: {predictions: PATH}`
    project: str | None  # the project's object, `meta: {project: MODULE:NAME}`
    intended_use: str | None  # a Markdown file that says what it is for, `meta: {intended_use: PATH}`

    @property
    def card(self) -> str:
        """The path of what is known of the model: model.json beside model.skops."""
        return PurePosixPath(self.path).with_suffix(".json").as_posix()


class Revision:
    """A commit, named by its hash, a tag, a branch or a DVC experiment; or the workspace: the files on disk."""

    def __init__(self, root: Path, name: str | None = None, commit: str | None = None) -> None:
        """Look up a revision in the project at `root`; None and "workspace" are the workspace. UserError if unknown.

        Where its commit is known, nothing is looked up.
        """
        self.root = root
        self.name = WORKSPACE if name is None else name
        self.commit = commit or (None if self.name == WORKSPACE else resolve(root, self.name))

    def __str__(self) -> str:
        if self.commit is None:
            return WORKSPACE
        return self.name if self.commit.startswith(self.name) else f"{self.name} ({self.commit[:7]})"

    @property
    def where(self) -> str:
        """The revision as the end of a sentence."""
        return "in the workspace" if self.commit is None else f"at {self.name}"

    def file(self, path: str) -> bytes | None:
        """Return a file of git's, or of the disk for the workspace; None where it is not there."""
        if self.commit is None:
            return (self.root / path).read_bytes() if (self.root / path).is_file() else None
        return git_files(self.root, [(self.commit, path)])[0]

    def files(self) -> set[str]:
        """Return the paths of all files that git has, in the workspace also of those that are new to it."""
        if self.commit is None:
            listed = tracked(self.root, "--cached", "--others", "--exclude-standard", "-t")
            return {name for tag, _, name in (line.partition(" ") for line in listed) if tag != SPARSE}
        return set(names_in(git(self.root, "ls-tree", "-r", "-z", "--name-only", self.commit)))

    @contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        """Say of a file that cannot be read which it is, and of which revision."""
        try:
            yield
        except UserError as error:
            raise UserError(f"{path} cannot be read {self.where}: {error}") from None

    def yaml(self, path: str) -> dict[str, Any]:
        """Return a YAML file as a mapping, empty where it is not there; UserError where it is not one."""
        with self._reading(path):
            content = locks.parse(self.file(path) or b"{}")
        return content if isinstance(content, dict) else {}

    @cached_property
    def locks(self) -> list[str]:
        """The lock of each pipeline, beside its dvc.yaml; one of the two may be missing."""
        here = {name for name in locks.PIPELINE if os.path.lexists(self.root / name)}  # also where git does not work
        names = map(PurePosixPath, self.files() | here)
        return sorted({name.with_suffix(".lock").as_posix() for name in names if name.name in locks.PIPELINE})

    def definitions(self, lock: str) -> dict[str, dict[str, Any]]:
        """Return the stages of the dvc.yaml beside a lock; UserError where it cannot be read."""
        pipeline = locks.pipeline_of(lock)
        stages = self.yaml(pipeline).get("stages") or {}
        if not isinstance(stages, dict) or not all(isinstance(stage, dict) for stage in stages.values()):
            raise UserError(f"{pipeline} cannot be read: its stages are not mappings")
        return {name: stage.get("do", stage) for name, stage in stages.items()}

    def stages_in(self, lock: str) -> Stages:
        """Return what a lock has of each stage, with paths relative to the root; nothing where there is no such lock."""
        content, definitions = self.file(lock), self.definitions(lock)
        with self._reading(lock):
            return {} if content is None else locks.read_lock(lock, content, definitions)

    @cached_property
    def stages(self) -> Stages:
        """What the locks have of each stage, by DVC's name for it; UserError where one cannot be read."""
        return {name: stage for lock in self.locks for name, stage in self.stages_in(lock).items()}

    @property
    def outputs(self) -> list[Output]:
        """Every output that the dvc.lock files name, file by file, in their order."""
        return locks.outputs_of(self.stages)

    @property
    def md5s(self) -> dict[str, str]:
        """The md5 of every output, by path."""
        return {output.path: output.md5 for output in self.outputs}

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that the outputs were made with, by dotted key."""
        return locks.params_of(self.stages)

    @cached_property
    def added(self) -> list[Output]:
        """The data that `dvc add` tracks; a .dvc file that cannot be read is left out."""
        outputs: list[Output] = []
        for name in self.added_files:
            with suppress(UserError, OSError):
                outputs += locks.read_added(name, self.file(name) or b"")
        return outputs

    @property
    def added_files(self) -> list[str]:
        """The .dvc files, which name the data that a user has brought."""
        return sorted(name for name in self.files() if name.endswith(".dvc") and PurePosixPath(name).name != ".dvc")

    @cached_property
    def artifacts(self) -> dict[str, dict[str, Any]]:
        """The `artifacts` of dvc.yaml, by name."""
        return {str(name): dict(about) for name, about in (self.yaml("dvc.yaml").get("artifacts") or {}).items()}

    @cached_property
    def model(self) -> Model:
        """The first artifact of type model; UserError where there is none."""
        for name, about in self.artifacts.items():
            if about.get("type") == "model":
                meta = about.get("meta") or {}
                optional = [meta.get(key) for key in ("predictions", "project", "intended_use")]
                return Model(name, about["path"], about.get("desc", ""), *optional)
        raise UserError(f"dvc.yaml {self.where} names no artifact of type model; add it under `artifacts`")

    def columns(self, part: str) -> dict[str, dict[str, Any]]:
        """Return the columns of the clean table `part`, as the metadata beside it describe them; none without these."""
        return dict(self.yaml((INTERIM / f"{part}_metadata.yaml").as_posix()).get("columns") or {})

    @property
    def key(self) -> str | None:
        """The column that names a row: the one whose values must be unique."""
        return next((name for name, about in self.columns(TRAIN).items() if about.get("unique")), None)

    @property
    def target(self) -> str | None:
        """The column that the rows to predict lack."""
        return next((name for name in self.columns(TRAIN) if name not in self.columns(TEST)), None)

    @cached_property
    def about(self) -> dict[str, Any]:
        """The table `project` of pyproject.toml; empty where it cannot be read."""
        with suppress(ValueError):
            return dict(tomllib.loads((self.file("pyproject.toml") or b"").decode()).get("project", {}))
        return {}

    @property
    def repository(self) -> str | None:
        """Where the code is fetched from, without a password or token; None without a remote or for a local one."""
        url = git(
            self.root, "ls-remote", "--get-url", "origin"
        ).strip()  # `origin` itself where there is no such remote
        if url.startswith("file:") or not re.match(r"[\w.-]+@[\w.-]+:|\w+://", url):
            return None
        secret, rest = (":[^/]*@", "@") if url.startswith("ssh:") else ("//[^/]*@", "//")
        return re.sub(secret, rest, url, count=1)

    @cached_property
    def packages(self) -> PackageLock:
        """The packages that uv.lock names; UserError where it cannot be read."""
        with self._reading(UV_LOCK):
            return PackageLock(self.file(UV_LOCK))

    def read(self, path: str) -> bytes:
        """Return the bytes of an output, wherever they are.

        In the workspace the file on disk counts as it is; where it is missing, what the workspace's dvc.lock names.
        UserError where no dvc.lock of the revision names the path, or its object is in no place.
        """
        if self.commit is None and (content := self.file(path)) is not None:
            return content
        if path not in self.md5s:
            raise UserError(f"{path} is not an output of any stage {self.where}: no dvc.lock names it there")
        content, md5, shown = self.committed(path), self.md5s[path], f"{path} {self.where}"
        if content is None:
            content = self.stored(md5)
            return self._fetch(md5, shown) if content is None else content
        if not is_intact(content, md5):
            raise UserError(f"{shown} is not the file that dvc.lock names; run `dvc repro -P` and commit both")
        return content

    def committed(self, path: str) -> bytes | None:
        """Return a file as git has it, in HEAD for the workspace; None where it is not there."""
        with suppress(NotThereError):  # of a repository without a commit
            return git_files(self.root, [(self.commit or head(self.root), path)])[0]
        return None

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """DVC's configuration of this clone, all levels together; UserError where it cannot be read."""
        return read_config(self.root)

    @property
    def default_remote(self) -> tuple[str, Mapping[str, Any]]:
        """The name of the default remote and its options."""
        return default_remote(self.config)

    @property
    def stores(self) -> dict[str, Path]:
        """The folders of this machine that hold objects, by what a line calls them; the cache comes first."""
        cache, embedded = self.config["cache"].get("dir") or self.root / ".dvc/cache", self.root / STORAGE
        urls = {f"remote {name}": remote.get("url", "://") for name, remote in self.config["remote"].items()}
        folders = {name: Path(url) for name, url in urls.items() if "://" not in url and Path(url) != embedded}
        return {"cache": Path(cache), STORAGE: embedded} | folders

    def places(self, md5: str) -> Iterator[bytes | None]:
        """Yield an object as each place on this machine has it, damaged or not: the stores, and .dvc/storage in git."""
        for store in self.stores.values():
            with suppress(OSError):
                yield object_path(store, md5).read_bytes()
        yield self.committed(object_path(Path(STORAGE), md5).as_posix())

    def stored(self, md5: str) -> bytes | None:
        """Return an object from the first place on this machine that has it undamaged; None where none has."""
        return next((content for content in self.places(md5) if is_intact(content, md5)), None)

    def _fetch(self, md5: str, shown: str) -> bytes:
        """Return an object of the default remote; UserError, which says where `shown` is not, if that has none."""
        places, (name, remote) = ", ".join(self.stores), self.default_remote
        try:
            check_remote(self.root)
        except UserError as error:
            raise UserError(f"{shown} is in none of: the {places}; {error}") from None
        if "://" in remote.get("url", ""):
            try:
                return download(self.root, name, md5)
            except UserError as error:
                places += f", remote {name} ({error})"
        raise UserError(f"{shown} is in none of: the {places}; run `dvc push` where it was made")

    def check_present(self, path: Path) -> None:
        """Raise a UserError for an output, or data under `dvc add`, that the workspace does not have."""
        place = Path(os.path.relpath(path, self.root)).as_posix()
        if not path.exists() and place in {*self.md5s, *(output.path for output in self.added)}:
            raise UserError(f"{place} is not in this clone yet; run `dvc pull {place}`, or `dvc repro` to make it")

    def json(self, path: str) -> Any:
        """Return a JSON output; UserError where it is not to be had or not JSON."""
        try:
            return json.loads(self.read(path))
        except ValueError:
            raise UserError(f"{path} {self.where} is not JSON; run `dvc repro -P`") from None

    def table(self, path: str) -> "pd.DataFrame":
        """Return a Parquet output as a table; UserError where it is not to be had or no table."""
        import pandas as pd

        try:
            return pd.read_parquet(BytesIO(self.read(path)))
        except ValueError as error:  # pyarrow's own errors are ValueErrors
            raise UserError(f"{path} {self.where} is not a table: {one_line(error)}") from None


def _commit(root: Path, name: str) -> str:
    return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()


def head(root: Path) -> str:
    """Return the hash of HEAD; NotThereError where there is no commit yet."""
    return _commit(root, "HEAD")


def resolve(root: Path, name: str) -> str:
    """Return the full commit hash of a revision, tag, branch or DVC experiment.

    Of several experiments with one name, the one that was run on HEAD is meant, as with DVC. UserError for an unknown
    revision, with names like it, and where it remains open which experiment is meant.
    """
    with suppress(NotThereError):
        return _commit(root, name)
    listed = git(root, "for-each-ref", "--format=%(refname) %(objectname)", *NAMED)
    refs = dict(line.split(" ") for line in listed.split("\n") if line)
    meant = {ref: commit for ref, commit in refs.items() if ref.startswith("refs/exps/") and ref.endswith(f"/{name}")}
    if len(meant) > 1:
        commit_here = head(root)
        meant = {ref: commit for ref, commit in meant.items() if commit_here in ref.replace("/", "")} or meant
    if len(meant) > 1:
        raise UserError(f"there are several experiments {name}; name one in full: {', '.join(meant)}")
    if meant:
        return meant.popitem()[1]
    names = {ref.split("/", 4 if ref.startswith("refs/exps/") else 2)[-1] for ref in refs}
    if name in names:
        raise UserError(f"{name} names no commit that this clone has; run `git fetch`, or `git fsck`")
    near = difflib.get_close_matches(name, sorted(names | {"HEAD"}), cutoff=0.5)
    raise UserError(f"there is no revision {name!r}" + (f"; did you mean {', '.join(near)}?" if near else ""))
