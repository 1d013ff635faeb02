"""What `dvckit sweep` does, from its options to its last lines."""

import json
import os
import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

from dvckit.core.errors import UserError
from dvckit.core.files import write_bytes, write_json
from dvckit.core.layout import METRICS, REPORTS
from dvckit.core.mappings import leaves
from dvckit.sweep.base import Base, private_folder
from dvckit.sweep.configurations import Axis, count, grid, parse_axes
from dvckit.sweep.record import Recorder
from dvckit.sweep.summary import STATES, Watch, verdict
from dvckit.sweep.sweep import Aim, Outcome, Runner, Sweep
from dvckit.sweep.trial import Trial
from dvckit.sweep.worker import Worker

PAGE, RECORD = REPORTS / "sweep.html", REPORTS / "sweep.json"
STUDIES = Path(".dvc/tmp/sweep/studies.db")
MANY = 10_000  # trials, beyond which a grid needs --yes


class Options(NamedTuple):
    """The options of the command, as the user wrote them."""

    params: list[str]
    metric: str | None
    keep: str
    jobs: int | None
    dry: bool
    yes: bool
    trials: int | None
    seed: int
    storage: str | None
    scheduler: str | None


Plan = tuple[Iterable[Trial], int, Callable[[Outcome], None] | None]  # trials, how many, and what needs their outcomes


def run(root: Path, options: Options) -> bool:
    """Run a grid or a search; return whether any trial has a score.

    UserError before anything is recorded where an option is wrong.
    """
    keep, axes = _keep(options.keep), _axes(options)
    with private_folder(root) as folder:
        base = Base(root, folder)
        aim = _aim(base, options.metric)
        for axis in axes:
            for assignment in axis.values:
                base.stages((assignment,))
        recorder = Recorder(base)
        if options.dry:
            existing = recorder.existing()
            for configuration in grid(axes):
                name = base.name(configuration)
                done = f"  ({STATES['done']})" if name in existing else ""
                print(f"{name}  {' '.join(configuration)}{done}")
            return True
        plan = _plan(base, axes, aim, options)
        if included := base.included():
            print(f"uncommitted changes are included, as with `dvc exp run`: {', '.join(included)}")
        with (
            _runners(base, options.scheduler) as (runner, most),
            Sweep(base, recorder, runner, options.jobs or most, keep=keep) as sweep,
        ):
            return _drive(sweep, aim, plan, root)


def _plan(base: Base, axes: list[Axis], aim: Aim, options: Options) -> Plan:
    if options.trials is None:
        return map(Trial, grid(axes)), count(axes), None
    try:
        from dvckit.sweep.search import Search
    except ImportError:
        raise UserError("--trials needs Optuna; install dvckit[search]") from None

    storage = options.storage or f"sqlite:///{base.root / STUDIES}"
    values, name = base.values.start, base.name(())
    search = Search(axes, values, aim, trials=options.trials, seed=options.seed, storage=storage, base=name)
    return search.trials(), options.trials, search.tell


def _drive(sweep: Sweep, aim: Aim, plan: Plan, root: Path) -> bool:
    """Run the trials and report on them; Ctrl-C ends that, not the last lines."""
    stopped: BaseException | None = None
    trials, total, tell = plan
    window = sweep.jobs if tell else 4 * sweep.jobs
    watched = Watch(aim, total)
    with watched.shown():
        try:
            for outcome in sweep.outcomes(trials, window, eager=tell is None):
                watched.see(outcome)
                if tell:
                    tell(outcome)
        except (KeyboardInterrupt, UserError, OSError) as error:
            stopped = error
    kept = sweep.keep_best(aim, watched.seen)
    rows = [outcome._asdict() for outcome in watched.seen]
    write_json(root / RECORD, {"metric": aim.metric, "minimised": aim.minimised, "trials": rows})
    # pandas and scipy: a second that only the end needs
    from dvckit.sweep.best import best_of
    from dvckit.sweep.page import page

    start = sweep.start()
    best = best_of(aim, watched.seen, start)
    write_bytes(root / PAGE, page(aim, watched.seen, best).encode())
    print("\n".join([*verdict(aim, watched.seen, kept, start, best), f"all trials:  {PAGE}"]))
    if stopped:
        raise stopped
    return any(outcome.scores for outcome in watched.seen)


def _axes(options: Options) -> list[Axis]:
    axes = parse_axes(options.params)
    if not axes:
        raise UserError("a sweep needs values to try: -S KEY=VALUE,VALUE")
    if options.trials is not None:
        if options.dry:
            raise UserError("a search cannot list its trials before it runs; drop --dry or --trials")
        return axes
    if options.storage:
        raise UserError("--storage is for a search; add --trials N")
    if intervals := [axis.written for axis in axes if axis.interval]:
        raise UserError(
            f"-S {intervals[0]}: a grid cannot try every value of an interval; name values, or search with --trials N"
        )
    if count(axes) > MANY and not options.yes:
        raise UserError(f"this grid has {count(axes):,} trials; pass --yes to run it")
    return axes


def _keep(written: str) -> int | None:
    """Return how many of the best are to be kept, None for all; UserError for what is neither `all` nor `best:N`."""
    best = re.fullmatch("best:([1-9][0-9]*)", written)
    if not best and written != "all":
        raise UserError(f"--keep is {written!r}; it must be all, or best:N with a number from 1 on")
    return int(best[1]) if best else None


def _aim(base: Base, metric: str | None) -> Aim:
    """Check a metric against reports/metrics.json as it is; the project's task has the default."""
    if not (base.copy / METRICS).is_file():
        raise UserError(f"git has no {METRICS}, so no metric is known; run `dvc repro` and commit it")
    known = ", ".join(key for key, _ in leaves(json.loads((base.copy / METRICS).read_text(encoding="utf-8"))))
    if metric is None and base.project:
        metric = f"cv.{base.project.task.decides}"
    if metric is None:
        raise UserError(f"dvc.yaml names no project, so name the metric that decides: --metric with one of {known}")
    if metric not in known.split(", "):
        raise UserError(f"there is no metric {metric!r} in {METRICS}; it has {known}")
    return Aim(metric)


def _runners(base: Base, scheduler: str | None) -> AbstractContextManager[tuple[Callable[[int], Runner], int]]:
    """Give what starts runners, processes here or a cluster's, and how many can run at once."""
    if scheduler is None:
        return nullcontext(
            (lambda number: Worker(base.worker(number), base.folder / str(number), base.start), os.cpu_count() or 1)
        )
    try:
        from dvckit.sweep.cluster import runners
    except ImportError:
        raise UserError("--scheduler needs Dask; install dvckit[dask]") from None
    return runners(base, scheduler)
