"""The result of `dvckit compare`, for the terminal, as Markdown, and as a page with curves that needs no network."""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

from dvckit.compare.compare import BETTER, INDISTINGUISHABLE, WORSE, Candidate, Comparison, MetricTest
from dvckit.compare.evidence import ENOUGH
from dvckit.core import markdown
from dvckit.core.errors import UserError
from dvckit.core.files import write_bytes
from dvckit.core.grid import Grid, Terminal, first
from dvckit.tasks.significance import SIGNIFICANT

HEADER = ("metric", "reference", "here", "difference", "95 % interval", "p", "verdict")
# Colours by Okabe and Ito, distinguishable for the colour-blind; further lines are dashed.
COLOURS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
STYLES = [(colour, dash) for dash in ("", "6 3", "2 2", "8 2 2 2") for colour in COLOURS]


def title(comparison: Comparison) -> str:
    """Return which revisions are compared with which."""
    return f"{', '.join(str(candidate.revision) for candidate in comparison.candidates)} against {comparison.reference}"


def sentences(comparison: Comparison) -> Iterator[str]:
    """Yield the verdicts, what was compared on which rows, and by which tests."""
    evidence, count = comparison.evidence, len(comparison.candidates)
    if len(set(comparison.sources.values())) > 1:
        named = ", ".join(f"{source} ({name})" for name, source in comparison.sources.items())
        yield f"the data differ: {named}; only rows that are in all of them are compared"
    yield from (_verdict(candidate, str(comparison.reference)) for candidate in comparison.candidates)
    tests = ", ".join(f"{name} for {metric.title}" for metric, name in evidence.tests)
    level = f"each test is two-sided at {100 * SIGNIFICANT:.0f} %: {tests}"
    if evidence.on_holdout:
        yield f"the models fitted without the hold-out are compared, on its {len(evidence.truth)} rows"
        yield level
    else:
        yield (
            f"the recipes are compared, not single models: the hold-outs share only {evidence.holdout} rows "
            f"(single models need {ENOUGH}), so the out-of-fold predictions of {len(evidence.truth)} labelled rows decide"
        )
        yield f"{level}; variances are doubled, as folds share training rows (after Nadeau and Bengio)"
    if (groups := evidence.group_count) is not None:
        yield f"models err alike on the rows of a group, so the two models' answers to {groups} groups are swapped"
        if (least := count * evidence.least_p(groups)) >= SIGNIFICANT:
            yield f"{groups} groups are too few to show a difference: no p value of their swaps is below {min(1.0, least):.2g}"
    if count > 1:
        yield (
            f"of each metric, the p values of {count} comparisons are corrected so that they err together in "
            f"{100 * SIGNIFICANT:.0f} % (Holm); an interval is that of its comparison alone"
        )


def _verdict(candidate: Candidate, reference: str) -> str:
    by = {
        verdict: ", ".join(test.metric.name for test in candidate.tests if test.verdict == verdict)
        for verdict in (BETTER, WORSE)
    }
    if candidate.overall != INDISTINGUISHABLE:
        return f"{candidate.revision} is {candidate.overall} than {reference} by {by[candidate.overall]}"
    if by[BETTER]:
        return f"{candidate.revision} is better than {reference} by {by[BETTER]}, but worse by {by[WORSE]}"
    return f"{candidate.revision} is indistinguishable from {reference}"


def _cells(test: MetricTest) -> list[str]:
    difference, p_value = test.difference, test.p_adjusted
    return [
        test.metric.name,
        f"{test.reference:.4f}",
        f"{test.value:.4f}",
        f"{difference.value:+.4f}",
        f"{difference.low:+.4f} to {difference.high:+.4f}",
        "<0.001" if p_value < 0.001 else f"{p_value:.3f}",
        test.verdict,
    ]


def _what_changed(comparison: Comparison) -> dict[str, list[str]]:
    return {f"{comparison.reference} -> {one.revision}": list(_changes(one.changes)) for one in comparison.candidates}


def _changes(changes: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each kind of change, and one for the kinds without any."""
    for kind, pairs in changes.items():
        if pairs:
            yield f"{kind}: {first([f'{name} {_change(kind, pair)}' for name, pair in pairs.items()])}"
    if same := [kind for kind, pairs in changes.items() if not pairs]:
        yield f"the same: {', '.join(same)}"


def _change(kind: str, pair: dict[str, Any]) -> str:
    if kind == "code":
        return f"+{pair['added']} -{pair['removed']}"
    if len(pair) == 1:
        return "added" if "new" in pair else "removed"
    if kind == "data":
        return " -> ".join(f"{side.get('rows', 'unknown')} rows ({side['md5'][:7]})" for side in pair.values())
    return " -> ".join("null" if value is None else str(value) for value in pair.values())


def _grid(comparison: Comparison) -> Grid:
    rows = [[str(one.revision), *_cells(test)] for one in comparison.candidates for test in one.tests]
    return Grid("", ("revision", *HEADER), rows)


def render_md(comparison: Comparison) -> str:
    """Return the result as Markdown."""
    lines = [f"## {markdown.text(title(comparison))}", "", *map(markdown.bullet, sentences(comparison)), ""]
    lines += _grid(comparison).markdown()
    for heading, changes in _what_changed(comparison).items():
        lines += ["", f"### What changed: {markdown.text(heading)}", "", *map(markdown.bullet, changes)]
    return "\n".join(lines) + "\n"


def print_comparison(comparison: Comparison) -> None:
    """Print the result for the terminal."""
    console = Terminal()
    console.lines(sentences(comparison))
    for one in comparison.candidates:
        console.lines(["", str(one.revision)])
        Grid("", HEADER, [_cells(test) for test in one.tests]).print(console)
    for heading, changes in _what_changed(comparison).items():
        console.lines(["", f"what changed: {heading}", *(f"  {change}" for change in changes)])


def write_page(path: Path, comparison: Comparison) -> None:
    """Write the result as HTML, with the curves of all revisions in common figures; UserError if `path` is a folder."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file for the page")
    from dvckit.reports.plots import draw, overlay
    from dvckit.reports.templates import inline, render

    evidence, table = comparison.evidence, _grid(comparison)
    names = map(str, [comparison.reference, *(one.revision for one in comparison.candidates)])
    styles = dict(zip(names, cycle(STYLES), strict=False))
    curves = [evidence.task.curves(evidence.truth, predictions) for predictions in evidence.predictions]
    figures = {}
    for name, caption in evidence.task.overlays.items():
        lines = [(of_model[name], *style) for of_model, style in zip(curves, styles.values(), strict=True)]
        figures[caption] = inline(draw(name, overlay, lines))
    html = render(
        "compare/report.html.jinja",
        title=title(comparison),
        sentences=sentences(comparison),
        table=table,
        changes=_what_changed(comparison),
        styles=styles,
        figures=figures,
    )
    write_bytes(path, html.encode())
