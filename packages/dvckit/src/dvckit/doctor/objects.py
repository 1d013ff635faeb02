"""Every object re-hashed, in the cache and in the remotes of this machine, and every output compared with its lock.

DVC trusts a cache object that is write-protected, whatever is in it, and so checks out, trains on and pushes a truncated
one.
"""

import shlex
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

from dvckit.core.files import write_bytes
from dvckit.core.grid import counted
from dvckit.core.layout import RAW
from dvckit.data.replace import adding, interrupted, is_running, restore
from dvckit.doctor.clone import ADVICE, OK, WRONG, Clone, Finding, paths, some
from dvckit.doctor.stores import cut_list
from dvckit.repository.locks import MD5, Output
from dvckit.repository.objects import (
    file_md5,
    file_md5s,
    folder_object,
    has,
    is_intact,
    is_legacy,
    output_md5,
    read_object,
)

FEW = 4  # files that a command names


def objects(clone: Clone) -> Iterator[Finding]:
    """Hash every object of every store."""
    for name, store in clone.stores.items():
        yield from _store(clone, name, store)


def _store(clone: Clone, name: str, store: Path) -> Iterator[Finding]:
    legacy = {*store.glob("[0-9a-f][0-9a-f]/*")}  # what DVC 1 and 2 wrote, and DVC 3 where a lock has their hashes
    md5s = {path: path.parent.name + path.name for path in [*store.glob("files/md5/??/*"), *legacy]}
    named = {output.md5 for output in clone.named}
    files = sorted((path for path, md5 in md5s.items() if MD5.fullmatch(md5)), key=lambda path: md5s[path] not in named)
    hashes = file_md5s(files, clone.until, legacy)
    unread = [path for path in files if hashes[path] is None]
    other = [path for path in files if hashes[path] not in (None, md5s[path].removesuffix(".dir"))]
    damaged = [path for path in other if path not in legacy or not is_legacy(read_object(path), md5s[path])]
    for path in damaged:
        outputs = paths(output for output in clone.named if output.md5 == md5s[path])
        shown = f"{name}: the object {md5s[path]}" + (f" ({outputs})" if outputs else "")
        fix = partial(_fix, clone, shown, path, md5s[path], legacy=path in legacy)
        yield Finding(WRONG, f"{shown} is damaged", "dvckit doctor --fix", fix)
    if unread:
        what = f"{name}: no time for {len(unread)} of {counted(len(files), 'object')}; --fix takes the time it needs"
        yield Finding(ADVICE, what, "dvckit doctor --fix")
    elif files and not damaged:
        yield Finding(OK, f"{name}: {counted(len(files), 'object')}, each what its name says")


def _fix(clone: Clone, shown: str, path: Path, md5: str, *, legacy: bool) -> str:
    """Put the intact object, from wherever on this machine it is, in the place of a damaged one and of its copies.

    A copy is an output that has the damaged content: a link to the object, or what DVC made of it. Where the object is
    intact nowhere, all of them are removed.
    """
    outputs = [output for output in clone.named if output.md5 == md5 and clone.is_inside(output.path)]
    there = [file for output in outputs if (file := clone.root / output.path).exists()]
    damaged, mode = file_md5(path), path.stat().st_mode & 0o777
    copies = [file for file in there if file_md5(file) == damaged != "unreadable"]
    contents = (folder_object(file, legacy=legacy) if file.is_dir() else file.read_bytes() for file in there)
    found = chain(clone.places(md5, legacy=legacy), clone.places(md5, legacy=not legacy), contents)
    is_whole = is_legacy if legacy else is_intact
    whole = next((content for content in found if is_whole(content, md5)), None)
    if whole is None:
        aside = clone.put_aside(path)
        for copy in copies:
            copy.unlink()
        command = "dvc repro --all-pipelines" if set(outputs) & set(clone.outputs) else "dvc pull"
        return f"{shown} is intact nowhere here; moved to {aside}; `{command}` brings it back"
    aside = clone.put_aside(path)  # a copy that is a link to the object may be an edit that is nowhere else
    for file in [path, *copies]:
        write_bytes(file, whole)
    path.chmod(mode)
    also = f", and {some(copy.relative_to(clone.root) for copy in copies)}" if copies else ""
    return f"{shown} is whole again{also}; what was there is in {aside}"


