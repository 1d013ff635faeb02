"""What `dvckit sweep` does, from its options to its last lines."""

import os
import re
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dvckit.core.errors import UserError
from dvckit.core.files import write_bytes, write_json
from dvckit.core.layout import REPORTS
from dvckit.core.screen import say
from dvckit.repository.programs import git, tracked
from dvckit.repository.revision import Revision
from dvckit.sweep.base import Base, alone, private_folder
from dvckit.sweep.configurations import Axis, count, files_of, grid, parse_axes
from dvckit.sweep.record import Recorder
from dvckit.sweep.summary import STATES, Watch, verdict
from dvckit.sweep.sweep import Runner, Sweep
from dvckit.sweep.trial import Aim, Outcome, Trial
from dvckit.sweep.worker import Workers

if TYPE_CHECKING:
    from dvckit.sweep.search import Search

PAGE, RECORD = "sweep.html", "sweep.json"
STUDIES = Path(".dvc/tmp/sweep/studies.db")
MANY = 10_000  # trials, beyond which a grid needs --yes


class Options(NamedTuple):
    """The options of the command, as the user wrote them."""

    params: list[str]
    metric: str | None
    lower: bool | None
    keep: str
    jobs: int | None
    dry: bool
    yes: bool
    trials: int | None
    seed: int
    storage: str | None
    scheduler: str | None


def run(root: Path, options: Options) -> bool:
    """Run a grid or a search; return whether any trial has a score. UserError at once where an option is wrong."""
    keep, axes, here = _keep(options.keep), _axes(options), _here(root)
    with private_folder(root) as folder:
        base = Base(root, folder, here, files_of(axis.written for axis in axes))
        recorder = Recorder(base)
        start = recorder.read(Trial(()), "done", base.tree)
        aim = _aim(base, list(start.scores), options)
        for axis in axes:
            for assignment in axis.values:
                base.stages((assignment,))
        if options.dry:
            existing = recorder.existing()
            for configuration in grid(axes):
                name = base.name(configuration)
                note = f"  ({STATES['done']})" if name in existing else ""
                say(f"{name}  {' '.join(configuration)}{note}")
            return True
        if included := base.included():
            say(f"uncommitted changes are included, as with `dvc exp run`: {', '.join(included)}")
        same = [base.name(()), [axis.written for axis in axes], aim, options.trials is None, options.seed]
        with alone(root, same):
            search = _search(base, axes, aim, options)
            with (
                _runner(base, options.scheduler) as runner,
                Sweep(base, recorder, runner, options.jobs or runner.most, keep=keep) as sweep,
            ):
                return _drive(sweep, aim, axes, search, start)


def _drive(sweep: Sweep, aim: Aim, axes: list[Axis], search: "Search | None", start: Outcome) -> bool:
    """Run the trials and report on them; Ctrl-C ends that, not the last lines."""
    stopped: BaseException | None = None
    trials = search.trials() if search else map(Trial, grid(axes))
    watch = Watch(aim, search.count if search else count(axes))
    with watch.shown():
        try:
            for outcome in sweep.outcomes(trials, sweep.jobs if search else 4 * sweep.jobs, eager=search is None):
                judged = aim.judged(outcome)
                watch.see(judged)
                if search:
                    search.tell(judged)
        except (KeyboardInterrupt, UserError, OSError) as error:
            stopped = error
    seen, root = watch.seen, sweep.base.root
    rows = [outcome._asdict() for outcome in seen]
    folder = _reports(root)
    write_json(root / folder / RECORD, {"metric": aim.metric, "minimised": aim.minimised, "trials": rows})
    # pandas and scipy: a second that only the end needs
    from dvckit.sweep.page import page

    lines = verdict(aim, seen, sweep.keep_best(aim, seen), start, _comparison(root))
    write_bytes(root / folder / PAGE, page(aim, seen, lines).encode())
    for line in [*lines, f"all trials:  {folder / PAGE}"]:
        say(line)
    if stopped:
        raise stopped
    return any(outcome.scores for outcome in seen)


