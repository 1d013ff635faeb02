"""Benchmarks of `dvckit sweep`: experiments a minute beside DVC's own ways and the bare fits, on the same configurations.

Each is a forest of the default size. Bookkeeping is what an experiment of a sweep with one worker costs beyond the
same stage functions, called one after the other in one process; it is counted in seconds of the processor, which do not
depend on what else the machine does.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean

import psutil

from dvckit.testing import copy_of_source

AIM = 15
DEPTH = 20  # of the first trial: from there on trees grow to their ends, and every trial costs the same
# The stages that a trial of train.max_depth touches, in one process; then the fits in them alone.
WORK = """
import sys, time
from pathlib import Path
from dvckit.core.arithmetic import pin_arithmetic
pin_arithmetic()
import pandas as pd
from sklearn.model_selection import StratifiedKFold
from dvckit.core.layout import PARAMS, PROCESSED
from dvckit.core.params import read
from dvckit.models.folds import Recipe
from dvckit.sweep.configurations import apply
from dvckit.tasks import task_of
from dvckit.models.stages import Evaluate
from titanic.modeling import evaluate, train
from titanic.modeling.pipelines import PIPELINES, Train
from titanic.features import FEATURES
from titanic.schema import LABELS, TARGET
def fits():
    table = pd.read_parquet(PROCESSED / "train.parquet")
    params = read("train", Train)
    pipeline = PIPELINES[params.pipeline](params)
    recipe = Recipe(FEATURES, task_of(LABELS), pipeline).fit(table)
    folds = read("evaluate", Evaluate).folds
    for inside, _ in StratifiedKFold(folds).split(table, table[TARGET]):
        recipe.fit(table.iloc[inside])
def stages():
    train.main()
    evaluate.main()
before = PARAMS.read_bytes()
for work in (stages, fits):
    spent = 0
    for depth in range(int(sys.argv[1]), int(sys.argv[2])):
        PARAMS.write_bytes(before)
        apply(PARAMS.parent, (f"train.max_depth={depth}",))
        started = time.process_time()
        work()
        spent += time.process_time() - started
    print(spent)
"""


def cpu() -> float:
    """Return the processor's seconds of all processes that have been waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def seconds(project, *command) -> float:
    """Return how long a command takes that must succeed."""
    started = time.perf_counter()
    project.ok(*command)
    return time.perf_counter() - started


def forget(project) -> None:
    """Remove all experiments, and what a run has left in the workspace."""
    project.ok("dvc", "exp", "remove", "--all-commits")
    project.ok("git", "reset", "--quiet", "--hard")
    project.ok("dvc", "checkout", "--quiet", "--force", "dvc.yaml")


def swept(project, count, jobs) -> tuple[float, float]:
    """Return the seconds of a sweep of so many trials, and the processor's."""
    before = cpu()
    spent = seconds(
        project, "dvckit", "sweep", "-S", f"train.max_depth=range({DEPTH},{DEPTH + count})", "-j", str(jobs)
    )
    used = cpu() - before
    forget(project)
    return spent, used


def looped(project, count) -> float:
    """Return the seconds of `dvc exp run`, one after the other."""
    depths = range(DEPTH, DEPTH + count)
    spent = sum(seconds(project, "dvc", "exp", "run", "-S", f"train.max_depth={depth}") for depth in depths)
    forget(project)
    return spent


def queued(project, count, jobs) -> float:
    """Return the seconds of DVC's queue, from the first word to the last experiment."""
    started = time.perf_counter()
    project.ok("dvc", "exp", "run", "--queue", "-S", f"train.max_depth=range({DEPTH},{DEPTH + count})")
    project.ok("dvc", "queue", "start", "-j", str(jobs))
    while len(project.ok("git", "for-each-ref", "refs/exps/*/*/*").splitlines()) < count:
        time.sleep(0.5)
    spent = time.perf_counter() - started
    project.ok("dvc", "queue", "stop")
    forget(project)
    return spent


def compare(project, few, many, jobs) -> None:
    """Print experiments a minute for each way, and the bookkeeping."""
    stages, fits = (float(line) for line in project.ok("python", "-c", WORK, str(DEPTH), str(DEPTH + few)).split())
    project.ok("git", "reset", "--quiet", "--hard")
    project.ok("dvc", "checkout", "--quiet", "--force", "dvc.yaml")
    ways = {
        f"dvckit sweep -j {jobs}, {many} trials": swept(project, many, jobs)[0] / many,
        f"dvc exp run, {few} trials": looped(project, few) / few,
        f"dvc queue -j {jobs}, {few} trials": queued(project, few, jobs) / few,
        "bare fits, one process (processor)": fits / few,
    }
    ours = next(iter(ways.values()))
    print(f"{'':36} {'s each':>8} {'a minute':>9} {'sweep is':>9}  aim")
    for what, each in ways.items():
        aim = f">= {AIM}" if what.startswith("dvc") else ""
        print(f"{what:36} {each:8.2f} {60 / each:9.1f} {each / ours:8.1f}x  {aim}".rstrip(), flush=True)
    one = (swept(project, 1 + few, 1)[1] - swept(project, 1, 1)[1]) / few
    print(
        f"bookkeeping: {one - stages / few:.3f} s of the processor an experiment beyond the stage functions ({stages / few:.3f}); aim < 0.3"
    )


def grow(project, count, jobs) -> None:
    """Print time and memory of the first and the last fifth of a long sweep of small forests, and what comes after it."""
    command = ["dvckit", "sweep", "-S", "train.n_estimators=5", "-S", f"train.seed=range({count})", "-j", str(jobs)]
    seen = []
    with project.start(*command) as process:
        family = psutil.Process(process.pid)
        for line in process.stdout:
            if line.startswith("["):
                members = [family, *family.children(recursive=True)]
                seen.append((time.perf_counter(), sum(member.memory_info().rss for member in members) / 1e6))
    fifth = count // 5
    for name, part in {"first": seen[5:fifth], "last": seen[-fifth - 1 :]}.items():
        each = (part[-1][0] - part[0][0]) / (len(part) - 1)
        print(f"{name} {len(part)} of {count}: {each:.3f} s an experiment, {fmean(size for _, size in part):.0f} MB")
    print(f"dvc exp show of {count}: {seconds(project, 'dvc', 'exp', 'show', '--csv'):.1f} s")
    trials = json.loads((project.root / "reports/sweep.json").read_text())["trials"]
    best = sorted(trials, key=lambda trial: trial["scores"]["cv.roc_auc"])[-3:]
    spent = seconds(project, "dvckit", "compare", *(trial["name"] for trial in best))
    print(f"dvckit compare of the best three: {spent:.1f} s")


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=6, help="trials of DVC's own ways (6)")
    parser.add_argument("--many", type=int, default=100, help="trials of the sweep (100)")
    parser.add_argument(
        "--growth", type=int, default=500, help="trials of a long sweep: does it slow down? (500; at least 50)"
    )
    parser.add_argument("-j", "--jobs", type=int, default=2, help="workers (2)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="titanic-bench-") as name:
        project = copy_of_source(Path(__file__).parent.parent, Path(name) / "titanic")
        project.ok("dvc", "repro")
        project.commit("reproduced")
        compare(project, arguments.few, arguments.many, arguments.jobs)
        grow(project, arguments.growth, arguments.jobs)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("interrupted: nothing was left behind", file=sys.stderr)
        sys.exit(130)
