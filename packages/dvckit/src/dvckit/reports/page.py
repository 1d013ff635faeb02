"""The report page: what the stages left, as one file that needs no network.

No clock and no commit is in it, so that its bytes can be reproduced.
"""

from typing import Any

from dvckit.core.mappings import leaves
from dvckit.reports.templates import inline, markdown, render
from dvckit.tables.summary import described
from dvckit.tasks.base import Metric, Task, Words


def page(
    params: dict[str, Any],
    results: dict[str, Any],
    figures: dict[str, str],
    task: Task,
    words: Words,
    *,
    intended_use: str,
    notes: list[str],
) -> str:
    """Return the page as HTML.

    `params` are the values of params.yaml; `results` the contents of the JSON reports: metrics, evaluation, diagnostics
    and quality; `figures` SVG by name; `intended_use` Markdown; `notes` sentences that a reader must see first.
    """
    return render(
        "reports/page.html.jinja",
        params=params,
        every_param=dict(leaves(params)),
        **results,
        figures={name: inline(svg) for name, svg in figures.items()},
        task=task,
        words=words,
        labels=list(task.names(words).values()),
        baselines={**words.baselines, **task.baselines},
        intended_use=markdown(intended_use),
        notes=notes,
        verdict=verdict,
        described=described,
    )


def verdict(metric: Metric, difference: dict[str, float]) -> str:
    """Tell a model from another, by the interval of their difference over the same folds."""
    low, high = sorted(metric.sign * difference[end] for end in ("low", "high"))
    if low > 0:
        return "better"
    return "worse" if high < 0 else "indistinguishable"
