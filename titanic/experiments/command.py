"""What `titanic sweep` does, from its options to its last words."""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from titanic.config import METRICS, REPORTS, leaves
from titanic.experiments.base import Base, private_folder
from titanic.experiments.page import page
from titanic.experiments.points import Axis, Point, count, grid, parse_axes
from titanic.experiments.record import Recorder
from titanic.experiments.snapshot import identity
from titanic.experiments.summary import record, verdict, watch
from titanic.experiments.sweep import Aim, Sweep
from titanic.experiments.worker import Worker
from titanic.stage import UserError, write_bytes

PAGE = REPORTS / "sweep.html"
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


def run(root: Path, options: Options) -> bool:
    """Run a grid; return whether any point has a score. UserError before anything is recorded where an option is wrong."""
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
        if carried := base.carried():
            print(f"uncommitted changes go along, as with `dvc exp run`: {', '.join(carried)}")
        jobs = options.jobs or os.cpu_count() or 1
        with Sweep(base, recorder, _local(base), jobs, keep=keep) as sweep:
            return _drive(sweep, aim, grid(axes), count(axes), root)


def _drive(sweep: Sweep, aim: Aim, points: Iterable[Point], total: int, root: Path) -> bool:
    """Run points and tell of them; Ctrl-C ends that, not the last words."""
    stopped: BaseException | None = None
    with watch(aim, total) as watched:
        try:
            for outcome in sweep.outcomes(points, window=4 * sweep.jobs):
                watched.see(outcome)
        except (KeyboardInterrupt, UserError, OSError) as error:
            stopped = error
    kept = sweep.keep_best(aim, watched.seen)
    record(root, aim, watched.seen)
    write_bytes(root / PAGE, page(aim, watched.seen).encode())
    print("\n".join([*verdict(aim, watched.seen, kept), f"all of them: {PAGE}"]))
    if stopped:
        raise stopped
    return any(outcome.scores for outcome in watched.seen)


def _axes(options: Options) -> list[Axis]:
    axes = parse_axes(options.params)
    if not axes:
        raise UserError("a sweep needs values to try: -S train.n_estimators=100,200")
    if intervals := [axis.written for axis in axes if axis.interval]:
        raise UserError(
            f"-S {intervals[0]}: a grid cannot try every value of an interval; name values, or take range()"
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


def _local(base: Base) -> Callable[[int], Worker]:
    def start(number: int) -> Worker:
        return Worker(base.worker(number), base.folder / str(number), base.start)

    return start


def _list(base: Base, recorder: Recorder, points: Iterable[Point]) -> None:
    existing = recorder.existing()
    for point in points:
        name = base.name(point)
        print(f"{name}  {' '.join(point)}{'  (there)' if name in existing else ''}")
