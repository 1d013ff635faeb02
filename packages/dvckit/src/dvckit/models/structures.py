"""Checks of what scikit-learn's compiled code takes for granted: a wrong place in a tree crashes the interpreter.

They are made on plain values, before any object exists. What Python code checks by itself is not checked again here.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
from sklearn.tree._tree import NODE_DTYPE, TREE_LEAF

from dvckit.models.archive import HostileError

TREE = "sklearn.tree._tree.Tree"
PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
TREES = tuple(
    f"sklearn.tree._classes.{kind}Tree{task}" for kind in ("Decision", "Extra") for task in ("Classifier", "Regressor")
)
MULTINOMIAL = "sklearn._loss.loss.HalfMultinomialLoss"


@dataclass(frozen=True)
class Stored:
    """An object of a file that nobody has made yet: the full name of its type, and its attributes."""

    type: str
    attributes: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        """Return an attribute; HostileError where it is missing."""
        _require(name in self.attributes, f"a {self.type} has no {name}")
        return self.attributes[name]


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - the sentence beside it tells what it is
    if not holds:
        raise HostileError(otherwise)


def _whole(value: Any, least: int = 1) -> int:
    """Return a whole number, which scikit-learn may have stored as an array without dimensions."""
    if isinstance(value, np.ndarray) and value.shape == () and value.dtype.kind in "iu":
        value = int(value)
    _require(type(value) is int and value >= least, f"a number must be whole and at least {least}")
    return int(value)


def _array(value: Any, kind: str, *shape: int) -> Any:
    """Return an array whose dtype is of a kind of numpy's, and whose shape is this one; -1 is any length."""
    shaped = isinstance(value, np.ndarray) and value.dtype.kind in kind and value.ndim == len(shape)
    fits = shaped and all(length in (-1, side) for length, side in zip(shape, value.shape, strict=True))
    _require(fits, f"an array has not the shape {shape} or not the kind {kind}")
    return value


def _list(value: Any, length: int | None = None) -> list[Any]:
    _require(isinstance(value, list) and length in (None, len(value)), f"a list has not the length {length}")
    return list(value)


def _length(value: Any) -> int:
    """Return the length of an array in one dimension; one of objects is a list here."""
    return len(value if isinstance(value, list) else _array(value, "biufU", -1))


def _objects(value: Any, types: Iterable[str]) -> list[Stored]:
    objects = _list(value)
    _require(bool(objects) and all(isinstance(one, Stored) and one.type in types for one in objects), "a list is wrong")
    return objects


def _check_places(nodes: Any, inner: Any, children: Iterable[str], feature: str) -> None:
    """Check that both children of each inner node come after it, as scikit-learn orders them: no way leads back or out."""
    places = np.flatnonzero(inner)
    for side in children:
        child = nodes[side][inner].astype("int64")
        _require(bool(((child > places) & (child < len(nodes))).all()), "a node of a tree has a child that is none")
    _require(bool((nodes[feature][inner] >= 0).all()), "a node of a tree has a negative feature")


def _check_tree(tree: Stored) -> None:
    """Check a tree's arrays; `n_features`, `n_classes` and `n_outputs` are what it is made of."""
    nodes, n_features = tree["nodes"], _whole(tree["n_features"])
    _require(isinstance(nodes, np.ndarray) and nodes.dtype == NODE_DTYPE and nodes.ndim == 1, "a tree has other nodes")
    _require(_whole(tree["node_count"]) == len(nodes) and _whole(tree["n_outputs"]) == 1, "a tree is of another size")
    n_classes = _whole(_array(tree["n_classes"], "i", 1)[0:1].reshape(()))
    values = _array(tree["values"], "f", len(nodes), 1, n_classes)
    _require(values.dtype == np.float64 and bool(np.isfinite(values).all()), "a tree has values that are no numbers")
    inner = nodes["left_child"] != TREE_LEAF
    _require(bool((nodes["right_child"][~inner] == TREE_LEAF).all()), "a leaf of a tree has a child")
    _check_places(nodes, inner, ("left_child", "right_child"), "feature")
    _require(bool((nodes["feature"][inner] < n_features).all()), "a node of a tree has a feature that is none")
    _require(not np.isnan(nodes["threshold"]).any(), "a node of a tree has no threshold")


