"""What `titanic sweep` does, from its options to its last words."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from titanic.config import METRICS, REPORTS, leaves
from titanic.experiments.base import Base, private_folder
from titanic.experiments.points import Axis, Point, count, grid, parse_axes
from titanic.experiments.record import Recorder
from titanic.experiments.snapshot import identity
from titanic.experiments.summary import record, verdict, watch
from titanic.experiments.sweep import Aim, Ask, Outcome, Runner, Sweep
from titanic.experiments.worker import Worker
from titanic.stage import UserError, write_bytes

PAGE = REPORTS / "sweep.html"
STUDIES = Path(".dvc/tmp/sweep/studies.db")
MANY = 10_000  # points, beyond which a grid must be meant


@dataclass(frozen=True)
class Options:
    """The options of the command, as the user wrote them."""

    params: list[str]
    metric: str
    keep: str
    jobs: int | None
    dry: bool
    yes: bool
    trials: int | None
    seed: int
    storage: str | None
    scheduler: str | None


class Plan(NamedTuple):
    """Points to run, how many these are, and whom to tell what came of each."""

    asked: Iterable[Ask]
    total: int
    tell: Callable[[Outcome], None] | None


def run(root: Path, options: Options) -> bool:
    """Run a grid or a search; return whether any point has a score.

    UserError before anything is recorded where an option is wrong.
    """
    keep = _keep(options.keep)
    axes = _axes(options)
    with private_folder(root) as folder:
        base = Base(root, folder)
        aim = _aim(base, options.metric)
        for axis in axes:
            for assignment in axis.values:
                base.stages((assignment,))
        recorder = Recorder(root, base.snapshot, base.cache, folder, identity(root, dirty=bool(base.snapshot.changed)))
        if options.dry:
            _list(base, recorder, grid(axes))
            return True
        plan = _plan(base, axes, aim, options)
        if carried := base.carried():
            print(f"uncommitted changes go along, as with `dvc exp run`: {', '.join(carried)}")
        with _runners(base, options) as (runner, jobs), Sweep(base, recorder, runner, jobs, keep=keep) as sweep:
            return _drive(sweep, aim, plan, root)


def _plan(base: Base, axes: list[Axis], aim: Aim, options: Options) -> Plan:
    if options.trials is None:
        return Plan(map(Ask, grid(axes)), count(axes), None)
    from titanic.experiments.search import Search  # Optuna takes half a second to load

    search = Search(axes, base.values.base, aim, trials=options.trials, seed=options.seed)
    for assignment in search.ends():
        base.stages((assignment,))
    search.open(options.storage or f"sqlite:///{base.root / STUDIES}", base.name(()))
    return Plan(search.asked(), options.trials, search.tell)


def _drive(sweep: Sweep, aim: Aim, plan: Plan, root: Path) -> bool:
    """Run points and tell of them; Ctrl-C ends that, not the last words."""
    stopped: BaseException | None = None
    window = sweep.jobs if plan.tell else 4 * sweep.jobs
    with watch(aim, plan.total) as watched:
        try:
            for outcome in sweep.outcomes(plan.asked, window, eager=plan.tell is None):
                watched.see(outcome)
                if plan.tell:
                    plan.tell(outcome)
        except (KeyboardInterrupt, UserError, OSError) as error:
            stopped = error
    kept = sweep.keep_best(aim, watched.seen)
    record(root, aim, watched.seen)
    # pandas and scipy: a second that only the end needs
    from titanic.experiments.best import best_of
    from titanic.experiments.page import page

    start = sweep.start()
    best = best_of(aim, watched.seen, start)
    write_bytes(root / PAGE, page(aim, watched.seen, best).encode())
    print("\n".join([*verdict(aim, watched.seen, kept, start, best), f"all of them: {PAGE}"]))
    if stopped:
        raise stopped
    return any(outcome.scores for outcome in watched.seen)


def _axes(options: Options) -> list[Axis]:
    axes = parse_axes(options.params)
    if not axes:
        raise UserError("a sweep needs values to try: -S train.n_estimators=100,200")
    if options.trials is not None:
        if options.dry:
            raise UserError("a search has no points to list before it runs; drop --dry or --trials")
        return axes
    if options.storage:
        raise UserError("--storage is for a search; add --trials N")
    if intervals := [axis.written for axis in axes if axis.interval]:
        raise UserError(
            f"-S {intervals[0]}: a grid cannot try every value of an interval; name values, or search with --trials N"
        )
    if count(axes) > MANY and not options.yes:
        raise UserError(f"that are {count(axes)} points; if you mean it, say --yes")
    return axes


def _keep(written: str) -> int | None:
    """Return how many of the best are to be kept, None for all; UserError for what is neither `all` nor `best:N`."""
    kind, _, number = written.partition(":")
    if written == "all":
        return None
    if kind != "best" or not number.isdecimal() or int(number) == 0:
        raise UserError(f"--keep is {written!r}; it must be all, or best:N with a number from 1 on")
    return int(number)


def _aim(base: Base, metric: str) -> Aim:
    """Check a metric against reports/metrics.json as it stands."""
    if not (base.tree / METRICS).is_file():
        raise UserError(f"git has no {METRICS} yet, so no metric is known; run `dvc repro` and commit")
    known = [key for key, _ in leaves(json.loads((base.tree / METRICS).read_text(encoding="utf-8")))]
    if metric not in known:
        raise UserError(f"there is no metric {metric!r}; there are {', '.join(known)}")
    return Aim(metric)


@contextmanager
def _runners(base: Base, options: Options) -> Iterator[tuple[Callable[[int], Runner], int]]:
    """Give what starts runners, processes here or a cluster's, and how many there are to be."""
    if options.scheduler is None:
        yield (
            lambda number: Worker(base.worker(number), base.folder / str(number), base.start),
            options.jobs or os.cpu_count() or 1,
        )
        return
    try:
        from titanic.experiments import cluster
    except ImportError:
        raise UserError("--scheduler needs Dask: uv sync --extra dask") from None
    with cluster.connect(options.scheduler) as client:
        try:
            yield cluster.remote(base, client), options.jobs or cluster.threads(client)
        finally:
            if client.status == "running":
                client.run(cluster.forget, base.folder.name)


def _list(base: Base, recorder: Recorder, points: Iterable[Point]) -> None:
    existing = recorder.existing()
    for point in points:
        name = base.name(point)
        print(f"{name}  {' '.join(point)}{'  (there)' if name in existing else ''}")
