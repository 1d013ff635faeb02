"""DVC's configuration and its remotes: reachable, their credentials present, and what they lack."""

import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from dvckit.core.embedded import is_located, locate
from dvckit.core.errors import UserError
from dvckit.core.grid import counted
from dvckit.doctor.clone import ADVICE, FIX, OK, WRONG, Clone, Finding, embedded, paths
from dvckit.doctor.stores import cut_list
from dvckit.repository import dvc_internals
from dvckit.repository.locks import Output
from dvckit.repository.meanings import OTHER
from dvckit.repository.objects import STORAGE, has
from dvckit.repository.programs import git
from dvckit.repository.remotes import GONE, NOTHING, ask, folder_fault, named, problems, read_config, send

STRAY = Path("/.dvc/storage")  # where DVC takes the url in .dvc/config to be when it reads another revision
OTHER_URL = "dvc remote modify {} url URL"


def config(clone: Clone) -> list[Finding]:
    """Read the configuration, and see that the embedded remote is the folder of this clone."""
    restore = "git checkout HEAD -- .dvc/config"
    try:
        embedded = read_config(clone.root)["remote"].get("embedded", {}).get("url")
    except UserError as error:
        return [_unreadable(clone, str(error), clone.restore(".dvc/config"))]
    if ".dvc/config" in clone.tracked("--deleted", "--", ".dvc/config"):
        return [Finding(WRONG, "there is no .dvc/config", restore)]
    fix = partial(_locate, clone.root)
    if embedded and Path(embedded) != clone.root / STORAGE:
        what = f"the embedded remote is {embedded}: this clone was moved or copied"
        return [Finding(WRONG, what, f"dvc remote modify --local embedded url {STORAGE}", fix)]
    if not is_located(clone.root):  # as in each clone until something of ours runs
        what = f"`dvc exp push` and `dvc push --all-tags` would write to {STRAY}, not to {STORAGE}"
        return [Finding(ADVICE, what, FIX, fix)]
    if not str(clone.root).isascii():
        what = (
            "letters outside ASCII in this path: `dvc exp run --temp` fails, and DVC cuts a config that names the path"
        )
        return [Finding(ADVICE, what, "git clone . ~/PROJECT")]
    return [Finding(OK, "DVC's configuration can be read")]


def _unreadable(clone: Clone, error: str, restore: str) -> Finding:
    """Name the file that cannot be read, where it is not the one that git has."""
    path = dvc_internals.broken_config(clone.root / ".dvc")
    if path == clone.root / ".dvc/config":
        return Finding(WRONG, error, restore)
    shown = path.relative_to(clone.root) if path.is_relative_to(clone.root) else path
    return Finding(WRONG, f"{error} ({shown})", f"mv {shown} {shown}.damaged")


def _locate(root: Path) -> str:
    locate(root)
    return f"the embedded remote is {STORAGE} of this clone, for every revision"


def stray(clone: Clone) -> Iterator[Finding]:
    """Look for what `dvc exp push` has written to the root of the disk where the embedded remote was not located."""
    if STRAY.is_dir() and not (STRAY.parent / "config").exists() and clone.root != STRAY.parents[1]:
        what = f"DVC wrote objects to {STRAY}, and now takes {STRAY.parents[1]} and all folders in it for one project"
        command = f"mkdir -p {STORAGE} && cp -rn {STRAY}/. {STORAGE} && rm -r {STRAY.parent}"
        yield Finding(WRONG, what, command)


def committed(clone: Clone) -> Iterator[Finding]:
    """See that git has what HEAD names of the embedded remote, and the disk what git has: else others cannot pull it."""
    try:
        head = Clone(clone.root, clone.until, "HEAD")
    except UserError:
        return  # no commit yet, or git is broken, which is reported with the hooks
    if lacking := head.uncommitted:
        what = f"HEAD names {paths(lacking)}, and git has no such objects: others cannot pull them"
        yield Finding(WRONG if _is_shared(clone) else ADVICE, what, f"dvc push && git add {STORAGE} && git commit")
    objects = {path: output for output in head.pushable.values() for path in embedded(output)}
    if gone := {name: objects[name] for name in clone.tracked("--deleted", "--", STORAGE) if name in objects}:
        what = f"objects of HEAD are gone from {STORAGE} ({paths(gone.values())}), as after `dvc gc --cloud`"
        yield Finding(WRONG, what, f"git restore {STORAGE}", partial(_restore, clone.root, [*gone]))


def _is_shared(clone: Clone) -> bool:
    return bool(git(clone.root, "for-each-ref", "--count=1", "--contains=HEAD", "refs/remotes"))


def _restore(root: Path, names: list[str]) -> str:
    git(root, "checkout", "--pathspec-from-file=-", "--pathspec-file-nul", stdin="\0".join(names))
    return f"{counted(len(names), 'object')} of HEAD {'is' if len(names) == 1 else 'are'} in {STORAGE} again"


