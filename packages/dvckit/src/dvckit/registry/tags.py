"""Versions and their stages as git tags, in GTO's grammar: `model@v1.2.3` registers, `model#prod#1` assigns.

GTO itself is not loaded: a list of 200 versions takes it 1.2 s, and 0.1 s here. Its rules hold: only annotated tags
count, as they know who and when; events count in the order of their time; of each stage, the version that was assigned
last is in it; `model@v1.2.3!` takes a version back, `model#prod!#2` a stage, `model@deprecated#3` the whole artifact.
"""

import difflib
import re
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal, NamedTuple

import semver

from dvckit.core.errors import UserError
from dvckit.repository.alone import alone
from dvckit.repository.programs import Variables, git, readable
from dvckit.repository.revision import Revision, resolve

Bump = Literal["major", "minor", "patch"]

FIRST = "v1.0.0"
STAGE = re.compile(r"[a-z][a-z0-9-]*")

_WORD = "[a-zA-Z0-9](?:[a-zA-Z0-9/_-]*[a-zA-Z0-9])?"
_NAME = f"(?:[a-zA-Z0-9_./-]+=)?{_WORD}"  # FOLDER=NAME for FOLDER:NAME: a tag has no colon
_TAG = re.compile(
    rf"(?P<name>{_NAME})(?:@deprecated|(?:@(?P<version>v[^#!]{{1,100}})|#(?P<stage>{_WORD}))(?P<back>!?))(?:#(?P<counter>\d{{1,15}}))?"
)
LATEST = 4_102_444_800  # seconds: the year 2100; the next tag is to be later than all others
NOWHERE = "0" * 40  # the commit of a tag that cannot be read
_FIELDS = ("refname:strip=2", "*objecttype", "*objectname", "taggername", "taggerdate:unix", "contents")


