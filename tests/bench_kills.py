"""SIGKILL at a random moment of every command that writes, then what the docs say: is all as it should be?

A trial is recovered where `dvckit doctor --fix`, and then the same command unless its work is done, end well and leave
what the command leaves when nobody kills it: every output to the byte, the same trees under the same tags, branches and
experiments, the same state of git, the same files beside the project. Exit code 1 where a trial is not recovered.
"""

import argparse
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dvckit.new.uv import uv_program
from dvckit.testing import Repository, copy_of_source

SOURCE = Path(__file__).parents[1]
REPRO = ("dvc", "repro", "--all-pipelines")
AXIS = ("-S", "train.max_depth=interval(1,30)")
# Results are in conflict until they are reproduced.
MERGE = "git merge --quiet --no-edit other; dvc repro --all-pipelines && dvc push && git add --all && git commit --quiet --no-edit"
UNDO_MERGE = ("git", "reset", "--quiet", "--hard")
IGNORED = {".git", ".venv", "__pycache__", "tmp", "cache"}
# What uv needs to reach an index on a network with certificates or a proxy of its own.
NETWORK = ("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
UV_CACHE = subprocess.run([*uv_program(), "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()


class Projects:
    """What commands are run in, each made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _copy(self, project: Repository, name: str) -> Repository:
        return copy(project, self.folder / name)

    @cached_property
    def bare(self) -> Repository:
        """The project as it is in git."""
        project = copy_of_source(SOURCE, self.folder / "bare" / "titanic")
        shutil.copyfile(SOURCE / "tests/params.yaml", project.root / "params.yaml")
        project.commit("small")
        return project

    @cached_property
    def reproduced(self) -> Repository:
        """It is reproduced, pushed and committed; a folder beside it has the user's own tables."""
        project = self._copy(self.bare, "reproduced")
        project.ok(*REPRO)
        project.ok("dvc", "push")
        project.commit("reproduced")
        (project.root.parent / "mine").mkdir()
        (project.root.parent / "out").mkdir()
        for name in ("train", "test"):
            shutil.copyfile(project.root / f"data/raw/{name}.csv", project.root.parent / "mine" / f"{name}.csv")
        return project

    @cached_property
    def changed(self) -> Repository:
        """Other age bands: every stage but the first two has to run."""
        project = self._copy(self.reproduced, "changed")
        project.edit("params.yaml", ("18, 35", "20, 35"))
        return project

    @cached_property
    def unpushed(self) -> Repository:
        """It was run with other age bands."""
        project = self._copy(self.changed, "unpushed")
        project.ok(*REPRO)
        project.commit("other bands")
        return project

    @cached_property
    def released(self) -> Repository:
        """It has a version of the model."""
        project = self._copy(self.reproduced, "released")
        project.ok("dvckit", "models", "register")
        return project

    @cached_property
    def merging(self) -> Repository:
        """Two branches have other bands, and another depth."""
        project = self._copy(self.unpushed, "merging")
        project.ok("dvckit", "hooks")
        project.ok("dvc", "push")
        project.commit("pushed")
        project.ok("git", "checkout", "--quiet", "-b", "other", "HEAD~2")
        project.edit("params.yaml", ("repeats: 1", "repeats: 2"))
        project.ok("dvc", "checkout")
        project.ok(*REPRO)
        project.ok("dvc", "push")
        project.commit("other repeats")
        project.ok("git", "checkout", "--quiet", "main")
        return project

    @cached_property
    def damaged(self) -> Repository:
        """A lock is cut, and an object of the cache."""
        project = self._copy(self.reproduced, "damaged")
        lock = project.root / "dvc.lock"
        lock.write_text(lock.read_text()[:700])
        (project.root / ".dvc/tmp/rwlock").write_text("")
        (project.root / "data/raw/train.csv").unlink()
        return project

    @cached_property
    def unnamed(self) -> Repository:
        """Its dvc.yaml names no table of predictions."""
        project = self._copy(self.reproduced, "unnamed")
        project.edit("dvc.yaml", ("      predictions: data/processed/predictions.parquet\n", ""))
        project.commit("unnamed")
        return project


def copy(project: Repository, folder: Path) -> Repository:
    """Copy a project with its cache, and what is beside it."""
    shutil.copytree(project.root.parent, folder, symlinks=True)
    copied = Repository(folder / project.root.name)
    (temporary := folder / "tmp").mkdir(exist_ok=True)  # killed runs leave folders there, which doctor removes
    copied.environment |= {
        "TMPDIR": str(temporary),
        "UV_CACHE_DIR": UV_CACHE,
        **{name: os.environ[name] for name in NETWORK if name in os.environ},
    }
    return copied


NEW = ("dvckit", "new", "../out/mine", "data/raw/train.csv", "--target", "Survived", "--name", "mine")


@dataclass
class Target:
    """A command to kill, by the project in which it has work; `undo` comes before it is repeated.

    `rare`: it takes minutes, or has tests of its own that kill it, so that a short run leaves it out.
    """

    command: tuple[str, ...]
    project: str
    undo: tuple[str, ...] = ()
    rare: bool = False
    seconds: float = 0  # that it takes when it is left alone, and what it then leaves
    expected: object = None


TARGETS = [
    Target(REPRO, "changed"),
    Target(("dvc", "push"), "unpushed"),
    Target(("dvckit", "snapshot", "--message", "other bands"), "changed", rare=True),
    Target(("dvckit", "data", "add", "../mine"), "reproduced"),
    Target(("dvckit", "sweep", "-S", "train.max_depth=range(1,9)"), "reproduced", rare=True),
    Target(("dvckit", "sweep", "--trials", "5", "-j", "1", *AXIS), "reproduced", rare=True),
    Target(("dvckit", "models", "register"), "reproduced"),
    Target(("dvckit", "models", "promote", "v1.0.0", "--to", "prod"), "released"),
    Target(("dvckit", "models", "export", "v1.0.0", "../out"), "released"),
    Target(("dvckit", "publish", "mlflow", "HEAD"), "reproduced"),
    Target(("dvckit", "publish", "clearml", "HEAD"), "reproduced", rare=True),
    Target(("dvckit", "doctor", "--fix"), "damaged"),
    Target(("sh", "-c", MERGE), "merging", undo=UNDO_MERGE, rare=True),
    Target(("dvckit", "hooks"), "reproduced"),
    Target(("dvckit", "predict", "data/raw/test.csv", "../out/predictions.csv"), "reproduced"),
    Target(("dvckit", "init", "--yes"), "unnamed"),
    Target(("dvckit", "libraries"), "reproduced"),
    Target(("dvckit", "dictionary"), "reproduced"),
    Target(("dvckit", "verify"), "reproduced", rare=True),
    Target(NEW, "reproduced", rare=True),
    Target(("uv", "sync", "--locked", "--quiet", "--inexact"), "bare", rare=True),
    Target(("make", "reproduce"), "bare", rare=True),
]


def state(project: Repository) -> tuple[object, ...]:
    """Return all that a command may leave, but for times and the commits that name them."""
    refs = project.run(
        "git", "for-each-ref", "--format=%(refname:lstrip=2) %(tree) %(*tree)", "refs/heads", "refs/tags"
    )
    experiments = project.run("git", "for-each-ref", "--format=%(refname:lstrip=4) %(tree)", "refs/exps/*/*/*")
    status = project.run("git", "status", "--porcelain")
    hooks = {
        path.name: path.read_bytes() for path in (project.root / ".git/hooks").glob("*") if path.suffix != ".sample"
    }
    beside = {
        path.relative_to(project.root.parent): path.read_bytes()
        for folder in (project.root.parent / "out", project.root / "data/external")
        for path in folder.rglob("*")
        if path.is_file() and IGNORED.isdisjoint(path.parts)
    }
    return refs, experiments, status, project.outputs(), hooks, beside, published(project)


def published(project: Repository) -> tuple[int, list[str]]:
    """Return how many runs are whole in MLflow, and the sessions for ClearML."""
    sessions = sorted(path.name for path in (project.root / "clearml").glob("*"))
    if not (project.root / "mlflow.db").is_file():
        return 0, sessions
    with closing(sqlite3.connect(project.root / "mlflow.db")) as store:
        whole = "SELECT count(*) FROM runs WHERE status = 'FINISHED' AND lifecycle_stage = 'active'"
        return int(store.execute(whole).fetchone()[0]), sessions


def prepare(target: Target, projects: Projects, folder: Path) -> None:
    """Run a target once and note what it leaves."""
    project = copy(getattr(projects, target.project), folder)
    started = time.perf_counter()
    project.ok(*target.command)
    # a process of its own, which is killed, takes longer than the fork here; where it has ended first, it is timed again
    target.seconds, target.expected = 2 * (time.perf_counter() - started) + 2, state(project)
    shutil.rmtree(folder)


def kill(project: Repository, command: tuple[str, ...], delay: float) -> bool:
    """Kill a command and all that it has started; return whether it was still running."""
    silent = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    process = subprocess.Popen(command, cwd=project.root, env=project.environment, start_new_session=True, **silent)
    time.sleep(delay)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return running


def trial(target: Target, project: Repository, share: float) -> tuple[str, str]:
    """Kill after that share of the command's time and recover; return how it went, and what was said."""
    delay = share * target.seconds
    if not kill(project, target.command, delay):
        target.seconds = delay
        return "had ended", ""
    said = [project.run("dvckit", "doctor", "--fix")] if target.project != "bare" else []
    if not said or state(project) != target.expected:
        said += [project.run(*command) for command in (target.undo, target.command) if command]
        if said[-1].code:
            return "not recovered", "\n".join(result.output for result in said)
    said.append(project.run("dvckit", "doctor"))
    if state(project) != target.expected:
        return "other state", "\n".join(
            [*(result.output for result in said), *different(state(project), target.expected)]
        )
    wrong = [
        line for line in said[-1].output.splitlines() if line.startswith("WRONG") and "no answer within" not in line
    ]
    if wrong and target.project != "bare":
        return "not healthy", "\n".join(result.output for result in said)
    return "recovered", "\n".join(line for line in said[0].output.splitlines() if line.startswith("fixed"))


def different(after: tuple[object, ...], expected: object) -> list[str]:
    """Return what differs, cut to what a person can read."""
    pairs = zip(after, expected, strict=True)
    return [f"{str(one)[:500]}\ninstead of {str(other)[:500]}" for one, other in pairs if one != other]


def main() -> int:
    """Make the trials and print how they went; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=300, help="how many commands are killed (300)")
    parser.add_argument("--seed", type=int, default=1912, help="draws the moments (1912)")
    parser.add_argument("--only", default="", help="kill only commands with this text in them")
    options = parser.parse_args()
    draw = random.Random(options.seed)
    targets = [target for target in TARGETS if options.trials >= 100 or options.only or not target.rare]
    targets = [target for target in targets if options.only in " ".join(target.command)]
    outcomes: Counter[tuple[str, str]] = Counter()
    fixes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="titanic-kills-") as name:
        folder, number = Path(name), 0
        projects = Projects(folder)
        while sum(n for (_, how), n in outcomes.items() if how != "had ended") < options.trials:
            target = targets[number % len(targets)]
            if target.expected is None:
                prepare(target, projects, folder / "undisturbed")
            project = copy(getattr(projects, target.project), folder / "trial")
            share = draw.random()
            how, output = trial(target, project, share)
            outcomes[" ".join(target.command)[:50], how] += 1
            fixes.update(output.splitlines() if how == "recovered" else [])
            print(
                f"{number}: {' '.join(target.command)[:60]} at {share:.2f} of {target.seconds:.1f} s: {how}", flush=True
            )
            if how not in {"recovered", "had ended"}:
                print(output, file=sys.stderr, flush=True)
            shutil.rmtree(folder / "trial")
            number += 1
    for (command, how), n in sorted(outcomes.items()):
        print(f"{command:50} {how:14} {n:4}")
    for what, n in fixes.most_common():
        print(f"{n:4} x {what}")
    return int(any(how not in {"recovered", "had ended"} for _, how in outcomes))


if __name__ == "__main__":
    sys.exit(main())
