import hashlib
import io
import json
import os
import pickle
import random
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest
import skops.io
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from dvckit.core.errors import UserError
from dvckit.models.stored import card, dump, load, parse, without_padding
from tests.example import fit
from titanic.features import FEATURES
from titanic.modeling.pipelines import PIPELINES
from titanic.modeling.transformers import TRUSTED

zlib_compressobj = zlib.compressobj
FIT_AND_HASH = """
import hashlib, sys
from dvckit.core.arithmetic import pin_arithmetic
pin_arithmetic()
import pandas as pd
from dvckit.models.stored import dump
from titanic.modeling.pipelines import Train
from tests.example import fit
table = pd.read_parquet(sys.argv[1])
for params in sys.argv[2:]:
    print(hashlib.sha256(dump(fit(table, Train.model_validate_json(params)))).hexdigest())
"""


@pytest.fixture
def store(tmp_path):
    """Store bytes as a model with a model.json that fits them; return both paths."""

    def store(content):
        (tmp_path / "model.skops").write_bytes(content)
        (tmp_path / "model.json").write_text(json.dumps(card(content, FEATURES, "all", {})))
        return tmp_path / "model.skops", tmp_path / "model.json"

    return store


@pytest.mark.parametrize("name", PIPELINES)
def test_a_model_comes_back_as_it_was(table, params, store, name):
    model = fit(table, params(pipeline=name))

    again, _ = load(*store(dump(model)), FEATURES, TRUSTED)

    rows = table[list(FEATURES.inputs)]
    assert np.array_equal(again.predict_proba(rows), model.predict_proba(rows))


def test_the_same_model_is_the_same_bytes_in_every_process(table, params, tmp_path):
    """Whatever hash seed, how many cores and whichever kernel of OpenBLAS the user's environment asks for."""
    table.to_parquet(tmp_path / "table.parquet")
    every = [params(pipeline=name) for name in PIPELINES]
    command = [sys.executable, "-c", FIT_AND_HASH, str(tmp_path / "table.parquet")]
    command += [one.model_dump_json() for one in every]
    cores = sorted(os.sched_getaffinity(0))
    hashes = []

    for seed, kernel in enumerate(["Haswell", "Nehalem", "SkylakeX"]):
        environment = os.environ | {"PYTHONHASHSEED": str(seed), "OPENBLAS_CORETYPE": kernel, "OMP_NUM_THREADS": "2"}
        taskset = ["taskset", "--cpu-list", ",".join(map(str, cores[: 1 + seed % 2]))]
        process = subprocess.run([*taskset, *command], env=environment, capture_output=True, text=True, check=True)
        hashes.append(process.stdout.split())

    assert hashes == [[hashlib.sha256(dump(fit(table, one))).hexdigest() for one in every]] * 3


def test_storing_a_loaded_model_gives_the_same_bytes(table, params, store):
    content = dump(fit(table, params()))

    assert dump(load(*store(content), FEATURES, TRUSTED)[0]) == content


def test_the_bytes_between_the_fields_of_a_record_are_no_part_of_it():
    dtype = np.dtype({"names": ["a", "b"], "formats": ["u1", "<i8"], "offsets": [0, 8], "itemsize": 24})
    dirty = np.frombuffer(bytes(range(48)), dtype=dtype)
    member = io.BytesIO()
    np.save(member, dirty)

    again = np.load(io.BytesIO(without_padding(member.getvalue())))

    assert again.tolist() == dirty.tolist()
    assert again.tobytes()[1:8] + again.tobytes()[16:24] == bytes(15)


def test_plain_skops_can_read_the_file(table, params):
    content = dump(fit(table, params()))

    skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))


def test_the_archive_holds_neither_time_nor_machine(table, params):
    with zipfile.ZipFile(io.BytesIO(dump(fit(table, params())))) as archive:
        assert {(info.date_time, info.create_system) for info in archive.infolist()} == {((1980, 1, 1, 0, 0, 0), 3)}


