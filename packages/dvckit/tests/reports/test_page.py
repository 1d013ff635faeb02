import copy
import re
from html import unescape
from html.parser import HTMLParser

import pytest

from dvckit.core.params import read_values
from dvckit.reports.page import page as render_page
from dvckit.reports.page import verdict
from dvckit.reports.plots import DIAGNOSTICS as OF_DIAGNOSTICS
from dvckit.reports.templates import inline
from dvckit.tasks import task_of
from titanic.reporting.report import SYNTHETIC_NOTE
from titanic.reporting.words import WORDS

TASK = task_of((0, 1))
DRAWINGS = [*TASK.drawings, *OF_DIAGNOSTICS]

ANY = {metric.name: 0.5 for metric in TASK.metrics}  # so that another metric of the task needs no value here
METRICS = {
    "holdout": ANY | {"accuracy": 0.804, "roc_auc": 0.83, "f1": 0.7, "precision": 0.8, "recall": 0.6, "log_loss": 0.46},
    "cv": ANY | {"accuracy": 0.79, "accuracy_sd": 0.044, "roc_auc": 0.82, "log_loss": 0.48},
    "baseline": {"majority": 0.631, "gender": 0.799},
}


def interval(value, low, high):
    return {"value": value, "low": low, "high": high}


def scores(accuracy, roc_auc, log_loss):
    others = {name: interval(value, value, value) for name, value in ANY.items()}
    return others | {"fits": 50, "accuracy": accuracy, "roc_auc": roc_auc, "log_loss": log_loss}


MODEL = scores(interval(0.79, 0.75, 0.83), interval(0.83, 0.8, 0.86), interval(0.45, 0.4, 0.5))
LESS = scores(interval(0.012, -0.01, 0.034), interval(0.06, 0.03, 0.09), interval(-0.05, -0.09, -0.01))
CLEAN = {"ok": True, "found": []}
DIAGNOSTICS = {
    "repeated_cv": {
        "model": MODEL,
        "gender": MODEL,
        "majority": MODEL,
        "model_less_gender": LESS,
        "model_less_majority": LESS,
    },
    "learning_curve": [{"rows": rows, **MODEL} for rows in (57, 570)],
    "slices": [
        {"column": "Sex", "value": "<female>", "rows": 60, "positive": 0.7, "accuracy": 0.8, "interval": [0.7, 0.9]}
    ],
    "importance": [{"column": "Title", "mean": 0.1, "sd": 0.01}],
    "checks": {"model_of_other_rows": CLEAN},
}
EVALUATION = {
    "holdout": {
        "rows": 178,
        "accuracy": {"value": 0.804, "low": 0.735, "high": 0.852},
        "roc_auc": {"value": 0.83, "low": 0.76, "high": 0.89},
        "log_loss": {"value": 0.46, "low": 0.4, "high": 0.54},
        "average_precision": 0.8,
        "brier": 0.14,
        "calibration_error": 0.05,
    },
    "cv": {"fits": 5, "accuracy": {"value": 0.78, "low": 0.7, "high": 0.86}},
    "checks": {"holdout_rows_in_training": CLEAN},
}
QUALITY = {
    "train": {
        "rows": {"read": 891, "accepted": 890, "rejected": 1},
        "columns": {
            "Age": {"type": "float", "missing": 177, "distinct": 88, "min": 0.42, "max": 80.0, "mean": 29.7},
            "Sex": {"type": "str", "missing": 0, "distinct": 2, "top": {"male": 577, "female": 313}},
        },
    },
    "checks": {"leaks": CLEAN, "constant_columns": {"ok": False, "found": ["Ship is constant"]}},
}
SVG = '<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg><g id="axes_1"><path id="p1"/></g></svg>\n'
FIGURES = dict.fromkeys(DRAWINGS, SVG)
RESULTS = {"metrics": METRICS, "evaluation": EVALUATION, "diagnostics": DIAGNOSTICS, "quality": QUALITY}


