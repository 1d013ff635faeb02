"""Load and use mutated models, one after the other: `python -m packages.dvckit.tests.models.fuzz FIRST COUNT`.

Each mutation follows from its number. A line tells what became of it: `NUMBER refused SENTENCE`, `NUMBER predicts`, or
`NUMBER WRONG WHY`; a process that dies has not written the line. More than 1 GiB beyond what is needed at the start
cannot be had, and 10 s end the process.
"""

import copy
import io
import json
import random
import resource
import signal
import sys
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np

from dvckit.core.errors import UserError
from dvckit.models.stored import answers, parse
from packages.dvckit.tests.models.small_models import HISTOGRAM, card_of, stored

GROWTH = 2**30
SECONDS = 10
SCALARS = [
    None, True, False, -1, 0, 1, 2, 7, 624, 2**20, 2**31, 2**62, 2**64, -(2**63), 1e308, 0.5, float("nan"), float("inf"),
    "", "a", "zero", "prior", "content", "filename", "drop", "passthrough", "/tmp/models", "S1000000000", "\x1b[31m", [], [1],
]  # fmt: skip
NUMBERS = [0, 1, -1, -2, 2, 3, 255, 2**31 - 1, -(2**31), 2**62, float("nan"), float("inf"), -1e308]
TYPES = [
    ("FunctionNode", "os", "system"), ("ObjectNode", "os", "mkdir"), ("ObjectNode", "subprocess", "Popen"),
    ("TypeNode", "builtins", "eval"), ("FunctionNode", "numpy", "load"), ("PartialNode", "functools", "partial"),
    ("MethodNode", "pathlib", "Path"), ("OperatorFuncNode", "operator", "methodcaller"), ("CachedNode", "builtins", "None"),
    ("ObjectNode", "joblib.memory", "Memory"), ("SparseMatrixNode", "scipy.sparse._csr", "csr_matrix"),
    ("ConstructorFromReduceNode", "os", "system"), ("BytesNode", "builtins", "bytes"), ("NdArrayNode", "numpy", "void"),
    ("MaskedArrayNode", "numpy.ma", "MaskedArray"), ("DefaultDictNode", "collections", "defaultdict"),
]  # fmt: skip
WATCHED = {
    "os.system",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.exec",
    "os.fork",
    "subprocess.Popen",
    "pickle.find_class",
}
WATCHED |= {"socket.connect", "shutil.rmtree", "os.symlink", "os.chmod"}


def is_node(value):
    return isinstance(value, dict) and "__loader__" in value


def places(value, found):
    """Where the nodes of a schema are: what holds each, and by which key."""
    for key, child in value.items() if isinstance(value, dict) else enumerate(value):
        if is_node(child):
            found.append((value, key))
        if isinstance(child, dict | list):
            places(child, found)
    return found


def array_of(member):
    return np.load(io.BytesIO(member), allow_pickle=False)