def test_the_zlib_of_the_machine_has_no_effect(table, params, monkeypatch):
    model = fit(table, params())
    content = dump(model)
    # another zlib: the same stream to whoever unpacks it, in other bytes
    monkeypatch.setattr(zipfile.zlib, "compressobj", lambda *_: zlib_compressobj(0, zlib.DEFLATED, -15))

    assert dump(model) == content


def test_what_is_stored_is_what_skops_would_store(table, params):
    model = fit(table, params())
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(model))) as plain:
        size = sum(len(without_padding(plain.read(name))) for name in plain.namelist() if name != "schema.json")
        versions = {key: json.loads(plain.read("schema.json"))[key] for key in ("protocol", "_skops_version")}

    with zipfile.ZipFile(io.BytesIO(dump(model))) as ours:
        assert ours.testzip() is None
        assert sum(info.file_size for info in ours.infolist() if info.filename != "schema.json") == size
        assert json.loads(ours.read("schema.json")).items() >= versions.items()


def test_500_random_bit_flips_are_refused(table, params, store):
    model, model_card = store(dump(fit(table, params())))
    content = model.read_bytes()

    for bit in random.Random(1).sample(range(8 * len(content)), 500):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(UserError, match="sha256 differs"):
            parse(bytes(flipped), model_card.read_bytes(), "model", FEATURES, TRUSTED)


def test_a_cut_file_is_refused(table, params, store):
    model, model_card = store(dump(fit(table, params())))
    model.write_bytes(model.read_bytes()[:-10])

    with pytest.raises(UserError, match="sha256 differs"):
        load(model, model_card, FEATURES, TRUSTED)


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


