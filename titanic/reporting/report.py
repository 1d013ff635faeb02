"""Stage report: the results of the other stages in reports/ -> reports/figures/*.svg, reports/report.html."""

import json
from pathlib import Path

from dvckit.core.files import write_bytes
from dvckit.core.layout import DATA_QUALITY, DIAGNOSTICS, EVALUATION, FIGURES, METRICS, REPORT
from dvckit.core.params import read_values
from dvckit.reports.page import page
from dvckit.reports.plots import figures, read_curves
from dvckit.tasks import task_of
from titanic.reporting.words import WORDS
from titanic.schema import LABELS

RESULTS = {"metrics": METRICS, "evaluation": EVALUATION, "diagnostics": DIAGNOSTICS, "quality": DATA_QUALITY}
INTENDED_USE = Path("titanic/reporting/intended_use.md")
SYNTHETIC_NOTE = "The passengers are made up (dataset.source is synthetic): the figures show how the pipeline works, not who survived."


def main() -> None:
    """Run the stage."""
    params, kind = read_values(), task_of(LABELS)
    results = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in RESULTS.items()}
    drawn = figures(kind, WORDS, read_curves(kind), results["diagnostics"])
    notes = [SYNTHETIC_NOTE] if params["dataset"]["source"] == "synthetic" else []
    intended_use = INTENDED_USE.read_text(encoding="utf-8")
    html = page(params, results, drawn, kind, WORDS, intended_use=intended_use, notes=notes)
    for name, svg in drawn.items():
        write_bytes(FIGURES / f"{name}.svg", svg.encode())
    write_bytes(REPORT, html.encode())
