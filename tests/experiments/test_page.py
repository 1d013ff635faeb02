"""The page of a sweep."""

import re

import pytest

from titanic.experiments.page import importance, page, scale, varied
from titanic.experiments.summary import BY_INTERVAL, FOLD_BY_FOLD, best_of
from titanic.experiments.sweep import Aim, Outcome

AIM = Aim("cv.roc_auc")


def outcome(depth, seed, score, state="new"):
    point = (f"train.max_depth={depth}", f"train.seed={seed}", "train.pipeline=voting")
    scores = {"cv.roc_auc": score, "holdout.roc_auc": 0.5} if state != "failed" else {}
    sure = {"cv.roc_auc.low": score - 0.1, "cv.roc_auc.high": score + 0.1}
    return Outcome(f"sweep-{depth}-{seed}", point, state, "no <rows>" if state == "failed" else "", scores, sure)


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


def test_the_page_tells_the_best_and_what_failed_and_needs_no_network():
    html = page(AIM, [*GRID, outcome(3, 3, 0.0, "failed")])

    assert "<strong>sweep-9-1</strong> is the highest with 0.9000" in html
    assert "1 of the 5 others are indistinguishable from it, by its interval where the folds are others" in html
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


def test_rivals_are_judged_fold_by_fold_where_the_folds_are_the_same():
    best = over_folds("best", 0.90, 0.91, 0.92, 0.89, 0.90)
    worse_everywhere = over_folds("worse", 0.88, 0.89, 0.90, 0.87, 0.88)  # inside of the best's interval
    now_and_then = over_folds("rival", 0.92, 0.89, 0.93, 0.87, 0.90)
    elsewhere = over_folds("elsewhere", 0.86, 0.86, 0.86, 0.86, 0.86, rows="others")

    alone = best_of(AIM, [now_and_then, best, worse_everywhere])
    mixed = best_of(AIM, [now_and_then, best, worse_everywhere, elsewhere])

    assert (alone.outcome, alone.rivals, alone.how) == (best, 1, FOLD_BY_FOLD)
    assert (mixed.rivals, mixed.how) == (2, f"{FOLD_BY_FOLD}, or {BY_INTERVAL}")


@pytest.mark.parametrize("outcomes", [[], [outcome(2, 1, 0.0, "failed")], [GRID[0]]])
def test_little_makes_a_page_too(outcomes):
    assert "</html>" in page(AIM, outcomes)
