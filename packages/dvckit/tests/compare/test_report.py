"""What is printed of a comparison, on verdicts made up for the purpose."""

from types import SimpleNamespace

import numpy as np
import pytest

from dvckit.compare.compare import Candidate, Comparison, MetricTest, _tests
from dvckit.compare.evidence import Evidence, _common
from dvckit.compare.report import print_comparison, render_md, sentences, write_page
from dvckit.core.errors import UserError
from dvckit.tasks import task_of
from dvckit.tasks.binary import Binary
from dvckit.tasks.significance import Difference

TASK = Binary((0, 1))
SAME = "indistinguishable"
P_VALUES = {"better": 0.0001, "worse": 0.0001, SAME: 0.5}


class Named(SimpleNamespace):
    """A revision with a name and a commit."""

    def __str__(self):
        return f"{self.name} ({self.commit[:7]})"


def judged(verdict, metric):
    sign = metric.sign if verdict == "better" else -metric.sign
    return MetricTest(
        metric, 0.8, 0.8 + 0.1 * sign, Difference(0.1 * sign, -0.1, 0.3, P_VALUES[verdict]), P_VALUES[verdict]
    )


def comparison(*verdicts):
    """A comparison of revisions whose metrics are judged so; their names look like markup."""
    candidates = [
        Candidate(
            Named(name=f"[red]{place}|", commit="2" * 40),
            [judged(verdict, metric) for verdict, metric in zip(of_one, TASK.metrics[:3], strict=True)],
            {"params": {f"key{n}": {"new": None} for n in range(30)}, "code": {}},
        )
        for place, of_one in enumerate(verdicts)
    ]
    evidence = Evidence(TASK, np.zeros(178), [], on_holdout=True, holdout=178)
    return Comparison(Named(name="v1", commit="1" * 40), candidates, evidence, {"v1": "synthetic"})


def of_groups(groups, models=1, *, stored=True):
    made_up = comparison(*[(SAME,) * 3] * models)
    evidence = made_up.evidence._replace(groups=np.arange(178) % groups, on_holdout=stored)
    return " ".join(sentences(made_up._replace(evidence=evidence)))


@pytest.mark.parametrize(
    ("groups", "models", "stored", "least"),
    [(5, 1, True, "0.062"), (1, 1, True, "1"), (6, 2, True, "0.062"), (8, 1, False, "0.06"), (2, 9, True, "1")],
)
def test_too_few_groups_to_show_a_difference_are_named(groups, models, stored, least):
    sentence = f"{groups} groups are too few to show a difference: no p value of their swaps is below {least}"

    assert sentence in of_groups(groups, models, stored=stored)


@pytest.mark.parametrize(("groups", "models", "stored"), [(6, 1, True), (7, 2, True), (9, 1, False)])
def test_groups_that_are_enough_are_not(groups, models, stored):
    assert "too few" not in of_groups(groups, models, stored=stored)


@pytest.mark.parametrize(
    ("verdicts", "overall"),
    [
        (("better", SAME, "better"), "better"),
        ((SAME, "worse", SAME), "worse"),
        (("better", SAME, "worse"), SAME),
        ((SAME,) * 3, SAME),
    ],
)
def test_the_verdicts_of_metrics_make_one(verdicts, overall):
    assert comparison(verdicts).candidates[0].overall == overall


def test_better_worse_and_mixed_are_distinguished():
    result = comparison(("better", SAME, "better"), (SAME, "worse", SAME), ("better", "worse", SAME), (SAME,) * 3)

    text = render_md(result)

    assert r"- \[red\]0\| (2222222) is better than v1 (1111111) by accuracy, log_loss" in text.splitlines()
    assert r"- \[red\]1\| (2222222) is worse than v1 (1111111) by roc_auc" in text.splitlines()
    assert r"- \[red\]2\| (2222222) is better than v1 (1111111) by accuracy, but worse by roc_auc" in text.splitlines()
    assert r"- \[red\]3\| (2222222) is indistinguishable from v1 (1111111)" in text.splitlines()
    assert (
        r"| \[red\]0\| (2222222) | accuracy | 0.8000 | 0.9000 | +0.1000 | -0.1000 to +0.3000 | <0.001 | better |"
        in text
    )
    assert "key19 added and 10 more\n" in text
    assert "- the same: code\n" in text


def test_recipes_are_called_recipes():
    base = comparison((SAME,) * 3)
    evidence = base.evidence._replace(on_holdout=False, holdout=36, truth=np.zeros(891))

    text = render_md(Comparison(base.reference, base.candidates, evidence, base.sources))

    assert "the hold-outs share only 36 rows (single models need 100), so the out-of-fold predictions of 891" in text
    assert "variances are doubled" in text


def test_other_data_are_named_before_anything_else():
    base = comparison((SAME,) * 3)

    text = render_md(Comparison(base.reference, base.candidates, base.evidence, {"v1": "synthetic", "x": "kaggle"}))

    assert text.splitlines()[2].startswith("- the data differ: synthetic (v1), kaggle (x); ")


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_shows_names_that_look_like_markup(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))

    print_comparison(comparison(("better",) * 3))

    text = capsys.readouterr().out
    assert text.startswith("[red]0| (2222222) is better than v1 (1111111) by accuracy, roc_auc, log_loss\n")
    assert "what changed: v1 (1111111) -> [red]0| (2222222)\n  params: key0 added, " in text
    assert "\n[red]0| (2222222)\nmetric " in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


def drawn(labels):
    """Truth and predictions of two models for 200 rows."""
    draw = np.random.default_rng(1)
    if not labels:
        truth = draw.normal(size=200)
        return truth, [truth + draw.normal(0, spread, 200) for spread in (2.0, 0.5)]
    truth, logits = draw.integers(0, len(labels), 200), draw.normal(size=(2, 200, len(labels)))
    logits[1, np.arange(200), truth] += 3
    return truth, [np.exp(of) / np.exp(of).sum(axis=1, keepdims=True) for of in logits]


@pytest.mark.parametrize(("labels", "curve"), [(("a", "b", "c"), "Share that is right"), ((), "Share of the rows")])
def test_models_of_every_task_are_compared(tmp_path, labels, curve):
    task, (truth, predictions) = task_of(labels), drawn(labels)
    evidence = Evidence(task, truth, predictions, on_holdout=True, holdout=200)
    (tests,) = _tests(evidence)
    reference = Named(name="v1", commit="1" * 40)
    candidate = Candidate(Named(name="v2", commit="2" * 40), tests, {"params": {}})

    result = Comparison(reference, [candidate], evidence, {"v1": "files"})
    write_page(tmp_path / "page.html", result)

    assert candidate.overall == "better"
    assert {test.metric.name for test in tests if test.verdict == "better"} == {metric.name for metric in task.metrics}
    assert curve in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ((0, 1, 2), r"v1 predicts 0, 1, and v2 0, 1, 2: models for different targets cannot be compared"),
        (("0", "1"), r"v1 predicts 0, 1, and v2 '0', '1': "),
        ((), r"v1 predicts 0, 1, and v2 values: "),
    ],
)
def test_models_for_different_targets_are_not_compared(labels, sentence):
    with pytest.raises(UserError, match=sentence):
        _common(["v1", "v2"], [task_of((0, 1)), task_of(labels)])


def test_the_order_of_the_labels_does_not_matter():
    assert _common(["v1", "v2"], [task_of(("a", "b")), task_of(("b", "a"))]).classes == ("a", "b")
