"""The page of a sweep."""

import re

import pytest

from titanic.experiments.page import importance, page, scale, varied
from titanic.experiments.sweep import Aim, Outcome

AIM = Aim("cv.roc_auc")


def outcome(depth, seed, score, state="new"):
    point = (f"train.max_depth={depth}", f"train.seed={seed}", "train.pipeline=voting")
    scores = {"cv.roc_auc": score, "holdout.roc_auc": 0.5} if state != "failed" else {}
    intervals = {"cv.roc_auc.low": score - 0.1, "cv.roc_auc.high": score + 0.1}
    return Outcome(f"sweep-{depth}-{seed}", point, state, "no <rows>" if state == "failed" else "", scores, intervals)


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
    assert "1 of the 5 others lie in that interval" in html
    assert "no &lt;rows&gt;" in html
    assert html.count("<polyline") == len(GRID) + 2
    assert re.search(r"train.max_depth</th><td>1.00</td>", html)
    assert "http" not in html


@pytest.mark.parametrize("outcomes", [[], [outcome(2, 1, 0.0, "failed")], [GRID[0]]])
def test_little_makes_a_page_too(outcomes):
    assert "</html>" in page(AIM, outcomes)
