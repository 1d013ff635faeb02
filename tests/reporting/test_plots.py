import xml.etree.ElementTree as ET

import matplotlib as mpl
import pandas as pd
import pytest

from titanic.reporting.plots import DRAWINGS, draw

DATA = {
    "roc": pd.DataFrame({"false_positive_rate": [0, 0.5, 1], "true_positive_rate": [0, 0.8, 1]}),
    "precision_recall": pd.DataFrame({"recall": [1, 0.5, 0], "precision": [0.4, 0.8, 1]}),
    "calibration": pd.DataFrame({"predicted": [0.1, 0.9], "observed": [0.2, 0.8]}),
    "confusion": pd.DataFrame({"actual": [0, 0, 1], "predicted": [0, 1, 1]}),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_figure_is_svg_and_the_same_each_time(name):
    svg = draw(name, DATA[name])

    assert ET.fromstring(svg).tag.endswith("svg")
    assert draw(name, DATA[name]) == svg
    assert "<dc:date>" not in svg


def test_the_matplotlibrc_of_a_user_has_no_say():
    svg = draw("roc", DATA["roc"])

    with mpl.rc_context({"axes.facecolor": "red", "font.size": 30}):
        assert draw("roc", DATA["roc"]) == svg
        assert mpl.rcParams["font.size"] == 30


def test_the_confusion_counts_are_in_the_picture():
    svg = draw("confusion", pd.DataFrame({"actual": [0] * 23 + [1] * 17, "predicted": [0] * 23 + [1] * 17}))

    assert ">23<" in svg
    assert ">17<" in svg


def test_one_label_alone_can_be_drawn():
    assert ">3<" in draw("confusion", pd.DataFrame({"actual": [0] * 3, "predicted": [0] * 3}))