def member_of(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


class Mutation:
    """Changes to the schema and the members of a model, drawn by their number."""

    def __init__(self, draw, schema, members):
        self.draw, self.schema, self.members = draw, schema, members

    def node(self, *loaders):
        found = [(at, key) for at, key in places(self.schema, []) if not loaders or at[key]["__loader__"] in loaders]
        return self.draw.choice(found) if found else (self.schema, "content")

    def scalar(self):
        at, key = self.node("JsonNode")
        at[key]["content"] = json.dumps(self.draw.choice(SCALARS))

    def swap(self):
        (at, key), (there, other) = self.node(), self.node()
        at[key] = copy.deepcopy(there[other])

    def drop(self):
        at, key = self.node()
        del at[key]

    def repeat(self):
        at, key = self.node("ListNode", "TupleNode")
        at[key]["content"] = at[key].get("content", []) * self.draw.choice([0, 2, 3])

    def attribute(self):
        """Drop or rename an attribute of an object as a whole."""
        at, key = self.node("DictNode")
        content, types = at[key].get("content"), at[key].get("key_types", {}).get("content")
        if content and types:
            name = self.draw.choice(list(content))
            value = content.pop(name)
            if self.draw.random() < 0.5:
                types.pop()
            else:
                content[self.draw.choice([*list(content), "memory", "func", "predict", "1"])] = value

    def type(self):
        at, key = self.node()
        there, other = self.node()
        names = [there[other].get(name) for name in ("__loader__", "__module__", "__class__")]
        names = self.draw.choice(TYPES) if self.draw.random() < 0.5 else names
        at[key].update(zip(("__loader__", "__module__", "__class__"), names, strict=True))

    def number(self):
        at, key = self.node()
        there, other = self.node()
        at[key]["__id__"] = there[other].get("__id__", 0)

    def array(self):
        """Set an element, or a field of a node of a tree."""
        name = self.draw.choice([name for name in self.members if name.endswith(".npy")] or ["schema.json"])
        if not name.endswith(".npy"):
            return
        array = array_of(self.members[name]).copy()
        flat = array.reshape(-1)
        if not flat.size:
            return
        one = flat[self.draw.choice(array.dtype.names)] if array.dtype.names else flat
        place, value = self.draw.randrange(len(one)), self.draw.choice([*NUMBERS, len(one)])
        with np.errstate(all="ignore"):
            one[place] = np.array([value]).astype(one.dtype)[0] if one.dtype.kind != "U" else str(value)
        self.members[name] = member_of(array)

    def form(self):
        """Give an array another dtype, shape or length."""
        name = self.draw.choice([name for name in self.members if name.endswith(".npy")] or ["schema.json"])
        if name.endswith(".npy"):
            array = array_of(self.members[name])
            forms = [
                lambda: array.reshape(-1)[: max(0, array.size - 1)],
                lambda: np.concatenate([array.reshape(-1)] * 2),
                lambda: array[np.newaxis],
                lambda: array.astype(self.draw.choice(["f4", "i4", ">f8", "u1", "c16", "M8[s]", "S3", "?"])),
                lambda: np.zeros((0, 10**6)),
                lambda: np.asfortranarray(array),
            ]
            try:
                self.members[name] = member_of(self.draw.choice(forms)())
            except (TypeError, ValueError):
                self.members[name] = self.members[name][:-1]

    def file(self):
        at, key = self.node("NdArrayNode")
        at[key]["file"] = self.draw.choice([*self.members, "../../etc/passwd", "nothing.npy", 1])

    def bytes(self):
        name = self.draw.choice(list(self.members))
        content = bytearray(self.members[name])
        for _ in range(self.draw.randint(1, 4)):
            content[self.draw.randrange(len(content))] = self.draw.choice([0, 0x22, 0x2C, 0x5B, 0x7F, 0xFF, 0x39])
        self.members[name] = bytes(content)

    def text(self):
        """Put something large or deep where a value of the schema is."""
        at, key = self.node()
        at[key] = self.draw.choice(
            [9 * 10**4000, float("nan"), "[" * 2000, json.loads("[" * 300 + "]" * 300), {}, 1e400]
        )


DEEP = ["scalar", "swap", "drop", "repeat", "attribute", "array", "array", "form"]
ALL = [*DEEP, "type", "number", "file", "bytes", "text"]


def mutated(number, models):
    """A mutated model and its kind."""
    draw = random.Random(number)
    kind, content = draw.choice(models)
    if draw.random() < 0.1:  # the archive itself
        raw = bytearray(content)
        for _ in range(draw.randint(1, 8)):
            raw[draw.randrange(len(raw))] = draw.randrange(256)
        return kind, bytes(raw)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    text = members.pop("schema.json").decode()
    schema = json.loads(text)
    if draw.random() < 0.8:  # so that what two nodes of one number hold can differ
        schema = json.loads(text, object_hook=lambda node: {key: node[key] for key in node if key != "__id__"})
    mutation = Mutation(draw, schema, members)
    for _ in range(draw.choice([1, 1, 2])):
        with suppress(Exception):  # of what the one before has broken
            getattr(mutation, draw.choice(DEEP if draw.random() < 0.7 else ALL))()
    members["schema.json"] = members.get("schema.json", json.dumps(schema).encode())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return kind, buffer.getvalue()


def outcome(kind, content, events):
    """What becomes of a model, as a word and why."""
    events.clear()
    try:
        model, _ = parse(content, card_of(content, kind), "model", kind.schema, HISTOGRAM)
        answers(model, kind.schema, kind.task, kind.rows, "model")
        result = "predicts"
    except UserError as error:
        result = f"refused {error}"
        if "MemoryError" in result or "\n" in result or not result.isprintable():
            result = f"WRONG {result!a}"
    except BaseException as error:  # noqa: BLE001 - whatever else is an error of ours
        result = f"WRONG {type(error).__name__}: {error!a}"
    return f"WRONG {events}" if events else result


def limit_memory():
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + GROWTH, size + GROWTH))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(first, count):
    warnings.simplefilter("ignore")
    models, events = list(stored()), []
    for kind, content in models:
        assert outcome(kind, content, events) == "predicts"
    mutations = ((number, *mutated(number, models)) for number in range(first, first + count))
    limit_memory()
    sys.addaudithook(
        lambda event, arguments: events.append(event) if event in WATCHED or writes(event, arguments) else None
    )
    for number, kind, content in mutations:
        signal.alarm(SECONDS)
        print(number, outcome(kind, content, events), flush=True)
        signal.alarm(0)


def writes(event, arguments):
    return event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
