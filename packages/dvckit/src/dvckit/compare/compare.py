"""`dvckit compare`: which models of revisions are better or worse than that of the first, and which are indistinguishable.

Their predictions of the same labelled rows decide. If enough rows are in every hold-out, the models fitted without it are compared on
them. If the splits differ, as between two seeds, the out-of-fold predictions of all shared rows are compared, which
judges the recipes. No model is loaded, and no code of a revision is run.
"""

import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from dvckit.compare.changes import changes, data_source
from dvckit.compare.evidence import Evidence, gather
from dvckit.core.errors import UserError
from dvckit.repository.revision import WORKSPACE, Revision
from dvckit.tasks.base import Metric, rounded
from dvckit.tasks.significance import SIGNIFICANT, Difference, holm

BETTER, WORSE, INDISTINGUISHABLE = "better", "worse", "indistinguishable"


class MetricTest(NamedTuple):
    """One metric of one model, tested against the reference."""

    metric: Metric
    reference: float
    value: float
    difference: Difference
    p_adjusted: float  # for comparing several models

    @property
    def verdict(self) -> str:
        """Better, worse or indistinguishable."""
        if self.p_adjusted >= SIGNIFICANT or self.difference.value == 0:
            return INDISTINGUISHABLE
        return BETTER if self.difference.value * self.metric.sign > 0 else WORSE

    def as_json(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        numbers = {"reference": self.reference, "value": self.value, "difference": self.difference.value}
        numbers |= {"low": self.difference.low, "high": self.difference.high, "p_value": self.difference.p_value}
        return {**rounded({**numbers, "p_adjusted": self.p_adjusted}), "verdict": self.verdict}


class Candidate(NamedTuple):
    """A revision compared with the reference."""

    revision: Revision
    tests: list[MetricTest]
    changes: dict[str, dict[str, Any]]

    @property
    def overall(self) -> str:
        """Better if some metric is better and none worse, worse the other way round, else indistinguishable."""
        kinds = {test.verdict for test in self.tests} - {INDISTINGUISHABLE}
        return kinds.pop() if len(kinds) == 1 else INDISTINGUISHABLE


class Comparison(NamedTuple):
    """The result of `dvckit compare`."""

    reference: Revision
    candidates: list[Candidate]
    evidence: Evidence
    sources: dict[str, str]  # the source of the data of each revision

    def as_json(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        evidence = self.evidence
        return {
            "reference": {"revision": self.reference.name, "commit": self.reference.commit},
            "sources": self.sources,
            "how": {
                "compared": "hold-out" if evidence.on_holdout else "recipes",
                "rows": len(evidence.truth),
                "holdout_rows": evidence.holdout,
                "groups": evidence.group_count,
                "tests": {metric.name: name for metric, name in evidence.tests},
            },
            "compared": [
                {
                    "revision": candidate.revision.name,
                    "commit": candidate.revision.commit,
                    "overall": candidate.overall,
                    "metrics": {test.metric.name: test.as_json() for test in candidate.tests},
                    "changes": candidate.changes,
                }
                for candidate in self.candidates
            ],
        }


def compare(root: Path, names: Sequence[str] = ()) -> Comparison:
    """Compare revisions with the first; a single one with the workspace, by default HEAD with it.

    UserError if a revision is unknown, named twice or lacks predictions, or if too few rows are shared.
    """
    named = [*names] or ["HEAD"]
    revisions = [Revision(root, name) for name in (named if len(named) > 1 else [*named, WORKSPACE])]
    for one, other in combinations(revisions, 2):
        if one.commit == other.commit:
            raise UserError(f"{one.name} and {other.name} are the same revision; name each once")
    return compare_revisions(revisions)


def compare_revisions(revisions: list[Revision]) -> Comparison:
    """Compare revisions with the first."""
    evidence = gather(revisions)
    reference, *others = revisions
    candidates = [
        Candidate(revision, tests, changes(reference, revision))
        for revision, tests in zip(others, _tests(evidence), strict=True)
    ]
    return Comparison(reference, candidates, evidence, {revision.name: data_source(revision) for revision in revisions})


def _tests(evidence: Evidence) -> list[list[MetricTest]]:
    """Test every metric of each model but the first; the p values of each metric are adjusted for several models."""
    of_metrics = []
    for metric in evidence.task.metrics:
        differences = [evidence.difference(metric, predictions) for predictions in evidence.predictions[1:]]
        scores = [metric.score(evidence.truth, predictions) for predictions in evidence.predictions]
        adjusted = holm([difference.p_value for difference in differences])
        of_metrics.append(
            [MetricTest(metric, scores[0], *row) for row in zip(scores[1:], differences, adjusted, strict=True)]
        )
    return [list(of_model) for of_model in zip(*of_metrics, strict=True)]


def read_revisions(path: Path) -> list[str]:
    """Read revisions from a file, one a line; text after # is a comment. UserError if there is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; write one revision a line") from None
    names = [name for line in lines if (name := re.split(r"(?:^|\s)#", line)[0].strip())]
    if not names:
        raise UserError(f"{path} names no revision; write one a line")
    return names
