"""`titanic doctor`: the state of a clone, a line for each thing that is right or wrong, with the command that cures it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import NamedTuple

from titanic.stage import UserError
from titanic.versions.health import environment, locks, objects, remotes, secrets
from titanic.versions.health.clone import ADVICE, FIXED, WRONG, Clone, Finding
from titanic.versions.repository import find_root, one_line

LIMIT = 7.0  # seconds for all checks, which run beside each other; starting takes some more
ROUNDS = 3  # of mending: what a mended lock names can be looked at only then

Say = Callable[[str], None]


class Check(NamedTuple):
    """A part of the clone and the function that looks at it; `mends` where its findings may be mended."""

    part: str
    look: Callable[[Clone], Iterator[Finding]]
    mends: bool = False


CHECKS = [
    Check("Python and packages", environment.python),
    Check("params.yaml", environment.params),
    Check("the user", environment.user),
    Check("the disk", environment.disk),
    Check("git's identity", environment.identity),
    Check("git's hooks", environment.hooks),
    Check("DVC's configuration", remotes.config, mends=True),
    Check("dvc.lock", locks.pipelines, mends=True),
    Check(".dvc files", locks.added),
    Check("DVC's locks", locks.waiting, mends=True),
    Check("git's locks", locks.of_git, mends=True),
    Check("objects", objects.objects, mends=True),
    Check("outputs", objects.outputs),
    Check("data/external", objects.external),
    Check("secrets in .dvc/config", secrets.config),
    Check("secrets in files", secrets.files),
    Check("credentials", remotes.credentials),
    Check("the default remote", remotes.folder, mends=True),
    Check("the default remote", remotes.server, mends=True),
]


def doctor(root: Path, say: Say, *, fix: bool) -> bool:
    """Say a line for each thing that is right or wrong, and return whether nothing is wrong.

    With `fix`, first mend what can be mended without losing anything, a line for each. All the checks together take at
    most LIMIT; those of a round of mending take the time that they need.
    """
    if fix:
        mend(root, say)
    found = look(root, LIMIT)
    for finding in found:
        say(str(finding))
    count = sum(finding.level == WRONG for finding in found)
    say(f"{count} {'thing is' if count == 1 else 'things are'} wrong" if count else "nothing is wrong")
    return not count


def mend(root: Path, say: Say) -> None:
    """Mend what can be mended without losing anything; say a line for each thing."""
    for _ in range(ROUNDS):
        mended = False
        for check in CHECKS:
            clone = Clone(root)
            for finding in _findings(check, clone) if check.mends else []:
                mended = _mended(finding, say) or mended
        if not mended:
            return


def _mended(finding: Finding, say: Say) -> bool:
    """Mend what is wrong, if that can be done; return whether it was."""
    if finding.mend is None or finding.level != WRONG:
        return False
    try:
        say(str(Finding(FIXED, finding.mend())))
    except (UserError, OSError) as error:
        say(str(Finding(ADVICE, f"not mended: {finding.what}: {one_line(error)}")))
        return False
    return True


def look(root: Path, seconds: float) -> list[Finding]:
    """Make every check in a thread of its own; one that hangs is left behind when the time is up."""
    clone = Clone(root, time.monotonic() + seconds)
    answers: Queue[tuple[Check, list[Finding]]] = Queue()
    for check in CHECKS:
        Thread(target=lambda check: answers.put((check, _findings(check, clone))), args=[check], daemon=True).start()
    found: dict[Check, list[Finding]] = {}
    while len(found) < len(CHECKS):
        try:
            check, findings = answers.get(timeout=max(0.0, clone.until + 0.5 - time.monotonic()))
        except Empty:
            break
        found[check] = findings
    late = {check: [Finding(WRONG, f"{check.part}: no answer within {seconds:.0f} s")] for check in CHECKS}
    return [finding for check in CHECKS for finding in (late | found)[check]]


def _findings(check: Check, clone: Clone) -> list[Finding]:
    """Make one check; what it cannot cope with is a finding, too."""
    try:
        return [*check.look(clone)]
    except Exception as error:  # noqa: BLE001 - a broken clone breaks in any way
        return [Finding(WRONG, f"{check.part} could not be checked: {type(error).__name__}: {one_line(error)}")]


def nearest_root() -> Path:
    """Return the root of the project, also of one that has lost its dvc.yaml or params.yaml; UserError outside of one."""
    try:
        return find_root()
    except UserError:
        for folder in (Path.cwd(), *Path.cwd().parents):
            if (folder / ".dvc").is_dir() or (folder / "dvc.yaml").exists():
                return folder
        raise
