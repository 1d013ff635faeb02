"""What a stored model may hold: the nodes of its schema.json, read as plain values before any object is made of them.

skops checks the types of a file and constructs it. Here, first, each node must be of a kind, a type and a value that
the pipelines of this library store; a project names further types. Nothing that can be called is among them.
"""

import io
import json
import math
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping
from textwrap import shorten
from typing import Any

import numpy as np
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
from sklearn.tree._tree import NODE_DTYPE
from skops.io._utils import SaveContext

from dvckit.models.archive import SCHEMA, HostileError
from dvckit.models.structures import CHECKS, TREE, Stored

DEEPEST = 150  # levels of a schema; voting over pipelines has 40
EMPTY = 2**20  # elements that an array without any would have, were each of its sides at least 1
LONGEST = 1_000  # characters of the list of types that are refused
WHOLE = 2**128  # above any number that is stored; those of a random generator's state are large
POOL = 4  # words of a seed's pool, numpy's default: mixing more takes long
Node = Mapping[str, Any]

NUMBERS = frozenset(f"numpy.{name}" for name in ("bool", "float32", "float64", "int32", "int64", "uint32", "uint64"))
KEYS = {"builtins.str": str, "builtins.int": int, "builtins.float": float}
# The types of each kind of node in what the pipelines of this library and of new projects store.
TYPES: dict[str, frozenset[str]] = {
    "DictNode": frozenset({"builtins.dict", "sklearn.utils._bunch.Bunch"}),
    "DTypeNode": frozenset({"numpy.dtype"}),
    "JsonNode": frozenset({"builtins.str"}),
    "ListNode": frozenset({"builtins.list"}),
    "LossNode": frozenset(
        f"sklearn._loss._loss.Cy{name}" for name in ("HalfBinomialLoss", "HalfMultinomialLoss", "HalfSquaredError")
    ),
    "NdArrayNode": frozenset({"numpy.ndarray"}) | NUMBERS,
    "ObjectNode": frozenset(
        f"sklearn.{name}"
        for name in (
            "_loss.link.IdentityLink",
            "_loss.link.Interval",
            "_loss.link.LogitLink",
            "_loss.link.MultinomialLogit",
            "_loss.loss.HalfBinomialLoss",
            "_loss.loss.HalfMultinomialLoss",
            "_loss.loss.HalfSquaredError",
            "compose._column_transformer.ColumnTransformer",
            "compose._target.TransformedTargetRegressor",
            "dummy.DummyClassifier",
            "dummy.DummyRegressor",
            "ensemble._forest.RandomForestClassifier",
            "ensemble._forest.RandomForestRegressor",
            "ensemble._gb.GradientBoostingClassifier",
            "ensemble._gb.GradientBoostingRegressor",
            "ensemble._voting.VotingClassifier",
            "ensemble._voting.VotingRegressor",
            "feature_extraction.text.HashingVectorizer",
            "impute._base.SimpleImputer",
            "linear_model._logistic.LogisticRegression",
            "linear_model._ridge.Ridge",
            "neural_network._multilayer_perceptron.MLPClassifier",
            "neural_network._multilayer_perceptron.MLPRegressor",
            "neural_network._stochastic_optimizers.AdamOptimizer",
            "pipeline.Pipeline",
            "preprocessing._data.StandardScaler",
            "preprocessing._encoders.OneHotEncoder",
            "preprocessing._label.LabelBinarizer",
            "preprocessing._label.LabelEncoder",
            "tree._classes.DecisionTreeClassifier",
            "tree._classes.DecisionTreeRegressor",
        )
    ),
    "RandomStateNode": frozenset({"numpy.random.mtrand.RandomState"}),
    "SliceNode": frozenset({"builtins.slice"}),
    "TreeNode": frozenset({TREE}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "TypeNode": frozenset(KEYS) | NUMBERS,
}
# What the attributes of these names may be.
VALUES: dict[str, Callable[[Any], bool]] = {
    "memory": lambda value: value is None,  # a folder, from which a fit would unpickle
    "n_jobs": lambda value: value is None or (type(value) is int and value <= 64),
    # as text it says how many bytes an element has
    "dtype": lambda value: value is None or (isinstance(value, Name) and value not in KEYS),
    "input": lambda value: value == "content",  # of a text: else it is the name of a file to read
    "n_features": lambda value: type(value) is int and 1 <= value <= EMPTY,
    "ngram_range": lambda value: isinstance(value, tuple) and all(type(n) is int and n < 10 for n in value),
    "_sklearn_version": lambda value: bool(re.fullmatch(r"[\w.+]{1,40}", str(value))),  # a warning shows it
}
PATTERN = r"(?u)\b\w\w+\b"  # scikit-learn's for words; another may take for ever
ARRAYS = "biufU"  # numpy's kinds of a dtype that an array may have
RECORDS = (NODE_DTYPE, PREDICTOR_RECORD_DTYPE)  # and the nodes of trees


class Name(str):
    """The full name of a type or function, where it is a value."""

    __slots__ = ()


class UntrustedError(HostileError):
    """Types that no model may hold, or only where the project names them."""


def check_nodes(members: Mapping[str, bytes], trusted: Iterable[str], most: int) -> set[str]:
    """Check the members of a .skops file; return the types in it.

    HostileError where a model may not hold them, or where the members together are more than `most` bytes, each counted
    as often as it is read.
    """
    schema = json.loads(members[SCHEMA], parse_constant=_refuse_constant)
    if not isinstance(schema, dict) or schema.get("protocol") != SaveContext.protocol:
        raise HostileError("it is no schema of this version of skops")
    scanner = _Scanner(members)
    scanner.plain(schema)
    _check_kinds(scanner.kinds, own := frozenset(trusted))
    _Reader(members, own, most - len(members[SCHEMA])).value(schema)
    return {name for _, name in scanner.kinds}


def _refuse_constant(text: str) -> None:
    raise HostileError(f"its schema holds {text}")


class _Scanner:
    """Collects the kinds and types of all nodes of a schema, and compares those of one number.

    Two nodes of one number are one object to skops, whatever is written in the second: they must be equal. So no node is
    inside of itself, either.
    """

    def __init__(self, members: Mapping[str, bytes]) -> None:
        self.members = members
        self.known: dict[int, Any] = {}
        self.kinds: set[tuple[str, str]] = set()

    def plain(self, value: Any, depth: int = 0) -> Any:
        """Return a JSON value without the numbers of nodes, and with the content of members instead of their names."""
        if depth > DEEPEST:
            raise HostileError(f"it has more than {DEEPEST} levels")
        if isinstance(value, list):
            if not all(isinstance(item, dict) and "__loader__" in item for item in value):
                raise HostileError("a list holds something else than nodes")
            return [self.plain(item, depth + 1) for item in value]
        if not isinstance(value, dict):
            return value
        plain = {key: self.plain(child, depth + 1) for key, child in value.items() if key != "__id__"}
        if "__loader__" in value:
            self.kinds.add((value["__loader__"], _type(value)))
            plain["file"] = self.members.get(value.get("file", ""))
        if "__id__" in value:
            self._compare(value["__id__"], plain)
        return plain

    def _compare(self, number: Any, plain: Any) -> None:
        if type(number) is not int or abs(number) >= WHOLE:
            raise HostileError("the number of a node is none")
        if self.known.setdefault(number, plain) != plain:
            raise HostileError(f"two nodes are number {number}")


def _type(node: Node) -> str:
    return f"{node['__module__']}.{node['__class__']}"


def _check_kinds(kinds: set[tuple[str, str]], own: frozenset[str]) -> None:
    """Refuse types that are not on the list; a project's own may be in any kind of node that is read here."""
    if unread := sorted({loader for loader, _ in kinds} - READERS.keys()):
        raise HostileError(f"it holds {', '.join(map(ascii, unread))}, which no model may")
    if strange := sorted({name for loader, name in kinds if name not in TYPES.get(loader, own) | own}):
        shown = (name if name.isprintable() else ascii(name) for name in strange)
        raise UntrustedError(shorten(", ".join(shown), LONGEST))
    named = {name for loader, name in kinds if name in own and loader != "FunctionNode"}
    if functions := sorted(name for name in named if not isinstance(pkgutil.resolve_name(name), type)):
        raise HostileError(f"it calls {', '.join(functions)}")


class _Reader:
    """Reads nodes as plain values: an object as `Stored`, an array of objects as a list; each is checked."""

    def __init__(self, members: Mapping[str, bytes], own: frozenset[str], left: int) -> None:
        self.members, self.own, self.left = members, own, left
        self.known: dict[int, Any] = {}

    def value(self, node: Node) -> Any:
        """Return the value of a node; one of the same number is read once, as skops does, but for number 0."""
        number = node.get("__id__")
        if number in self.known:
            return self.known[number]
        value = READERS[node["__loader__"]](self, node)
        if isinstance(value, Stored) and value.type in CHECKS:
            CHECKS[value.type](value)
        if number:
            self.known[number] = value
        return value

    def member(self, node: Node) -> bytes:
        """Return a member, which counts each time."""
        content = self.members.get(node["file"])
        if content is None:
            raise HostileError("it names a member that is not there")
        self.left -= len(content)
        if self.left < 0:
            raise HostileError("its members, as often as they are named, unpack to too much")
        return content

    def items(self, node: Node) -> list[Any]:
        """Return the values of a list, a tuple or an array of objects."""
        return [self.value(item) for item in node["content"]]

    def mapping(self, node: Node) -> dict[Any, Any]:
        """Return a dict; skops drops what has no type of its key."""
        keys, types = list(node["content"]), node["key_types"]["content"]
        one_each = node["key_types"]["__loader__"] == "ListNode" and len(keys) == len(types)
        if not one_each or any(one["__loader__"] != "TypeNode" or _type(one) not in KEYS for one in types):
            raise HostileError("the keys of a dict have not one type each")
        named = {KEYS[_type(one)](key): self.value(node["content"][key]) for key, one in zip(keys, types, strict=True)}
        if len(named) < len(keys):
            raise HostileError("a dict has a key twice")
        return named

    def object(self, node: Node) -> Stored:
        """Return an object with its attributes, whose values may be limited by their names."""
        attributes = (self.value(node["content"]) if node.get("content") else None) or {}
        if not isinstance(attributes, dict) or not all(isinstance(name, str) for name in attributes):
            raise HostileError(f"the attributes of a {_type(node)} have no names")
        ours = _type(node) in TYPES["ObjectNode"]
        for name, value in attributes.items():
            if (ours or name == "memory") and not VALUES.get(name, lambda _: True)(value):
                raise HostileError(f"{name} of a {_type(node)} has a value that no model may have")
        if ours and attributes.get("token_pattern", PATTERN) not in {PATTERN, *self.own}:
            raise HostileError("it has a token_pattern that the project does not name in its list of trusted types")
        return Stored(_type(node), attributes)

    def array(self, node: Node) -> Any:
        """Return an array, of objects as nested lists; the content of a scalar must be one."""
        if node["type"] == "json":
            shape = self.value(node["shape"])
            if _type(node) != "numpy.ndarray" or not isinstance(shape, tuple):
                raise HostileError("an array of objects has no shape")
            return self.items(node)
        array = read_array(self.member(node))
        if _type(node) != "numpy.ndarray" and array.shape != ():
            raise HostileError("a number is an array")
        return array

    def dtype(self, node: Node) -> np.dtype[Any]:
        """Return a dtype, stored as an array without elements."""
        value = self.value(node["content"])
        if len(value):
            raise HostileError("a dtype has elements")
        return value.dtype if isinstance(value, np.ndarray) else np.dtype(object)

    def tree(self, node: Node) -> Stored:
        """Return a tree; what it is made from is beside its state."""
        names = ("n_features", "n_classes", "n_outputs")
        made_of = dict(zip(names, self.value(node["__reduce__"]["args"]), strict=True))
        return Stored(_type(node), self.value(node["content"]) | made_of)

    def loss(self, node: Node) -> Stored:
        """Return a loss of scikit-learn's, which has at most numbers."""
        numbers = self.value(node["__reduce__"]["args"])
        if self.value(node["content"]) or any(type(number) is not float for number in numbers):
            raise HostileError("a loss holds more than numbers")
        return Stored(_type(node), {})

    def generator(self, node: Node) -> Stored:
        """Return a random generator: PCG64, numpy's default."""
        state, seed = (self.value(node["content"][part]) for part in ("bit_generator", "seed_seq"))
        if state["bit_generator"] != "PCG64" or seed["pool_size"] != POOL:
            raise HostileError("a random generator is of another kind")
        return Stored(_type(node), state)


def _scalar(_: _Reader, node: Node) -> Any:
    value = json.loads(node["content"])
    if not isinstance(value, str | int | float | None) or (isinstance(value, int) and abs(value) >= WHOLE):
        raise HostileError("a number or text is none")
    return value


def _slice(_: _Reader, node: Node) -> slice:
    limits = [node["content"][name] for name in ("start", "stop", "step")]
    if not all(limit is None or (type(limit) is int and abs(limit) < WHOLE) for limit in limits):
        raise HostileError("a slice has other limits than numbers")
    return slice(*limits)


def read_array(member: bytes) -> Any:
    """Return the array of a .npy file, which has neither objects nor another size than it says."""
    file = io.BytesIO(member)
    if np.lib.format.read_magic(file) != (1, 0):
        raise HostileError("an array is of another version of numpy's format")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype not in RECORDS and (dtype.kind not in ARRAYS or not dtype.isnative):
        raise HostileError(f"an array has the dtype {dtype.kind}")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(member) - file.tell():
        raise HostileError("an array is not as long as it says")
    if 0 in shape and math.prod(side or 1 for side in shape) > EMPTY:
        raise HostileError("an array of nothing is too wide")
    return np.ndarray(shape, dtype, member, file.tell(), order="F" if fortran else "C")


READERS: dict[str, Callable[[_Reader, Node], Any]] = {
    "BytearrayNode": _Reader.member,
    "BytesNode": _Reader.member,
    "ConstructorFromReduceNode": lambda reader, node: Stored(_type(node), {"": reader.value(node["content"])}),
    "DictNode": _Reader.mapping,
    "DTypeNode": _Reader.dtype,
    "FunctionNode": lambda _, node: Name(_type(node)),
    "JsonNode": _scalar,
    "ListNode": _Reader.items,
    "LossNode": _Reader.loss,
    "NdArrayNode": _Reader.array,
    "ObjectNode": _Reader.object,
    "RandomGeneratorNode": _Reader.generator,
    "RandomStateNode": lambda reader, node: Stored(_type(node), reader.value(node["content"])),
    "SetNode": _Reader.items,
    "SliceNode": _slice,
    "TreeNode": _Reader.tree,
    "TupleNode": lambda reader, node: tuple(reader.items(node)),
    "TypeNode": lambda _, node: Name(_type(node)),
}
