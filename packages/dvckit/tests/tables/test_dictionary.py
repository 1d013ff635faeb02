import json
from pathlib import Path

import pandas as pd
import pandera.errors
import pandera.pandas as pa
import pytest

from dvckit.tables.dictionary import documents, write_documents
from titanic.features import FEATURES, Features
from titanic.schema import RULES, Clean

DOCUMENTS = documents(RULES.schema, FEATURES)


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_what_derives_from_the_schema_is_fresh(source, path):
    assert (source / path).read_text() == DOCUMENTS[path], "run `make docs`"


def test_every_schema_beside_a_table_is_one_of_these(source):
    assert {path.relative_to(source) for path in (source / "data").rglob("*_metadata.yaml")} <= set(DOCUMENTS)


def test_every_document_is_written(tmp_path):
    write_documents(tmp_path, RULES.schema, FEATURES)

    assert {path: (tmp_path / path).read_text() for path in DOCUMENTS} == DOCUMENTS


def test_the_schemas_in_the_files_judge_the_tables_beside_them(source, small):
    for path in (path for path in DOCUMENTS if path.suffix == ".yaml"):
        schema = pa.DataFrameSchema.from_yaml((source / path).read_text())
        table = small.root / path.with_name(path.name.replace("_metadata.yaml", ""))
        if table.with_suffix(".parquet").is_file():
            frame = pd.read_parquet(table.with_suffix(".parquet"))
            whole = frame.select_dtypes("int64").columns
            frame = frame.astype(dict.fromkeys(whole, "Int64"))
        else:
            frame = pd.read_csv(table.with_suffix(".csv"), dtype="str", keep_default_na=False, na_values=[""])

        schema.validate(frame)
        with pytest.raises(pandera.errors.SchemaError, match="Pclass"):
            schema.validate(frame.assign(Pclass="x"))


def test_the_json_schema_has_the_columns_and_their_limits():
    schema = json.loads(DOCUMENTS[Path("docs/docs/passenger.schema.json")])

    assert list(schema["properties"]) == list(Clean)
    assert set(schema["required"]) == set(RULES.fields("test"))
    assert schema["properties"][Clean.Age]["anyOf"][0] == {"maximum": 120, "minimum": 0, "type": "number"}
    assert schema["properties"][Clean.Age]["unit"] == "years"


def test_the_dictionary_has_a_row_for_every_column():
    text = DOCUMENTS[Path("docs/docs/dictionary.md")]

    assert text.count("\n| ") == len([*Clean, *Features]) + 2 * 2  # a header and a rule for each
    for name in Clean:
        assert f"\n| {name} | " in text
