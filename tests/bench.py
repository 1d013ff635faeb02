"""`make bench`: whole commands on fresh clones, and beside each the same work in one fresh Python process.

A command and its counterpart run in turn, so that a busy machine slows both; the ratio is the median of the runs' own.
The counterpart is plain Python: it imports what the stages are and calls them, without the tuned start of dvckit.stage.
"""

import argparse
import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from dvckit.repository.revision import Revision
from dvckit.testing import Repository, copy_of_source

SOURCE = Path(__file__).parents[1]

AIMS = {
    "dvc repro, cold": "<= 2.5",
    "dvc exp run, another n_estimators": "<= 2",
    "dvckit compare": "1 s more than to import pandas",
}

# Imports each stage once and does their work one after another.
TOGETHER = """
import importlib, sys
from dvckit.core.arithmetic import pin_arithmetic
pin_arithmetic()
for name in sys.argv[1:]:
    importlib.import_module(name).main()
"""
# Runs one stage as DVC does, then does its work again, with nothing left to load, and prints the seconds of that.
TWICE = """
import sys, time
from dvckit import stage
stage.main()
again = sys.modules[sys.argv[1]].main
started = time.perf_counter()
again()
print(time.perf_counter() - started)
"""


class Pair(NamedTuple):
    """Seconds of a command and of its counterpart, if there is one."""

    command: float
    process: float | None = None


class Stage(NamedTuple):
    """Seconds of a stage's process: until it could do its work at once, and that work."""

    start: float
    work: float


def modules(pipeline: str) -> list[str]:
    """Return the modules of a dvc.yaml's stages, in its order."""
    return re.findall(r"cmd: python -m dvckit\.stage (\S+)", (SOURCE / pipeline).read_text())


def timed(project: Repository, *command: str) -> tuple[float, str]:
    """Run a command that must succeed; return its seconds and what it says. Ctrl-C ends all that it started."""
    started = time.perf_counter()
    process = project.start(*command)
    try:
        output, _ = process.communicate()
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if process.returncode:
        sys.exit(f"error: {' '.join(command)} failed:\n{output}")
    return time.perf_counter() - started, output


def seconds(project: Repository, *command: str) -> float:
    """Time a command."""
    return timed(project, *command)[0]


def together(project: Repository, names: list[str]) -> float:
    """Time the work of stages in one process."""
    return seconds(project, "python", "-c", TOGETHER, *names)


def bare(source: Repository, root: Path) -> Repository:
    """Clone the project without the outputs that git keeps: nothing to start from."""
    project = source.clone(root)
    for path in Revision(root).md5s:
        (root / path).unlink(missing_ok=True)
    return project


def set_trees(project: Repository, trees: int) -> None:
    """Write train.n_estimators into params.yaml."""
    params = project.root / "params.yaml"
    params.write_text(re.sub(r"n_estimators: \d+", f"n_estimators: {trees}", params.read_text()))


def time_commands(source: Repository, folder: Path, trees: int) -> dict[str, Pair]:
    """Time every command once; `trees` is the n_estimators of the experiment."""
    root, every = modules("dvc.yaml"), [*modules("dvc.yaml"), *modules("reports/dvc.yaml")]
    ours, plain = bare(source, folder / "ours"), bare(source, folder / "plain")
    pairs = {"dvc repro, cold": Pair(seconds(ours, "dvc", "repro"), together(plain, root))}
    pairs["dvc repro, nothing to do"] = Pair(seconds(ours, "dvc", "repro"))
    ours.commit("reproduced")
    set_trees(plain, trees)
    pairs["dvc exp run, another n_estimators"] = Pair(
        seconds(ours, "dvc", "exp", "run", "-S", f"train.n_estimators={trees}"),
        together(plain, ["titanic.modeling.train", "titanic.modeling.evaluate"]),
    )
    pairs["dvckit compare"] = Pair(seconds(ours, "dvckit", "compare"), seconds(plain, "python", "-c", "import pandas"))
    ours, plain = bare(source, folder / "all-ours"), bare(source, folder / "all-plain")
    pairs["dvc repro -P, cold"] = Pair(seconds(ours, "dvc", "repro", "-P"), together(plain, every))
    return pairs


def time_stages(project: Repository) -> dict[str, Stage]:
    """Time each stage in a process of its own, in a tree where all have run."""
    stages = {}
    for name in [*modules("dvc.yaml"), *modules("reports/dvc.yaml")]:
        whole, output = timed(project, "python", "-c", TWICE, name)
        work = float(output.split()[-1])
        stages[name] = Stage(whole - 2 * work, work)
    return stages


def span(values: list[float]) -> str:
    """Return the median with the least and the most."""
    return f"{median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def print_commands(runs: list[dict[str, Pair]]) -> None:
    """Print a line for each command; where nothing is to be done, one process has no work to compare with."""
    print(f"{'seconds: median (least-most)':36} {'command':>22} {'one process':>22} {'ratio':>7}  aim")
    for what in runs[0]:
        pairs = [run[what] for run in runs]
        line = f"{what:36} {span([pair.command for pair in pairs]):>22}"
        beside = [(pair.command, pair.process) for pair in pairs if pair.process]
        if beside:
            ratio = median(command / process for command, process in beside)
            line += f" {span([process for _, process in beside]):>22} {ratio:7.2f}  {AIMS.get(what, '')}"
        print(line.rstrip())


def print_stages(runs: list[dict[str, Stage]]) -> None:
    """Print a line for each stage."""
    print(f"\n{'seconds of each stage alone':36} {'start-up':>22} {'work':>22}")
    for name in runs[0]:
        stages = [run[name] for run in runs]
        print(f"{name:36} {span([s.start for s in stages]):>22} {span([s.work for s in stages]):>22}")


def print_shares(commands: list[dict[str, Pair]], stages: list[dict[str, Stage]]) -> None:
    """Print what a cold `dvc repro` is made of: its stages' start-up and work, and DVC."""
    root = modules("dvc.yaml")
    whole = [run["dvc repro, cold"].command for run in commands]
    start, work = ([sum(run[name][part] for name in root) for run in stages] for part in (0, 1))
    rest = [w - s - k for w, s, k in zip(whole, start, work, strict=True)]
    print(f"\ndvc repro, cold: {median(start):.2f} start-up, {median(work):.2f} work, {median(rest):.2f} the rest: DVC")


def main() -> None:
    """Time it all and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="how often everything is timed (3)")
    count = parser.parse_args().runs
    commands, stages = [], []
    with tempfile.TemporaryDirectory(prefix="titanic-bench-") as name:
        source = copy_of_source(SOURCE, Path(name) / "source" / "titanic")
        for run in range(count):
            print(f"run {run + 1} of {count}", file=sys.stderr)
            folder = Path(name) / str(run)
            folder.mkdir()
            commands.append(time_commands(source, folder, 101 + run))
            stages.append(time_stages(Repository(folder / "all-plain")))
    print_commands(commands)
    print_stages(stages)
    print_shares(commands, stages)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("interrupted: nothing was left behind", file=sys.stderr)
        sys.exit(130)
