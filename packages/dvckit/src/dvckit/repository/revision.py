"""A revision: a commit or the workspace, and what git and DVC know of it.

An output of any stage is read here wherever its bytes are. DVC resolves a relative remote URL against `/` when it reads
another revision, so it cannot read the embedded remote of an old commit, and a file with `cache: false` is git's alone.
So the places are tried one by one, and what is found must have the md5 that the revision's dvc.lock names: DVC itself
trusts a truncated cache object. No code of the revision is run.
"""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from voluptuous import Schema

from dvckit.core.addresses import address
from dvckit.core.errors import UserError
from dvckit.core.formats import read_json, read_toml
from dvckit.core.layout import INTERIM, TEST, TRAIN
from dvckit.repository import locks, shapes
from dvckit.repository.locks import Output, Stages
from dvckit.repository.meanings import ABSENT
from dvckit.repository.objects import (
    STORAGE,
    answers,
    is_intact,
    is_legacy,
    legacy_path,
    listed,
    object_path,
    object_paths,
    read_object,
)
from dvckit.repository.packages import UV_LOCK, PackageLock
from dvckit.repository.pipelines import Pipeline, expanded, read_pipeline
from dvckit.repository.programs import NotThereError, git, git_files, names_in, tracked
from dvckit.repository.remotes import check_remote, default_remote, download, named, read_config
from dvckit.repository.tables import CELLS, as_table
from dvckit.repository.values import numbers, parsed

if TYPE_CHECKING:
    import pandas as pd

