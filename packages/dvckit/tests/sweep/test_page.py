"""The page of a sweep."""

import re

import pandas as pd
import pytest

from dvckit.sweep.page import Axis, axis, page, slice_of
from dvckit.sweep.summary import BY_INTERVALS, FOLD_BY_FOLD, counts, verdict
from dvckit.sweep.trial import Aim, Outcome

AIM = Aim("cv.roc_auc")


def outcome(depth, seed, score, state="new"):
    configuration = (f"train.max_depth={depth}", f"train.seed={seed}", "train.pipeline=voting")
    scores = {"cv.roc_auc": score, "holdout.roc_auc": 0.5} if state != "failed" else {}
    sure = {"cv.roc_auc.low": score - 0.1, "cv.roc_auc.high": score + 0.1}
    return Outcome(
        f"sweep-{depth}-{seed}", configuration, state, "no <rows>" if state == "failed" else "", scores, sure
    )


START = Outcome("", (), "done", scores={"cv.roc_auc": 0.5})
GRID = [outcome(depth, seed, depth / 10) for depth in (2, 4, 9) for seed in (1, 2)]


def page_of(trials):
    return page(AIM, trials, verdict(AIM, trials, len(trials), START, "dvckit compare"))


def test_what_has_one_value_is_not_drawn():
    html = page_of(GRID)

    assert "cv.roc_auc over train.max_depth" in html
    assert "cv.roc_auc over train.seed" in html
    assert "cv.roc_auc over train.pipeline" not in html


@pytest.mark.parametrize(
    ("values", "places", "labels"),
    [
        (["10", "2", "4"], [1.0, 0.0, 0.25], [(0.0, "2"), (0.25, "4"), (1.0, "10")]),
        (["null", "4", "10"], [0.0, 0.5, 1.0], [(0.0, "null"), (0.5, "4"), (1.0, "10")]),
        ([str(number) for number in range(11)], [number / 10 for number in range(11)], [(0.0, "0"), (1.0, "10")]),
    ],
)
def test_numbers_are_placed_by_value_and_words_side_by_side(values, places, labels):
    result = axis("key", pd.Series(values))

    assert result.places.tolist() == places
    assert result.labels == labels


@pytest.mark.parametrize(
    ("places", "scores", "share"),
    [
        ([0, 0, 1, 1], [1.0, 1.0, 2.0, 2.0], 1.0),
        ([0, 0, 1, 1], [1.0, 2.0, 1.0, 2.0], 0.0),
        ([0, 1], [1.0, 1.0], 0.0),
        ([0, 0, 1, 1], [1, 3, 3, 5], 0.5),
    ],
)
def test_importance_is_the_share_between_groups(places, scores, share):
    part = slice_of(Axis("key", pd.Series(places), []), pd.Series(scores))

    assert part.importance == pytest.approx(share)


def test_neighbours_of_many_values_share_a_mean():
    places = pd.Series([number / 15 for number in range(16)])

    means = slice_of(Axis("key", places, []), places * 2).means

    assert len(means) == 8
    assert means[0] == pytest.approx((1 / 30, 1 / 15))


def test_the_page_names_the_best_and_what_failed_and_needs_no_network():
    html = page_of([*GRID, outcome(3, 3, 0.0, "failed")])

    assert "best cv.roc_auc: 0.900000 (95 % interval 0.800 to 1.000): sweep-9-1" in html
    assert f"1 of 5 others are indistinguishable from the best, {BY_INTERVALS}" in html
    assert "dvc exp apply sweep-9-1" in html
    assert "no &lt;rows&gt;" in html
    assert html.count("<polyline") == len(GRID) + 2
    assert re.search(r"train.max_depth</th><td>1.00</td>", html)
    assert "http" not in html


def over_folds(name, *scores, rows="the same"):
    return Outcome(
        name,
        ("train.max_depth=3",),
        "new",
        scores={"cv.roc_auc": sum(scores) / len(scores)},
        evaluation={
            "cv.roc_auc.low": 0.85,
            "cv.roc_auc.high": 0.95,
            "folds.rows": rows,
            "folds.roc_auc": list(scores),
        },
    )


