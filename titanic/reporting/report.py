"""Stage report: the results of the other stages in reports/ -> reports/figures/*.svg, reports/report.html."""

from pathlib import Path

from dvckit.core.params import read_values
from dvckit.reports.report import write_report
from dvckit.tasks import task_of
from titanic.reporting.words import WORDS
from titanic.schema import LABELS

INTENDED_USE = Path("titanic/reporting/intended_use.md")
SYNTHETIC_NOTE = "The passengers are made up (dataset.source is synthetic): the figures show how the pipeline works, not who survived."


def main() -> None:
    """Run the stage."""
    params = read_values()
    notes = [SYNTHETIC_NOTE] if params["dataset"]["source"] == "synthetic" else []
    write_report(params, task_of(LABELS), WORDS, INTENDED_USE, notes)
