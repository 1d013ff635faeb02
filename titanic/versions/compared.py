"""What `titanic compare` found: for the terminal, as Markdown, and as one page with curves that needs no network."""

import io
import re
from collections.abc import Iterator
from itertools import groupby, product
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from titanic.modeling.significance import SIGNIFICANT
from titanic.stage import UserError, write_bytes
from titanic.versions.compare import BETTER, ENOUGH, FEWEST, INDISTINGUISHABLE, WORSE, Found

if TYPE_CHECKING:
    import pandas as pd
    from markupsafe import Markup

SHOWN = 20  # of each kind of change, what a person is shown; the JSON form has all
HEADER = ["revision", "metric", "reference", "here", "difference", "95 % interval", "p", "verdict"]
# Of Okabe and Ito, which the colour-blind tell apart; beyond them the lines are dashed.
COLOURS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
DASHES = ("", "6 3", "2 2", "8 2 2 2")
CURVES = {
    "roc": ("false_positive_rate", "true_positive_rate"),
    "precision_recall": ("recall", "precision"),
    "calibration": ("predicted", "observed"),
}
CAPTIONS = {
    "roc": "ROC: true over false positive rate; the dotted line is guessing",
    "precision_recall": "Precision over recall",
    "calibration": "Share that survived over predicted chance; the dotted line is perfect calibration",
}


class Layout(NamedTuple):
    """What every form shows."""

    title: str
    sentences: list[str]
    rows: list[list[str]]  # below HEADER
    changes: dict[str, list[str]]  # lines, by title


def layout(told: dict[str, Any]) -> Layout:
    """Put what was found into words."""
    reference = _name(told["reference"])
    compared = told["compared"]
    return Layout(
        f"{', '.join(_name(one) for one in compared)} against {reference}",
        [*(_judgement(one, reference) for one in compared), *_how(told)],
        [[_name(one), *_cells(name, test)] for one in compared for name, test in one["metrics"].items()],
        {f"{reference} -> {_name(one)}": list(_changes(one["changes"])) for one in compared},
    )


def _name(one: dict[str, Any]) -> str:
    return f"{one['revision']} ({one['commit'][:7]})" if one["commit"] else str(one["revision"])


def _judgement(one: dict[str, Any], reference: str) -> str:
    by = {
        verdict: ", ".join(name for name, test in one["metrics"].items() if test["verdict"] == verdict)
        for verdict in (BETTER, WORSE)
    }
    if one["overall"] != INDISTINGUISHABLE:
        return f"{_name(one)} is {one['overall']} than {reference} by {by[one['overall']]}"
    if by[BETTER]:
        return f"{_name(one)} is better than {reference} by {by[BETTER]}, but worse by {by[WORSE]}"
    return f"{_name(one)} is indistinguishable from {reference}"


def _how(told: dict[str, Any]) -> Iterator[str]:
    """Tell what was compared on which rows, and how sure it is."""
    how = told["how"]
    level = f"{100 * SIGNIFICANT:.0f} %, two-sided"
    if how["refitted"]:
        yield (
            f"only {how['unseen_rows']} labelled rows are new to all of the models (it takes {ENOUGH}, {FEWEST} of each "
            f"label), so their recipes were refitted on the same {how['folds']} folds of {how['rows']} labelled rows, "
            f"{how['repeats']} times: this judges the recipes, not the stored models"
        )
        yield f"each test at {level}: the t test over folds, corrected for the rows that they share (Nadeau and Bengio)"
    else:
        tests = ", ".join(f"{test} for {name}" for name, test in how["tests"].items())
        yield f"on {how['rows']} labelled rows that none of the models was trained on"
        yield f"each test at {level}: {tests}"
    if len(told["compared"]) > 1:
        yield (
            f"of each metric, the p values of {len(told['compared'])} comparisons are corrected so that they err together "
            "in 5 % (Holm); an interval is that of its comparison alone"
        )


def _cells(name: str, test: dict[str, Any]) -> list[str]:
    p_value = test["p_adjusted"]
    return [
        name,
        f"{test['reference']:.4f}",
        f"{test['value']:.4f}",
        f"{test['difference']:+.4f}",
        f"{test['low']:+.4f} to {test['high']:+.4f}",
        "<0.001" if p_value < 0.001 else f"{p_value:.3f}",
        test["verdict"],
    ]


