"""Versions and their stages as git tags, in GTO's grammar: `model@v1.2.3` registers, `model#prod#1` assigns.

GTO itself is not loaded: that takes longer than reading a thousand tags. Its rules hold: only annotated tags count, as
they know who and when; events count in the order of their time; of each stage, the version that was assigned last is in
it; `model@v1.2.3!` takes a version back, `model#prod!#2` a stage, `model@deprecated#3` the whole artifact.
"""

import difflib
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import semver

from dvckit.core.errors import UserError
from dvckit.repository.programs import git
from dvckit.repository.revision import Revision, resolve

Bump = Literal["major", "minor", "patch"]

FIRST = "v1.0.0"
STAGE = re.compile(r"[a-z][a-z0-9-]*")

_WORD = "[a-zA-Z0-9](?:[a-zA-Z0-9/_-]*[a-zA-Z0-9])?"
_TAG = re.compile(
    rf"(?P<name>{_WORD})(?:@deprecated|(?:@(?P<version>v[^#!]+)|#(?P<stage>{_WORD}))(?P<back>!?))(?:#(?P<counter>\d+))?"
)
_FIELDS = ("refname:strip=2", "*objecttype", "*objectname", "taggername", "taggerdate:unix", "contents")


class Version(NamedTuple):
    """A registered version: what its tag tells, and the stages that it is in now."""

    name: str
    version: str  # v1.2.3
    tag: str
    commit: str
    author: str
    when: str  # ISO 8601, UTC
    message: str
    stages: tuple[str, ...]

    def revision(self, root: Path) -> Revision:
        """Return the revision that was registered."""
        return Revision(root, self.tag)


class _Event(NamedTuple):
    tag: str
    kind: "re.Match[str]"
    commit: str
    author: str
    seconds: int
    message: str


def versions(root: Path, name: str) -> list[Version]:
    """Return the registered versions of an artifact, the highest first."""
    registered: dict[str, _Event] = {}
    holders: dict[str, list[str]] = {}  # of each stage, the commits that were assigned to it, in order
    deprecated = False
    for event in _events(root, name):
        version, stage, back = event.kind["version"], event.kind["stage"], event.kind["back"]
        deprecated = not (version or stage)
        if version:
            registered.pop(version, None)
            registered |= {} if back else {version: event}
        elif stage:
            others = [commit for commit in holders.get(stage, []) if commit != event.commit]
            holders[stage] = others if back else [*others, event.commit]
    stages = _stages_by_commit({event.commit for event in registered.values()}, holders)
    return [
        Version(
            name,
            version,
            event.tag,
            event.commit,
            event.author,
            _iso(event.seconds),
            event.message,
            stages[event.commit],
        )
        for version, event in sorted(registered.items(), key=lambda item: _number(item[0]), reverse=True)
        if not deprecated
    ]


def _events(root: Path, name: str) -> list[_Event]:
    """Return the events in the annotated tags of an artifact, in the order of their time."""
    form = "%00".join(f"%({field})" for field in _FIELDS)
    listed = git(root, "for-each-ref", f"--format={form}%1e", "refs/tags")
    events = (_event(record.split("\0")) for record in listed.split("\x1e\n")[:-1])
    return sorted((event for event in events if event and event.kind["name"] == name), key=lambda event: event.seconds)


def _event(fields: list[str]) -> _Event | None:
    """Return the event of a tag from the values of _FIELDS; None where it is not one of GTO's."""
    tag, target, commit, author, seconds, message = fields
    match = _TAG.fullmatch(tag)
    if not match or target != "commit" or (match["version"] and not _is_number(match["version"])):
        return None
    return _Event(tag, match, commit, author, int(seconds), message.strip())


def _is_number(version: str) -> bool:
    return version.startswith("v") and semver.Version.is_valid(version[1:])


def _number(version: str) -> semver.Version:
    return semver.Version.parse(version[1:])


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _stages_by_commit(registered: set[str], holders: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {commit: [] for commit in registered}
    for stage, commits in sorted(holders.items()):
        for commit in [commit for commit in commits if commit in registered][-1:]:
            found[commit].append(stage)
    return {commit: tuple(stages) for commit, stages in found.items()}


def model_version(root: Path, wanted: str) -> Version:
    """Return the version of the model that HEAD's dvc.yaml names; see `find_version`."""
    return find_version(root, Revision(root, "HEAD").model.name, wanted)


def find_version(root: Path, name: str, wanted: str) -> Version:
    """Return the version that a number (v1.2.3 or 1.2.3), a tag or a stage names; UserError where none does."""
    known = versions(root, name)
    if not known:
        raise UserError(f"there is no version of {name} yet; register one with `dvckit models register`")
    named = {key: version for version in reversed(known) for key in (version.tag, version.version, *version.stages)}
    version = named.get(wanted) or named.get(f"v{wanted}")
    if version is None:
        near = difflib.get_close_matches(wanted, named, cutoff=0.5) or [known[0].version]
        raise UserError(f"there is no version {wanted!r} of {name}; did you mean {', '.join(near)}?")
    return version


def next_version(root: Path, name: str, bump: Bump) -> str:
    """Return the number after the highest that was ever registered, also if it was taken back; v1.0.0 for the first."""
    used = [_number(event.kind["version"]) for event in _events(root, name) if event.kind["version"]]
    return f"v{max(used).next_version(bump)}" if used else FIRST


def tag_version(root: Path, name: str, version: str, rev: str, message: str) -> str:
    """Register a commit as a version with an annotated tag of git's; return the tag.

    UserError where the version exists or is not a version number, the commit is registered, or git does not know who tags.
    """
    if not _is_number(version):
        raise UserError(f"{version!r} is not a version number; they look like {FIRST}")
    commit = resolve(root, rev)
    for known in versions(root, name):
        if known.commit == commit:
            raise UserError(f"{rev} is registered already: {known.tag}")
    if version in {event.kind["version"] for event in _events(root, name)}:
        raise UserError(f"{name}@{version} was registered before; leave the number out to get the next one")
    return _tag(root, name, f"{name}@{version}", commit, message)


def assign(root: Path, version: Version, stage: str, message: str) -> str:
    """Put a version into a stage with an annotated tag of git's, which replaces the one in it; return the tag."""
    last = max((int(event.kind["counter"] or 0) for event in _events(root, version.name)), default=0)
    return _tag(root, version.name, f"{version.name}#{stage}#{last + 1}", version.commit, message)


def _tag(root: Path, name: str, tag: str, commit: str, message: str) -> str:
    """Make an annotated tag."""
    check_identity(root)
    seconds = due(root, name)
    command = ["tag", "--annotate", f"--message={message}", "--cleanup=verbatim", "--", tag, commit]
    git(root, *command, environment={"GIT_COMMITTER_DATE": f"{seconds} +0000"})
    return tag


def check_identity(root: Path) -> None:
    """UserError where git does not know who makes a version."""
    try:
        for kind in ("AUTHOR", "COMMITTER"):
            git(root, "var", f"GIT_{kind}_IDENT")
    except UserError:
        raise UserError(
            "git does not know who you are, and a version tells who made it; "
            "run `git config user.name NAME` and `git config user.email ADDRESS`"
        ) from None


def due(root: Path, name: str) -> int:
    """Return the time of an artifact's next tag, later than that of every other: GTO goes by it, in whole seconds."""
    return max([int(time.time()), *(event.seconds + 1 for event in _events(root, name))])
