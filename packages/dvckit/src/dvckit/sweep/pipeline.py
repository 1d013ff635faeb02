"""The stages of dvc.yaml as DVC resolves them for some parameters, in plain values that can be sent to a worker."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dvckit.core.errors import UserError, one_line
from dvckit.repository import dvc_internals

IN_PROCESS = "python -m dvckit.stage "  # and a module: what a worker calls itself
Entry = dict[str, Any]  # of a stage in dvc.lock, or of a dep or an out in it


class Out(NamedTuple):
    """An output: its path as dvc.yaml writes it, and in the project; whether DVC keeps it, or git; whether DVC shows it."""

    name: str
    path: str
    cached: bool
    metric: bool


class Stage(NamedTuple):
    """A stage; `deps` as dvc.yaml writes them with their paths in the project, `leaves` those that no stage makes.

    `params`: the keys of each file, `links`: deps, or files in them, that git does not have, such as a folder of the
    user's, with where they really are. `simple`: all that `stages.py` knows of a stage is all there is to it.
    """

    name: str
    cmd: str | list[str]
    deps: dict[str, str]
    params: dict[str, list[str]]
    outs: list[Out]
    leaves: dict[str, Entry]
    links: dict[str, str]
    simple: bool


class Pipeline(NamedTuple):
    """The stages of a dvc.yaml in the order in which `dvc repro` runs them, and the files of all metrics."""

    stages: list[Stage]
    metrics: list[str]


def resolve(root: Path, copy: Path, here: Path) -> Pipeline:
    """Return the pipeline in a folder of a copy of the project.

    UserError where DVC refuses it, or a file that it reads is missing, or not as its .dvc file names it.
    """
    try:
        with dvc_internals.Repo(str(copy)) as repo:
            steps = plan(repo, copy / here)
            for step in steps:
                _check_places(root, copy, step)
            for added in (out for stage in steps if stage.is_data_source for out in stage.outs):
                _link_added(root, copy, added)
            stages = [stage for stage in steps if not stage.is_data_source]
            outs = {out.fs_path for stage in stages for out in stage.outs}
            metrics = [path.removeprefix("/") for path in dvc_internals._collect_metrics(repo)]  # noqa: SLF001
            return Pipeline([_stage(root, copy, here, stage, outs) for stage in stages], metrics)
    except dvc_internals.DvcException as error:
        raise UserError(one_line(str(error).replace(f"{copy}/", ""))) from None


def plan(repo: Any, folder: Path) -> list[Any]:
    """Return DVC's stages, .dvc files among them, that `dvc repro` looks at in a folder, in its order."""
    graph = dvc_internals.get_active_graph(repo.index.graph)
    steps: list[Any] = dvc_internals.plan_repro(graph, repo.stage.collect(str(folder / "dvc.yaml")))
    return steps


def whole(root: Path, copy: Path) -> Path:
    """Return the folder that stands for `/` where a copy is as deep as the project."""
    return Path(*copy.parts[: 1 + len(copy.parts) - len(root.resolve().parts)])


def _check_places(root: Path, copy: Path, stage: Any) -> None:
    """Raise a UserError where a stage writes out of the copy, or reads by more `..` than there are folders above."""
    within = whole(root, copy)
    deps = [] if stage.is_data_source else stage.deps  # to look at one of another repository clones it
    for file in (*deps, *stage.outs):
        if _is_near(file) and not Path(file.fs_path).is_relative_to(within):
            raise UserError(f"{file.def_path} has more `..` than there are folders; write its absolute path")
    for out in (out for out in stage.outs if out.protocol == "local"):
        check_within(within, Path(out.fs_path), out.def_path)


def _link_added(root: Path, copy: Path, added: Any) -> None:
    """Let what `dvc add` tracks lead to the user's own, if that is what the .dvc file names."""
    path = _inside(copy, added)
    own = (root / path).resolve()
    link(copy, {path: str(own)}, whole(root, copy))
    if not own.exists() or added.changed_checksum():
        raise UserError(
            f"{path} is missing, or not what {path}.dvc names; run `dvc pull {path}.dvc`, or use it as it is with `dvc add {path}`"
        )


