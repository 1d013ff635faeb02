"""Files generated from a project's schema and tracked by git; `dvckit dictionary` and `make docs` write them.

A pandera schema in YAML beside each table, a JSON Schema of one row, and the data dictionary of the docs.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from dvckit.core.files import write_bytes
from dvckit.core.grid import Grid
from dvckit.core.layout import INTERIM, PROCESSED, RAW, TEST, TRAIN
from dvckit.tables.schema import Schema

DOCS = Path("docs/docs")
TYPES = {int: "whole number", float: "number", str: "text", datetime: "date"}


def write_documents(root: Path, clean: Schema, features: Schema) -> None:
    """Write every generated file."""
    for path, text in documents(clean, features).items():
        write_bytes(root / path, text.encode())


def documents(clean: Schema, features: Schema) -> dict[Path, str]:
    """Return the text of every generated file, by its path from the project's root."""
    generated = f"Generated from {clean.record.__module__.replace('.', '/')}.py by `make docs`"
    schemas = {RAW / part: clean.text(labelled=part == TRAIN) for part in (TRAIN, TEST)}
    schemas |= {INTERIM / part: clean.typed(labelled=part == TRAIN) for part in (TRAIN, TEST)}
    schemas |= {PROCESSED / part: features.typed(labelled=part != TEST) for part in (TRAIN, "holdout", TEST)}
    json_schema = json.dumps({"$comment": generated, **clean.record.model_json_schema()}, indent=2)
    return {Path(f"{path}_metadata.yaml"): f"# {generated}\n{schema.to_yaml()}" for path, schema in schemas.items()} | {
        DOCS / f"{clean.record.__name__.lower()}.schema.json": f"{json_schema}\n",
        DOCS / "dictionary.md": "\n".join([f"<!-- {generated} -->", *_dictionary(clean, features)]) + "\n",
    }


def _dictionary(clean: Schema, features: Schema) -> Iterator[str]:
    yield "# Data dictionary"
    header = ["column", "type", "unit", "values", "missing", "meaning"]
    for title, sentence, schema in (
        ("Clean", "`data/interim/{train,test}.parquet`, and the columns of the CSV files in `data/raw`.", clean),
        ("Features", "`data/features` and `data/processed`: what the model sees, with key and target.", features),
    ):
        rows = [_row(schema, name) for name in schema.columns(labelled=True)]
        yield from ("", f"## {title}", "", sentence, "", *Grid("", header, rows).markdown())
    yield from ("", f"Tables of rows to predict have no column `{clean.target}`.")


def _row(schema: Schema, name: str) -> list[str]:
    about = schema.about[name]
    allowed = ", ".join(map(str, schema.values(name)))
    if "minimum" in about:
        allowed = f"{about['minimum']} to {about['maximum']}" if "maximum" in about else f"from {about['minimum']}"
    elif "maxLength" in about:
        allowed = f"up to {about['maxLength']} characters, one line" if "pattern" in about else "one character"
    may_miss = "may be" if schema.nullable(name) else "never"
    return [name, TYPES[schema.kind(name)], about["unit"], allowed, may_miss, about["description"]]
