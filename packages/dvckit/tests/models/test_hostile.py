"""Models whose sha256 is right and whose types are trusted, and that would still do harm: each is refused with its reason.

`Forged` edits the schema and the members of a model before it is packed again.
"""

import functools
import io
import json
import operator
import os
import random
import struct
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import AdaBoostClassifier, ExtraTreesClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from dvckit.core.errors import UserError
from dvckit.models.nodes import TYPES
from dvckit.models.stored import answers, dump, parse
from packages.dvckit.tests.models import small_models
from packages.dvckit.tests.models.fuzz import array_of, member_of
from packages.dvckit.tests.models.small_models import CLASSIFIERS, HISTOGRAM, KINDS, card_of, pipeline

BINARY, MULTICLASS, REGRESSION = KINDS.values()


@pytest.fixture(scope="module")
def models():
    """Every model, stored: its kind and its bytes."""
    return list(small_models.stored())


@functools.cache
def content_of(name, kind="binary"):
    """The bytes of a small model; hist is that over histograms."""
    found = [one for of, one in small_models.pipelines() if of == kind and type(one[-1]).__name__.startswith(name)]
    return dump(found[0].fit(KINDS[kind].rows, KINDS[kind].table["y"]))


def zipped(members, **options):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", options.get("method", zipfile.ZIP_DEFLATED)) as archive:
        for name, member in members:
            archive.writestr(name, member)
    return buffer.getvalue()


def scalar(value):
    return {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(value),
        "is_json": True,
    }


def node(loader, module, name, **content):
    return {"__loader__": loader, "__module__": module, "__class__": name, **content}


def listed(*items):
    return node("ListNode", "builtins", "list", content=list(items))


def dictionary(**items):
    keys = [node("TypeNode", "builtins", "str") for _ in items]
    return node("DictNode", "builtins", "dict", content=items, key_types=listed(*keys))


def within(value):
    """All nodes in a JSON value, from within outwards."""
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from within(child)
    if isinstance(value, dict):
        yield value


class Forged:
    """A model under change. Its nodes have no numbers, so that a change of one is not seen in another."""

    def __init__(self, content):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            self.members = {name: archive.read(name) for name in archive.namelist()}
        text = self.members.pop("schema.json")
        self.schema = json.loads(text, object_hook=lambda one: {key: one[key] for key in one if key != "__id__"})

    def nodes(self, name):
        """All nodes of a class, from within outwards."""
        return [one for one in within(self.schema) if one.get("__class__") == name]

    def attributes(self, name, key):
        """The attributes of all objects of a class that have this one."""
        every = [one["content"]["content"] for one in self.nodes(name)]
        return [attributes for attributes in every if key in attributes]

    def set(self, name, **values):
        """Set attributes of all objects of a class; None drops one."""
        for one in self.nodes(name):
            names, types = one["content"]["content"], one["content"]["key_types"]["content"]
            for key, value in values.items():
                if key in names and value is None:
                    del names[key]
                    types.pop()
                elif value is not None:
                    types += [] if key in names else [node("TypeNode", "builtins", "str")]
                    names[key] = value

    def array(self, at, value):
        """Put an array where a node is, in a member of its own."""
        name = f"new{len(self.members)}.npy"
        self.members[name] = value if isinstance(value, bytes) else member_of(value)
        at.clear()
        at.update(node("NdArrayNode", "numpy", "ndarray", type="numpy", file=name))

    def edit(self, at, change):
        """Change the array of a node in place."""
        array = array_of(self.members[at["file"]]).copy()
        again = change(array)
        self.array(at, array if again is None else again)

    def packed(self):
        return zipped({"schema.json": json.dumps(self.schema).encode(), **self.members}.items())


def refusal(content, kind=BINARY, trusted=()):
    """The sentence that a model is refused with."""
    with pytest.raises(UserError) as refused:
        parse(content, card_of(content, kind), "model.skops", kind.schema, trusted)
    assert str(refused.value).isprintable()
    return str(refused.value)


def test_every_model_is_loaded_and_predicts_what_it_did(models):
    for kind, content in models:
        model, _ = parse(content, card_of(content, kind), "model", kind.schema, HISTOGRAM)
        plain = skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))

        given = answers(model, kind.schema, kind.task, kind.rows, "model")

        assert given.equals(answers(plain, kind.schema, kind.task, kind.rows, "plain"))


