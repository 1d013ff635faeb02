"""The report page of several classes and of values, on real data."""

import re
import xml.etree.ElementTree as ET

import pandas as pd
import pytest
from matplotlib.figure import Figure

from dvckit.reports.plots import draw, read_curves, slices
from dvckit.tasks import task_of
from dvckit.tasks.multiclass_drawings import confusion, roc, short


@pytest.fixture(scope="module")
def iris(reported):
    return reported("iris")


@pytest.fixture(scope="module")
def diabetes(reported):
    return reported("diabetes")


def test_the_page_of_several_classes_opens_with_the_verdict(iris):
    _, text, results = iris

    score = results["evaluation"]["holdout"]["accuracy"]
    assert f"The linear is right for {100 * score['value']:.1f} % of 30 flowers that it has not seen" in text
    assert "Its macro F1, in which every class counts the same, is 0." in text
    assert "Compared with the majority class, it is better by accuracy and better by macro F1." in text


def test_labels_are_called_as_the_project_says(iris):
    html, _, _ = iris

    assert ">bristle…d iris<" in html
    assert ">versicolor<" in html


def test_the_page_of_values_opens_with_the_error(diabetes):
    _, text, results = diabetes

    score = results["evaluation"]["holdout"]["rmse"]
    assert f"The linear is wrong by {score['value']:.1f} (RMSE, 95 % interval {score['low']:.1f} to" in text
    assert "Compared with the mean, it is better by RMSE and better by MAE." in text
    assert re.search(
        r"On the 88 patients above, the mean has an RMSE of [\d.]+ and the median has an RMSE of [\d.]+\. ", text
    )


def test_what_is_minimised_is_called_so(diabetes):
    html, text, results = diabetes

    ranked = sorted(results["diagnostics"]["slices"], key=lambda part: part["rmse"])
    assert f"RMSE is lowest for part {ranked[0]['value']}" in text
    assert f"and highest for part {ranked[1]['value']}" in text
    assert "Hold-out RMSE added when a column is shuffled" in text
    assert ">RMSE added<" in html
    assert "lost" not in text


@pytest.mark.parametrize("name", ["iris", "diabetes"])
def test_a_page_is_complete(request, name):
    html, text, _ = request.getfixturevalue(name)

    assert "All 7 leak checks passed" in text
    assert html.count("<figure") == 6
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", html, flags=re.DOTALL).lower().split()
    assert not re.search(r"<(script|link|img|iframe)|\bsrc=", html)


LONG = [f"Beilschmiedia erythrophloia var. {letter * 9}" for letter in "abcdefghij"]


@pytest.fixture
def axes():
    return Figure(layout="constrained").add_subplot()


@pytest.mark.parametrize("count", [3, 10, 40])
def test_a_confusion_of_any_number_of_long_labels_can_be_drawn(count):
    names = {str(i): LONG[i % 10] for i in range(count)}
    rows = pd.DataFrame({"actual": [*names, "0"], "predicted": [*names, "1"]})

    svg = draw("confusion", confusion, rows, names)

    assert ET.fromstring(svg).tag.endswith("svg")
    assert svg.count(">Beilsch…aaaaaa<") >= 2


def test_the_counts_of_many_rows_fit_into_their_cells(axes):
    confusion(
        axes, pd.DataFrame({"actual": ["a"] * 12_345, "predicted": ["a"] * 12_345}), {"a": "a", "b": "b", "c": "c"}
    )

    assert [text.get_text() for text in axes.texts] == ["12k"]


def test_the_roc_of_many_classes_shows_the_ten_that_are_told_apart_least(axes):
    curves = pd.concat(
        pd.DataFrame({"false_positive_rate": [0, i / 20, 1], "true_positive_rate": [0, 1, 1], "label": f"c{i}"})
        for i in range(12)
    )

    roc(axes, curves, {f"c{i}": f"c{i}" for i in range(12)})

    (legend,) = axes.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [f"c{i}" for i in range(2, 12)]


def test_a_long_name_loses_its_middle():
    assert short("virginica") == "virginica"
    assert short(LONG[0]) != short(LONG[1])
    assert len(short(LONG[0])) == 14


def test_labels_that_look_like_numbers_or_gaps_are_read_as_text(workdir):
    (workdir / "reports/plots").mkdir(parents=True)
    task = task_of(("01", "1", "NA"))
    for name, text in {
        "roc": "false_positive_rate,true_positive_rate,label\n0,1,01\n",
        "confusion": "actual,predicted\n01,NA\n",
        "calibration": "predicted,observed,rows\n0.5,1,3\n",
    }.items():
        (workdir / f"reports/plots/{name}.csv").write_text(text)

    curves = read_curves(task)

    assert curves["confusion"].iloc[0].tolist() == ["01", "NA"]
    assert curves["roc"]["label"].tolist() == ["01"]
    assert curves["calibration"]["predicted"].tolist() == [0.5]


def test_the_line_across_slices_of_values_is_the_rmse_of_all_rows(axes):
    parts = pd.DataFrame(
        {"column": "c", "value": ["a", "b"], "rows": [10, 10], "rmse": [3.0, 4.0], "interval": [[2, 4], [3, 90]]}
    )

    slices(axes, parts, task_of(()))

    assert axes.lines[0].get_xdata()[0] == pytest.approx(12.5**0.5)
    assert axes.get_xlim() == (0, pytest.approx(8.4))