def zip_of(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return buffer.getvalue()


def archive(schema, **members):
    """A .skops file with this schema and these members."""
    text = schema if isinstance(schema, str | bytes) else json.dumps(schema)
    return zip_of({"schema.json": text, **{name.replace("_", "."): content for name, content in members.items()}})


def node(module, name, loader, **content):
    return {"__module__": module, "__class__": name, "__loader__": loader, "__id__": 1, "protocol": 2, **content}


def call(module, name, *arguments):
    """The tree of a call that skops would have to make: FUNCTION(*ARGUMENTS), as the reduce of an object."""
    parts = [node("builtins", "str", "JsonNode", content=json.dumps(argument), is_json=True) for argument in arguments]
    reduce = {"args": node("builtins", "tuple", "TupleNode", content=parts)}
    return node(module, name, "ReduceNode", reduce=reduce, content=reduce["args"])


def object_array():
    buffer = io.BytesIO()
    np.save(buffer, np.array([Bomb()], dtype=object), allow_pickle=True)
    return buffer.getvalue()


HOSTILE = {
    "a pickle": lambda: pickle.dumps(Bomb()),
    "nothing": lambda: b"",
    "text": lambda: b"a model",
    "an archive that is cut": lambda: skops.io.dumps(Pipeline([("model", DecisionTreeClassifier())]))[:200],
    "an archive without a schema": lambda: zip_of({"other.json": b"{}"}),
    "a schema that is no JSON": lambda: archive(b"\xff{"),
    "a schema that is a list": lambda: archive([]),
    "a schema without a loader": lambda: archive({"__module__": "os", "__class__": "mkdir"}),
    "a schema of 100,000 levels": lambda: archive("[" * 100_000 + "]" * 100_000),
    "a loader that skops does not have": lambda: archive(node("os", "mkdir", "CodeNode", content="x")),
    "a function of the system": lambda: archive(node("os", "mkdir", "FunctionNode", content="x")),
    "a type of the system": lambda: archive(node("builtins", "eval", "TypeNode")),
    "a call of the system": lambda: archive(call("os", "mkdir", "exploded")),
    "an import with an effect": lambda: archive(node("antigravity", "fly", "ObjectNode", content=None)),
    "an operator's function": lambda: archive(
        node("operator", "methodcaller", "OperatorFuncNode", attrs=node("builtins", "tuple", "TupleNode", content=[]))
    ),
    "a method of a foreign object": lambda: archive(
        node("os", "mkdir", "MethodNode", content={"func": "mkdir", "obj": node("os", "system", "ObjectNode")})
    ),
    "a pickle in an array": lambda: archive(
        node("numpy", "ndarray", "NdArrayNode", type="numpy", file="1.npy"), **{"1_npy": object_array()}
    ),
    "an array that is too short for its header": lambda: archive(
        node("numpy", "ndarray", "NdArrayNode", type="numpy", file="1.npy"),
        **{"1_npy": b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (9, 9)}"},
    ),
    "a member out of the archive": lambda: archive(
        node("numpy", "ndarray", "NdArrayNode", type="numpy", file="../../../../etc/passwd")
    ),
    "an archive that unpacks to 50 MB": lambda: archive(node("numpy", "ndarray", "NdArrayNode"), a=bytes(50_000_000)),
    "a function in a pipeline": lambda: skops.io.dumps(Pipeline([("model", FunctionTransformer(os.getcwd))])),
    "a tree and no pipeline": lambda: skops.io.dumps(DecisionTreeClassifier()),
}


# What code that runs would set off.
WATCHED = {"os.system", "os.mkdir", "os.remove", "os.exec", "subprocess.Popen", "pickle.find_class", "socket.connect"}


@pytest.fixture(scope="module")
def _events():
    events, watched = [], WATCHED  # the hook stays until there are no globals any more
    sys.addaudithook(lambda event, _: events.append(event) if event in watched else None)
    return events


@pytest.fixture
def events(_events):
    """The events of WATCHED, from now on."""
    _events.clear()
    return _events


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_and_none_of_its_code_runs(kind, store, workdir, events):
    paths = store(HOSTILE[kind]())  # with a model.json of its own, so that its sha256 is right
    before = set(sys.modules)
    events.clear()

    with pytest.raises(UserError, match=r"not a skops file|not trusted|not a pipeline") as refusal:
        load(*paths, FEATURES, TRUSTED)

    assert events == []
    assert "\n" not in str(refusal.value)
    assert "antigravity" not in set(sys.modules) - before
    assert sorted(path.name for path in workdir.iterdir()) == ["model.json", "model.skops"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"sha256": 1}', '{"input": {}}', '{"sha256": "", "input": 3}', "[" * 100_000]
)
def test_a_card_without_content_is_refused(table, params, store, text):
    model, model_card = store(dump(fit(table, params())))
    model_card.write_text(text)

    with pytest.raises(UserError, match=r"lacks sha256 or input|sha256 differs"):
        load(model, model_card, FEATURES, TRUSTED)


@pytest.mark.parametrize("change", [{"Age": "int"}, {"Height": "float"}, None], ids=["type", "column", "order"])
def test_a_model_of_another_signature_is_refused(table, params, store, change):
    model, model_card = store(dump(fit(table, params())))
    card = json.loads(model_card.read_text())
    card["input"] = card["input"] | change if change else dict(reversed(card["input"].items()))
    model_card.write_text(json.dumps(card))

    with pytest.raises(UserError, match="was trained on other columns"):
        load(model, model_card, FEATURES, TRUSTED)


def test_a_missing_model_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"there is no .*model\.skops; run `dvc repro`"):
        load(tmp_path / "model.skops", tmp_path / "model.json", FEATURES, TRUSTED)


def test_the_vectorizer_of_a_text_gives_the_same_bytes_in_every_process():
    """It notes where its stop words are in memory."""
    code = (
        "import hashlib, pandas as pd; from sklearn.compose import ColumnTransformer; from sklearn.pipeline import Pipeline; "
        "from sklearn.feature_extraction.text import HashingVectorizer; from dvckit.models.stored import dump; "
        "columns = ColumnTransformer([('text', HashingVectorizer(n_features=8), 'text')]); "
        "model = Pipeline([('columns', columns)]).fit(pd.DataFrame({'text': ['a b', 'c']})); "
        "print(hashlib.sha256(dump(model)).hexdigest())"
    )
    command = [sys.executable, "-c", code]
    hashes = {subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)}

    assert len(hashes) == 1
