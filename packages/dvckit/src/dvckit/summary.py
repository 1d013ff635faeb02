"""`dvckit summary`: the scores of the last run beside the baselines, and where the report is."""

from contextlib import suppress
from pathlib import Path

from dvckit.core.errors import UserError
from dvckit.core.formats import read_json
from dvckit.core.grid import Grid, Terminal
from dvckit.core.layout import METRICS, REPORT
from dvckit.core.numbers import digits, places
from dvckit.project import load, project_of
from dvckit.repository import shapes
from dvckit.repository.revision import Revision
from dvckit.tasks import BASELINES


def print_summary(root: Path) -> None:
    """Print the scores in reports/metrics.json as a table; UserError where no run has left them."""
    try:
        metrics = shapes.fit(shapes.METRICS, read_json((root / METRICS).read_bytes()))
        holdout, folds, baselines = metrics["holdout"], metrics["cv"], metrics["baseline"]
        headline = next(iter(holdout), None)
    except (FileNotFoundError, UserError, KeyError):
        raise UserError(f"there are no scores in {METRICS}; run `dvc repro -P`") from None
    titles = dict(BASELINES)
    with suppress(UserError, ImportError, AttributeError):  # a project that cannot be imported has no titles
        titles |= load(project_of(Revision(root)).words).baselines
    header = ["score", "hold-out", "cross-validation", *(titles.get(name, name) for name in baselines)]
    rows = []
    for name, value in holdout.items():
        spread = f" ± {folds[f'{name}_sd']:.{places(folds[name])}f}" if f"{name}_sd" in folds else ""
        over_folds = f"{digits(folds[name])}{spread}" if name in folds else ""
        of_rules = [digits(score) if name == headline else "" for score in baselines.values()]
        rows.append([name, digits(value), over_folds, *of_rules])
    console = Terminal()
    Grid("", header, rows, numeric=header[1:]).print(console)
    there = (root / REPORT).is_file()
    report = root / REPORT if there else f"not in this clone yet; run `dvc pull {REPORT}`, or `dvc repro -P` to make it"
    console.lines([f"report: {report}"], soft_wrap=True)
