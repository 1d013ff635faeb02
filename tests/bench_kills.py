"""SIGKILL at a random moment of a run, a push or a snapshot, then `dvckit doctor --fix && dvc repro`: is all as it should be?

A trial is recovered where both commands end well and every output has the bytes of an undisturbed run; after a killed
push also where another push completes the remote. A snapshot is made again in the place of `dvc repro`, and must leave
everything committed and both tags on the commit. Exit code 1 where a trial is not recovered.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from dvckit.testing import Repository, copy_of_source

SOURCE = Path(__file__).parents[1]
REPRO = ("dvc", "repro", "--all-pipelines")
PUSH = ("dvc", "push")
SNAPSHOT = ("dvckit", "snapshot", "--message", "other bands")
CHANGE = ("18, 35", "20, 35")  # age bands: every stage but the first two has to run


@dataclass
class Killed:
    """A command to kill: the project in which it has work, and the seconds that it takes when it is left alone."""

    command: tuple[str, ...]
    project: Repository
    seconds: float


def copy(project: Repository, root: Path) -> Repository:
    """Copy a project with its cache."""
    shutil.copytree(project.root, root, symlinks=True)
    return Repository(root)


def seconds(project: Repository, *command: str) -> float:
    """Time a command that must succeed."""
    started = time.perf_counter()
    project.ok(*command)
    return time.perf_counter() - started


def prepare(folder: Path) -> tuple[list[Killed], dict[str, bytes]]:
    """Return what is to be killed, and the outputs that all of it leads to."""
    changed = copy_of_source(SOURCE, folder / "changed" / "titanic")
    shutil.copyfile(SOURCE / "tests/params.yaml", changed.root / "params.yaml")
    changed.ok(*REPRO)
    changed.ok(*PUSH)
    changed.commit("small and reproduced")
    changed.edit("params.yaml", CHANGE)
    reproduced = copy(changed, folder / "reproduced" / "titanic")
    repro = seconds(reproduced, *REPRO)
    reproduced.commit("other bands")
    push = seconds(copy(reproduced, folder / "pushed" / "titanic"), *PUSH)
    snapshot = seconds(copy(changed, folder / "snapshot" / "titanic"), *SNAPSHOT)
    killed = [Killed(REPRO, changed, repro), Killed(PUSH, reproduced, push), Killed(SNAPSHOT, changed, snapshot)]
    return killed, reproduced.outputs()


def whole(project: Repository) -> bool:
    """Whether everything is committed and both tags are on the commit."""
    tagged = set(project.ok("git", "tag", "--points-at", "HEAD").split())
    return tagged == {"data@v1.0.0", "survival@v1.0.0"} and not project.ok("git", "status", "--porcelain")


def kill(project: Repository, command: tuple[str, ...], delay: float) -> bool:
    """Kill a command and all that it has started; return whether it was still at work."""
    silent = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    process = subprocess.Popen(command, cwd=project.root, env=project.environment, start_new_session=True, **silent)
    time.sleep(delay)
    at_work = process.poll() is None
    if at_work:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return at_work


def trial(killed: Killed, root: Path, share: float, expected: dict[str, bytes]) -> tuple[str, str]:
    """Kill after that share of the command's time and recover; return how it went, and what the doctor said."""
    project = copy(killed.project, root)
    delay = share * killed.seconds
    if not kill(project, killed.command, delay):
        killed.seconds = delay  # it was timed on a busier machine
        return "had ended", ""
    healed = project.run("dvckit", "doctor", "--fix")
    fixes = [line for line in healed.output.splitlines() if line.startswith("fixed")]
    again = project.run(*(SNAPSHOT if killed.command == SNAPSHOT else REPRO))
    pushed = project.run(*PUSH) if killed.command == PUSH else again
    healthy = project.run("dvckit", "doctor")
    if healed.code or again.code or pushed.code or healthy.code:
        return "not recovered", f"{healed.output}\n{again.output}\n{pushed.output}\n{healthy.output}"
    if killed.command == SNAPSHOT and not whole(project):
        return "half-done", again.output
    if project.outputs() != expected:
        return "other bytes", healed.output
    return "recovered", "\n".join(fixes)


def main() -> int:
    """Make the trials and print how they went; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200, help="how many commands are killed (200)")
    count, draw = parser.parse_args().trials, random.Random(1912)
    outcomes: Counter[tuple[str, str]] = Counter()
    fixes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="titanic-kills-") as name:
        targets, expected = prepare(Path(name))
        number = 0
        while sum(n for (_, how), n in outcomes.items() if how != "had ended") < count:
            killed, root = targets[number % len(targets)], Path(name) / str(number) / "titanic"
            how, output = trial(killed, root, draw.random(), expected)
            outcomes[" ".join(killed.command), how] += 1
            fixes.update(output.splitlines() if how == "recovered" else [])
            if how not in ("recovered", "had ended"):
                print(f"trial {number}, {how}:\n{output}", file=sys.stderr)
            shutil.rmtree(root.parent)
            number += 1
    for (command, how), n in sorted(outcomes.items()):
        print(f"{command:40} {how:14} {n:4}")
    for what, n in fixes.most_common():
        print(f"{n:4} x {what}")
    return int(any(how in ("not recovered", "half-done", "other bytes") for _, how in outcomes))


if __name__ == "__main__":
    sys.exit(main())
