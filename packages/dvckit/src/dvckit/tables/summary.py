"""reports/data_quality.json as tables for the terminal."""

from typing import Any

from dvckit.core.grid import Grid, Terminal


def print_quality(report: dict[str, Any]) -> None:
    """Print a table for each table of the source, then the findings of the checks."""
    console = Terminal()
    header = ["column", "type", "missing", "distinct", "values"]
    for name, about in report.items():
        if name == "checks":
            continue
        rows = [
            [column, profile["type"], str(profile["missing"]), str(profile["distinct"]), described(profile)]
            for column, profile in about["columns"].items()
        ]
        title = f"{name}: {about['rows']['read']} rows, {about['rows']['rejected']} of them bad"
        Grid(title, header, rows, numeric=("missing", "distinct")).print(console)
    for check, result in report["checks"].items():
        console.lines([f"{check}: {'; '.join(result['found']) or 'ok'}"], soft_wrap=True)


def described(profile: dict[str, Any]) -> str:
    """Return the range of a column of numbers or dates, or the most frequent values of any other."""
    if "mean" not in profile and "min" in profile:
        return f"{profile['min']} to {profile['max']}"
    if "min" in profile:
        return f"{profile['min']:g} to {profile['max']:g}, mean {profile['mean']:z.6g}"
    return ", ".join(f"{value} ({count})" for value, count in profile.get("top", {}).items())
