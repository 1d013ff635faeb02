"""What derives from the schema and is kept in git: `python -m titanic.dataset.metadata` writes it, `make docs` as well.

A pandera schema in YAML beside each table, a JSON Schema of one passenger, and the data dictionary of the docs.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from titanic.config import INTERIM, PROCESSED, RAW
from titanic.schema import (
    TARGET,
    Passenger,
    PassengerFeatures,
    kind,
    limits,
    nullable,
    raw_schema,
    table_schema,
    unit,
    values,
)
from titanic.stage import write_bytes

DOCS = Path("docs/docs")
GENERATED = "Generated from titanic/schema.py by `make docs`"
TYPES = {int: "whole number", float: "number", str: "text"}


def documents() -> dict[Path, str]:
    """Return the text of every generated file, by its path from the project's root."""
    schemas = {
        RAW / "train": raw_schema(labelled=True),
        RAW / "test": raw_schema(labelled=False),
        INTERIM / "train": table_schema(Passenger, labelled=True),
        INTERIM / "test": table_schema(Passenger, labelled=False),
        PROCESSED / "train": table_schema(PassengerFeatures, labelled=True),
        PROCESSED / "holdout": table_schema(PassengerFeatures, labelled=True),
        PROCESSED / "test": table_schema(PassengerFeatures, labelled=False),
    }
    metadata = {
        path.with_name(f"{path.name}_metadata.yaml"): f"# {GENERATED}\n{schema.to_yaml()}"
        for path, schema in schemas.items()
    }
    json_schema = json.dumps({"$comment": GENERATED, **Passenger.model_json_schema()}, indent=2)
    return metadata | {
        DOCS / "passenger.schema.json": f"{json_schema}\n",
        DOCS / "dictionary.md": "\n".join(_dictionary()) + "\n",
    }


def _dictionary() -> Iterator[str]:
    yield f"<!-- {GENERATED} -->"
    yield "# Data dictionary"
    for title, about, record in (
        ("Clean", "`data/interim/{train,test}.parquet`, and the columns of the CSV files in `data/raw`.", Passenger),
        (
            "Features",
            "`data/features` and `data/processed`: what the model sees, with key and target.",
            PassengerFeatures,
        ),
    ):
        yield from ("", f"## {title}", "", about, "")
        yield "| column | type | unit | values | missing | meaning |"
        yield "|---|---|---|---|---|---|"
        for name in record.model_fields:
            yield f"| {' | '.join(_row(record, name))} |"
    yield from ("", f"`{TARGET}` is missing as a column where it is to be predicted.")


def _row(record: type[BaseModel], name: str) -> list[str]:
    found = limits(record, name)
    allowed = ", ".join(map(str, values(record, name)))
    if "ge" in found:
        allowed = f"{found['ge']} to {found['le']}" if "le" in found else f"from {found['ge']}"
    elif "max_length" in found:
        allowed = f"up to {found['max_length']} characters, one line" if "pattern" in found else "one character"
    may_miss = "may be" if nullable(record, name) else "never"
    return [
        name,
        TYPES[kind(record, name)],
        unit(record, name),
        allowed,
        may_miss,
        str(record.model_fields[name].description),
    ]


if __name__ == "__main__":
    for file, text in documents().items():
        write_bytes(file, text.encode())
