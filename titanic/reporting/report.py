"""Stage report: what the other stages left in reports/ -> reports/figures/*.svg, reports/report.html.

The page is one file that needs no network; no clock and no commit stands in it, so that its bytes can be reproduced.
"""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from titanic.config import (
    DATA_QUALITY,
    DIAGNOSTICS,
    EVALUATION,
    FIGURES,
    METRICS,
    PLOTS,
    REPORT,
    Params,
    leaves,
    load_params,
)
from titanic.reporting.plots import DRAWINGS, draw
from titanic.reporting.summary import described
from titanic.stage import write_bytes

RESULTS = {"metrics": METRICS, "evaluation": EVALUATION, "diagnostics": DIAGNOSTICS, "quality": DATA_QUALITY}


def drawn(diagnostics: dict[str, Any]) -> dict[str, str]:
    """Return every figure as SVG by name, of a list of `diagnostics` or, where that has none, of a file in PLOTS."""
    return {
        name: draw(
            name,
            pd.json_normalize(diagnostics[name]) if name in diagnostics else pd.read_csv(PLOTS / f"{name}.csv"),
        )
        for name in DRAWINGS
    }


def inline(svg: str) -> Markup:
    """Return SVG for a place inside HTML: without the XML prologue, and without the group ids that figures share."""
    return Markup(re.sub(r'<g id="[^"]*"', "<g", svg[svg.index("<svg") :]))  # noqa: S704 - drawn here


def compared(difference: dict[str, float]) -> str:
    """Return how a score of which more is better compares, by the interval of its difference over the same folds."""
    if difference["low"] > 0:
        return "better than"
    return "worse than" if difference["high"] < 0 else "indistinguishable from"


def page(params: Params, results: dict[str, Any], figures: dict[str, str]) -> str:
    """Return the page as HTML; `results` is what the stages left, by the names in RESULTS."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.jinja").render(
        params=params,
        every_param=leaves(params.model_dump(mode="json", by_alias=True)),
        **results,
        figures={name: inline(svg) for name, svg in figures.items()},
        compared=compared,
        described=described,
    )


def main() -> None:
    """Run the stage."""
    results = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in RESULTS.items()}
    figures = drawn(results["diagnostics"])
    html = page(load_params(), results, figures)
    for name, svg in figures.items():
        write_bytes(FIGURES / f"{name}.svg", svg.encode())
    write_bytes(REPORT, html.encode())
