"""`titanic summary`: the scores of the last run beside the baselines, and where the report is."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from titanic.config import METRICS, REPORT
from titanic.stage import UserError


def print_summary(root: Path) -> None:
    """Print the scores in reports/metrics.json as a table; UserError where no run has left them."""
    try:
        metrics = json.loads((root / METRICS).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        raise UserError(f"there are no scores in {METRICS}; run `dvc repro -P`") from None
    holdout, folds, baseline = metrics["holdout"], metrics["cv"], metrics["baseline"]
    table = Table()
    for column in ("score", "hold-out", "cross-validation", "commoner fate", "women and girls"):
        table.add_column(column, justify="left" if column == "score" else "right")
    for name, value in holdout.items():
        over_folds = f"{folds[name]:.3f}" if name in folds else ""
        rules: list[str] = []
        if name == "accuracy":
            over_folds += f" ± {folds['accuracy_sd']:.3f}"
            rules = [f"{baseline['majority']:.3f}", f"{baseline['gender']:.3f}"]
        table.add_row(name, f"{value:.3f}", over_folds, *rules)
    console = Console()
    console.print(table)
    console.print(f"report: {root / REPORT}", soft_wrap=True, highlight=False)