class Version(NamedTuple):
    """A registered version: the revision that its tag names, what the tag tells, and the stages that it is in now."""

    revision: Revision
    name: str
    version: str  # v1.2.3
    author: str
    when: str  # ISO 8601, UTC
    message: str
    stages: tuple[str, ...]
    fault: str = ""  # what cannot be read of it: its tag, or a file that a list shows

    @property
    def tag(self) -> str:
        """The tag that registers it."""
        return self.revision.name

    def as_json(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        about = self._asdict()
        del about["revision"]
        if not self.fault:
            del about["fault"]
        place = {"tag": self.tag, "commit": self.revision.commit}
        return {"name": about.pop("name"), "version": about.pop("version"), **place, **about}


class _Event(NamedTuple):
    tag: str
    kind: "re.Match[str]"
    commit: str
    author: str
    seconds: int
    message: str
    fault: str = ""


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
    if deprecated:
        return []
    commits = {event.commit for event in registered.values()}
    last = {stage: [commit for commit in holders[stage] if commit in commits][-1:] for stage in sorted(holders)}
    return [
        Version(
            Revision(root, event.tag, event.commit),
            name,
            version,
            event.author,
            "" if event.fault else f"{datetime.fromtimestamp(event.seconds, UTC):%Y-%m-%dT%H:%M:%SZ}",
            event.message,
            tuple(stage for stage in last if event.commit in last[stage]),
            event.fault,
        )
        for version, event in sorted(registered.items(), key=lambda item: _number(item[0]), reverse=True)
    ]


def _events(root: Path, name: str) -> list[_Event]:
    """Return what the annotated tags of an artifact say, in the order of their time; other tags are not GTO's.

    One that cannot be read has a fault, and comes first.
    """
    end = token_hex(16)  # which no message can have
    form = "%00".join(f"%({field})" for field in _FIELDS) + end
    try:
        listed, broken = git(root, "for-each-ref", f"--format={form}", "refs/tags"), list[str]()
    except UserError:  # one that is broken stops git
        whole, broken = _sorted_out(root)
        listed = git(root, "for-each-ref", f"--format={form}", *whole) if whole else ""
    records = [tuple(record.lstrip("\n").split("\0", len(_FIELDS) - 1)) for record in listed.split(end)[:-1]]
    records += [(tag, "commit", NOWHERE, "", "", "") for tag in broken]
    events = (_event(name, record) for record in records)
    return sorted((event for event in events if event), key=lambda event: event.seconds)


def _sorted_out(root: Path) -> tuple[list[str], list[str]]:
    """Return the tags that git can read, as refs, and those whose tag or commit is gone or damaged."""
    refs = git(root, "for-each-ref", "--format=%(refname)", "refs/tags").splitlines()
    answers = git(root, "cat-file", "--batch-check", stdin="".join(f"{ref}^{{}}\n" for ref in refs)).splitlines()
    lost = [ref for ref, answer in zip(refs, answers, strict=True) if answer.endswith(" missing")]
    return [ref for ref in refs if ref not in lost], [ref.removeprefix("refs/tags/") for ref in lost]


def _event(name: str, record: Sequence[str]) -> _Event | None:
    """Return what a tag says, whose _FIELDS are given; None where it is no event of the artifact."""
    tag, target, commit, author, seconds, message = record
    kind = _TAG.fullmatch(tag)
    if target != "commit" or not kind or kind["name"] != in_tag(name):
        return None
    if not semver.Version.is_valid((kind["version"] or FIRST)[1:]):
        return None
    texts = readable(author), readable(message).strip()
    if commit == NOWHERE:
        return _Event(tag, kind, commit, "", 0, "", "its tag, or the commit of it, is lost or damaged")
    if not seconds.isdecimal() or len(seconds) > len(str(LATEST)) or int(seconds) > LATEST:
        return _Event(tag, kind, commit, texts[0], 0, texts[1], "its tag has no time, or one after the year 2100")
    return _Event(tag, kind, commit, texts[0], int(seconds), texts[1])


def in_tag(name: str) -> str:
    """Return the name of an artifact as its tags begin."""
    return name.replace(":", "=")


def _number(version: str) -> semver.Version:
    return semver.Version.parse(version[1:])


def model_version(root: Path, selector: str) -> Version:
    """Return the version that a number (v1.2.3 or 1.2.3), a tag or a stage names, of the model in HEAD's dvc.yaml.

    UserError where none does.
    """
    name = Revision(root, "HEAD").model.name
    history = versions(root, name)
    if not history:
        raise UserError(f"there is no version of {name} yet; register one with `dvckit models register`")
    named = {key: version for version in reversed(history) for key in (version.tag, version.version, *version.stages)}
    version = named.get(selector) or named.get(f"v{selector}")
    if version is None:
        near = difflib.get_close_matches(selector, named, cutoff=0.5) or [history[0].version]
        raise UserError(f"there is no version {selector!r} of {name}; did you mean {', '.join(near)}?")
    if version.fault:
        raise UserError(
            f"{version.tag} is broken: {version.fault}; look at it with `git fsck`, or remove it with `git tag -d`"
        )
    return version


def next_version(root: Path, name: str, bump: Bump) -> str:
    """Return the number after the highest that was ever registered, also if it was taken back; v1.0.0 for the first."""
    used = [_number(event.kind["version"]) for event in _events(root, name) if event.kind["version"]]
    return f"v{max(used).next_version(bump)}" if used else FIRST


def tag_version(revision: Revision, name: str, bump: Bump, message: str) -> str:
    """Register a revision as the next version of an artifact with an annotated tag; return the tag.

    UserError where its commit is registered, or git does not know who tags.
    """
    root = revision.root
    for version in versions(root, name):
        if version.revision.commit == revision.commit:
            raise UserError(f"{revision.name} is registered already: {version.tag}")
    return _tag(revision, name, f"{in_tag(name)}@{next_version(root, name, bump)}", message)


def assign(version: Version, stage: str) -> str:
    """Put a version into a stage with an annotated tag, which replaces the one in it; return the tag."""
    revision, name = version.revision, version.name
    last = max((int(event.kind["counter"] or 0) for event in _events(revision.root, name)), default=0)
    return _tag(revision, name, f"{in_tag(name)}#{stage}#{last + 1}", f"{version.version} to {stage}")


def versioning(root: Path) -> AbstractContextManager[None]:
    """Let no other process register or promote a version, also from another worktree; UserError where one does."""
    folder = Path(git(root, "rev-parse", "--path-format=absolute", "--git-common-dir").rstrip("\n"))
    return alone(folder / "dvckit-models", "models")  # a name in .lock would be a lock of git


def _tag(revision: Revision, name: str, tag: str, message: str) -> str:
    root, commit = revision.root, str(revision.commit)
    check_identity(root)
    git(root, *annotated(tag, commit, message), variables=due(root, name))
    check_made(root, commit, tag)
    return tag


def annotated(tag: str, commit: str, message: str) -> list[str]:
    """Return the command of git that makes an annotated tag, signed where the user's configuration asks for it."""
    return ["tag", "--annotate", f"--message={message.strip()}", "--cleanup=verbatim", "--", tag, commit]


def check_made(root: Path, commit: str, *names: str) -> None:
    """UserError where a branch or tag that was to be made is not at its commit: nobody is told of it before."""
    if wrong := [name for name in names if resolve(root, name) != commit]:
        raise UserError(f"{', '.join(wrong)} should be at {commit[:7]}, and is not; look at it with `git log --all`")


def check_identity(root: Path) -> None:
    """UserError where git does not know who makes a version."""
    try:
        for kind in ("AUTHOR", "COMMITTER"):
            git(root, "var", f"GIT_{kind}_IDENT")
    except UserError as error:
        if "ident" not in str(error) and "auto-detect" not in str(error):
            raise
        raise UserError(
            "git does not know who you are, and a version tells who made it; "
            "run `git config user.name NAME` and `git config user.email ADDRESS`"
        ) from None


def due(root: Path, name: str) -> Variables:
    """Return, for git's environment, the time of an artifact's next tag: GTO goes by it, in whole seconds.

    It is later than that of every other tag.
    """
    seconds = max([int(time.time()), *(event.seconds + 1 for event in _events(root, name))])
    return {"GIT_COMMITTER_DATE": f"{seconds} +0000"}