def test_each_type_that_is_trusted_is_in_a_model(models):
    """So that the list is not longer than it must be."""
    types = set()
    for _, content in models:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            json.loads(
                archive.read("schema.json"),
                object_hook=lambda one: types.add((one.get("__module__"), one.get("__class__"))),
            )

    assert {f"{module}.{name}" for module, name in types} >= TYPES["ObjectNode"]


def test_a_model_without_numbers_of_nodes_is_loaded():
    """What the cases below change is a model that is accepted."""
    content = Forged(content_of("Voting")).packed()

    parse(content, card_of(content, BINARY), "model", BINARY.schema)


def at_tree(forged, field):
    """The nodes of a field of each tree: nodes or values."""
    return [tree["content"]["content"][field] for tree in forged.nodes("Tree")]


def tree_field(field, place, value):
    """Set a field of a node of a tree."""

    def change(forged):
        for at in at_tree(forged, "nodes"):
            forged.edit(
                at, lambda nodes: nodes[field].__setitem__(place, value(len(nodes)) if callable(value) else value)
            )

    return change


def tree_state(**values):
    def change(forged):
        for tree in forged.nodes("Tree"):
            tree["content"]["content"].update({name: scalar(value) for name, value in values.items()})

    return change


def tree_values(change):
    return lambda forged: [forged.edit(at, change) for at in at_tree(forged, "values")]


def tree_argument(place, value):
    def change(forged):
        for tree in forged.nodes("Tree"):
            tree["__reduce__"]["args"]["content"][place] = scalar(value)

    return change


def attribute(name, **values):
    """Set attributes of all objects of a class to what JSON can write."""
    return lambda forged: forged.set(name, **{key: scalar(value) for key, value in values.items()})


def dropped(name, *keys):
    return lambda forged: forged.set(name, **dict.fromkeys(keys))


def both(*changes):
    return lambda forged: [change(forged) for change in changes]


def tree_keys(name):
    """Give each tree's state the type of a key more."""

    def change(forged):
        for tree in forged.nodes("Tree"):
            tree["content"]["key_types"]["content"].append(node("TypeNode", "builtins", "str"))
            assert name in tree["content"]["content"]

    return change


def objects(*values):
    """An array of objects."""
    shape = node("TupleNode", "builtins", "tuple", content=[scalar(len(values))])
    return node("NdArrayNode", "numpy", "ndarray", type="json", content=[scalar(one) for one in values], shape=shape)


def arrays(name, key, change):
    """Change an array, or each of a list, that is an attribute."""

    def edit(forged):
        for values in forged.attributes(name, key):
            at = values[key]
            for one in at["content"] if at["__loader__"] == "ListNode" else [at]:
                if one["__loader__"] == "NdArrayNode" and "file" in one:
                    forged.edit(one, change)

    return edit


def every(name, key, make):
    return lambda forged: [values.update({key: make(forged, values[key])}) for values in forged.attributes(name, key)]


def deep(levels):
    value = scalar(1)
    for _ in range(levels):
        value = listed(value)
    return value


def keys_dropped(forged):
    """skops leaves out the attributes that have no type of their key: a tree whose rows nobody counts."""
    for name in ("DecisionTreeClassifier", "RandomForestClassifier"):
        for one in forged.nodes(name):
            one["content"]["key_types"]["content"].pop()


def one_number(forged):
    """The folder is written only where skops does not look, for it has met the number before."""
    forged.schema["content"]["__id__"] = 5
    forged.set("Pipeline", verbose=scalar("/tmp/folder") | {"__id__": 7}, memory=scalar(None) | {"__id__": 7})


def inside_itself(forged):
    forged.schema["content"]["__id__"] = 7
    forged.set("Pipeline", verbose=dictionary() | {"__id__": 7})


def big_member(forged):
    """One member of 2 MB, which 600 nodes name."""
    forged.members["big.npy"] = member_of(np.zeros(250_000))
    big = node("NdArrayNode", "numpy", "ndarray", type="numpy", file="big.npy")
    forged.set("Pipeline", verbose=listed(*[big] * 600))


def two_keys(forged):
    types = [node("TypeNode", "builtins", "int")] * 2
    twice = node("DictNode", "builtins", "dict", content={"1": scalar(1), "01": scalar(2)}, key_types=listed(*types))
    forged.set("Pipeline", verbose=twice)


