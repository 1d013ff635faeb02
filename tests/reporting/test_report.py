import re
from html.parser import HTMLParser

import pytest

from titanic.config import load_params
from titanic.reporting.report import inline, page

METRICS = {
    "holdout": {"accuracy": 0.804, "roc_auc": 0.83, "f1": 0.7, "precision": 0.8, "recall": 0.6, "log_loss": 0.46},
    "cv": {"accuracy": 0.79, "accuracy_sd": 0.044, "roc_auc": 0.82, "log_loss": 0.48},
    "baseline": {"majority": 0.631, "gender": 0.799},
}
DIAGNOSTICS = {
    "repeated_cv": {"accuracy": {"value": 0.79, "low": 0.75, "high": 0.83}},
    "slices": [
        {"column": "Sex", "value": "<female>", "rows": 60, "survived": 0.7, "accuracy": 0.8, "interval": [0.7, 0.9]}
    ],
    "importance": [{"column": "Title", "mean": 0.1, "sd": 0.01}],
}
EVALUATION = {
    "holdout": {
        "rows": 178,
        "accuracy": {"value": 0.804, "low": 0.735, "high": 0.852},
        "average_precision": 0.8,
        "brier": 0.14,
        "calibration_error": 0.05,
    },
    "cv": {"fits": 5, "accuracy": {"value": 0.78, "low": 0.7, "high": 0.86}},
}
QUALITY = {
    "train": {
        "rows": {"read": 891, "accepted": 890, "rejected": 1},
        "columns": {
            "Age": {"type": "float", "missing": 177, "distinct": 88, "min": 0.42, "max": 80.0, "mean": 29.7},
            "Sex": {"type": "str", "missing": 0, "distinct": 2, "top": {"male": 577, "female": 313}},
        },
    },
    "checks": {"leaks": {"ok": False, "found": ["Fare alone tells Survived"]}},
}
SVG = '<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg><g id="axes_1"><path id="p1"/></g></svg>\n'
RESULTS = {"metrics": METRICS, "evaluation": EVALUATION, "diagnostics": DIAGNOSTICS, "quality": QUALITY}


@pytest.fixture
def html(tmp_path, write_params):
    return page(load_params(write_params(tmp_path)), RESULTS, {"roc": SVG})


def test_the_verdict_stands_beside_both_baselines(html):
    text = re.sub(r"\s+|&nbsp;", " ", html)

    assert "right for <strong>80.4 %</strong>" in text
    assert "right for 79.9 % of them" in text
    assert "63.1 %" in text
    assert "95 % interval 73.5 % to 85.2 %" in text
    assert "accuracy is 79.0 %, 75.0 % to 83.0 %" in text


def test_every_parameter_is_in_the_page(html):
    for key in ("dataset.source", "validate.max_rejected_share", "train.n_estimators", "diagnose.repeats"):
        assert f">{key}<" in html


def test_the_page_fetches_nothing(html):
    assert not re.search(r"<(script|link|img|iframe)|\bsrc=|@import|url\(", html)


def test_values_cannot_become_markup(html):
    assert "&lt;female&gt;" in html


def test_every_figure_has_a_text(html):
    assert 'role="img" aria-label="ROC curve on the hold-out rows' in html


def test_the_page_is_well_formed(html):
    void = {"meta", "path"}

    still_open = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag, _):
            if tag not in void:
                still_open.append(tag)

        def handle_endtag(self, tag):
            if tag not in void:
                assert still_open.pop() == tag

    Tags().feed(html)

    assert still_open == []


def test_figures_share_no_ids():
    assert inline(SVG) == '<svg><g><path id="p1"/></g></svg>\n'


def test_made_up_passengers_are_called_so(tmp_path, write_params, html):
    params = load_params(write_params(tmp_path, ("source: synthetic", "source: files")))

    assert "passengers are made up" in html
    assert "made up" not in page(params, RESULTS, {"roc": SVG})