def page(path, results=RESULTS, notes=()):
    use = "- **For** learning <b>only</b>.\n"
    return render_page(read_values(path), results, FIGURES, TASK, WORDS, intended_use=use, notes=[*notes])


@pytest.fixture
def html(tmp_path, write_params):
    return page(write_params(tmp_path))


@pytest.fixture
def text(html):
    """What is to be read in the page, without its tags."""
    return words_of(html)


def words_of(html):
    return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]*>", "", html, flags=re.DOTALL)).split())


def test_the_verdict_is_beside_both_baselines(text):
    assert "right for 80.4 % of 178 passengers" in text
    assert "95 % interval 73.5 % to 85.2 %" in text
    assert (
        "the model is right for 79.0 % (75.0 % to 83.0 %): +1.2 percentage points (\N{MINUS SIGN}1.0 to +3.4) compared"
        in text
    )
    assert (
        "On the 178 passengers above, the rule “women and girls survive” is right for 79.9 % and the majority class is "
        "right for 63.1 %. How sure" in text
    )


def test_the_verdict_names_what_is_indistinguishable(text):
    assert (
        "Compared with the rule “women and girls survive”, it is indistinguishable by accuracy and better by ROC AUC."
        in text
    )


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.01, 0.03, "better"),
        (-0.01, 0.03, "indistinguishable"),
        (-0.03, -0.01, "worse"),
        (0.0, 0.0, "indistinguishable"),
    ],
)
def test_a_difference_counts_when_its_interval_leaves_out_zero(low, high, word):
    assert verdict(TASK.metrics[0], {"low": low, "high": high}) == word


def test_leak_checks_that_found_nothing_are_one_line(text):
    assert "All 3 leak checks passed. They look for hold-out rows in training, raw columns" in text
    assert "do not trust" not in text


@pytest.mark.parametrize("part", ["evaluation", "diagnostics", "quality"])
def test_a_leak_is_shown_before_the_verdict(tmp_path, write_params, part):
    results = copy.deepcopy(RESULTS)
    results[part]["checks"] |= {"leaks": {"ok": False, "found": ["Boat alone tells Survived"]}}

    text = words_of(page(write_params(tmp_path), results))

    assert "do not trust them. Boat alone tells Survived The random forest is right for" in text
    assert "leak checks passed" not in text


def test_the_findings_of_the_data_checks_are_shown(text):
    assert "Checks of the data: leaks, constant columns. They found this: Ship is constant" in text


def test_every_parameter_is_in_the_page(text):
    for key in ("dataset.source", "validate.max_rejected_share", "train.n_estimators", "diagnose.repeats"):
        assert key in text


def test_the_page_fetches_nothing(html):
    assert not re.search(r"<(script|link|img|iframe)|\bsrc=|@import|url\(", html)


def test_values_cannot_become_markup(html):
    assert "&lt;female&gt;" in html


def test_every_figure_describes_what_it_shows(html):
    labels = [unescape(label) for label in re.findall(r'<figure role="img" aria-label="([^"]*)">', html)]

    assert len(labels) == len(DRAWINGS)
    assert "The area under the ROC curve is 0.830 (0.760 to 0.890)" in labels[0].replace("\N{NO-BREAK SPACE}", " ")


def test_the_page_is_well_formed(html):
    void = {"meta", "path", "wbr"}

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


def test_synthetic_passengers_are_called_synthetic(tmp_path, write_params, html):
    assert "made up" not in html
    assert "passengers are made up" in page(write_params(tmp_path), notes=[SYNTHETIC_NOTE])


def test_less_log_loss_is_better():
    assert verdict(TASK.metrics[2], {"low": -0.09, "high": -0.01}) == "better"


def test_the_intended_use_is_markdown_and_its_html_is_text(html):
    assert "<strong>For</strong> learning &lt;b&gt;only&lt;/b&gt;." in html