def outputs(clone: Clone) -> Iterator[Finding]:
    """Compare what is in the work tree with what the locks name."""
    same, other, absent, unread = _states(clone, clone.outputs)
    yield from _of_another_kind(clone, other)
    raw = [output for output in other if Path(output.path).is_relative_to(RAW) and _is_of_its_kind(clone, output)]
    edited = [output for output in raw if output.path not in _committed(clone, raw)]
    for output in edited:
        verb = "checkout" if has(clone.stores["cache"], output.md5) else "pull"
        what = f"{output.path} was edited in place (to bring a table of your own: `dvckit data add`)"
        yield Finding(WRONG, what, f"dvc {verb} --force {output.path}")
    if changed := [output.path for output in other if output not in edited and _is_of_its_kind(clone, output)]:
        yield Finding(ADVICE, f"not what the last run wrote: {some(changed)}", "dvc repro --all-pipelines")
    if absent:
        yield from cut_list(clone, "fetch")
        pull = "dvc pull` or `" if clone.default_remote[0] else ""
        yield Finding(ADVICE, f"missing outputs: {paths(absent)}", f"{pull}dvc repro --all-pipelines")
    if unread:
        yield Finding(ADVICE, f"no time to read {paths(unread)}", "dvckit doctor --fix")
    if same and not (other or absent or unread):
        yield Finding(OK, f"{counted(len(same), 'output')}, each what the last run wrote")


def _committed(clone: Clone, outputs: list[Output]) -> set[str]:
    """Return the files that git has as they are: whoever cloned them edited nothing."""
    names = [output.path for output in outputs]
    return set(clone.tracked("--", *names)) - set(clone.tracked("--modified", "--", *names)) if names else set()


def elsewhere(clone: Clone) -> Iterator[Finding]:
    """Name what locks and .dvc files point to outside of the repository: it is not read here, and never repaired."""
    if outside := clone.outside:
        yield Finding(ADVICE, f"outside of this repository, so not looked at: {some(outside)}")


def external(clone: Clone) -> Iterator[Finding]:
    """Compare the data that a user has brought with their .dvc files."""
    for folder in interrupted(clone.root):
        fix = partial(_restore, clone.root, folder)
        if is_running(clone.root):
            yield Finding(ADVICE, f"`dvckit data add` is running, and {folder} is not settled")
        else:
            yield Finding(WRONG, f"`dvckit data add` of {folder} did not end", "dvckit doctor --fix", fix)
    same, other, absent, _ = _states(clone, clone.added)
    yield from _of_another_kind(clone, other)
    for output in filter(partial(_is_of_its_kind, clone), other):
        what = f"{output.path} has changed since it was added (to keep that as a new version: `dvc add {output.path}`)"
        yield Finding(WRONG, what, f"dvc checkout --force {output.stage}")
    if absent:
        yield from cut_list(clone, "fetch")
        yield _missing(clone, absent)
    if same:
        yield Finding(OK, f"{paths(same)}: as it was added")


def _is_of_its_kind(clone: Clone, output: Output) -> bool:
    path = clone.root / output.path
    return path.is_dir() if output.md5.endswith(".dir") else path.is_file()


def _of_another_kind(clone: Clone, outputs: list[Output]) -> Iterator[Finding]:
    """Report a folder where a file is due, and the reverse: DVC can then neither run nor check out."""
    for output in outputs:
        if not _is_of_its_kind(clone, output):
            path, target = output.path, output.stage if output.stage.endswith(".dvc") else output.path
            what = f"{path} is no {'folder' if output.md5.endswith('.dir') else 'file'}, and was one"
            yield Finding(WRONG, what, f"mv {path} {path}.aside && dvc checkout {target}")


def _missing(clone: Clone, absent: list[Output]) -> Finding:
    files, verb = sorted({output.stage for output in absent}), "is" if len(absent) == 1 else "are"
    what, cache = f"{paths(absent)} {verb} missing", clone.stores["cache"]
    held = all(has(cache, output.md5) for output in absent)
    if not (clone.config["remote"] or held or set(files) & set(clone.imported_files)):
        return Finding(ADVICE, f"{what}, and there is no remote to pull from: ask whoever added it to push to one")
    return Finding(ADVICE, what, f"dvc pull {shlex.join(files)}" if len(files) <= FEW else "dvc pull")


def _restore(root: Path, folder: Path) -> str:
    with adding(root):
        restore(root, folder)
    return f"{folder} is as before `dvckit data add`, which did not end"


def _states(clone: Clone, outputs: list[Output]) -> list[list[Output]]:
    """Return the outputs that are as their lock or .dvc file says, other, absent, and unread as the time was up."""
    files = [clone.root / output.path for output in outputs if not output.md5.endswith(".dir")]
    hashes = file_md5s([file for file in files if file.is_file()], clone.until)
    states = {output: _state(clone.root / output.path, output, hashes) for output in outputs}
    names = ("same", "other", "absent", "unread")
    return [[output for output, state in states.items() if state == name] for name in names]


def _state(path: Path, output: Output, hashes: dict[Path, str | None]) -> str:
    if not path.exists():
        return "absent"
    now = hashes.get(path, "")
    if now is None:
        return "unread"
    if output.legacy and now != output.md5:  # its lines may end as those of Windows
        now = output_md5(path, legacy=True)
    elif path.is_dir():
        now = output_md5(path)
    return "same" if now == output.md5 else "other"