def _check_tree_model(model: Stored) -> None:
    if "tree_" in model.attributes:
        tree = model["tree_"]
        _require(isinstance(tree, Stored) and tree.type == TREE, "a tree is none")
        _require(_whole(model["n_features_in_"]) == tree["n_features"], "a tree has other features than its model")
        _require(_whole(model["n_outputs_"]) == 1, "a tree has more than one output")
        if "n_classes_" in model.attributes:
            _require(_length(model["classes_"]) == _n_classes(model), "a tree has other classes than its model")


def _n_classes(model: Stored) -> int:
    """Return the number of classes of a fitted tree."""
    n_classes = int(model["tree_"]["n_classes"][0])
    _require(
        _whole(model.attributes.get("n_classes_", n_classes)) == n_classes, "a tree has other classes than its model"
    )
    return n_classes


def _check_members(model: Stored, trees: list[Stored]) -> None:
    """Check that trees have the features that their model checks rows for."""
    n_features = _whole(model["n_features_in_"])
    _require(all(_whole(tree["n_features_in_"]) == n_features for tree in trees), "trees have other features")
    _require(all("tree_" in tree.attributes for tree in trees), "a tree has not been fitted")


def _check_forest(forest: Stored) -> None:
    if "estimators_" in forest.attributes:
        trees = _objects(forest["estimators_"], TREES)
        _check_members(forest, trees)
        n_classes = _whole(forest.attributes.get("n_classes_", 1))
        _require(_whole(forest["n_outputs_"]) == 1, "a forest has more than one output")
        _require(all(_n_classes(tree) == n_classes for tree in trees), "trees have other classes than their forest")


def _check_boosting(model: Stored) -> None:
    """Check that each iteration has as many trees as the first prediction has columns."""
    if "estimators_" in model.attributes:
        width = _whole(model["n_trees_per_iteration_"])
        trees = [tree for row in _list(model["estimators_"]) for tree in _list(row, width)]
        _objects(trees, ["sklearn.tree._classes.DecisionTreeRegressor"])
        _check_members(model, trees)
        _require(all(_n_classes(tree) == 1 for tree in trees), "a tree of gradient boosting has classes")
        loss = model["_loss"]
        multinomial = isinstance(loss, Stored) and loss.type == MULTINOMIAL and "is_multiclass" not in loss.attributes
        _require(multinomial or width == 1, "gradient boosting has too many trees")
        if model["init_"] != "zero":
            _check_first(model, width if multinomial else None)


def _check_first(model: Stored, columns: int | None) -> None:
    """Check what gradient boosting starts with: a constant, or the share of each class."""
    first, task = model["init_"], model.type.removeprefix("sklearn.ensemble._gb.GradientBoosting")
    starts = (
        isinstance(first, Stored) and first.type == f"sklearn.dummy.Dummy{task}" and "n_outputs_" in first.attributes
    )
    _require(starts, "gradient boosting starts wrongly")
    if task == "Classifier":
        n_classes = _whole(first["n_classes_"], 2)
        _require(first["_strategy"] == "prior" and columns in (None, n_classes), "gradient boosting starts wrongly")


def _check_dummy(model: Stored) -> None:
    """Check that a model without features has as many answers as numbers for them."""
    if "n_outputs_" in model.attributes:
        _require(_whole(model["n_outputs_"]) == 1, "a dummy has more than one output")
        if model.type.endswith("Classifier"):
            _array(model["class_prior_"], "f", _whole(model["n_classes_"]))
        else:
            _array(model["constant_"], "fi", 1, 1)


def _check_predictor(predictor: Stored) -> None:
    nodes = predictor["nodes"]
    fits = (
        isinstance(nodes, np.ndarray) and nodes.dtype == PREDICTOR_RECORD_DTYPE and nodes.ndim == 1 and len(nodes) > 0
    )
    _require(fits, "a histogram tree has other nodes")
    _check_places(nodes, nodes["is_leaf"] == 0, ("left", "right"), "feature_idx")
    _require(not nodes["is_categorical"].any(), "a histogram tree splits categories, which cannot be checked")
    _require(bool(np.isfinite(nodes["value"]).all()), "a histogram tree has values that are no numbers")


def _check_histogram(model: Stored) -> None:
    if "_predictors" in model.attributes:
        n_features, width = _whole(model["n_features_in_"]), _whole(model["n_trees_per_iteration_"])
        trees = _objects([tree for row in _list(model["_predictors"]) for tree in _list(row, width)], [PREDICTOR])
        inner = (tree["nodes"][tree["nodes"]["is_leaf"] == 0] for tree in trees)
        _require(
            all((nodes["feature_idx"] < n_features).all() for nodes in inner), "a histogram tree has other features"
        )
        predicts = model["_preprocessor"] is None and "_in_fit" not in model.attributes
        _require(predicts, "histogram trees split categories, which cannot be checked")
        categorical = _array(model["_bin_mapper"]["is_categorical_"], "bu", n_features)
        _require(not categorical.any(), "histogram trees split categories, which cannot be checked")