def credentials(clone: Clone) -> Iterator[Finding]:
    """See whether every remote could be used; nothing is sent. What fails in the default one is wrong."""
    default, _ = clone.default_remote
    for name, remote in clone.config["remote"].items():
        faults = [*problems(name, remote)]
        for problem, command in faults:
            yield Finding(WRONG if name == default else ADVICE, f"remote {name}: {problem}", command)
        if not faults and not remote.get("verify") and "://" in remote.get("url", ""):
            what = f"remote {name}: DVC trusts whatever it sends"
            yield Finding(ADVICE, what, f"dvc remote modify {name} verify true")


def default(clone: Clone) -> list[Finding]:
    """See that there is a default remote, that it can be used, and that it has what the locks name."""
    name, remote = clone.default_remote
    if "url" in remote:
        return _server(clone, name, remote) if "://" in remote["url"] else _folder(clone, name, remote)
    if clone.config["remote"]:
        what = f"the default remote {name} is not configured" if name else "there is no default remote"
        return [Finding(WRONG, what, f"dvc remote default {next(iter(clone.config['remote']))}")]
    what = "there is no remote: the data are on this machine alone"
    # where the configuration cannot be read, that is reported
    return [Finding(ADVICE, what, "dvc remote add --default NAME URL")] if clone.config["core"] else []


def _folder(clone: Clone, name: str, remote: Mapping[str, Any]) -> list[Finding]:
    folder, embedded = Path(remote["url"]), remote["url"] == str(clone.root / STORAGE)
    where = f"remote {name} ({remote['url'].replace(f'{clone.root}/', '')})"
    fault = folder_fault(folder, clone.patience)
    missing = [] if fault else [output for md5, output in clone.pushable.items() if not has(folder, md5)]
    if fault == GONE and _can_be_made(clone, folder):
        return _contents(clone, where, missing=[*clone.pushable.values()], is_new=True)
    if fault and clone.pushable:
        command = f"git checkout HEAD -- {STORAGE}" if embedded else OTHER_URL.format(name)
        return [Finding(WRONG, f"{where}: {fault}", command)]
    return _contents(clone, where, missing)


def _can_be_made(clone: Clone, folder: Path) -> bool:
    """Whether `dvc push` would make a folder; what git has in the embedded remote, it gives back."""
    if folder.is_relative_to(clone.root):
        return not clone.tracked("--", folder.relative_to(clone.root).as_posix())
    return folder.parent.is_dir() and os.access(folder.parent, os.W_OK)


def _server(clone: Clone, name: str, remote: Mapping[str, Any]) -> list[Finding]:
    """Ask not by `dvc status --cloud`, which removes what is damaged and not write-protected from the cache."""
    if any(problems(name, remote)):
        return []  # reported with the credentials; DVC could wait for ever
    try:
        md5s, until = clone.pushable or NOTHING, clone.until - 1
        present = ask(clone.root, name, remote, md5s, until=until, patience=clone.patience)
    except UserError as error:
        is_other = "cannot be reached" in str(error) or OTHER in str(error)
        command = OTHER_URL if is_other else "dvc status --cloud --verbose -r {}"
        return [Finding(WRONG, str(error), command.format(name))]
    missing = [output for md5, output in clone.pushable.items() if md5 not in present]
    if missing and not present and remote["url"].startswith("http"):  # which is read only: another remote has filled it
        what = f"{named(name, remote)} has nothing of what the locks name"
        return [Finding(WRONG, what, OTHER_URL.format(name))]
    return _contents(clone, named(name, remote), missing)


def _contents(clone: Clone, where: str, missing: list[Output], *, is_new: bool = False) -> list[Finding]:
    """Report what a remote lacks: wrong where the commit promises it, advice where it is still the workspace's own.

    `is_new`: its folder is still to be made.
    """
    cached = [output for output in missing if has(clone.stores["cache"], output.md5)]
    lost = [output for output in missing if output not in cached and output.stage.endswith(".dvc")]
    again = [output for output in missing if output not in cached and output not in lost]
    level, command = (WRONG, FIX) if _is_committed(clone) and not is_new else (ADVICE, "dvc push")
    lacks = ": the folder does not exist yet, or its disk is not mounted, so it lacks" if is_new else " lacks"
    fix = None if is_new else partial(_push, clone, cached)
    findings = [
        (cached, Finding(level, f"{where}{lacks} {paths(cached)}", command, fix)),
        (
            lost,
            Finding(WRONG, f"{where} and the cache lack {paths(lost)}: push it from where it was added", "dvc push"),
        ),
        (again, Finding(ADVICE, f"{where} and the cache lack {paths(again)}", "dvc repro --all-pipelines && dvc push")),
    ]
    cut = cut_list(clone, "push") if cached else ()
    return [*cut, *(finding for some, finding in findings if some)] or [Finding(OK, f"{where} has what the locks name")]


def _is_committed(clone: Clone) -> bool:
    try:
        return not git(clone.root, "status", "--porcelain", "--", "*dvc.lock", "*.dvc").strip()
    except UserError:
        return False


def _push(clone: Clone, outputs: list[Output]) -> str:
    """Push what the default remote lacks and the cache has."""
    name, remote = clone.default_remote
    send(clone.root, name, remote, [output.md5 for output in outputs])
    if remote["url"] == str(clone.root / STORAGE):
        return f"copied to {STORAGE} what it lacked ({paths(outputs)}); commit it"
    return f"pushed to remote {name} what it lacked ({paths(outputs)})"
