"""Tasks with labels: numbers or text, two or more."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics
from sklearn.dummy import DummyClassifier

from dvckit.tasks import task_of
from dvckit.tasks.binary import Binary
from dvckit.tasks.multiclass import Multiclass
from dvckit.tasks.regression import Regression

LABELS = ("small", "big", "odd")  # not in alphabetical order, in which scikit-learn has them
TARGET = pd.Series(["small", "big", "odd", "small", "big", "small"])
PREDICTIONS = np.array(
    [[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.1, 0.4], [0.8, 0.1, 0.1], [0.5, 0.3, 0.2], [0.9, 0.05, 0.05]]
)
THREE = Multiclass(LABELS)


@pytest.mark.parametrize(
    ("labels", "kind"), [((0, 1), Binary), (LABELS, Multiclass), (range(10), Multiclass), ((), Regression)]
)
def test_the_task_follows_from_the_labels(labels, kind):
    assert type(task_of(labels)) is kind
    assert task_of(labels).classes == tuple(labels)


@pytest.mark.parametrize("labels", [("yes", "no"), ("no", "yes"), (2, 1), (1, 2)])
def test_the_second_label_is_the_positive_one(labels):
    target = pd.Series([labels[1]] * 3 + [labels[0]])
    model = DummyClassifier().fit(target.to_frame(), target)

    predictions = task_of(labels).predict(model, target.to_frame())

    assert predictions.tolist() == [0.75] * 4
    assert task_of(labels).labels(predictions).tolist() == [labels[1]] * 4
    assert task_of(labels).truth(target).tolist() == [1, 1, 1, 0]


def test_probabilities_are_in_the_order_of_the_labels():
    model = DummyClassifier().fit(TARGET.to_frame(), TARGET)

    predictions = THREE.predict(model, TARGET.to_frame())

    assert predictions[0] == pytest.approx([3 / 6, 2 / 6, 1 / 6])


@pytest.mark.parametrize("task", [THREE, Binary(("small", "odd"))])
def test_a_label_that_a_model_has_not_seen_has_no_probability(task):
    model = DummyClassifier().fit(pd.DataFrame({"x": [1]}), ["small"])

    predictions = task.predict(model, pd.DataFrame({"x": [1, 2]}))

    assert [column.tolist() for column in task.columns(predictions).values()][:2] == [[1.0, 1.0], [0.0, 0.0]]


@pytest.mark.parametrize(("task", "predictions"), [(THREE, PREDICTIONS), (Binary(("a", "b")), PREDICTIONS[:, 0])])
def test_predictions_come_back_from_their_columns(task, predictions):
    table = pd.DataFrame(task.columns(predictions))

    assert list(table) == [f"probability_{label}" for label in task.classes]
    assert np.array_equal(task.from_columns(table[table.columns[::-1]]), predictions)


def test_the_scores_are_those_of_scikit_learn():
    truth, answers = THREE.truth(TARGET), PREDICTIONS.argmax(axis=1)

    scores = THREE.scores(truth, PREDICTIONS) | THREE.further_scores(truth, PREDICTIONS)

    assert scores == pytest.approx(
        {
            "accuracy": sklearn_metrics.accuracy_score(truth, answers),
            "macro_f1": sklearn_metrics.f1_score(truth, answers, average="macro"),
            "log_loss": sklearn_metrics.log_loss(truth, PREDICTIONS),
            "macro_precision": sklearn_metrics.precision_score(truth, answers, average="macro", zero_division=0),
            "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(truth, answers),
        }
    )


def test_the_details_are_those_of_scikit_learn():
    truth = THREE.truth(TARGET)

    details = THREE.details(truth, PREDICTIONS)

    area = sklearn_metrics.roc_auc_score(truth, PREDICTIONS, multi_class="ovr", average="macro")
    assert details["macro_roc_auc"] == pytest.approx(area)
    assert details["brier"] == pytest.approx(sklearn_metrics.brier_score_loss(truth, PREDICTIONS, labels=[0, 1, 2]))


def test_a_class_without_a_row_changes_no_score_of_the_others():
    truth = np.array([0, 1, 0, 1])
    predictions = np.array([[0.8, 0.2], [0.3, 0.7], [0.4, 0.6], [0.1, 0.9]])
    with_another = np.column_stack([predictions, np.zeros(4)])

    assert THREE.scores(truth, with_another)["macro_f1"] == pytest.approx(
        sklearn_metrics.f1_score(truth, predictions.argmax(axis=1), average="macro")
    )
    assert set(THREE.curves(truth, with_another)["roc"]["label"]) == {"small", "big"}
    for metric in THREE.metrics:
        low, high = metric.interval(truth, with_another)
        assert low <= metric.score(truth, with_another) <= high


def test_one_class_alone_has_no_roc():
    truth = np.array([0, 0])

    assert THREE.curves(truth, PREDICTIONS[:2])["roc"].empty
    assert "macro_roc_auc" not in THREE.details(truth, PREDICTIONS[:2])


@pytest.mark.parametrize(
    ("labels", "target", "scarcity"),
    [
        (("a", "b"), ["a", "b", "a"], (1, "rows of class 'b'")),
        ((0, 1), [1, 1, 1], (0, "rows of class 0")),
        ((3, 1, 2), [3, 3, 1, 1, 1, 2, 2, 2], (2, "rows of class 3")),
    ],
)
def test_the_rarest_class_is_named(labels, target, scarcity):
    assert task_of(labels).scarcity(pd.Series(target)) == scarcity


def test_the_figures_show_the_labels_of_the_data():
    curves = THREE.curves(THREE.truth(TARGET), PREDICTIONS)

    assert curves["confusion"]["actual"].tolist() == TARGET.tolist()
    assert curves["confusion"]["predicted"].tolist() == ["small", "big", "small", "small", "small", "small"]
    assert set(curves["roc"]["label"]) == set(LABELS)
    assert curves["calibration"]["rows"].sum() == len(TARGET)


@pytest.mark.parametrize("labels", [(0, 1), LABELS, ()])
def test_each_curve_is_drawn_and_has_an_entry_for_dvc(labels):
    task = task_of(labels)
    predictions = PREDICTIONS if len(labels) == 3 else PREDICTIONS[:, 0]
    truth = np.array([0, 1, 2, 0, 1, 0]) if len(labels) != 2 else np.array([0, 1, 1, 0, 1, 0])

    curves = task.curves(truth, predictions)

    assert list(curves) == list(task.plots)
    assert set(curves) == set(task.drawings) >= set(task.overlays)
    for name, plot in task.plots.items():
        assert {plot.x, plot.y} <= set(curves[name])


@pytest.mark.parametrize("labels", [(0, 1), LABELS])
def test_a_single_class_cannot_be_learned(labels):
    assert "in every row; a model needs" in " ".join(
        task_of(labels).target_faults({"distinct": 1, "top": {"small": 9}})
    )
    assert list(task_of(labels).target_faults({"distinct": 2, "top": {}})) == []


def test_an_answer_has_the_label_beside_its_probabilities():
    assert list(Binary(("no", "yes")).answer("ill", np.array([0.9]))) == ["ill", "probability_no", "probability_yes"]
    assert list(Regression().answer("price", np.array([3.5]))) == ["price"]


@pytest.mark.parametrize("labels", [(0, 1), LABELS, ()])
def test_there_can_be_predictions_for_no_row(labels):
    task = task_of(labels)

    assert all(len(column) == 0 for column in task.columns(task.none()).values())
    assert len(task.labels(task.none())) == 0


def over_folds(score):
    return pd.DataFrame({"macro_f1": [score] * 5})


def test_macro_f1_by_chance_is_no_finding():
    target = pd.Series(["a"] * 100 + ["b"] * 60 + ["c"] * 40)

    assert list(THREE.predicts_shuffled(over_folds(0.37), target)) == []
    assert "macro F1 is 0.500, above 0.4" in " ".join(THREE.predicts_shuffled(over_folds(0.5), target))
