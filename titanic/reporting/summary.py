"""`titanic summary`: the scores of the last run beside the baselines, and where the report is."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from titanic.config import METRICS, REPORT
from titanic.stage import UserError


def print_summary(root: Path) -> None:
    """Print the scores in reports/metrics.json as a table; UserError where no run has written them."""
    if not (root / METRICS).is_file():
        raise UserError(f"there is no {METRICS} yet; run `dvc repro -P`")
    metrics = json.loads((root / METRICS).read_text(encoding="utf-8"))
    baseline = metrics["baseline"]
    rules = {"accuracy": (f"{baseline['majority']:.3f}", f"{baseline['gender']:.3f}")}
    table = Table()
    for column in ("score", "hold-out", "cross-validation", "commoner fate", "women and girls survive"):
        table.add_column(column, justify="left" if column == "score" else "right")
    for name, value in metrics["holdout"].items():
        folds = f"{metrics['cv'][name]:.3f}" if name in metrics["cv"] else ""
        if name == "accuracy":
            folds += f" ± {metrics['cv']['accuracy_sd']:.3f}"
        table.add_row(name, f"{value:.3f}", folds, *rules.get(name, ("", "")))
    console = Console()
    console.print(table)
    console.print(f"report: {root / REPORT}", soft_wrap=True)
