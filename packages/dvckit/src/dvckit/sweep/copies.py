"""Copies of the project as git would commit it now: as a folder for DVC to look at, or as a clone to run experiments in.

Each is as deep as the real one, for `..` in a path, shares the cache, and keeps nothing of DVC's elsewhere.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dvckit.repository.dvc_internals import write_local_config
from dvckit.repository.programs import git
from dvckit.sweep.pipeline import check_within, link

# what git keeps beside its objects, and a clone of ours needs, too
SUBMODULE = "160000"  # git's mode for it
GITS = ("config", "shallow", "info/exclude", "info/attributes")


class Origin(NamedTuple):
    """What copies are made of: the project's root, the folder of git's repository, a commit, and a tree of files."""

    root: Path
    top: Path
    head: str
    tree: str
    cache: Path

    def copy(self, folder: Path) -> Path:
        """Copy the project into a new folder, without git; return where it is in that."""
        index, place = folder / "index", folder / self.top.relative_to("/")
        place.mkdir(parents=True)
        git(self.root, "read-tree", self.tree, index=index)
        git(self.top, "checkout-index", "--all", f"--prefix={place}/", index=index)
        return self._configured(folder, place, no_scm=True)

    def clone(self, folder: Path) -> Path:
        """Clone git's repository into a new folder, with all files of the tree and the user's settings; return as above."""
        place = folder / self.top.relative_to("/")
        place.mkdir(parents=True)
        _clone(self.top, place, self.head, self.tree)
        return self._configured(folder, place, no_scm=False)

    def _configured(self, folder: Path, place: Path, *, no_scm: bool) -> Path:
        copy = place / self.root.resolve().relative_to(self.top)
        users, own = self.root / ".dvc/config.local", copy / ".dvc"
        check_within(folder, own / users.name, ".dvc")
        own.mkdir(exist_ok=True)
        (own / users.name).unlink(missing_ok=True)  # git may have a link there
        if users.is_file():
            shutil.copyfile(users, own / users.name)
        core = {"no_scm": no_scm, "site_cache_dir": str(folder / "site")}
        write_local_config(own, {"core": core, "cache": {"dir": str(self.cache)}})
        return copy


def _clone(top: Path, place: Path, head: str, tree: str) -> None:
    """Clone a repository, and its submodules, into an empty folder; its objects stay where they are."""
    git(place, "init", "--quiet", "--template=")
    own, theirs = place / ".git", Path(git(top, "rev-parse", "--absolute-git-dir").strip())
    theirs = (theirs / git(theirs, "rev-parse", "--git-common-dir").strip()).resolve()
    for name in GITS:
        if (theirs / name).is_file():
            (own / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(theirs / name, own / name)
    settings = {"core.bare": "false", "core.worktree": str(place), "core.hooksPath": os.devnull}
    for name, value in {**settings, "core.sparseCheckout": "false", "lfs.storage": str(theirs / "lfs")}.items():
        git(place.parent, "config", "--file", str(own / "config"), name, value)
    (own / "objects/info/alternates").write_text(f"{theirs / 'objects'}\n", encoding="utf-8")
    git(place, "update-ref", "--no-deref", "HEAD", head)
    git(place, "read-tree", tree)
    git(place, "checkout-index", "--all", "--index")
    for line in git(place, "ls-files", "-z", "--stage").split("\0"):
        about, _, name = line.partition("\t")
        if about.startswith(SUBMODULE) and (top / name / ".git").exists():
            (place / name).mkdir(parents=True, exist_ok=True)
            commit = about.split()[1]
            _clone(top / name, place / name, commit, commit)


class Untracked(NamedTuple):
    """What a clone lacks of the user's files, by path from git's top folder.

    `links`: with where they really are, such as data, settings and environments. `copies`: outs that DVC cannot restore.
    """

    links: dict[str, str]
    copies: list[str]

    def put(self, top: Path, folder: Path) -> None:
        """Put them into the clone in a folder."""
        place = folder / top.relative_to("/")
        link(place, self.links, folder)
        for path in self.copies:
            source, target = top / path, place / path
            if not target.exists():
                check_within(folder, target, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)


def untracked(origin: Origin, index: Path, stages: Iterable[Any]) -> Untracked:
    """Return what git and DVC do not have: `index` is that of the tree, `stages` are DVC's, in the user's repository."""
    outs = [out for stage in stages if not stage.is_data_source for out in stage.outs if out.protocol == "local"]
    places = {Path(out.fs_path) for out in outs}
    listed = git(origin.top, "ls-files", "-z", "--others", "--directory", index=index).split("\0")
    own = {origin.root / ".dvc"}
    links = {
        str(path.relative_to(origin.top)): str(path.resolve())
        for name in filter(None, listed)
        for path in _outside(origin.top / name, own | places)
    }
    lost = [Path(out.fs_path) for out in outs if out.exists and (not out.use_cache or out.changed_cache())]
    return Untracked(links, [str(path.relative_to(origin.top)) for path in lost if path.is_relative_to(origin.top)])


def _outside(path: Path, outs: set[Path]) -> Iterator[Path]:
    """Yield a path, or the paths in it, that are no outs and hold none."""
    if path.name == "__pycache__" or outs & {path, *path.parents}:
        return
    if any(out.is_relative_to(path) for out in outs):
        for inside in path.iterdir():
            yield from _outside(inside, outs)
    else:
        yield path