def called(loader, module, name, **content):
    return lambda forged: forged.set("Pipeline", verbose=node(loader, module, name, **content))


def new_array(value):
    def change(forged):
        holder = {}
        forged.array(holder, value)
        forged.set("Pipeline", verbose=holder)

    return change


def header(text, version=b"\x01\x00", body=b""):
    head = text.encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(head)) + head + body


def pickled():
    buffer = io.BytesIO()
    np.save(buffer, np.array([1], dtype=object), allow_pickle=True)
    return buffer.getvalue()


FOREST, BOOSTING, NETWORK = "RandomForestClassifier", "GradientBoostingClassifier", "MLPClassifier"
VOTING, ENCODER, TEXT = "VotingClassifier", "OneHotEncoder", "HashingVectorizer"
VALUE = "has a value that no model may have"
# By what is wrong: the model, the change, and what the refusal says.
CASES = {
    # values
    "a folder to unpickle from": (FOREST, attribute("Pipeline", memory="/tmp/folder"), VALUE),
    "a folder in a part of voting": (VOTING, lambda f: f.nodes("Pipeline")[0]["content"]["content"].update(memory=scalar("x")), VALUE),
    "a memory that is an object": (FOREST, lambda f: f.set("Pipeline", memory=node("ObjectNode", "joblib.memory", "Memory")), "joblib.memory.Memory"),
    "a million threads": (FOREST, attribute(FOREST, n_jobs=10**6), VALUE),
    "text for a number of threads": (FOREST, attribute("ColumnTransformer", n_jobs="1"), VALUE),
    "elements of a gigabyte": (FOREST, attribute(ENCODER, dtype="S1000000000"), VALUE),
    "texts that are names of files": (FOREST, attribute(TEXT, input="filename"), VALUE),
    "a pattern that takes for ever": (FOREST, attribute(TEXT, token_pattern="(a+)+$"), "token_pattern"),
    "n-grams of all lengths": (FOREST, lambda f: f.set(TEXT, ngram_range=node("TupleNode", "builtins", "tuple", content=[scalar(1), scalar(10**6)])), VALUE),
    "words hashed to no column": (FOREST, attribute(TEXT, n_features=0), VALUE),
    "words hashed to two billion columns": (FOREST, attribute(TEXT, n_features=2**31 - 1), VALUE),
    "a version with a terminal's commands": (FOREST, attribute("Pipeline", _sklearn_version="\x1b[2J"), VALUE),
    "a whole number of 4,000 digits": (FOREST, attribute("Pipeline", verbose=10**4000), "number or text is none"),
    "a list of anything": (FOREST, lambda f: f.set("Pipeline", verbose={"a": [1, [2]]}), "something else than nodes"),
    "a type of text for a dtype": (FOREST, lambda f: f.set(ENCODER, dtype=node("TypeNode", "builtins", "str")), VALUE),
    "a number of a node of 4,000 digits": (FOREST, lambda f: f.schema["content"].update(__id__=10**4000), "number of a node is none"),
    "a list where a number is due": (FOREST, attribute("Pipeline", verbose=[[[1]]]), "number or text is none"),
    # what can be called
    "a function of numpy": (FOREST, called("FunctionNode", "numpy", "load"), "numpy.load, which are not trusted"),
    "a ufunc that skops trusts": (FOREST, called("FunctionNode", "numpy", "absolute"), "numpy.absolute, which are not trusted"),
    "a type that calls": (FOREST, called("TypeNode", "builtins", "map"), "builtins.map, which are not trusted"),
    "a bound method": (FOREST, called("MethodNode", "pathlib", "Path", content={}), "'MethodNode', which no model may"),
    "a partial function": (FOREST, called("PartialNode", "functools", "partial", content={}), "'PartialNode', which no"),
    "an operator": (FOREST, called("OperatorFuncNode", "operator", "attrgetter", attrs={}), "'OperatorFuncNode'"),
    "a node that is another": (FOREST, called("CachedNode", "builtins", "dict"), "'CachedNode', which no model may"),
    "a type with a terminal's commands": (FOREST, called("ObjectNode", "os", "\x1b]0;x\x07"), r"'os.\x1b]0;x\x07'"),
    # arrays
    "a pickle in an array": (FOREST, new_array(pickled()), "dtype O"),
    "dates": (FOREST, new_array(np.zeros(3, "M8[s]")), "dtype M"),
    "complex numbers": (FOREST, new_array(np.zeros(3, complex)), "dtype c"),
    "records that are no nodes of trees": (FOREST, new_array(np.zeros(3, "i4,O4".replace("O4", "f4"))), "dtype V"),
    "numbers of another processor": (FOREST, new_array(np.zeros(3, ">f8")), "dtype f"),
    "nothing, a trillion columns wide": (FOREST, new_array(header("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 1000000000000)}")), "too wide"),
    "more than there is": (FOREST, new_array(header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000,)}")), "not as long as it says"),
    "less than nothing": (FOREST, new_array(header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1)}", body=bytes(8))), "not as long as it says"),
    "another version of the format": (FOREST, new_array(header("{}", b"\x02\x00")), "another version"),
    "an array for a number": (FOREST, lambda f: [one.update(__class__="float64") for one in f.nodes("ndarray") if "file" in one], "a number is an array"),
    # trees
    "a child out of the tree": (FOREST, tree_field("left_child", 0, 10**6), "child that is none"),
    "a child just out of the tree": (FOREST, tree_field("right_child", 0, lambda count: count), "child that is none"),
    "a tree that never ends": (FOREST, tree_field("left_child", 0, 0), "child that is none"),
    "a child before the tree": (FOREST, tree_field("left_child", 0, -7), "child that is none"),
    "a leaf with a child": (FOREST, tree_field("right_child", -1, 0), "leaf of a tree has a child"),
    "a feature out of the row": (FOREST, tree_field("feature", 0, 10**6), "feature that is none"),
    "a feature just out of the row": (FOREST, tree_field("feature", 0, 14), "feature that is none"),
    "a feature before the row": (FOREST, tree_field("feature", 0, -3), "negative feature"),
    "no threshold": (FOREST, tree_field("threshold", 0, np.nan), "no threshold"),
    "more nodes than there are": (FOREST, tree_state(node_count=10**6), "another size"),
    "fewer nodes than none": (FOREST, tree_state(node_count=-1), "whole and at least 1"),
    "values of fewer nodes": (FOREST, tree_values(lambda values: values[:-1]), "not the shape"),
    "values of more classes": (FOREST, tree_values(lambda values: np.concatenate([values] * 2, axis=2)), "not the shape"),
    "values that are none": (FOREST, tree_values(lambda values: values.__setitem__(0, np.nan)), "values that are no numbers"),
    "a billion outputs": (FOREST, tree_argument(2, 10**9), "another size"),
    "a tree of more features than its model": (FOREST, tree_argument(0, 10**6), "other features than its model"),
    "a tree of no classes": (FOREST, lambda f: [f.edit(t["__reduce__"]["args"]["content"][1], lambda n: n * 0) for t in f.nodes("Tree")], "at least 1"),
    "a model that does not count the features": (FOREST, dropped(FOREST, "n_features_in_"), "has no n_features_in_"),
    "trees that do not count the features": (FOREST, dropped("DecisionTreeClassifier", "n_features_in_"), "has no n_features_in_"),
    "attributes that skops would leave out": (FOREST, keys_dropped, "one type each"),
    "a forest of more features than its trees": (FOREST, attribute(FOREST, n_features_in_=15), "trees have other features"),
    "a forest of a billion classes": (FOREST, attribute(FOREST, n_classes_=10**9), "other classes"),
    "a forest of no trees": (FOREST, lambda f: f.set(FOREST, estimators_=listed()), "a list is wrong"),
    "a forest of text": (FOREST, lambda f: f.set(FOREST, estimators_=listed(scalar("x"))), "a list is wrong"),
    "a tree that is a text": (FOREST, attribute("DecisionTreeClassifier", tree_="x"), "a tree is none"),
    # boosting
    "a column of trees too many": (BOOSTING, both(every(BOOSTING, "estimators_", lambda _, at: at | {"content": [listed(*row["content"] * 2) for row in at["content"]]}), attribute(BOOSTING, n_trees_per_iteration_=2)), "too many trees"),
    "more trees than it says": (BOOSTING, every(BOOSTING, "estimators_", lambda _, at: at | {"content": [listed(*row["content"] * 2) for row in at["content"]]}), "list has not the length"),
    "a start without columns": (
        BOOSTING,
        both(attribute("DummyClassifier", n_classes_=1), arrays("DummyClassifier", "class_prior_", lambda m: m[:1])),
        "at least 2"),
    "a start of another kind": (BOOSTING, lambda f: f.set(BOOSTING, init_=f.nodes("Interval")[0]), "starts wrongly"),
    "a start by another strategy": (BOOSTING, attribute("DummyClassifier", _strategy="uniform"), "starts wrongly"),
    "boosting of more features": (BOOSTING, attribute(BOOSTING, n_features_in_=10**6), "trees have other features"),
    "a loss that holds more than numbers": (BOOSTING, lambda f: [one.update(content=dictionary(a=scalar(1))) for one in f.nodes("CyHalfBinomialLoss")], "more than numbers"),
    # encoders, networks and random states
    "a category at a far place": (FOREST, arrays(ENCODER, "_default_to_infrequent_mappings", lambda m: m.__setitem__(0, 10**6)), "other columns than categories"),
    "a category at a negative place": (FOREST, arrays(ENCODER, "_default_to_infrequent_mappings", lambda m: m.__setitem__(0, -9)), "negative place"),
    "a rare category that is none": (FOREST, arrays(ENCODER, "_infrequent_indices", lambda m: m.__setitem__(0, 10**6)), "rare category is none"),
    "more columns than categories": (FOREST, lambda f: f.set(ENCODER, _n_features_outs=listed(scalar(10**9))), "other columns"),
    "numbers for categories, not sorted": (FOREST, lambda f: [f.array(one["categories_"]["content"][0], np.array([5.0, 3, 1, 2, 4])) for one in f.attributes(ENCODER, "categories_")], "not sorted"),
    "a category left out at a negative place": (FOREST, lambda f: f.set(ENCODER, _drop_idx_after_grouping=listed(scalar(-5))), "at least 0"),
    "a layer of another width": (NETWORK, arrays(NETWORK, "coefs_", lambda m: m[:, :-1]), "not the shape"),
    "a layer, wide and empty": (NETWORK, arrays(NETWORK, "coefs_", lambda _: np.zeros((0, 10**5))), "not the shape"),
    "a network of more layers": (NETWORK, attribute(NETWORK, n_layers_=10**6), "a list has not the length"),
    "biases of another width": (NETWORK, arrays(NETWORK, "intercepts_", lambda _: np.zeros((10**4, 1))), "not the shape"),
    "a random state out of its words": (NETWORK, lambda f: [one["content"]["content"]["state"]["content"].update(pos=scalar(10**6)) for one in f.nodes("RandomState")], "another place"),
    "a random state of few words": (NETWORK, lambda f: [f.array(one["content"]["content"]["state"]["content"]["key"], np.zeros(3, "u4")) for one in f.nodes("RandomState")], "not the shape"),
    "objects for categories, not sorted": (
        FOREST,
        lambda f: [
            one["categories_"].update(content=[objects(5.0, "a", 1, 1, 2)]) for one in f.attributes(ENCODER, "categories_")
        ],
        "not sorted",
    ),
    "a dummy of a million outputs": (BOOSTING, attribute("DummyClassifier", n_outputs_=10**6), "more than one output"),
    "a dummy of a million classes": (BOOSTING, attribute("DummyClassifier", n_classes_=10**6), "not the shape"),
    # the schema
    "a number whose content is objects": (
        FOREST,
        lambda f: f.set("Pipeline", verbose=objects(1) | {"__class__": "float64", "file": "0.npy"}),
        "an array of objects has no shape",
    ),
    "a tree that says twice what it is made of": (
        FOREST,
        both(tree_argument(2, 10**9), tree_state(n_outputs=1), tree_keys("n_outputs")),
        "another size",
    ),
    "keys whose types are no list": (
        FOREST,
        lambda f: [one["key_types"].update(__loader__="TupleNode", __class__="tuple") for one in f.nodes("dict")],
        "one type each",
    ),
    "two contents of one number": (FOREST, one_number, "two nodes are number 7"),
    "a node inside of itself": (FOREST, inside_itself, "two nodes are number 7"),
    "a number that is text": (FOREST, lambda f: f.schema["content"].update(__id__="7"), "number of a node is none"),
    "200 levels": (FOREST, lambda f: f.set("Pipeline", verbose=deep(100)), "more than 150 levels"),
    "a key twice": (FOREST, two_keys, "a key twice"),
    "a member of 2 MB that 600 nodes name": (FOREST, big_member, "unpack to too much"),
    "a member that is not there": (FOREST, called("NdArrayNode", "numpy", "ndarray", type="numpy", file="../../etc/passwd"), "not there"),
    "an older protocol": (FOREST, lambda f: f.schema.update(protocol=0), "of this version of skops"),
    "a protocol that is a truth": (FOREST, lambda f: f.schema.update(protocol=True), "of this version of skops"),
    "a schema with NaN": (FOREST, lambda f: f.schema.update(protocol=float("nan")), "its schema holds NaN"),
    "a random state of another kind": (FOREST, called("RandomGeneratorNode", "numpy.random._generator", "Generator", content={}), "not trusted"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_no_pipeline_stores_is_refused(case):
    name, change, sentence = CASES[case]
    forged = Forged(content_of(name))
    change(forged)

    assert sentence in refusal(forged.packed())


HISTOGRAMS = {
    "a tree that never ends": (tree := lambda field, value: lambda nodes: nodes[field].__setitem__(0, value))(
        "left", 0
    ),
    "a child out of the tree": tree("right", 10**6),
    "a feature before the row": tree("feature_idx", -1),
    "a split of categories": tree("is_categorical", 1),
    "a value that is none": tree("value", np.nan),
    "no nodes": lambda nodes: nodes[:0],
}
HISTOGRAM_TREES = "a histogram tree|child that is none|negative feature"


@pytest.mark.parametrize("case", HISTOGRAMS)
def test_trees_over_histograms_are_checked_where_a_project_trusts_them(case):
    forged = Forged(content_of("Hist"))
    for at in [one["content"]["content"]["nodes"] for one in forged.nodes("TreePredictor")]:
        forged.edit(at, HISTOGRAMS[case])

    sentence = refusal(forged.packed(), trusted=HISTOGRAM)

    assert any(part in sentence for part in HISTOGRAM_TREES.split("|"))


def test_a_tree_over_histograms_has_no_other_features_than_its_model():
    forged = Forged(content_of("Hist"))
    for at in [one["content"]["content"]["nodes"] for one in forged.nodes("TreePredictor")]:
        forged.edit(at, tree("feature_idx", 14))

    assert "other features" in refusal(forged.packed(), trusted=HISTOGRAM)


def twice(members):
    with pytest.warns(UserWarning, match="Duplicate name"):
        return zipped([*members, members[0]])


def lied(content, field, value):
    """Change a field of each entry in the directory at an archive's end, by its place in the entry."""
    at = content.find(b"PK\x01\x02")
    changed = bytearray(content)
    changed[at + field : at + field + 4] = struct.pack("<I", value)
    return bytes(changed)


def lied_small(members):
    """An entry that says 10 bytes and unpacks to 30 MB."""
    return lied(zipped([("bomb.npy", bytes(30_000_000)), *members]), 24, 10)


def overlapping(members):
    """Two entries of the directory for the same bytes."""
    content = zipped([("a.npy", bytes(100)), ("b.npy", bytes(100)), *members])
    second = content.find(b"PK\x01\x02", content.find(b"PK\x01\x02") + 4)
    changed = bytearray(content)
    changed[second + 42 : second + 46] = struct.pack("<I", 0)
    return bytes(changed)


ARCHIVES = {
    "two members of one name": (twice, "have the same name"),
    "a member that unpacks to more than it says": (lied_small, "Bad CRC-32"),
    "a member that unpacks to less than it says": (
        lambda m: lied(zipped([("a.npy", b"x" * 9), *m]), 24, 99),
        "shorter than",
    ),
    "members that overlap": (overlapping, "overlap"),
    "a method that chooses its memory": (lambda m: zipped(m, method=zipfile.ZIP_LZMA), "in another way than deflate"),
    "a million lists in the schema": (
        lambda _: zipped([("schema.json", b'{"protocol": 2, "a": [' + b"[]," * 10**6 + b"1]}")]),
        "something else than nodes",
    ),
    "a schema of 5 MB": (
        lambda _: zipped(
            [("schema.json", b'{"protocol":"' + b"a" * 5_000_000 + b'"}'), ("a.npy", random.randbytes(150_000))]
        ),
        "schema is too large",
    ),
    "60 members of 1 MB": (
        lambda m: zipped([*m, *((f"x{n}.npy", bytes(2**20)) for n in range(60))]),
        "would unpack to",
    ),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_an_archive_that_lies_is_refused(case):
    make, sentence = ARCHIVES[case]
    forged = Forged(content_of(FOREST))
    members = [("schema.json", json.dumps(forged.schema).encode()), *forged.members.items()]

    assert sentence in refusal(make(members))


def other(model):
    return dump(pipeline(model).fit(BINARY.rows, BINARY.table["y"]))


@pytest.mark.parametrize("model", [ExtraTreesClassifier(2), AdaBoostClassifier(n_estimators=2)])
def test_a_type_that_none_of_our_pipelines_has_is_named_by_the_project(model):
    content = other(model)

    sentence = refusal(content)
    named = sentence.partition(" types ")[2].partition(", which")[0].split(", ")

    assert any(type(model).__name__ in name for name in named)
    assert parse(content, card_of(content, BINARY), "model", BINARY.schema, named)


def test_a_function_that_a_project_names_is_not_called():
    """It may be in the model, where a transformer has it; as the type of a list it would be called with that."""
    forged = Forged(content_of(FOREST))
    forged.set("Pipeline", verbose=listed(scalar("/etc/passwd")) | {"__module__": "numpy", "__class__": "loadtxt"})

    assert "it calls numpy.loadtxt" in refusal(forged.packed(), trusted=["numpy.loadtxt"])


def test_a_function_or_a_pattern_is_trusted_where_the_project_names_it():
    model = pipeline(CLASSIFIERS["linear"])
    model.steps.insert(1, ("log", FunctionTransformer(np.absolute)))
    model.set_params(columns__note__token_pattern=r"\w+")
    content = dump(model.fit(BINARY.rows, BINARY.table["y"]))
    names = ["numpy.absolute", "sklearn.preprocessing._function_transformer.FunctionTransformer"]

    assert "numpy.absolute, sklearn.preprocessing._function_transformer.FunctionTransformer, which" in refusal(content)
    assert "token_pattern" in refusal(content, trusted=names)
    assert parse(content, card_of(content, BINARY), "model", BINARY.schema, [*names, r"\w+"])


@pytest.mark.parametrize(
    "function",
    [os.getcwd, functools.partial(np.clip, a_min=0), operator.itemgetter(0)],
    ids=["builtin", "partial", "itemgetter"],
)
def test_a_function_of_a_transformer_is_refused(function):
    content = skops.io.dumps(Pipeline([("model", FunctionTransformer(function))]))

    assert "FunctionTransformer" in refusal(content) or "which no model may" in refusal(content)


UNFIT = {
    "coefficients of other columns": ("LogisticRegression", arrays("LogisticRegression", "coef_", lambda m: m[:, :-1])),
    "coefficients that are none": ("LogisticRegression", arrays("LogisticRegression", "coef_", lambda m: m * np.nan)),
    "another kind of output": (NETWORK, attribute(NETWORK, out_activation_="x")),
    "a step that is a text": (FOREST, lambda f: f.schema["content"]["content"].update(steps=listed(scalar("x")))),
    "no steps": (FOREST, lambda f: f.schema["content"]["content"].update(steps=listed())),
    "other columns": (FOREST, lambda f: [f.array(one["feature_names_in_"], np.array(["x"])) for one in f.attributes("ColumnTransformer", "feature_names_in_")]),
}  # fmt: skip


@pytest.mark.parametrize("case", UNFIT)
def test_a_model_that_does_not_fit_together_says_so_in_one_sentence(case):
    name, change = UNFIT[case]
    forged = Forged(content_of(name))
    change(forged)
    content = forged.packed()
    model, _ = parse(content, card_of(content, BINARY), "model.skops", BINARY.schema)

    with pytest.raises(
        UserError, match=r"^model.skops (cannot predict these rows \(|predicts what is no number)"
    ) as refused:
        answers(model, BINARY.schema, BINARY.task, BINARY.rows, "model.skops")

    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200