def _stage(root: Path, copy: Path, here: Path, stage: Any, outs: set[str]) -> Stage:
    read = [] if stage.frozen else stage.deps
    params = [dep for dep in read if isinstance(dep, dvc_internals.ParamsDependency)]
    deps = [dep for dep in read if dep not in params]
    made = [dep for dep in deps if any(Path(dep.fs_path).is_relative_to(out) for out in outs)]
    mixed = [dep for dep in deps if any(Path(out).is_relative_to(dep.fs_path) for out in outs) and dep not in made]
    leaves = [dep for dep in deps if dep not in made and not (dep in mixed and not dep.exists)]
    links = dict(pair for dep in leaves if _is_near(dep) for pair in _links(root, copy, dep, outs))
    link(copy, links, whole(root, copy))
    pipeline = os.path.relpath(stage.path, copy)
    simple = not mixed and all(dep.fs_path in outs for dep in made) and _is_simple(stage, pipeline, here)
    return Stage(
        name=f"{pipeline}:{stage.name}".removeprefix("dvc.yaml:"),
        cmd=stage.cmd,
        deps={dep.def_path: _inside(copy, dep) for dep in deps},
        params={os.path.relpath(dep.fs_path, copy / here): sorted(dep.params) for dep in params},
        outs=[Out(out.def_path, _inside(copy, out), out.use_cache, bool(out.metric)) for out in stage.outs],
        links=links,
        leaves=_leaves(stage, leaves),
        simple=simple,
    )


def _is_simple(stage: Any, pipeline: str, here: Path) -> bool:
    """Tell whether a stage has an import for its command, and reads and writes files as any does.

    What its outs are, dvc.lock says.
    """
    return (
        here == Path()
        and pipeline == "dvc.yaml"
        and stage.wdir == stage.repo.root_dir
        and str(stage.cmd).startswith(IN_PROCESS)
        and str(stage.cmd).count(" ") == IN_PROCESS.count(" ")
        and not (stage.frozen or stage.always_changed or stage.is_callback)
        and all(dep.params for dep in stage.deps if isinstance(dep, dvc_internals.ParamsDependency))
        and all(out.hash_info.name == "md5" and not out.hash_info.isdir for out in stage.outs)
    )


def _is_near(file: Any) -> bool:
    return file.protocol == "local" and not Path(file.def_path).is_absolute()


def _inside(copy: Path, file: Any) -> str:
    """Return the path of a dep or out in the project, as it is where it is absolute, or no file."""
    return os.path.relpath(file.fs_path, copy) if _is_near(file) else str(file.def_path)


def _links(root: Path, copy: Path, dep: Any, outs: set[str]) -> Iterator[tuple[str, str]]:
    """Yield what the copy lacks of a dep or already links to: of a folder that git knows only the files that it does not."""

    def is_users(path: str) -> bool:
        return not (copy / path).exists() or ((root / path).exists() and (copy / path).samefile(root / path))

    path = _inside(copy, dep)
    if is_users(path):
        yield path, str((root / path).resolve())
    elif (copy / path).is_dir():
        for file in (root / path).rglob("*"):
            inside = os.path.relpath(file, root)
            place = copy / inside
            made = any(place.is_relative_to(out) for out in outs)
            if file.is_file() and not made and is_users(inside) and not dep.repo.dvcignore.is_ignored_file(str(place)):
                yield inside, str(file.resolve())


def _leaves(stage: Any, deps: list[Any]) -> dict[str, Entry]:
    """Return what dvc.lock holds of deps, in DVC's own words."""
    stage.deps, stage.outs = deps, []
    stage.save_deps()
    return {entry["path"]: dict(entry) for entry in dvc_internals.to_single_stage_lockfile(stage).get("deps", ())}


def link(copy: Path, links: dict[str, str], within: Path) -> None:
    """Let paths in a copy of the project lead to where they really are; `within` is the folder that holds all of it."""
    for path, real in links.items():
        place = Path(os.path.normpath(copy / path))
        if place.exists() and place.samefile(real):
            continue  # perhaps through a link of a folder above it, where all is the user's
        check_within(within, place, path)
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
        place.symlink_to(real)


def check_within(within: Path, place: Path, name: str) -> None:
    """Raise a UserError unless a path, which may not exist, is in a folder, whatever links are above it."""
    if not place.parent.resolve().is_relative_to(within.resolve()):
        raise UserError(f"{name} leads out of the project, and a sweep writes to copies of its own only")
