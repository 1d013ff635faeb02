"""The stages of dvc.yaml as DVC resolves them for some parameters, in plain values that can be sent to a worker."""

import os
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from dvc.dependency import ParamsDependency
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.reproduce import get_active_graph, plan_repro
from dvc.stage.serialize import to_single_stage_lockfile

from titanic.config import PARAMS
from titanic.stage import UserError

Entry = dict[str, Any]  # of a stage in dvc.lock, or of a dep or an out in it


class Out(NamedTuple):
    """An output: its path as dvc.yaml writes it, and in the project; whether DVC keeps it, or git."""

    name: str
    path: str
    cached: bool
    persist: bool


class Stage(NamedTuple):
    """A stage; `deps` as dvc.yaml writes them with their paths in the project, `leaves` those that no stage makes.

    `links`: deps that the project's git files do not hold, such as a folder of the user's, with where they really are.
    """

    name: str
    cmd: str
    folder: str
    deps: dict[str, str]
    params: list[str]
    outs: list[Out]
    leaves: dict[str, Entry]
    links: dict[str, str]


def configure(tree: Path, cache: Path) -> None:
    """Make a DVC repository of a folder with the project's files: no git, the cache shared, nothing kept elsewhere."""
    (tree / ".dvc/config.local").write_text(
        f"[core]\n    no_scm = true\n    site_cache_dir = {tree / '.dvc/tmp/site'}\n[cache]\n    dir = {cache}\n",
        encoding="utf-8",
    )


def interpolated(tree: Path) -> list[str]:
    """Return the keys that dvc.yaml refers to, as in ${dataset.path}."""
    return sorted(set(re.findall(r"\$\{\s*([\w.]+)\s*\}", (tree / "dvc.yaml").read_text(encoding="utf-8"))))


def resolve(root: Path, tree: Path) -> list[Stage]:
    """Return the stages of dvc.yaml in a copy of the project at `tree`, in the order in which `dvc repro` runs them.

    UserError where DVC refuses them, or a file that they read is not there, or not as its .dvc file has it.
    """
    try:
        with Repo(str(tree)) as repo:
            steps = plan_repro(get_active_graph(repo.index.graph), repo.stage.collect(str(tree / "dvc.yaml")))
            for added in (out for stage in steps if stage.is_data_source for out in stage.outs):
                _take_along(root, tree, added)
            stages = [stage for stage in steps if not stage.is_data_source]
            made = {out.fs_path for stage in stages for out in stage.outs}
            return [_stage(root, tree, stage, made) for stage in stages]
    except DvcException as error:
        raise UserError(" ".join(str(error).replace(f"{tree}/", "").split())) from None


def _take_along(root: Path, tree: Path, added: Any) -> None:
    """Let what `dvc add` tracks lead to the user's own, if that is what the .dvc file names."""
    path = os.path.relpath(added.fs_path, tree)
    own = (root / path).resolve()
    link(tree, {path: str(own)})
    if not own.exists() or added.changed_checksum():
        raise UserError(
            f"{path} is not what {path}.dvc names; run `dvc pull {path}.dvc`, or take it as it is with `dvc add {path}`"
        )


def _stage(root: Path, tree: Path, stage: Any, made: set[str]) -> Stage:
    params = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
    deps = [dep for dep in stage.deps if not isinstance(dep, ParamsDependency)]
    if others := [dep.def_path for dep in params if dep.def_path != str(PARAMS)]:
        raise UserError(f"dvc.yaml: the stage {stage.name} reads {others[0]}; a sweep knows {PARAMS} alone")
    paths = {dep.def_path: _inside(tree, dep) for dep in deps}
    leaves = [dep for dep in deps if dep.fs_path not in made]
    links = {
        paths[dep.def_path]: str((root / paths[dep.def_path]).resolve())
        for dep in leaves
        if not Path(dep.def_path).is_absolute() and (Path(dep.fs_path).is_symlink() or not Path(dep.fs_path).is_file())
    }
    link(tree, links)
    return Stage(
        name=stage.name,
        cmd=stage.cmd,
        folder=os.path.relpath(stage.wdir, tree),
        deps=paths,
        params=sorted(key for dep in params for key in dep.params),
        outs=[Out(out.def_path, _inside(tree, out), out.use_cache, out.persist) for out in stage.outs],
        links=links,
        leaves=_leaves(stage, leaves),
    )


def _inside(tree: Path, file: Any) -> str:
    """Return the path of a dep or out in the project, as it is where it is absolute."""
    return str(file.def_path) if Path(file.def_path).is_absolute() else os.path.relpath(file.fs_path, tree)


def _leaves(stage: Any, deps: list[Any]) -> dict[str, Entry]:
    """Return what dvc.lock holds of deps, in DVC's own words."""
    stage.deps, stage.outs = deps, []
    stage.save_deps()
    return {entry["path"]: dict(entry) for entry in to_single_stage_lockfile(stage).get("deps", ())}


def link(tree: Path, links: dict[str, str]) -> None:
    """Let paths in a copy of the project lead to where they really are."""
    for path, real in links.items():
        place = Path(os.path.normpath(tree / path))
        if place.is_symlink():
            continue
        if place.is_dir():
            shutil.rmtree(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(real)
