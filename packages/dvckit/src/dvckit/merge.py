"""The merge of two branches' dvc.lock, stage by stage: a git merge driver, which `dvckit hooks` installs.

The three locks alone decide. When git calls a driver, the work tree does not have the merged params.yaml and code yet,
and MERGE_HEAD does not exist yet, in a merge as in a rebase or cherry-pick. But a lock records what each run saw, so the
three-way merge of these records is what the merged files will say, and an entry that agrees with it is a run that need
not be made again: no run cache would spare it, as DVC keeps none for stages whose outs persist.

An entry that does not agree is dropped, though DVC would find it stale: so `dvc pull` brings no result of one branch as
that of both, and `dvc status` names the stage. DVC compares each kept entry with the files before it trusts it, so a
branch that was committed without `dvc repro` costs a run, not a wrong result.
"""

import shlex
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from dvckit.core.errors import UserError, one_line
from dvckit.core.files import write_bytes
from dvckit.core.formats import read_yaml
from dvckit.repository import dvc_internals
from dvckit.repository.locks import Stages
from dvckit.repository.programs import git

DRIVER = "dvc-lock"  # as .gitattributes calls it

_ABSENT, _CLASH = object(), object()


def merge_files(base: Path, ours: Path, theirs: Path, path: str) -> list[str]:
    """Merge the locks in three files into that of `ours`, and return the stages that are left to `dvc repro`.

    `path` is the lock's own, for the messages; `base` is empty where both branches have added it. UserError, and no
    file changed, where one is not a lock that DVC reads.
    """
    locks = [_read(file, path, name) for file, name in ((base, "the base"), (ours, "our"), (theirs, "their"))]
    merged = {key: _three_way(*(lock.get(key, _ABSENT) for lock in locks)) for key in [*locks[1], *locks[2]]}
    base_stages, our_stages, their_stages = (lock.get("stages", {}) for lock in locks)
    merged["stages"] = merge_stages(base_stages, our_stages, their_stages)
    if _CLASH in merged.values():
        raise UserError(f"{path}: both branches changed more than its stages; merge it by hand")
    whole = {key: value for key, value in merged.items() if value is not _ABSENT}
    write_bytes(ours, dvc_internals.dumps_yaml(whole).encode())
    dropped = [name for name in dict(our_stages) | dict(their_stages) if name not in merged["stages"]]
    # what one of the branches has removed is no stage any more
    return [name for name in dropped if name not in base_stages or (name in our_stages and name in their_stages)]


def _read(file: Path, path: str, side: str) -> dict[str, Any]:
    """Read a lock so that DVC's own writer gives the same bytes again."""
    try:
        text = file.read_text(encoding="utf-8")
        read_yaml(text.encode())  # DVC's own reader has no limits
        if text or side != "the base":
            dvc_internals.check_lock(text, path)
    except (UserError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {side} version cannot be read: {one_line(error)}") from None
    lock: dict[str, Any] = dvc_internals.parse_yaml_for_update(text, path)
    return lock


def merge_stages(base: Stages, ours: Stages, theirs: Stages) -> Stages:
    """Merge the entries of two locks; a stage of which neither entry fits what both branches have changed has none."""
    if (whole := _three_way(base, ours, theirs)) is not _CLASH:
        return dict(whole)
    merged: Stages = {}
    outs: dict[str, Any] = {}
    for name in _upstream_first([base, ours, theirs]):
        entry = _merge_entry([lock.get(name, _ABSENT) for lock in (base, ours, theirs)], outs)
        if entry is not _ABSENT:
            merged[name] = entry
            outs |= _digests(entry, "outs")
    return {name: merged[name] for name in dict(ours) | dict(theirs) if name in merged}


def _upstream_first(locks: list[Stages]) -> list[str]:
    """Order the stages so that each comes after those whose outs it reads, in whichever lock."""
    entries = sorted(((name, entry) for lock in locks for name, entry in lock.items()), key=lambda item: item[0])
    makers: dict[str, set[str]] = {}
    for name, entry in entries:
        for path in _digests(entry, "outs"):
            makers.setdefault(path, set()).add(name)
    needs: dict[str, set[str]] = {name: set() for name, _ in entries}
    for name, entry in entries:
        needs[name].update(*(makers.get(path, ()) for path in _digests(entry, "deps")))
    while True:
        try:
            # sorted: the order of a set is another in each process, and where a cycle is cut would depend on it
            return list(TopologicalSorter({name: sorted(of) for name, of in needs.items()}).static_order())
        except CycleError as error:  # one branch turned two stages round, or paths are of different working folders
            first, second = error.args[1][:2]
            needs[second].remove(first)


def _merge_entry(versions: list[Any], upstream: dict[str, Any]) -> Any:
    """Choose the entry of a stage, or _ABSENT; `versions` are base, ours and theirs, `upstream` the outs of the entries kept so far.

    Two entries that both fit have made different outs of the same things: neither is kept.
    """
    recipes = [{} if entry is _ABSENT else _recipe(entry) for entry in versions]
    target = {key: _three_way(*(recipe.get(key, _ABSENT) for recipe in recipes)) for key in set().union(*recipes)}
    read = [path for path in upstream if target.get(("deps", path), _ABSENT) is not _ABSENT]
    target |= {("deps", path): upstream[path] for path in read}
    chosen = _three_way(*versions)
    fitting = [
        entry
        for entry in (versions[1:] if chosen is _CLASH else [chosen])
        if entry is not _ABSENT and all(_recipe(entry).get(key, _ABSENT) == value for key, value in target.items())
    ]
    return fitting[0] if len(fitting) == 1 else _ABSENT


def _recipe(entry: Any) -> dict[tuple[str, ...], Any]:
    """Return everything that DVC compares before it runs a stage again, but for the content of outs."""
    recipe: dict[tuple[str, ...], Any] = {("cmd",): entry["cmd"]}
    for file, values in entry.get("params", {}).items():
        recipe |= {("params", file, key): value for key, value in values.items()}
    recipe |= {("deps", path): digest for path, digest in _digests(entry, "deps").items()}
    return recipe | {("outs", path): True for path in _digests(entry, "outs")}


def _digests(entry: Any, kind: str) -> dict[str, Any]:
    """Return the hash of each dep or out by path; what has no md5 (a URL's etag) stands for itself."""
    return {item["path"]: item.get("md5", item) for item in entry.get(kind, ())}


def _three_way(base: Any, ours: Any, theirs: Any) -> Any:
    """Merge one value: that of the side which changed it; _CLASH where both did, differently."""
    if theirs in (ours, base):
        return ours
    return theirs if ours == base else _CLASH


def install_driver(root: Path) -> None:
    """Tell git to merge with `dvckit merge-lock`: that of the worktree's environment, or of this one if it has none.

    Worktrees share git's config, and git runs a driver by `sh`, in the top folder of the worktree.
    """
    own, project = Path(sys.executable).with_name("dvckit"), git(root, "rev-parse", "--show-prefix").rstrip("\n")
    of_worktree, ours = (shlex.quote(str(path)).replace("%", "%%") for path in (f"{project}.venv/bin/dvckit", own))
    command = f'run={of_worktree}; test -x "$run" || run={ours}; "$run" merge-lock %O %A %B %P'
    git(root, "config", f"merge.{DRIVER}.name", "dvc.lock, stage by stage")
    git(root, "config", f"merge.{DRIVER}.driver", command)
