"""`titanic summary`: the scores of the last run beside the baselines, and where the report is; data quality as tables."""

import json
from pathlib import Path
from typing import Any

from titanic.config import METRICS, REPORT
from titanic.stage import UserError


def print_summary(root: Path) -> None:
    """Print the scores in reports/metrics.json as a table; UserError where no run has left them."""
    from rich.console import Console
    from rich.table import Table

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


def print_quality(report: dict[str, Any]) -> None:
    """Print reports/data_quality.json: a table for each list, then what the checks have found."""
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, emoji=False, highlight=False)
    for name, told in report.items():
        if name == "checks":
            continue
        rows = told["rows"]
        table = Table(title=f"{name}: {rows['read']} rows, {rows['rejected']} of them bad", title_justify="left")
        for column in ("column", "type", "missing", "distinct", "values"):
            table.add_column(column, justify="right" if column in ("missing", "distinct") else "left")
        for column, about in told["columns"].items():
            table.add_row(column, about["type"], str(about["missing"]), str(about["distinct"]), described(about))
        console.print(table)
    for check, result in report["checks"].items():
        console.print(f"{check}: {'; '.join(result['found']) or 'ok'}", soft_wrap=True)


def described(about: dict[str, Any]) -> str:
    """Return the range of a column of numbers, or the commonest values of another one."""
    if "min" in about:
        return f"{about['min']:g} to {about['max']:g}, mean {about['mean']:.6g}"
    return ", ".join(f"{value} ({count})" for value, count in about.get("top", {}).items())
