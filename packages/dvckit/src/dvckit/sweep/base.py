"""What all trials of a sweep share, made once: git's tree, copies of the project, the stages, and the outs at hand."""

import fcntl
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvckit.core import scratch
from dvckit.core.errors import UserError, one_line
from dvckit.repository.dvc_internals import DvcException, LockError, Repo, dict_sha256, load_yaml
from dvckit.repository.locks import LOCK
from dvckit.repository.objects import file_md5, object_path
from dvckit.repository.programs import copy_index, git, names_in
from dvckit.repository.revision import Revision
from dvckit.sweep.configurations import Configuration, Values, apply
from dvckit.sweep.copies import Origin, untracked
from dvckit.sweep.exp_run import Anything
from dvckit.sweep.pipeline import Entry, Pipeline, Stage, check_within, plan, resolve
from dvckit.sweep.stages import File, Start
from dvckit.sweep.worker import Worker

if TYPE_CHECKING:
    from dvckit.project import Project


class Base:
    """A project at one moment: nothing here changes while the user goes on editing.

    `head` is HEAD's commit, `tree` git's tree of the tracked files as they are now, `changed` those that differ from
    HEAD's; `copy` is a copy of the project for DVC to look at, `project` what dvc.yaml names as the project, if it does;
    `here` is the folder in the project whose dvc.yaml is run.
    """

    def __init__(self, root: Path, folder: Path, here: Path = Path(), files: Iterable[str] = ()) -> None:
        """Copy the project into an empty folder; `files` has the parameters to change.

        UserError where DVC is busy or refuses the pipeline, or something is missing that an experiment needs.
        """
        self.root, self.folder, self.here = root, folder, here
        self.head, index = _head(root), folder / "index"
        Revision(root).check_limits()
        with _unlocked(root) as repo:
            if repo.config["hydra"].get("enabled"):
                raise UserError("Hydra composes params.yaml here (hydra.enabled); use `dvc exp run --queue -S`")
            self.cache = Path(repo.cache.local.path).parents[1]
            self.make_folder = repo.cache.local.makedirs  # with the rights that `cache.shared` gives
            self.tree = _write_tree(root, index, plan(repo, root / here))
            top = Path(git(root, "rev-parse", "--show-toplevel").rstrip("\n"))
            self.origin = Origin(root.resolve(), top, self.head, self.tree, self.cache)
            self.untracked = untracked(self.origin, index, repo.index.stages)
        self.changed = names_in(git(root, "diff", "--name-only", "--relative", "-z", self.head, self.tree))
        self.project = _project(root)
        self.copy = self.origin.copy(folder / "base")
        for file in files:
            check_within(folder / "base", (self.copy / here / file).resolve(), file)
        # what dvc.yaml refers to, as in ${dataset.path}
        texts = [path.read_text(encoding="utf-8") for path in self.copy.rglob("dvc.yaml")]
        self._references = {name for text in texts for name in re.findall(r"\$\{\s*([\w.-]+)", text)}
        start = resolve(root, self.copy, here)
        self.files = {*files, *(file for stage in start.stages for file in stage.params)}
        check = self.project.check_params if self.project and here == Path() else None
        self.values = Values(self.copy / here, self.files, folder / "base", check)
        self._pipelines = {self._key(()): start}

    def pipeline(self, configuration: Configuration) -> Pipeline:
        """Return the pipeline as a configuration's parameters resolve it."""
        key = self._key(configuration)
        if key not in self._pipelines:
            place = self.copy / self.here
            originals = {file: (place / file).read_bytes() for file in self.files}
            apply(place, configuration)
            self._pipelines[key] = resolve(self.root, self.copy, self.here)
            for file, content in originals.items():
                (place / file).write_bytes(content)
        return self._pipelines[key]

    def _key(self, configuration: Configuration) -> str:
        """Return the values that dvc.yaml refers to, alone or in a section or list."""

        def is_read(key: str) -> bool:
            name = key.rpartition(":")[2]
            return any(f"{read}.".startswith(f"{name}.") or name.startswith(f"{read}.") for read in self._references)

        values = self.values.of(configuration)
        return repr([(key, values[key]) for key in sorted(values) if is_read(key)])

    def stages(self, configuration: Configuration) -> list[Stage]:
        """Return the stages as a configuration's parameters resolve them."""
        return self.pipeline(configuration).stages

    def name(self, configuration: Configuration) -> str:
        """Return the experiment's name: the same for the same parameters, code and data on one commit."""
        stages = [stage._replace(links={}, simple=True)._asdict() for stage in self.stages(configuration)]
        return f"sweep-{dict_sha256({'params': self.values.of(configuration), 'stages': stages})[:12]}"

    def included(self) -> list[str]:
        """Return the files with uncommitted changes that stages read."""
        deps = {path for stage in self.stages(()) for path in stage.deps.values()}
        deps |= {os.path.normpath(self.here / name) for name in (*self.files, "dvc.yaml")}
        outs = {out.path for stage in self.stages(()) for out in stage.outs}
        return [path for path in self.changed if path not in outs and deps & {path, *map(str, Path(path).parents)}]

    @property
    def simple(self) -> bool:
        """Whether workers can call the stages themselves, in each pipeline that was asked for."""
        return all(stage.simple for pipeline in self._pipelines.values() for stage in pipeline.stages)

    def worker(self, folder: Path) -> Worker:
        """Start a worker in a new folder."""
        if self.simple:
            return Worker(self.origin.copy(folder), folder, self.start)
        folder.mkdir(parents=True)
        return Worker(folder, folder, Anything(self.origin, self.untracked, self.here))

    @cached_property
    def start(self) -> Start:
        """Those of dvc.lock's stages whose outs are in the cache or in git."""
        lock: dict[str, Entry] = load_yaml(self.copy / LOCK).get("stages", {}) if (self.copy / LOCK).is_file() else {}
        reusable: dict[str, Entry] = {}
        files: dict[str, File] = {}
        for stage in self.stages(()):
            entries = {entry["path"]: entry for entry in lock.get(stage.name, {}).get("outs", ())}
            outs = {out.path: self._file(out.path, entries.get(out.name, {})) for out in stage.outs}
            if stage.name in lock and all(outs.values()):
                reusable[stage.name] = lock[stage.name]
                files |= {path: file for path, file in outs.items() if file}
        imports = [os.path.relpath(path, self.root) for path in sys.path if Path(path).is_relative_to(self.root)]
        return Start(reusable, files, imports)

    def _file(self, path: str, entry: Entry) -> File | None:
        """Return the out that dvc.lock describes, if its content is in the cache or in git."""
        cached, own = object_path(self.cache, entry.get("md5", "")), self.copy / path
        if cached.is_file() and cached.stat().st_size == entry.get("size"):
            return File(entry, cached)
        return File(entry, own) if file_md5(own) == entry.get("md5") else None


