import xml.etree.ElementTree as ET

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.figure import Figure

from dvckit.reports.plots import draw as draw_one
from dvckit.reports.plots import figures, importance, overlay, slices
from dvckit.tasks import task_of
from dvckit.tasks.base import Words

TASK = task_of((0, 1))
WORDS = Words("Tests", "rows", labels={0: "no", 1: "yes"})

DATA = {
    "roc": pd.DataFrame({"false_positive_rate": [0, 0.5, 1], "true_positive_rate": [0, 0.8, 1]}),
    "precision_recall": pd.DataFrame({"recall": [1, 0.5, 0], "precision": [0.4, 0.8, 1]}),
    "calibration": pd.DataFrame({"predicted": [0.1, 0.9], "observed": [0.2, 0.8], "rows": [30, 10]}),
    "confusion": pd.DataFrame({"actual": ["0", "0", "1"], "predicted": ["0", "1", "1"]}),
    "learning_curve": pd.DataFrame(
        {"rows": [50, 100], "accuracy.value": [0.7, 0.8], "accuracy.low": [0.6, 0.75], "accuracy.high": [0.8, 0.85]}
    ),
    "importance": pd.DataFrame({"column": [f"column {i}" for i in range(12)], "mean": 0.1, "sd": 0.02}),
    "slices": pd.DataFrame(
        {
            "column": ["Sex", "Sex", "Port"],
            "value": ["female", "male", "missing"],
            "rows": [30, 10, 40],
            "accuracy": [0.9, 0.5, 0.8],
            "interval": [[0.7, 0.95], [0.2, 0.8], [0.7, 0.9]],
        }
    ),
}


def draw(name, data=None):
    """One figure of all."""
    tables = DATA | ({} if data is None else {name: data})
    diagnostics = {key: tables[key].to_dict("records") for key in ("importance", "slices")}
    diagnostics["learning_curve"] = [
        {"rows": row["rows"], "accuracy": {end: row[f"accuracy.{end}"] for end in ("value", "low", "high")}}
        for row in tables["learning_curve"].to_dict("records")
    ]
    return figures(TASK, WORDS, tables, diagnostics)[name]


@pytest.fixture
def axes():
    return Figure().add_subplot()


@pytest.mark.parametrize("name", DATA)
def test_a_figure_is_svg_and_the_same_each_time(name):
    svg = draw(name)

    assert ET.fromstring(svg).tag.endswith("svg")
    assert draw(name) == svg
    assert "<dc:date>" not in svg


def test_the_matplotlibrc_of_a_user_has_no_effect():
    svg = draw("roc")

    with mpl.rc_context({"axes.facecolor": "red", "font.size": 30}):
        assert draw("roc") == svg
        assert mpl.rcParams["font.size"] == 30


def test_the_confusion_counts_are_in_the_picture():
    svg = draw("confusion", pd.DataFrame({"actual": ["0"] * 23 + ["1"] * 17, "predicted": ["0"] * 23 + ["1"] * 17}))

    assert ">23<" in svg
    assert ">17<" in svg


def test_one_label_alone_can_be_drawn():
    assert ">3<" in draw("confusion", pd.DataFrame({"actual": ["0"] * 3, "predicted": ["0"] * 3}))


def test_the_most_important_columns_alone_are_drawn_the_first_on_top(axes):
    importance(axes, DATA["importance"], TASK)

    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [f"column {i}" for i in range(10)]
    assert axes.yaxis_inverted()


def test_parts_are_below_the_name_of_their_column_with_their_count(axes):
    slices(axes, DATA["slices"], TASK)

    names = {label.get_text(): label.get_fontweight() for label in axes.get_yticklabels()}
    assert list(names) == ["Sex", "female (30)", "male (10)", "Port", "missing (40)"]
    assert [name for name, weight in names.items() if weight == "bold"] == ["Sex", "Port"]


def test_the_line_across_the_parts_is_the_accuracy_of_all_rows(axes):
    slices(axes, DATA["slices"], TASK)

    assert axes.lines[0].get_xdata()[0] == pytest.approx((30 * 0.9 + 10 * 0.5 + 40 * 0.8) / 80)


def test_the_labels_are_in_the_words_of_the_project():
    assert ">no<" in draw("confusion")
    assert "predicted probability: yes" in draw("calibration")


def test_the_curves_of_several_models_are_one_over_another():
    svg = draw_one("roc", overlay, [(DATA["roc"], "#d55e00", ""), (DATA["roc"], "#0072b2", "6 3")])

    assert "#d55e00" in svg
    assert "#0072b2" in svg
    assert "stroke-dasharray" in svg
