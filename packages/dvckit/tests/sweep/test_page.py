"""The page of a sweep."""

import re

import pytest

from dvckit.sweep.best import BY_INTERVALS, FOLD_BY_FOLD, best_of
from dvckit.sweep.page import importance, page, scale, varied
from dvckit.sweep.summary import counts, verdict
from dvckit.sweep.sweep import Aim, Outcome

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


def test_what_has_one_value_is_not_drawn():
    assert varied(GRID) == {"train.max_depth": ["2", "4", "9"], "train.seed": ["1", "2"]}


def test_numbers_stand_in_their_place_and_words_side_by_side():
    assert scale(["2", "4", "10"]).places == {"2": 0.0, "4": 0.25, "10": 1.0}
    assert scale(["null", "4", "10"]).places == {"null": 0.0, "4": 0.5, "10": 1.0}


@pytest.mark.parametrize(
    ("groups", "share"),
    [([[1.0, 1.0], [2.0, 2.0]], 1.0), ([[1.0, 2.0], [1.0, 2.0]], 0.0), ([[1.0], [1.0]], 0.0), ([[1, 3], [3, 5]], 0.5)],
)
def test_importance_is_the_share_between_groups(groups, share):
    assert importance(groups) == pytest.approx(share)


def test_the_page_names_the_best_and_what_failed_and_needs_no_network():
    trials = [*GRID, outcome(3, 3, 0.0, "failed")]
    html = page(AIM, trials, best_of(AIM, trials, START))

    assert "<strong>sweep-9-1</strong> is the highest with 0.9000" in html
    assert f"1 of 5 others are indistinguishable from it, {BY_INTERVALS}" in html
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

    alone = best_of(AIM, [now_and_then, best, worse_everywhere, best], start)
    mixed = best_of(AIM, [now_and_then, best, worse_everywhere, elsewhere], elsewhere)

    assert (alone.outcome, alone.rivals, alone.judged, alone.how) == (best, 1, 2, FOLD_BY_FOLD)
    assert (alone.gain.value, alone.gain.low) == pytest.approx((0.05, 0.05))
    assert (mixed.rivals, mixed.judged, mixed.how) == (2, 3, f"{FOLD_BY_FOLD}, or {BY_INTERVALS}")
    assert mixed.gain is None


def test_where_nothing_can_be_judged_nothing_is_printed_of_others():
    trials = [Outcome(f"trial-{f1}", (), "new", scores={"holdout.f1": f1}) for f1 in (0.5, 0.6)]
    aim = Aim("holdout.f1")
    start = Outcome("", (), "done", scores={"holdout.f1": 0.4})

    lines = verdict(aim, trials, trials, start, best_of(aim, trials, start))

    assert "best holdout.f1: 0.600000: trial-0.6 ()" in lines
    assert not [line for line in lines if "others" in line]


def test_a_configuration_that_was_drawn_twice_counts_once():
    trials = [GRID[0], GRID[1], GRID[0], outcome(3, 3, 0.0, "failed")]

    assert counts(trials) == "2 new, 0 already done, 1 failed, 1 drawn again"
    assert len(AIM.ranked(trials)) == 2
    assert best_of(AIM, trials, START).judged == 1


@pytest.mark.parametrize("outcomes", [[], [outcome(2, 1, 0.0, "failed")], [GRID[0]]])
def test_little_makes_a_page_too(outcomes):
    assert "</html>" in page(AIM, outcomes, best_of(AIM, outcomes, START))