def _head(root: Path) -> str:
    try:
        return git(root, "rev-parse", "--verify", "HEAD^{commit}").strip()
    except UserError:
        git(root, "rev-parse", "--git-dir")  # says that there is no git
        raise UserError("there is no commit yet, and an experiment stands on one; run `git commit` first") from None


def _project(root: Path) -> "Project | None":
    revision, name = Revision(root), None
    with suppress(UserError):  # a repository without a model
        name = revision.model.project
    if name is None:
        return None
    from dvckit.project import project_of

    return project_of(revision)


@contextmanager
def _unlocked(root: Path) -> Iterator[Any]:
    """Open the repository and hold DVC's lock, so that no stage is writing; UserError where another DVC holds it."""
    try:
        with Repo(str(root)) as repo, repo.lock:
            yield repo
    except LockError:
        raise UserError("another DVC command is running in this repository; run the sweep when it has ended") from None
    except DvcException as error:
        cure = "; run `dvckit doctor --fix`" if "dvc.lock' validation failed" in str(error) else ""
        raise UserError(f"DVC: {one_line(error)}{cure}") from None


def _write_tree(root: Path, index: Path, stages: list[Any]) -> str:
    """Write the tree of the tracked files as they are now, through an index of its own; UserError where a merge is open.

    `dvc exp run` also adds untracked files that are among the deps of stages, which are DVC's.
    """
    copy_index(root, index)
    git(root, "add", "--update", "--", ":/", index=index)
    deps = sorted({dep.fs_path for stage in stages for dep in stage.deps if dep.is_in_repo})
    listed = git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", *deps, index=index) if deps else ""
    if listed:
        git(root, "add", "--pathspec-from-file=-", "--pathspec-file-nul", index=index, stdin=listed)
    return git(root, "write-tree", index=index).strip()


@contextmanager
def alone(root: Path, what: object) -> Iterator[None]:
    """Hold a byte of a file that stands for a sweep; UserError where an equal one, of another process, holds it."""
    with (root / ".dvc/tmp/sweep/lock").open("a") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, int(dict_sha256(what)[:12], 16))
        except BlockingIOError:
            raise UserError("the same sweep is already running here; repeat the command when that has ended") from None
        yield


@contextmanager
def private_folder(root: Path) -> Iterator[Path]:
    """Give an empty folder inside .dvc/tmp, and remove it at the end, with those that killed sweeps have left."""
    parent = root / ".dvc/tmp/sweep"
    parent.mkdir(parents=True, exist_ok=True)
    for path in (parent, *parent.iterdir()):
        check_within(root, path.resolve(), str(path.relative_to(root)))
    with scratch.private_folder(parent, "running-") as folder:
        yield folder
