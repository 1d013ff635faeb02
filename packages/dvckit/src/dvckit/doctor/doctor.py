"""`dvckit doctor`: the state of a clone, a line for each thing that is right or wrong, with the command that fixes it."""

import importlib
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import psutil

from dvckit.core.errors import UserError, one_line
from dvckit.doctor import environment, git, locks, objects, order, remotes, secrets, stores, tracking
from dvckit.doctor.clone import ADVICE, FIX, FIXED, WRONG, Clone, Finding
from dvckit.repository import dvc_internals

LIMIT = 7.0  # seconds for all checks, which run beside each other; starting takes some more
AT_WORK = 0.05  # seconds of computing in LOOK, of a check that other programs keep from the processor
LOOK = 0.5  # seconds between two looks whether checks are at work
ROUNDS = 3  # of fixing: what a fixed lock names can be looked at only then

Say = Callable[[str], None]


class Check(NamedTuple):
    """A part of the clone and the function that looks at it; `fixes` where its findings may have a fix."""

    part: str
    look: Callable[[Clone], Iterable[Finding]]
    fixes: bool = False


CHECKS = [
    Check("files", environment.files),
    Check("Python and packages", environment.python),
    Check("libraries.json", environment.libraries),
    Check("params.yaml", environment.params),
    Check("the user", environment.user),
    Check("the disk", environment.disk),
    Check("git's identity", environment.identity),
    Check("git's hooks", environment.hooks),
    Check("git's store", git.store, fixes=True),
    Check("DVC's configuration", remotes.config, fixes=True),
    Check("the root of the disk", remotes.stray),
    Check("dvc.lock", locks.pipelines, fixes=True),
    Check("the order of runs", order.stages),
    Check(".dvc files", locks.added),
    Check(".dvc files of DVC 0", locks.of_dvc_0, fixes=True),
    Check("DVC's locks", locks.of_dvc, fixes=True),
    Check("git's locks", locks.of_git, fixes=True),
    Check("DVC's databases", stores.databases, fixes=True),
    Check("DVC's folders", stores.folders, fixes=True),
    Check("the repository as DVC reads it", stores.project),
    Check("objects", objects.objects, fixes=True),
    Check("outputs", objects.outputs),
    Check("added data", objects.external, fixes=True),
    Check("what git tracks", tracking.outputs),
    Check("outputs elsewhere", objects.elsewhere),
    Check("secrets in .dvc/config", secrets.config),
    Check("secrets in files", secrets.files),
    Check("clones of killed runs", secrets.clones, fixes=True),
    Check("credentials", remotes.credentials),
    Check("committed objects", remotes.committed, fixes=True),
    Check("the default remote", remotes.default, fixes=True),
]


def doctor(root: Path, say: Say, *, fix_first: bool) -> bool:
    """Say a line for each thing that is right or wrong, and return whether nothing is wrong.

    All checks together take LIMIT, or longer while they compute; with `fix_first`, fixing takes the time that it needs.
    """
    if fix_first:
        fix(root, say)
    findings = look(root, LIMIT)
    for finding in findings:
        say(str(finding))
    wrong = sum(finding.level == WRONG for finding in findings)
    say(f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong" if wrong else "nothing is wrong")
    return not wrong


def fix(root: Path, say: Say) -> None:
    """Fix what can be fixed without losing anything; say a line for each thing."""
    stores.drop_lists(root)
    for _ in range(ROUNDS):
        findings = (finding for check in CHECKS if check.fixes for finding in _findings(check, Clone(root)))
        ours = (finding for finding in findings if finding.level == WRONG or finding.command == FIX)
        if not sum(_fix(finding, finding.fix, say) for finding in ours if finding.fix):
            return


def _fix(finding: Finding, action: Callable[[], str], say: Say) -> bool:
    """Fix what is wrong; return whether that could be done."""
    try:
        say(str(Finding(FIXED, action())))
    except (UserError, OSError) as error:
        say(str(Finding(ADVICE, f"not fixed: {finding.what}: {one_line(error)}")))
        return False
    return True


def look(root: Path, seconds: float) -> list[Finding]:
    """Make every check in a thread of its own; one that hangs is left behind when the time is up."""
    clone, results = Clone(root, time.monotonic() + seconds), dict[Check, list[Finding]]()
    _load(clone)

    def make(check: Check) -> None:
        results[check] = _findings(check, clone)

    threads = [Thread(target=make, args=[check], daemon=True) for check in CHECKS]
    for thread in threads:
        thread.start()
    _wait(threads, clone.until + 0.5, 2 * seconds)
    what = f"could not be checked: no answer within {seconds:.0f} s"
    late = {check: [Finding(WRONG, f"{check.part} {what}")] for check in CHECKS}
    _end_programs()
    return [finding for findings in (late | results).values() for finding in findings]


def _wait(threads: list[Thread], until: float, most: float) -> None:
    """Wait for the checks until a time, and longer while they compute, as on a busy machine; at most that many seconds of it."""
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    started = before = _computed()
    while late := [thread for thread in threads if thread.is_alive()]:
        late[0].join(LOOK)
        now = _computed()
        if now - before < AT_WORK or now - started > most:
            return
        before = now


def _computed() -> float:
    """Return the seconds that the processor has spent on this process and what it has started."""
    this, spent = psutil.Process(), 0.0
    for process in [this, *this.children(recursive=True)]:
        with suppress(psutil.Error):
            times = process.cpu_times()
            spent += times.user + times.system + times.children_user + times.children_system
    return spent


def _end_programs() -> None:
    """Kill the programs that checks no longer wait for; those with a session of their own end by themselves."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == os.getsid(0):
                process.kill()


def _load(clone: Clone) -> None:
    """Import what the checks need before there are threads: two that import modules in a circle can deadlock."""
    dvc_internals.load()
    kinds = {str(remote.get("url")).partition("://")[0] for remote in clone.config["remote"].values()}
    for module in ("dvckit.core.params", *(["appdirs", "dvc_gdrive"] if "gdrive" in kinds else [])):
        with suppress(ImportError):  # an extra, without which the check says less
            importlib.import_module(module)


def _findings(check: Check, clone: Clone) -> list[Finding]:
    """Make one check; what it cannot cope with is a finding, too."""
    try:
        return [*check.look(clone)]
    except Exception as error:  # noqa: BLE001 - a broken clone breaks in any way
        return [Finding(WRONG, f"{check.part} could not be checked: {type(error).__name__}: {one_line(error)}")]
