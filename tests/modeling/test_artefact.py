import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.preprocessing import FunctionTransformer

from titanic.modeling.artefact import card, dump, load, without_padding
from titanic.modeling.pipelines import PIPELINES
from titanic.modeling.train import fit
from titanic.schema import MODEL_INPUT
from titanic.stage import UserError

FIT_AND_HASH = """
import hashlib, sys
import pandas as pd
from titanic.stage import pin_arithmetic
pin_arithmetic()
from titanic.config import Train
from titanic.modeling.artefact import dump
from titanic.modeling.train import fit
table = pd.read_parquet(sys.argv[1])
for params in sys.argv[2:]:
    print(hashlib.sha256(dump(fit(table, Train.model_validate_json(params)))).hexdigest())
"""


@pytest.fixture
def store(tmp_path):
    """Store bytes as a model with a model.json that fits them; return both paths."""

    def store(content):
        (tmp_path / "model.skops").write_bytes(content)
        (tmp_path / "model.json").write_text(json.dumps(card(content)))
        return tmp_path / "model.skops", tmp_path / "model.json"

    return store


@pytest.mark.parametrize("name", PIPELINES)
def test_a_model_comes_back_as_it_was(table, params, store, name):
    model = fit(table, params(pipeline=name))

    again = load(*store(dump(model)))

    rows = table[list(MODEL_INPUT)]
    assert np.array_equal(again.predict_proba(rows), model.predict_proba(rows))


def test_the_same_model_is_the_same_bytes_in_every_process(table, params, tmp_path):
    table.to_parquet(tmp_path / "table.parquet")
    every = [params(pipeline=name) for name in PIPELINES]
    command = [sys.executable, "-c", FIT_AND_HASH, str(tmp_path / "table.parquet")]
    command += [one.model_dump_json() for one in every]

    hashes = [
        subprocess.run(
            command, env=os.environ | {"PYTHONHASHSEED": str(seed)}, capture_output=True, text=True, check=True
        ).stdout.split()
        for seed in (0, 1)
    ]

    assert hashes == [[hashlib.sha256(dump(fit(table, one))).hexdigest() for one in every]] * 2


def test_storing_a_loaded_model_gives_the_same_bytes(table, params, store):
    content = dump(fit(table, params()))

    assert dump(load(*store(content))) == content


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


@pytest.mark.parametrize("position", [0, 100, -1])
def test_a_flipped_bit_is_refused(table, params, store, position):
    model, model_card = store(dump(fit(table, params())))
    content = bytearray(model.read_bytes())
    content[position] ^= 1
    model.write_bytes(content)

    with pytest.raises(UserError, match=r"sha256 differs"):
        load(model, model_card)


def test_a_cut_file_is_refused(table, params, store):
    model, model_card = store(dump(fit(table, params())))
    model.write_bytes(model.read_bytes()[:-10])

    with pytest.raises(UserError, match="sha256 differs"):
        load(model, model_card)


def test_a_type_that_is_not_trusted_is_refused(store):
    paths = store(skops.io.dumps(FunctionTransformer(os.getcwd)))

    with pytest.raises(UserError, match=r"holds the types .*getcwd"):
        load(*paths)


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


def test_a_pickle_is_refused_and_does_not_run(store, workdir):
    paths = store(pickle.dumps(Bomb()))

    with pytest.raises(UserError, match="no skops file"):
        load(*paths)
    assert not (workdir / "exploded").exists()


def test_a_model_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"there is no .*model\.skops; run `dvc repro`"):
        load(tmp_path / "model.skops", tmp_path / "model.json")