def test_rivals_are_judged_fold_by_fold_where_the_folds_hold_the_same_rows():
    best = over_folds("best", 0.90, 0.91, 0.92, 0.89, 0.90)
    worse_everywhere = over_folds("worse", 0.88, 0.89, 0.90, 0.87, 0.88)  # inside of the best's interval
    now_and_then = over_folds("rival", 0.92, 0.89, 0.93, 0.87, 0.90)
    elsewhere = over_folds("elsewhere", 0.86, 0.86, 0.86, 0.86, 0.86, rows="others")
    start = over_folds("", 0.85, 0.86, 0.87, 0.84, 0.85)

    alone = verdict(AIM, [now_and_then, best, worse_everywhere, best], 3, start, "dvckit compare")
    mixed = verdict(AIM, [now_and_then, best, worse_everywhere, elsewhere], 4, elsewhere, "dvckit compare")

    assert "best cv.roc_auc: 0.904000 (95 % interval 0.850 to 0.950): best (train.max_depth=3)" in alone
    assert "before the sweep: 0.854000; the best differs by +0.050000 (95 % interval 0.050 to 0.050)" in alone
    assert f"1 of 2 others are indistinguishable from the best, {FOLD_BY_FOLD}" in alone
    assert "before the sweep: 0.860000" in mixed
    assert f"2 of 3 others are indistinguishable from the best, {FOLD_BY_FOLD}, or {BY_INTERVALS}" in mixed


@pytest.mark.parametrize(
    ("metric", "lower", "best"),
    [
        *((name, None, "lower") for name in ("m.json:test_rmse", "rmse_test", "a.logloss", "mape", "eval.loss_test")),
        *((name, None, "higher") for name in ("neg_mean_squared_error", "auc", "r2", "msever")),
        ("chi", True, "lower"),
        ("residual", False, "higher"),
    ],
)
def test_which_scores_are_better_is_said(metric, lower, best):
    aim = Aim(metric, lower)
    outcomes = [Outcome(str(score), (), "new", scores={metric: score}) for score in (0.5, 0.25)]

    first, second, *_ = verdict(aim, outcomes, 2, outcomes[0], "dvckit compare")

    assert first.endswith(f"; {best} {metric} is better")
    assert second.startswith(f"best {metric}: {0.25 if best == 'lower' else 0.5:.6f}")


def test_where_nothing_can_be_judged_nothing_is_printed_of_others():
    trials = [Outcome(f"trial-{f1}", (), "new", scores={"holdout.f1": f1}) for f1 in (0.5, 0.6)]
    aim = Aim("holdout.f1")
    start = Outcome("", (), "done", scores={"holdout.f1": 0.4})

    lines = verdict(aim, trials, 2, start, "dvc exp diff")

    assert "best holdout.f1: 0.600000: trial-0.6 ()" in lines
    assert not [line for line in lines if "others" in line]


def test_a_configuration_that_was_drawn_twice_counts_once():
    trials = [GRID[0], GRID[1], GRID[0], outcome(3, 3, 0.0, "failed")]

    assert counts(trials) == "2 new, 0 already done, 1 failed, 1 drawn again"
    assert len(AIM.ranked(trials)) == 2
    assert "of 1 others" in "".join(verdict(AIM, trials, 2, START, "dvc exp diff"))


@pytest.mark.parametrize("outcomes", [[], [outcome(2, 1, 0.0, "failed")], [GRID[0]]])
def test_a_page_needs_few_trials(outcomes):
    assert "</html>" in page_of(outcomes)


def test_values_and_reasons_stay_text():
    bad = "</svg><script>alert(1)</script>\x1b[31m\x9b\u202e\"'"
    failed = outcome(2, 1, 0.2, "failed")._replace(reason=bad)
    trials = [*GRID, outcome(bad, 3, 0.3), failed]

    html = page_of(trials)

    assert "<script" not in html
    assert not {*"\x1b\x9b\u202e"} & {*html}
    assert html.count("&lt;script&gt;") >= 3