WORKSPACE = "workspace"
LINE = 5000  # bytes at most that the list of a folder has for each file
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

    patience: float | None = None  # seconds that the disk of a store has to answer; by default those that all have

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
        if not shapes.is_path(path):
            return None
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
    def reading(self, path: str) -> Iterator[None]:
        """Say of a file that cannot be read which it is, and of which revision."""
        try:
            yield
        except UserError as error:
            raise UserError(f"{path} cannot be read {self.where}: {error}") from None

    def yaml(self, path: str) -> dict[str, Any]:
        """Return a YAML file as a mapping, empty where it is not there; UserError where it is not one."""
        content = self._parsed(path)
        return content if isinstance(content, dict) else {}

    def _parsed(self, path: str) -> Any:
        with self.reading(path):
            return locks.parse(self.file(path) or b"{}")

    @cached_property
    def _names(self) -> set[str]:
        """The paths of `files` when they were first asked for: a repository may have hundreds of folders to look for."""
        return self.files()

    def _own(self) -> set[PurePosixPath]:
        """Return the paths of `files` but those of other DVC projects in folders of this one."""
        names = set(map(PurePosixPath, self._names))
        marks = {PurePosixPath(".dvc", name) for name in ("config", ".gitignore")}
        others = {name.parents[1] for name in names if PurePosixPath(*name.parts[-2:]) in marks} - {PurePosixPath()}
        return {name for name in names if not others.intersection(name.parents)}

    @cached_property
    def locks(self) -> list[str]:
        """The lock of each pipeline, beside its dvc.yaml; one of the two may be missing."""
        # also where git does not work
        here = {PurePosixPath(name) for name in locks.PIPELINE if os.path.lexists(self.root / name)}
        names = self._own() | here
        return sorted({name.with_suffix(".lock").as_posix() for name in names if name.name in locks.PIPELINE})

    @cached_property
    def _pipelines(self) -> dict[str, Pipeline]:
        return {}

    def pipeline(self, path: str) -> Pipeline:
        """Return what a dvc.yaml says; UserError where it cannot be read."""
        if path not in self._pipelines:
            content = self._parsed(path) or {}
            with self.reading(path):
                self._pipelines[path] = read_pipeline(path, content, self.file)
        return self._pipelines[path]

    @property
    def pipelines(self) -> list[Pipeline]:
        """What each dvc.yaml says; UserError where one cannot be read."""
        return [self.pipeline(locks.pipeline_of(lock)) for lock in self.locks]

    def check_limits(self) -> None:
        """UserError for a dvc.yaml or dvc.lock that is too much for DVC, whose own readers have no limits."""
        for lock in self.locks:
            self.yaml(locks.pipeline_of(lock))
            self.yaml(lock)

    def definitions(self, lock: str) -> dict[str, dict[str, Any]]:
        """Return the stages of the dvc.yaml beside a lock; UserError where it cannot be read."""
        return self.pipeline(locks.pipeline_of(lock)).stages

    def definition(self, stage: str) -> Mapping[str, Any]:
        """Return what a dvc.yaml says of a stage."""
        if stage in self.dvc_files:
            return {"frozen": "true" in (self.dvc_files[stage].get(key) for key in ("frozen", "locked"))}
        return locks.definition_of(self.pipeline(locks.pipeline_of_stage(stage)).stages, stage)

    def stages_in(self, lock: str) -> Stages:
        """Return what a lock has of each stage, with paths relative to the root; nothing where there is no such lock.

        DVC leaves the entry of a stage that was renamed or removed; that is none.
        """
        content, definitions = self.file(lock), self.definitions(lock)
        with self.reading(lock):
            stages = {} if content is None else locks.read_lock(lock, content, definitions)
        return {name: stage for name, stage in stages.items() if locks.definition_of(definitions, name)}

    @cached_property
    def stages(self) -> Stages:
        """What the locks have of each stage, by DVC's name for it; UserError where one cannot be read.

        DVC 0 kept each stage in a .dvc file of its own.
        """
        of_locks = {name: stage for lock in self.locks for name, stage in self.stages_in(lock).items()}
        return of_locks | {name: content for name, content in self.dvc_files.items() if "cmd" in content}

    @property
    def outputs(self) -> list[Output]:
        """Every output that the dvc.lock files name, file by file, in their order."""
        return locks.outputs_of(self.stages)

    @property
    def md5s(self) -> dict[str, str]:
        """The md5 of every output, by path."""
        return {output.path: output.md5 for output in self.outputs}

    @cached_property
    def all_md5s(self) -> dict[str, str]:
        """The md5 of every output and of the data that `dvc add` tracks, by path; of a folder, that of its list."""
        return {output.path: output.md5 for output in [*self.added, *self.outputs]}

    def md5(self, path: str) -> str | None:
        """Return the md5 of an output, of added data, or of a file in a folder of either; None for any other file.

        UserError where it is in a folder whose list is in no place.
        """
        if path in self.all_md5s:
            return self.all_md5s[path]
        folders = [str(folder) for folder in PurePosixPath(path).parents if str(folder) in self.all_md5s]
        return next((self.members(folder).get(path[len(folder) + 1 :]) for folder in folders), None)

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that the outputs were made with, by dotted key."""
        return locks.params_of(self.stages)

    @cached_property
    def dvc_files(self) -> dict[str, dict[str, Any]]:
        """What each .dvc file says; one that cannot be read is left out."""
        names = sorted(name.as_posix() for name in self._own() if name.suffix == ".dvc")
        if self.commit is None:
            contents = [self.file(name) for name in names]
        else:
            contents = git_files(self.root, [(self.commit, name) for name in names])
        found: dict[str, dict[str, Any]] = {}
        for name, content in zip(names, contents, strict=True):
            with suppress(UserError):
                found[name] = locks.read_file(name, content or b"{}")
        return found

    @property
    def added_files(self) -> list[str]:
        """The .dvc files, which name the data that a user has brought."""
        names = (name.as_posix() for name in self._own() if name.suffix == ".dvc")
        return sorted(name for name in names if "cmd" not in self.dvc_files.get(name, {}))

    @property
    def imported_files(self) -> list[str]:
        """Those of data that DVC fetches from its source, another repository or a URL."""
        return [name for name in self.added_files if "deps" in self.dvc_files.get(name, {})]

    @property
    def added(self) -> list[Output]:
        """The data that `dvc add` tracks; a .dvc file that cannot be read is left out."""
        files = ((name, self.dvc_files.get(name, {})) for name in self.added_files)
        return [output for name, content in files for output in locks.outputs_of({name: content})]

    @cached_property
    def artifacts(self) -> dict[str, dict[str, Any]]:
        """The `artifacts` of each dvc.yaml, by DVC's name, which begins with the folder of the file: `FOLDER:NAME`."""
        return {name: about for pipeline in self.pipelines for name, about in pipeline.artifacts.items()}

    @cached_property
    def metric_files(self) -> list[str]:
        """The files of metrics that the dvc.yaml files name; those in folders where their list is to be had."""
        return expanded([path for pipeline in self.pipelines for path in pipeline.metrics], self.members_here)

    @property
    def metrics(self) -> dict[str, float]:
        """The numbers in the files of metrics, by dotted key, or by `FILE:KEY` where several files have the key.

        UserError where a file is not to be had or not in a format that DVC reads.
        """
        return numbers({path: self.values(path) for path in self.metric_files})

    @cached_property
    def plots(self) -> dict[str, dict[str, Any]]:
        """The settings in the dvc.yaml files of each file with a plot's data, or picture."""
        settings = {path: about for pipeline in self.pipelines for path, about in pipeline.plots.items()}
        return {file: about for path, about in settings.items() for file in expanded([path], self.members_here)}

    @cached_property
    def _listed(self) -> dict[str, dict[str, str]]:
        """The files of each folder whose lock or .dvc file lists them, as DVC does where a cloud keeps versions."""
        stages = [*self.stages.values(), *self.dvc_files.values()]
        outs = [out for stage in stages for out in stage.get("outs") or ()]
        files = {out["path"]: out["files"] for out in outs if "files" in out}
        return {path: {file["relpath"]: file["md5"] for file in of_folder} for path, of_folder in files.items()}

    def members_here(self, path: str) -> list[str]:
        """Return the files of a folder; none where it is no folder, or DVC's list of them is nowhere here."""
        if in_git := [name for name in self._names if name.startswith(f"{path}/")]:
            return sorted(in_git)
        md5 = self.all_md5s.get(path, "")
        if path not in self._listed and not (md5.endswith(".dir") and self.stored(md5)):
            return []
        return [f"{path}/{name}" for name in self.members(path)]

    def members(self, path: str) -> dict[str, str]:
        """Return the md5 of each file of a folder that is an output or added, by its path in there.

        UserError where DVC's list of them is in no place.
        """
        md5 = self.all_md5s.get(path, "")
        if not md5.endswith(".dir"):
            return {}
        if path not in self._read_members:
            in_lock = self._listed.get(path)
            content = b"" if in_lock else self.stored(md5) or self._fetch(md5, path)
            with self.reading(path):
                self._read_members[path] = in_lock or listed(content)
        return self._read_members[path]

    @cached_property
    def _read_members(self) -> dict[str, dict[str, str]]:
        return {}

    @cached_property
    def model(self) -> Model:
        """The first artifact of type model; UserError where there is none."""
        for name, about in self.artifacts.items():
            if about.get("type") == "model":
                meta = about["meta"]
                optional = [meta.get(key) for key in ("predictions", "project", "intended_use")]
                return Model(name, about["path"], about.get("desc", ""), *optional)
        entry = "`artifacts: {NAME: {path: PATH, type: model, meta: {predictions: TABLE}}}`"
        raise UserError(f"no dvc.yaml {self.where} names a model; add {entry}, or run `dvckit init`")

    def columns(self, part: str) -> dict[str, dict[str, Any]]:
        """Return the columns of the clean table `part`, as the metadata beside it describe them; none without these."""
        path = (INTERIM / f"{part}_metadata.yaml").as_posix()
        content = self.yaml(path)
        with self.reading(path):
            return dict(shapes.fit(shapes.COLUMNS, content).get("columns") or {})

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
        with suppress(UserError):
            about = read_toml(self.file("pyproject.toml") or b"").get("project")
            return about if isinstance(about, dict) else {}
        return {}

    @property
    def repository(self) -> str | None:
        """Where the code is fetched from, without secrets; None without a remote or for a local one."""
        url = git(
            self.root, "ls-remote", "--get-url", "origin"
        ).strip()  # `origin` itself where there is no such remote
        if url.startswith("file:") or not re.match(r"[\w.-]+@[\w.-]+:|\w+://", url):
            return None
        return address(url)

    @cached_property
    def packages(self) -> PackageLock:
        """The packages that uv.lock names; UserError where it cannot be read."""
        with self.reading(UV_LOCK):
            return PackageLock(self.file(UV_LOCK))

    def read(self, path: str) -> bytes:
        """Return the bytes of an output, wherever they are.

        In the workspace the file on disk counts as it is; where it is missing, what the workspace's dvc.lock names.
        UserError where no dvc.lock or .dvc file of the revision names the path, or its object is in no place.
        """
        if self.commit is None and (content := self.file(path)) is not None:
            return content
        md5, shown = self.md5(path), f"{path} {self.where}"
        if md5 is None:
            raise UserError(f"{path} is not an output of any stage {self.where}: no dvc.lock names it there")
        content = self.committed(path)
        if content is None:
            content = self.stored(md5)
            return self._fetch(md5, path) if content is None else content
        if not (is_intact(content, md5) or is_legacy(content, md5)):
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

    @cached_property
    def stores(self) -> dict[str, Path]:
        """The folders of this machine that hold objects and answer, by what a line calls them; the cache comes first.

        UserError where the disk of the cache does not answer.
        """
        folders = {name: folder for name, folder in self._folders.items() if name not in self.deaf}
        if "cache" not in folders:
            raise UserError(f"the cache {self._folders['cache']} does not answer; is its disk there?")
        return folders

    @cached_property
    def deaf(self) -> list[str]:
        """Those that do not answer: a look at a dead mount takes for ever."""
        return [name for name, folder in self._folders.items() if not answers(folder, self.patience)]

    @property
    def _folders(self) -> dict[str, Path]:
        cache, embedded = self.config["cache"].get("dir") or self.root / ".dvc/cache", self.root / STORAGE
        urls = {f"remote {name}": remote.get("url", "://") for name, remote in self.config["remote"].items()}
        folders = {name: Path(url) for name, url in urls.items() if "://" not in url and Path(url) != embedded}
        return {"cache": Path(cache), STORAGE: embedded} | folders

    @cached_property
    def _top(self) -> Path:
        """The folder of git's repository, or the project where git has none."""
        with suppress(UserError):
            return Path(git(self.root, "rev-parse", "--show-toplevel").rstrip("\n")).resolve()
        return self.root.resolve()

    def is_inside(self, path: str) -> bool:
        """Whether what a lock, a .dvc file or a dvc.yaml names is in git's repository on disk, or a link to an object of DVC.

        A path may be absolute, have `..`, or go through a link: nothing of ours repairs or removes what is elsewhere.
        """
        place = Path(self.root, path)
        linked = [self._top, *(store.resolve() for store in self.stores.values())] if place.is_symlink() else []
        inside = place.parent.resolve().is_relative_to(self._top)
        return inside and (not linked or any(place.resolve().is_relative_to(one) for one in linked))

    def places(self, md5: str, *, legacy: bool = False) -> Iterator[bytes | None]:
        """Yield an object as each place on this machine has it, damaged or not: the stores, and .dvc/storage in git.

        `legacy`: that which DVC 1 or 2 has written.
        """
        if not shapes.MD5.fullmatch(md5):
            return
        place = legacy_path if legacy else object_path
        for store in self.stores.values():
            yield read_object(place(store, md5))
        if (committed := place(Path(STORAGE), md5).as_posix()) in self._names:
            yield self.committed(committed)

    def stored(self, md5: str) -> bytes | None:
        """Return an object from the first place on this machine that has it undamaged; None where none has."""
        whole = (content for content in self.places(md5) if is_intact(content, md5))
        of_old = (content for content in self.places(md5, legacy=True) if is_legacy(content, md5))
        return next(chain(whole, of_old), None)

    @cached_property
    def _remote_problem(self) -> str:
        """Why the default remote cannot be used, or nothing: it is asked once, however many objects are missing."""
        try:
            check_remote(self.root)
        except UserError as error:
            return str(error)
        return ""

    def _fetch(self, md5: str, path: str) -> bytes:
        """Return an object of the default remote; UserError, which says where it is not, if that has none."""
        name, remote = self.default_remote
        places = ", ".join([*self.stores, *(f"{name} (no answer)" for name in self.deaf)])
        nowhere, url = f"{path} {self.where} is in none of: the {places}", remote.get("url", "")
        if self._remote_problem:
            raise UserError(f"{nowhere}; {self._remote_problem}")
        if "://" in url:
            try:
                return download(self.root, name, md5, self._most(md5, path))
            except UserError as error:
                if ABSENT not in str(error):
                    raise UserError(f"{nowhere}; {error}") from None
        elif url and any(map(os.path.lexists, object_paths(Path(url), md5))):
            raise UserError(f"{nowhere}; {named(name, remote)}: what it has is damaged")
        raise UserError(
            f"{nowhere}{f', {named(name, remote)}' if '://' in url else ''}; run `dvc push` where it was made"
        )

    def _most(self, md5: str, path: str) -> float:
        """Return how many bytes an object of an output may have, by what the lock says of the output or its folder."""
        for out in (
            out for stage in (*self.stages.values(), *self.dvc_files.values()) for out in stage.get("outs") or ()
        ):
            size, files = (str(out.get(key)) for key in ("size", "nfiles"))
            if md5.endswith(".dir") and out["path"] == path and files.isdigit():
                return int(files) * LINE
            if PurePosixPath(path).is_relative_to(out["path"]) and not md5.endswith(".dir") and size.isdigit():
                return int(size)
        return float("inf")

    def check_present(self, path: Path) -> None:
        """Raise a UserError for an output, or data under `dvc add`, that the workspace does not have."""
        place = Path(os.path.relpath(path, self.root)).as_posix()
        if not path.exists() and place in {*self.md5s, *(output.path for output in self.added)}:
            raise UserError(f"{place} is not in this clone yet; run `dvc pull {place}`, or `dvc repro` to make it")

    def values(self, path: str) -> Any:
        """Return the content of a file in a format that DVC reads: JSON, TOML, Python by name, YAML by default.

        A Python file is parsed, not run. UserError where it is not to be had or in no such format.
        """
        content = self.file(path)
        content = self.read(path) if content is None else content
        with self.reading(path):
            return parsed(path, content)

    def json(self, path: str) -> Any:
        """Return a JSON output; UserError where it is not to be had or not JSON."""
        content = self.read(path)
        with self.reading(path):
            return read_json(content)

    def report(self, path: str, shape: Schema) -> dict[str, Any]:
        """Return a JSON file of git's that has a shape, empty where it is not there; UserError where it has another."""
        with self.reading(path):
            content = self.file(path)
            return {} if content is None else dict(shapes.fit(shape, read_json(content)))

    def parts(self, path: str) -> list[str]:
        """Return the files of a table: that of its path, or those in the folder that it is, in the order of their names."""
        if self.commit is None and (self.root / path).is_dir():
            return sorted(f"{path}/{file.name}" for file in (self.root / path).iterdir() if file.is_file())
        return sorted(f"{path}/{name}" for name in self.members(path)) or [path]

    def table(self, path: str) -> "pd.DataFrame":
        """Return an output as a table, by its suffix Parquet or text; UserError where it is not to be had or no table.

        One in parts is put together.
        """
        import pandas as pd

        tables, cells = [], 0
        for part in self.parts(path):
            content = self.read(part)
            with self.reading(part):
                tables.append(as_table(part, content))
                cells += tables[-1].size
                if cells > CELLS:
                    raise UserError(f"the table has more than {CELLS:,} cells")
        return tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)


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