def _changes(changes: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Give a line for each kind of change; one where there is none."""
    for kind, found in changes.items():
        items = [f"{name} {_change(kind, pair)}" for name, pair in found.items()]
        more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
        if items:
            yield f"{kind}: {'; '.join(items[:SHOWN])}{more}"
    if same := [kind for kind, found in changes.items() if not found]:
        yield f"the same: {', '.join(same)}"


def _change(kind: str, pair: dict[str, Any]) -> str:
    if kind == "code":
        return f"+{pair['added']} -{pair['removed']}"
    if len(pair) == 1:
        return "added" if "new" in pair else "removed"
    if kind == "data":
        return " -> ".join(f"{side['rows']} rows ({side['md5'][:7]})" for side in pair.values())
    return " -> ".join("null" if value is None else str(value) for value in pair.values())


def render_md(told: dict[str, Any]) -> str:
    """Return what was found as Markdown, at most 20 of each kind of change."""
    found = layout(told)
    lines = [f"## {found.title}", "", *(f"- {sentence}" for sentence in found.sentences), ""]
    lines += [_md_row(HEADER), _md_row(["---"] * len(HEADER)), *map(_md_row, found.rows)]
    for title, changes in found.changes.items():
        lines += ["", f"### What changed: {title}", "", *(f"- {change}" for change in changes)]
    return "\n".join(lines) + "\n"


def _md_row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def print_comparison(told: dict[str, Any]) -> None:
    """Print what was found for the terminal, at most 20 of each kind of change."""
    from rich.console import Console
    from rich.table import Table

    found = layout(told)
    console = Console(markup=False, emoji=False, highlight=False)  # a name may look like markup
    for sentence in found.sentences:
        console.print(sentence, soft_wrap=True)
    for name, rows in groupby(found.rows, itemgetter(0)):
        table = Table(*HEADER[1:], box=None, padding=(0, 1, 0, 0), pad_edge=False)  # fits into 80 columns
        for row in rows:
            table.add_row(*row[1:])
        console.print(f"\n{name}", soft_wrap=True)
        console.print(table)
    console.print()
    for title, changes in found.changes.items():
        console.print(f"what changed: {title}", soft_wrap=True)
        for change in changes:
            console.print(f"  {change}", soft_wrap=True)


def write_page(path: Path, found: Found) -> None:
    """Write what was found as HTML with the curves of all revisions over one another; UserError where `path` is a folder."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file for the page")
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from titanic.modeling.evaluate import curves

    styles = dict(zip(found.chances, _styles(len(found.chances)), strict=True))
    drawn = {name: curves(found.truth, chance) for name, chance in found.chances.items()}
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("compared.html.jinja").render(
        **layout(found.told)._asdict(),
        header=HEADER,
        styles=styles,
        captions=CAPTIONS,
        figures={
            curve: _figure(curve, [(drawn[name][curve], *style) for name, style in styles.items()]) for curve in CURVES
        },
    )
    write_bytes(path, html.encode())


def _styles(count: int) -> list[tuple[str, str]]:
    """Return a colour and a dash pattern for each line; they begin anew after the 28th."""
    known = [(colour, dash) for dash, colour in product(DASHES, COLOURS)]
    return [known[place % len(known)] for place in range(count)]


def _figure(name: str, lines: "list[tuple[pd.DataFrame, str, str]]") -> "Markup":
    """Return lines (the curve, its colour and dashes) over one another as SVG for a place inside HTML."""
    import matplotlib as mpl
    from markupsafe import Markup
    from matplotlib.figure import Figure

    x, y = CURVES[name]
    with mpl.rc_context():
        mpl.rcdefaults()  # so that a user's matplotlibrc has no say
        mpl.rcParams.update({"svg.fonttype": "none", "font.size": 9.0, "svg.hashsalt": name})
        figure = Figure(figsize=(4, 3.6), layout="constrained")
        axes = figure.add_subplot()
        if name != "precision_recall":
            axes.plot([0, 1], [0, 1], color="#767676", linestyle=":")
        for curve, colour, dash in lines:
            style: Any = (0, [float(part) for part in dash.split()]) if dash else "-"
            axes.plot(curve[x], curve[y], color=colour, linestyle=style, linewidth=1.2)
        axes.set(xlabel=x.replace("_", " "), ylabel=y.replace("_", " "), xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    return Markup(re.sub(r'<g id="[^"]*"', "<g", svg[svg.index("<svg") :]))  # noqa: S704 - drawn here
