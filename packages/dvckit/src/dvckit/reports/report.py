"""The work of stage report: the results of the other stages in reports/ -> reports/figures/*.svg, reports/report.html."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dvckit.core.files import write_bytes
from dvckit.core.formats import read_json
from dvckit.core.layout import DATA_QUALITY, DIAGNOSTICS, EVALUATION, FIGURES, METRICS, REPORT
from dvckit.reports.page import page
from dvckit.reports.plots import figures, read_curves
from dvckit.tasks.base import Task, Words

RESULTS = {"metrics": METRICS, "evaluation": EVALUATION, "diagnostics": DIAGNOSTICS, "quality": DATA_QUALITY}


def write_report(
    params: dict[str, Any], task: Task, words: Words, intended_use: Path, notes: Sequence[str] = ()
) -> None:
    """Write the figures and the page; `notes` are sentences that a reader must see first, `intended_use` is Markdown."""
    results = {name: read_json(path.read_bytes()) for name, path in RESULTS.items()}
    drawn = figures(task, words, read_curves(task), results["diagnostics"])
    text = intended_use.read_text(encoding="utf-8")
    html = page(params, results, drawn, task, words, intended_use=text, notes=list(notes))
    for name, svg in drawn.items():
        write_bytes(FIGURES / f"{name}.svg", svg.encode())
    write_bytes(REPORT, html.encode())
