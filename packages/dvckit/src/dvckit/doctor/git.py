"""git's own store, as `git fsck` sees it: the index, objects, and what names commits. git reads what is broken as absent."""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from dvckit.core.errors import UserError
from dvckit.core.files import write_bytes
from dvckit.doctor.clone import ADVICE, FIX, OK, WRONG, Clone, Finding
from dvckit.repository.patience import NoAnswerError, within
from dvckit.repository.programs import OPTIONS, git, run
from dvckit.repository.revision import head

FSCK = ("git", *OPTIONS, "fsck", "--no-dangling", "--no-progress", "--name-objects")
LONGEST = 60.0  # seconds, also where there is time: of a large repository, git reads every object
DERIVED = {  # git's command that checks it, and where it is
    "commits": ("commit-graph", "info/commit-graph", "info/commit-graphs"),
    "packs": ("multi-pack-index", "pack/multi-pack-index"),
}
REF = re.compile(r"(refs/\S+): (?:invalid sha1 pointer|badRefContent)")
PACKED = re.compile(rb"#.*|[0-9a-f]{40,64} refs/\S+|\^[0-9a-f]{40,64}")


def store(clone: Clone) -> list[Finding]:
    """Ask git to check its store, and HEAD and the index, whose absence git takes for a new repository's."""
    try:
        folder = clone.root / git(clone.root, "rev-parse", "--git-common-dir").rstrip("\n")
    except UserError:
        return []  # reported with the hooks, unless there is no git at all
    refused = False
    seconds = max(1.0, min(clone.until - time.monotonic(), LONGEST))
    try:
        # git's own words about alternates that are gone come with the exit code 0
        command = ["sh", "-c", 'exec "$@" 2>&1', "sh", *FSCK]
        output = within(partial(run, command, clone.root, {"LC_ALL": "C"}), seconds)
    except NoAnswerError as error:
        return [Finding(ADVICE, f"git's store could not be checked: {error}", "git fsck")]
    except UserError as error:
        output, refused = str(error).partition("failed: ")[2], True
    wrong = [*_index(clone, output), *_packed(clone, folder)]
    wrong += [_ref(clone, folder, ref) for ref in dict.fromkeys(REF.findall(output))]
    wrong += [] if wrong else _head(clone)
    wrong += [] if wrong or not refused else _derived(clone, folder)
    errors = re.findall(r"(?:error|fatal|missing|broken)\b[^;\n]*", output) or [output] * refused
    if errors and not wrong:
        wrong.append(_damaged(clone, folder, errors))
    return wrong or [Finding(OK, "git's store is whole")]


def _damaged(clone: Clone, folder: Path, errors: list[str]) -> Finding:
    what = f"git's store is damaged: {errors[0].strip()[:150]}"
    if all("object directory" in error for error in errors):  # and git misses nothing of what was there
        return Finding(WRONG, what, FIX, partial(_put_aside, clone, folder / "objects/info/alternates"))
    with suppress(UserError):
        if git(clone.root, "remote").strip():
            return Finding(WRONG, what, "git fetch --refetch")
    return Finding(WRONG, what, "git fsck")


def _derived(clone: Clone, folder: Path) -> Iterator[Finding]:
    """Report damaged indexes of commits and packs, which git makes of the others and does without."""
    for what, (command, *names) in DERIVED.items():
        for path in (folder / "objects" / name for name in names):
            if path.exists():
                try:
                    git(clone.root, command, "verify")
                except UserError as error:
                    reason = str(error).partition("failed: ")[2].strip()[:100]
                    said = f"git's index of {what} is damaged: {reason}"
                    yield Finding(WRONG, said, FIX, partial(_put_aside, clone, path))


def _put_aside(clone: Clone, path: Path) -> str:
    return f"moved {path.name} of git's to {clone.put_aside(path)}"


def _index(clone: Clone, output: str) -> Iterator[Finding]:
    path = clone.root / git(clone.root, "rev-parse", "--git-path", "index").rstrip("\n")
    fix = partial(_renew_index, clone, path)
    if broken := re.search(r"[^\n;]*(index file|index: unable)[^\n;]*", output):
        yield Finding(WRONG, f"git's index cannot be read: {broken[0].strip()}", FIX, fix)
    elif not path.exists():
        with suppress(UserError):  # there is no commit yet
            head(clone.root)
            yield Finding(WRONG, "git's index is missing", FIX, fix)


def _renew_index(clone: Clone, path: Path) -> str:
    """Make the index anew from HEAD: what was added and not committed is still in the work tree."""
    aside = f"; what was there is in {clone.put_aside(path)}" if path.exists() else ""
    git(clone.root, "reset", "--quiet")
    return f"git's index is that of HEAD again{aside}; `git add` what was to be committed"


def _packed(clone: Clone, folder: Path) -> Iterator[Finding]:
    path = folder / "packed-refs"
    if path.exists() and (not path.is_file() or _whole_lines(path) != path.read_bytes()):
        yield Finding(WRONG, "git's packed-refs cannot be read", FIX, partial(_renew_packed, clone, path))


def _whole_lines(path: Path) -> bytes:
    lines = path.read_bytes().splitlines(keepends=True)
    return b"".join(line for line in lines if line.endswith(b"\n") and PACKED.fullmatch(line.rstrip(b"\n")))


def _renew_packed(clone: Clone, path: Path) -> str:
    whole = _whole_lines(path) if path.is_file() else b""
    aside = clone.put_aside(path)
    write_bytes(path, whole)
    return f"git's packed-refs has the lines that can be read; what was there is in {aside}; `git fetch --tags`"


def _head(clone: Clone) -> Iterator[Finding]:
    """Report a HEAD without a commit where there have been commits."""
    with suppress(UserError):
        head(clone.root)
        return
    name = "HEAD"
    with suppress(UserError):
        name = git(clone.root, "symbolic-ref", "--quiet", "HEAD").strip()
    log = clone.root / git(clone.root, "rev-parse", "--git-path", "logs/HEAD").rstrip("\n")
    if commit := _last(clone, log):
        what = f"HEAD names no commit ({name}), and it named {commit[:7]}"
        yield Finding(WRONG, what, f"git update-ref {name} {commit}")


def _last(clone: Clone, log: Path) -> str | None:
    """Return the last commit in a log of git's that git still has."""
    lines = log.read_bytes().splitlines() if log.is_file() else []
    for words in (line.split() for line in reversed(lines)):
        with suppress(UserError, IndexError, UnicodeDecodeError):
            return git(clone.root, "rev-parse", "--verify", "--quiet", f"{words[1].decode()}^{{commit}}").strip()
    return None


def _ref(clone: Clone, folder: Path, ref: str) -> Finding:
    """Report what names no commit, and give back the commit that git's log has of it."""
    commit = _last(clone, folder / "logs" / ref)
    lost = "" if commit else " (what it named is not known)"
    fix = partial(_renew_ref, clone, folder, ref, commit)
    return Finding(WRONG, f"{ref} of git's names nothing that is here{lost}", FIX, fix)


def _renew_ref(clone: Clone, folder: Path, ref: str, commit: str | None) -> str:
    if not (folder / ref).exists():
        raise UserError(f"it is in packed-refs; run `git update-ref -d {ref}`, or `git fetch`")
    aside = clone.put_aside(folder / ref)
    if commit:
        git(clone.root, "update-ref", ref, commit)
        return f"{ref} names {commit[:7]} again; what was there is in {aside}"
    return f"moved {ref}, which names nothing, to {aside}"
