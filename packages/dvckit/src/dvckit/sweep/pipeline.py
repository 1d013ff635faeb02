"""The stages of dvc.yaml as DVC resolves them for some parameters, in plain values that can be sent to a worker."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dvckit.core.errors import UserError, one_line
from dvckit.core.layout import PARAMS
from dvckit.repository import dvc_internals

Entry = dict[str, Any]  # of a stage in dvc.lock, or of a dep or an out in it


class Out(NamedTuple):
    """An output: its path as dvc.yaml writes it, and in the project; whether DVC keeps it, or git; whether DVC shows it."""

    name: str
    path: str
    cached: bool
    metric: bool


class Stage(NamedTuple):
    """A stage; `deps` as dvc.yaml writes them with their paths in the project, `leaves` those that no stage makes.

    `links`: deps, or files in them, that git does not have, such as a folder of the user's, with where they really are.
    """

    name: str
    cmd: str
    folder: str
    deps: dict[str, str]
    params: list[str]
    outs: list[Out]
    leaves: dict[str, Entry]
    links: dict[str, str]


def resolve(root: Path, copy: Path) -> list[Stage]:
    """Return the stages of dvc.yaml in a copy of the project, in the order in which `dvc repro` runs them.

    UserError where DVC refuses them, or a file that they read is missing, or not as its .dvc file names it.
    """
    try:
        with dvc_internals.Repo(str(copy)) as repo:
            graph = dvc_internals.get_active_graph(repo.index.graph)
            steps = dvc_internals.plan_repro(graph, repo.stage.collect(str(copy / "dvc.yaml")))
            for added in (out for stage in steps if stage.is_data_source for out in stage.outs):
                _link_added(root, copy, added)
            stages = [stage for stage in steps if not stage.is_data_source]
            outs = {out.fs_path for stage in stages for out in stage.outs}
            return [_stage(root, copy, stage, outs) for stage in stages]
    except dvc_internals.DvcException as error:
        raise UserError(one_line(str(error).replace(f"{copy}/", ""))) from None


def _link_added(root: Path, copy: Path, added: Any) -> None:
    """Let what `dvc add` tracks lead to the user's own, if that is what the .dvc file names."""
    path = _inside(copy, added)
    own = (root / path).resolve()
    link(copy, {path: str(own)})
    if not own.exists() or added.changed_checksum():
        raise UserError(
            f"{path} is not what {path}.dvc names; run `dvc pull {path}.dvc`, or use it as it is with `dvc add {path}`"
        )


def _stage(root: Path, copy: Path, stage: Any, outs: set[str]) -> Stage:
    params = [dep for dep in stage.deps if isinstance(dep, dvc_internals.ParamsDependency)]
    deps = [dep for dep in stage.deps if not isinstance(dep, dvc_internals.ParamsDependency)]
    if others := [dep.def_path for dep in params if dep.def_path != str(PARAMS)]:
        raise UserError(f"dvc.yaml: the stage {stage.name} reads {others[0]}; a sweep knows only {PARAMS}")
    leaves = [dep for dep in deps if dep.fs_path not in outs]
    if mixed := [dep.def_path for dep in leaves if any(Path(out).is_relative_to(dep.fs_path) for out in outs)]:
        raise UserError(
            f"dvc.yaml: the stage {stage.name} reads the folder {mixed[0]}; a sweep needs the files named in it"
        )
    links = dict(pair for dep in leaves if not Path(dep.def_path).is_absolute() for pair in _links(root, copy, dep))
    link(copy, links)
    return Stage(
        name=stage.name,
        cmd=stage.cmd,
        folder=os.path.relpath(stage.wdir, copy),
        deps={dep.def_path: _inside(copy, dep) for dep in deps},
        params=sorted(key for dep in params for key in dep.params),
        outs=[Out(out.def_path, _inside(copy, out), out.use_cache, bool(out.metric)) for out in stage.outs],
        links=links,
        leaves=_leaves(stage, leaves),
    )


def _inside(copy: Path, file: Any) -> str:
    """Return the path of a dep or out in the project, as it is where it is absolute."""
    return str(file.def_path) if Path(file.def_path).is_absolute() else os.path.relpath(file.fs_path, copy)


def _links(root: Path, copy: Path, dep: Any) -> Iterator[tuple[str, str]]:
    """Yield what the copy lacks of a dep or already links to: of a folder that git knows only the files that it does not."""

    def is_users(path: str) -> bool:
        return not (copy / path).exists() or ((root / path).exists() and (copy / path).samefile(root / path))

    path = _inside(copy, dep)
    if is_users(path):
        yield path, str((root / path).resolve())
    elif (copy / path).is_dir():
        for file in (root / path).rglob("*"):
            inside = os.path.relpath(file, root)
            if file.is_file() and is_users(inside) and not dep.repo.dvcignore.is_ignored_file(str(copy / inside)):
                yield inside, str(file.resolve())


def _leaves(stage: Any, deps: list[Any]) -> dict[str, Entry]:
    """Return what dvc.lock holds of deps, in DVC's own words."""
    stage.deps, stage.outs = deps, []
    stage.save_deps()
    return {entry["path"]: dict(entry) for entry in dvc_internals.to_single_stage_lockfile(stage).get("deps", ())}


def link(copy: Path, links: dict[str, str]) -> None:
    """Let paths in a copy of the project lead to where they really are."""
    for path, real in links.items():
        place = Path(os.path.normpath(copy / path))
        if place.exists() and place.samefile(real):
            continue  # perhaps through a link of a folder above it, where all is the user's
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
        place.symlink_to(real)
