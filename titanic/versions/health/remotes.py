"""DVC's configuration and its remotes: reachable, their credentials present, and what they lack."""

import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from titanic.stage import UserError, write_bytes
from titanic.versions.health.clone import ADVICE, OK, WRONG, Clone, Finding, object_in, read_config, some
from titanic.versions.remote import STORAGE, UnreachableError, ask, named, problems
from titanic.versions.repository import Output, dvc, git


def config(clone: Clone) -> Iterator[Finding]:
    """Read the configuration, and see that the embedded remote is the folder of this clone."""
    try:
        known = read_config(clone.root)
    except UserError as error:
        shared = "git checkout HEAD -- .dvc/config"
        yield Finding(WRONG, f"DVC's configuration cannot be read: {error}", shared)
        return
    if not (clone.root / ".dvc/config").is_file():
        yield Finding(WRONG, "there is no .dvc/config", "git checkout HEAD -- .dvc/config")
        return
    embedded = known["remote"].get("embedded")
    if embedded and Path(embedded.get("url", "")) != clone.root / STORAGE:
        cure = 'dvc remote modify --local embedded url "$PWD/.dvc/storage"'
        what = f"the embedded remote is {embedded.get('url')}: this clone was moved or copied"
        yield Finding(WRONG, what, cure, partial(_point_to_storage, clone.root))
    else:
        yield Finding(OK, "DVC's configuration can be read")


def _point_to_storage(root: Path) -> str:
    dvc(root, "remote", "modify", "--local", "embedded", "url", str(root / STORAGE))
    return f"the embedded remote is {STORAGE} of this clone"


def credentials(clone: Clone) -> Iterator[Finding]:
    """See whether every remote could be used; nothing is sent. What fails in the default one is wrong."""
    default = clone.config.get("core", {}).get("remote")
    for name, remote in clone.config.get("remote", {}).items():
        what = [*problems(name, remote, os.environ, Path.home())]
        for problem, cure in what:
            yield Finding(WRONG if name == default else ADVICE, f"remote {name}: {problem}", cure)
        if not what and not remote.get("verify") and "://" in remote.get("url", ""):
            cure = f"dvc remote modify {name} verify true"
            yield Finding(ADVICE, f"remote {name}: DVC would trust whatever it sends", cure)


def folder(clone: Clone) -> Iterator[Finding]:
    """See that there is a default remote, and, where it is a folder, that it has what the locks name."""
    name, remote = _default(clone)
    url = remote.get("url", "")
    if not clone.config:
        return  # told with the configuration
    if not url:
        said = f"the default remote {name} is not configured" if name else "there is no default remote"
        yield Finding(WRONG, said, "dvc remote default embedded")
    elif "://" not in url:
        where = f"remote {name} ({url.replace(f'{clone.root}/', '')})"
        lacking = [output for md5, output in clone.kept.items() if not object_in(Path(url), md5).is_file()]
        if lacking and not Path(url).is_dir():
            cure = f"git checkout HEAD -- {STORAGE}" if url == str(clone.root / STORAGE) else _other_url(name)
            yield Finding(WRONG, f"{where}: the folder is not there", cure)
        else:
            yield from _told(clone, where, lacking)


def server(clone: Clone) -> Iterator[Finding]:
    """Try the default remote where it is behind a network: whether it answers, and has what the locks name.

    Not by `dvc status --cloud`, which removes what is damaged and not write-protected from the cache.
    """
    name, remote = _default(clone)
    url = remote.get("url", "")
    if "://" not in url or any(problems(name, remote, os.environ, Path.home())):
        return  # problems are told above; DVC could wait for ever
    try:
        there = ask(clone.root, name, remote, clone.kept)
    except UnreachableError as error:
        yield Finding(WRONG, str(error), _other_url(name))
    except UserError as error:
        yield Finding(WRONG, str(error), f"dvc status --cloud --verbose -r {name}")
    else:
        lacking = [output for md5, output in clone.kept.items() if md5 not in there]
        if lacking and not there and url.startswith("http"):  # which is read only: another remote has filled it
            yield Finding(WRONG, f"{named(name, remote)} has nothing of what the locks name", _other_url(name))
        else:
            yield from _told(clone, named(name, remote), lacking)


def _default(clone: Clone) -> tuple[str, Mapping[str, Any]]:
    name = clone.config.get("core", {}).get("remote", "")
    return name, clone.config.get("remote", {}).get(name, {})


def _other_url(name: str) -> str:
    return f"dvc remote modify {name} url URL"


def _told(clone: Clone, where: str, lacking: list[Output]) -> Iterator[Finding]:
    """Tell what the remote lacks: wrong where the commit promises it, advice where it is still the workspace's own."""
    if not lacking:
        yield Finding(OK, f"{where} has what the locks name")
    here = [output for output in lacking if object_in(clone.stores["cache"], output.md5).exists()]
    if here:
        promised = _committed(clone)
        what = f"{where} lacks {_paths(here)}"
        mend = partial(_fill_storage if where.endswith(f"({STORAGE})") else _push, clone, here)
        yield Finding(*((WRONG, what, "titanic doctor --fix") if promised else (ADVICE, what, "dvc push")), mend)
    lost = [output for output in lacking if output not in here and output.stage.endswith(".dvc")]
    if lost:
        yield Finding(WRONG, f"{where} and the cache lack {_paths(lost)}; where that was added", "dvc push")
    again = [output for output in lacking if output not in here and output not in lost]
    if again:
        yield Finding(ADVICE, f"{where} and the cache lack {_paths(again)}", "dvc repro --all-pipelines && dvc push")


def _paths(outputs: list[Output]) -> str:
    return some(output.path for output in outputs)


def _committed(clone: Clone) -> bool:
    try:
        return not git(clone.root, "status", "--porcelain", "--", "*dvc.lock", "*.dvc").strip()
    except UserError:
        return False


def _fill_storage(clone: Clone, outputs: list[Output]) -> str:
    """Copy to the embedded remote what the cache has, which is intact: after a killed push DVC believes it to be there."""
    for output in outputs:
        content = object_in(clone.stores["cache"], output.md5).read_bytes()
        write_bytes(object_in(clone.root / STORAGE, output.md5), content)
    return f"copied to {STORAGE} what it lacked ({_paths(outputs)}); commit it"


def _push(clone: Clone, outputs: list[Output]) -> str:
    """Push object by object what a remote lacks: DVC takes a folder's files for there when the folder's list is."""
    from dvc.repo import Repo
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.transfer import transfer

    name, repo = _default(clone)[0], Repo(clone.root)
    lacking = {HashInfo("md5", output.md5) for output in outputs}
    done = transfer(repo.cache.local, repo.cloud.get_remote_odb(name), lacking)
    if done.failed:
        raise UserError(f"{len(done.failed)} of {len(lacking)} objects could not be pushed to remote {name}")
    return f"pushed to remote {name} what it lacked ({_paths(outputs)})"
