"""What all trials of a sweep share, made once: git's tree, copies of the project, the stages, and the outs at hand."""

import fcntl
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from dvckit.core.errors import UserError, one_line
from dvckit.core.layout import PARAMS
from dvckit.repository.dvc_internals import DvcException, LockError, Repo, dict_sha256, load_yaml, write_local_config
from dvckit.repository.locks import LOCK
from dvckit.repository.objects import file_md5, object_path
from dvckit.repository.programs import git, names_in
from dvckit.repository.revision import Revision
from dvckit.sweep.configurations import Configuration, Values, apply
from dvckit.sweep.pipeline import Entry, Stage, resolve
from dvckit.sweep.stages import File, Start

if TYPE_CHECKING:
    from dvckit.project import Project


class Base:
    """A project at one moment: nothing here changes while the user goes on editing.

    `head` is HEAD's commit, `tree` git's tree of the tracked files as they are now, `changed` those that differ from
    HEAD's; `copy` is a copy of the project for DVC to look at, `project` what dvc.yaml names as the project, if it does.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        """Copy the project into an empty folder; UserError where DVC is busy or refuses the pipeline."""
        self.root, self.folder = root, folder
        self.head = git(root, "rev-parse", "--verify", "HEAD^{commit}").strip()
        with _unlocked(root) as repo:
            self.cache = Path(repo.cache.local.path).parents[1]
            self.make_folder = repo.cache.local.makedirs  # with the rights that `cache.shared` gives
            self.tree = _write_tree(root, folder / "index", repo)
        self.changed = names_in(git(root, "diff", "--name-only", "--relative", "-z", self.head, self.tree))
        self.project = _project(root)
        self.copy = self.copied(folder / "base")
        shutil.copyfile(self.copy / PARAMS, folder / PARAMS)
        self.values = Values(folder / PARAMS, folder / "base", self.project.check_params if self.project else None)
        # the keys that dvc.yaml refers to, as in ${dataset.path}
        self._keys = set(re.findall(r"\$\{\s*([\w.]+)\s*\}", (self.copy / "dvc.yaml").read_text(encoding="utf-8")))
        self._stages: dict[str, list[Stage]] = {}
        self.start = self._start()

    def copied(self, folder: Path) -> Path:
        """Copy the project into a new folder; return where it is in that: as deep as the real one, for `..` in a path.

        The copy is a DVC repository without git, which shares the cache and keeps nothing elsewhere.
        """
        top = Path(git(self.root, "rev-parse", "--show-toplevel").rstrip("\n"))
        place, index = folder / top.relative_to("/"), folder / "index"
        place.mkdir(parents=True)
        git(self.root, "read-tree", self.tree, index=index)
        git(top, "checkout-index", "--all", f"--prefix={place}/", index=index)
        copy = place / self.root.resolve().relative_to(top)
        core = {"no_scm": True, "site_cache_dir": str(folder / "site")}
        write_local_config(copy / ".dvc", {"core": core, "cache": {"dir": str(self.cache)}})
        return copy

    def stages(self, configuration: Configuration) -> list[Stage]:
        """Return the stages as a configuration's parameters resolve them."""
        values = self.values.of(configuration)
        key = repr([values.get(name) for name in self._keys])
        if key not in self._stages:
            shutil.copyfile(self.folder / PARAMS, self.copy / PARAMS)
            apply(self.copy / PARAMS, configuration)
            self._stages[key] = resolve(self.root, self.copy)
        return self._stages[key]

    def name(self, configuration: Configuration) -> str:
        """Return the experiment's name: the same for the same parameters, code and data on one commit."""
        stages = [stage._replace(links={})._asdict() for stage in self.stages(configuration)]
        return f"sweep-{dict_sha256({'params': self.values.of(configuration), 'stages': stages})[:12]}"

    def included(self) -> list[str]:
        """Return the files with uncommitted changes that stages read."""
        deps = {path for stage in self.stages(()) for path in stage.deps.values()} | {str(PARAMS), "dvc.yaml"}
        outs = {out.path for stage in self.stages(()) for out in stage.outs}
        return [path for path in self.changed if path not in outs and deps & {path, *map(str, Path(path).parents)}]

    def _start(self) -> Start:
        """Keep those of dvc.lock's stages whose outs are in the cache or in git."""
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
        if cached.is_file() and cached.stat().st_size == entry["size"]:
            return File(entry, cached)
        return File(entry, own) if file_md5(own) == entry.get("md5") else None


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
        raise UserError(f"DVC: {one_line(error)}") from None


def _write_tree(root: Path, index: Path, repo: Any) -> str:
    """Write the tree of the tracked files as they are now, through an index of its own; UserError where a merge is open.

    `dvc exp run` also adds untracked files that are among the deps of stages.
    """
    own = Path(root, git(root, "rev-parse", "--git-path", "index").strip())
    if own.is_file():
        shutil.copyfile(own, index)
    git(root, "add", "--update", "--", ":/", index=index)
    stages = repo.stage.collect(f"{repo.root_dir}/dvc.yaml")
    deps = sorted({dep.fs_path for stage in stages for dep in stage.deps if dep.is_in_repo})
    listed = git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", *deps, index=index) if deps else ""
    if listed:
        git(root, "add", "--pathspec-from-file=-", "--pathspec-file-nul", index=index, stdin=listed)
    return git(root, "write-tree", index=index).strip()


@contextmanager
def private_folder(root: Path) -> Iterator[Path]:
    """Give an empty folder inside .dvc/tmp, and remove it at the end, with those that killed sweeps have left."""
    parent = root / ".dvc/tmp/sweep"
    parent.mkdir(parents=True, exist_ok=True)
    _remove_left(parent)
    try:
        with (
            TemporaryDirectory(prefix="running-", dir=parent, ignore_cleanup_errors=True) as name,
            Path(name, "lock").open("a") as lock,
        ):
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Path(name)
    finally:
        _remove_left(parent)  # a worker that outlived its sweep may have written while its folder was removed


def _remove_left(parent: Path) -> None:
    for left in parent.glob("running-*"):
        with suppress(OSError), (left / "lock").open("a") as lock:  # another sweep may hold it, or remove it, too
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