def _check_encoder(encoder: Stored) -> None:
    """Check that each category has a column: the places of the ones in the result follow from these."""
    if "categories_" in encoder.attributes:
        categories = _list(encoder["categories_"], _whole(encoder["n_features_in_"]))
        count = len(categories)
        none = [None] * count
        infrequent, mappings = none, none
        if encoder["_infrequent_enabled"] is not False:
            infrequent = _list(encoder["_infrequent_indices"], count)
            mappings = _list(encoder["_default_to_infrequent_mappings"], count)
        dropped = encoder["_drop_idx_after_grouping"]
        drops = none if dropped is None else _list(dropped, count)
        columns = map(_columns, categories, infrequent, mappings, drops)
        _require(list(columns) == encoder["_n_features_outs"], "an encoder has other columns than categories")


def _check_sorted(categories: Any) -> None:
    """Check that categories rise, the missing one last: a number is looked for by bisection, and found or not."""
    if isinstance(categories, list):
        categories = np.array([one for one in categories if isinstance(one, int | float)], dtype="float64")
    _array(categories, "biufU", -1)
    known = categories[~np.isnan(categories)] if categories.dtype.kind == "f" else categories
    rises = (known[1:] > known[:-1]).all() and (categories[: len(known)] == known).all()
    _require(bool(rises), "categories are not sorted")


def _columns(categories: Any, infrequent: Any, mapping: Any, drop: Any) -> int:
    """Return how many columns the categories of one input get; an object array is a list here."""
    _check_sorted(categories)
    columns = _length(categories)
    _require((infrequent is None) == (mapping is None), "categories that are rare are not said to be so")
    if mapping is not None:
        places = _array(infrequent, "i", -1)
        _require(bool(((places >= 0) & (places < columns)).all()) and len(places) > 0, "a rare category is none")
        _require(bool((_array(mapping, "i", columns) >= 0).all()), "a category is at a negative place")
        columns = int(mapping.max()) + 1
    _require(drop is None or _whole(drop, 0) < columns, "a category that is left out is none")
    return columns - (drop is not None)


def _check_network(network: Stored) -> None:
    if "coefs_" in network.attributes:
        layers = _whole(network["n_layers_"], 2) - 1
        width = _whole(network["n_features_in_"])
        for weights, bias in zip(_list(network["coefs_"], layers), _list(network["intercepts_"], layers), strict=True):
            width = _array(weights, "f", width, -1).shape[1]
            _array(bias, "f", width)
        _require(_whole(network["n_outputs_"]) == width, "a network has other outputs than its last layer")


def _check_random_state(state: Stored) -> None:
    """Check the state of a Mersenne Twister: its place in its words is used as it is."""
    inner = state["state"]
    _require(state["bit_generator"] == "MT19937" and isinstance(inner, dict), "a random state is of another kind")
    _require(set(inner) == {"key", "pos"} and _whole(inner["pos"], 0) <= 624, "a random state is at another place")
    _require(_array(inner["key"], "u", 624).dtype == np.uint32, "a random state has other words")
    _require(state["has_gauss"] in (0, 1) and math.isfinite(state["gauss"]), "a random state has another deviate")


CHECKS: dict[str, Callable[[Stored], None]] = {
    TREE: _check_tree,
    PREDICTOR: _check_predictor,
    "numpy.random.mtrand.RandomState": _check_random_state,
    "sklearn.preprocessing._encoders.OneHotEncoder": _check_encoder,
    **dict.fromkeys(TREES, _check_tree_model),
}
for task in ("Classifier", "Regressor"):
    CHECKS |= {
        f"sklearn.ensemble._forest.RandomForest{task}": _check_forest,
        f"sklearn.ensemble._forest.ExtraTrees{task}": _check_forest,
        f"sklearn.dummy.Dummy{task}": _check_dummy,
        f"sklearn.ensemble._gb.GradientBoosting{task}": _check_boosting,
        f"sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoosting{task}": _check_histogram,
        f"sklearn.neural_network._multilayer_perceptron.MLP{task}": _check_network,
    }