def _comparison(root: Path) -> str:
    """Return the command that compares revisions: ours where dvc.yaml names a table of predictions, else DVC's."""
    with suppress(UserError):  # no model
        if Revision(root).model.predictions:
            return "dvckit compare"
    return "dvc exp diff"


def _reports(root: Path) -> Path:
    """Return the folder for the results, which git and DVC must not see: reports/, if git ignores just them there."""
    page = str(REPORTS / PAGE)
    with suppress(UserError):  # nothing is ignored
        # with a slash: a pattern of folders matches one that is not there yet
        if git(root, "check-ignore", f"{REPORTS}/", page).split("\n") == [page, ""]:
            return REPORTS
    return STUDIES.parent


def _search(base: Base, axes: list[Axis], aim: Aim, options: Options) -> "Search | None":
    if options.trials is None:
        return None
    from sqlalchemy import URL

    from dvckit.sweep.search import Search

    storage = options.storage or URL.create("sqlite", database=str(base.root / STUDIES)).render_as_string()
    values, name = base.values.start, base.name(())
    return Search(axes, values, aim, trials=options.trials, seed=options.seed, storage=storage, base=name)


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


def _here(root: Path) -> Path:
    """Return the folder in the project whose dvc.yaml is meant, as with DVC; UserError where there is none."""
    if (Path.cwd() / "dvc.yaml").is_file():
        return Path.cwd().resolve().relative_to(root.resolve())
    if (root / "dvc.yaml").is_file():
        return Path()
    folders = sorted(str(Path(path).parent) for path in Revision(root).files() if Path(path).name == "dvc.yaml")
    raise UserError(f"there is no dvc.yaml here; run this in a folder that has one: {', '.join(folders) or 'none has'}")


def _keep(written: str) -> int | None:
    """Return how many of the best are to be kept, None for all; UserError for what is neither `all` nor `best:N`."""
    best = re.fullmatch("best:([1-9][0-9]*)", written)
    if not best and written != "all":
        raise UserError(f"--keep is {written!r}; it must be all, or best:N with a number from 1 on")
    return int(best[1]) if best else None


def _aim(base: Base, metrics: list[str], options: Options) -> Aim:
    """Check a metric against those that HEAD has; the project's task has the default."""
    metric = options.metric
    if not metrics:
        files = base.pipeline(()).metrics
        if left := [file for file in files if (base.root / file).is_file() and not tracked(base.root, "--", file)]:
            names = ", ".join(left)
            raise UserError(
                f"no metric is known: git does not have {names}; `git add --force` and commit what is there"
            )
        reason = f"no number in {', '.join(files)}" if files else "no `metrics` in dvc.yaml"
        raise UserError(f"no metric is known: {reason}; a sweep needs one, run with `dvc repro` and committed")
    if metric is None and base.project:
        metric = f"cv.{base.project.task.decides}"
    if metric is None:
        names = ", ".join(metrics)
        raise UserError(f"dvc.yaml names no project, so name the metric that decides: --metric with one of {names}")
    if metric not in metrics:
        where = ", ".join(base.pipeline(()).metrics)
        raise UserError(f"there is no metric {metric!r} in {where}; known: {', '.join(metrics)}")
    return Aim(metric, options.lower)


def _runner(base: Base, scheduler: str | None) -> AbstractContextManager[Runner]:
    """Give what runs trials, in processes here or on a cluster."""
    if scheduler is None:
        workers = Workers(base.folder, base.worker)
        return nullcontext(Runner(os.cpu_count() or 1, workers.run, workers.end))
    if not base.simple:
        raise UserError(
            "--scheduler is for pipelines whose stages all are `python -m dvckit.stage MODULE`; leave it out"
        )
    from dvckit.sweep.cluster import runner

    return runner(base, scheduler)
