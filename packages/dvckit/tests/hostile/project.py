"""A project with a file of each kind that is read of a repository, and mutations of these files."""

import datetime as dt
import io
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dvckit.core.mappings import plain
from dvckit.repository.objects import listing, md5_of, object_path
from packages.dvckit.tests.kinds.builder import git

ROWS = 60
SHA = "a" * 64


def predictions(shift: float = 0.0) -> bytes:
    """Return a table of predictions."""
    rng = np.random.default_rng(4)
    truth = np.arange(ROWS) % 2
    likely = np.clip(0.5 * truth + 0.5 * rng.random(ROWS) + shift, 0.01, 0.99)
    table = pd.DataFrame({"row": [f"{n:016x}" for n in range(ROWS)], "key": np.arange(ROWS), "part": "holdout"})
    table = table.assign(truth=truth, probability_0=1 - likely, probability_1=likely)
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


KEPT = {
    "data/train.csv": b"id,price\n1,2.5\n2,3.5\n3,4.5\n",
    "parts/a.csv": b"id,size\n1,2\n2,3\n",
    "parts/b/c.csv": b"id\n1\n",
    "model.skops": b"a model",
    "predictions.parquet": predictions(),
}
INTERVAL = {"value": 0.5, "low": 0.4, "high": 0.6}
ROWS_OF = {"rows": {"read": 3, "accepted": 3, "rejected": 0}}
VALUES: dict[str, Any] = {  # files that are values, in the format of their names
    "dvc.yaml": {
        "stages": {
            "get": {"cmd": "x", "wdir": ".", "outs": ["parts"], "params": ["depth", {"params.json": ["a"]}]},
            "fit": {
                "cmd": ["x", "y"],
                "deps": ["parts", "code.py"],
                "params": [{"params.toml": None}, {"params.py": ["Train.EPOCHS"]}, {"libraries.json": ["numpy"]}],
                "outs": ["model.skops", "model.json", {"predictions.parquet": {"cache": True, "persist": True}}],
                "metrics": [{"reports/metrics.json": {"cache": False}}, "scores.toml"],
                "plots": [{"loss.csv": {"x": "a", "y": "b"}}],
            },
        },
        "metrics": ["reports/metrics.json"],
        "plots": [{"all": {"x": "a", "y": {"loss.csv": "b"}}}],
        "artifacts": {
            "net": {
                "path": "model.skops",
                "type": "model",
                "desc": "a net",
                "meta": {"predictions": "predictions.parquet"},
            },
            "list": {"path": "data/train.csv", "type": "dataset", "labels": ["x"]},
        },
    },
    "dvc.lock": None,  # see lock()
    "data/train.csv.dvc": {
        "outs": [{"path": "train.csv", "hash": "md5", "md5": md5_of(KEPT["data/train.csv"]), "size": 27}],
        "meta": {"a": "b"},
    },
    "old/make.dvc": {
        "cmd": "x",
        "wdir": "..",
        "md5": "00",
        "deps": [{"path": "code.py", "md5": "00"}],
        "outs": [{"path": "old.csv", "cache": "true", "md5": "b" * 32}],
    },
    "params.yaml": {"depth": 3, "train": {"rate": 0.5, "sizes": [1, 2], "when": "2020-01-01"}, "cities": ["rome"]},
    "more.yaml": {"place": "sub"},
    "params.json": {"a": {"depth": 4}},
    "params.toml": {"rate": 0.5, "deep": {"er": [1, 2]}},
    "scores.toml": {"accuracy": 0.5},
    "reports/metrics.json": {"holdout": {"accuracy": 0.5, "f1": 0.4}, "cv": {"accuracy": 0.6}, "baseline": {"mean": 1}},
    "reports/evaluation.json": {"holdout": {"rows": 1, "accuracy": INTERVAL}, "cv": {"fits": 5, "accuracy": INTERVAL}},
    "reports/diagnostics.json": {
        "slices": [{"column": "a", "value": "b", "rows": 3, "accuracy": 0.5, "interval": [0.1, 0.2]}],
        "checks": {"leak": {"ok": False, "found": ["x"]}},
    },
    "reports/data_quality.json": {"train": ROWS_OF, "test": ROWS_OF},
    "model.json": {"sha256": SHA, "input": {"size": "int"}, "libraries": {"numpy": "2.4"}},
    "libraries.json": {"numpy": "2.4"},
    "pyproject.toml": {"project": {"name": "it", "license": "MIT"}},
    "uv.lock": {
        "version": 1,
        "requires-python": ">=3.11",
        "package": [
            {
                "name": "it",
                "version": "1",
                "source": {"editable": "."},
                "dependencies": [{"name": "numpy", "extra": ["x"], "marker": "sys_platform == 'linux'"}],
                "optional-dependencies": {"more": [{"name": "numpy"}]},
            },
            {"name": "numpy", "version": "2.4", "source": {"registry": "https://localhost/simple"}},
            {"name": "tool", "version": "1", "source": {"git": "https://localhost/tool#1"}},
        ],
    },
    "data/interim/train_metadata.yaml": {
        "columns": {"id": {"dtype": "int", "unique": True}, "price": {"dtype": "float"}}
    },
    "data/interim/test_metadata.yaml": {"columns": {"id": {"dtype": "int", "nullable": False}}},
}
TEMPLATES = {
    "vars": ["more.yaml", {"end": "csv"}],
    "stages": {
        "city": {"foreach": "${cities}", "do": {"cmd": "x ${item}", "wdir": "${place}", "outs": ["${item}.${end}"]}},
        "grid": {"matrix": {"size": [1, 2], "city": "${cities}"}, "cmd": "x", "outs": ["grid${item.size}.csv"]},
    },
    "metrics": ["reports/${name}.json"],
    "artifacts": {"net": {"path": "${place}/model.skops", "type": "model"}},
}
PYTHON = "DEPTH = 3\nRATES = [0.1, 0.2]\nclass Train:\n    EPOCHS = 7\n    def __init__(self):\n        self.size = {'a': 1}\n"
FOLDER = [{"md5": md5_of(KEPT[f"parts/{name}"]), "relpath": name} for name in ("a.csv", "b/c.csv")]


def text(name: str, values: Any) -> str:
    """Return values in the format of a file; JSON is YAML, and a mapping in one line is TOML."""
    if not name.endswith((".toml", "uv.lock")):
        return json.dumps(plain(values)) + "\n"
    return "".join(f"{json.dumps(key)} = {_toml(value)}\n" for key, value in values.items())


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return '"null"' if value is None else json.dumps(plain(value))


def lock(folder_md5: str, table: bytes) -> dict[str, Any]:
    """Return the lock of the project's dvc.yaml."""

    def entry(path: str, content: bytes) -> dict[str, Any]:
        return {"path": path, "hash": "md5", "md5": md5_of(content), "size": len(content)}

    small = [
        entry(name, text(name, VALUES[name]).encode()) for name in ("model.json", "reports/metrics.json", "scores.toml")
    ]
    reports = [entry(f"reports/{name}.json", b"{}") for name in ("evaluation", "diagnostics", "data_quality")]
    folder = {"path": "parts", "hash": "md5", "md5": folder_md5, "nfiles": 2}
    listed = {
        "path": "far",
        "hash": "md5",
        "files": [{"relpath": "x.csv", "md5": "c" * 32, "cloud": {"up": {"etag": "abc", "version_id": "v1"}}}],
    }
    return {
        "schema": "2.0",
        "stages": {
            "get": {
                "cmd": "x",
                "params": {"params.yaml": {"depth": 3}, "params.json": {"a": {"depth": 4}}},
                "outs": [folder, listed],
            },
            "fit": {
                "cmd": ["x", "y"],
                "deps": [folder, {"path": "code.py", "hash": "md5", "md5": md5_of(b"import this\n"), "size": 12}],
                "params": {"params.toml": {"rate": 0.5}, "params.py": {"Train.EPOCHS": 7}},
                "outs": [
                    entry("model.skops", KEPT["model.skops"]),
                    entry("predictions.parquet", table),
                    *small,
                    *reports,
                ],
            },
            "city@rome": {"cmd": "x rome", "outs": [{"path": "rome.csv", "md5": "d" * 32}]},
        },
    }


def contents(table: bytes = KEPT["predictions.parquet"]) -> dict[str, bytes]:
    """Return the files that git has."""
    files = {name: text(name, values).encode() for name, values in VALUES.items() if values is not None}
    listed = listing({item["relpath"]: item["md5"] for item in FOLDER})
    files["dvc.lock"] = text("dvc.lock", lock(f"{md5_of(listed)}.dir", table)).encode()
    files |= {".dvc/config": b"", ".dvc/.gitignore": b"/config.local\n/tmp\n/cache\n", "code.py": b"import this\n"}
    return files | {"params.py": PYTHON.encode(), ".gitignore": "".join(f"/{name}\n" for name in KEPT).encode()}


def write(root: Path, name: str, content: bytes) -> None:
    """Write a file."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(content)


def keep(root: Path, content: bytes, suffix: str = "") -> str:
    """Put an object into the cache; return its name."""
    place = object_path(root / ".dvc/cache", md5_of(content) + suffix)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return md5_of(content) + suffix


def make(root: Path) -> Path:
    """Make the project with two commits, of which each is a version of the model."""
    root.mkdir(parents=True)
    git(root, "init", "--quiet", "--initial-branch", "main")
    keep(root, listing({item["relpath"]: item["md5"] for item in FOLDER}), ".dir")
    for number, table in enumerate((predictions(-0.2), KEPT["predictions.parquet"])):
        for name, content in {**contents(table), **KEPT, "predictions.parquet": table}.items():
            write(root, name, content)
        for content in (*KEPT.values(), table):
            keep(root, content)
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "--message", f"number {number}")
        git(root, "tag", "--annotate", "--message", "a version", f"net@v1.{number}.0")
    return root


BOMB = (
    "[&a [x, x, x, x, x, x, x, x, x], "
    + ", ".join(f"&{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]" for n in range(9))
    + "]"
)
RAW = {  # what JSON has no word for, in its place
    "@huge": "1" * 5000, "@long": "1" * 400, "@deep": "[" * 300 + "]" * 300, "@deeper": "[" * 50_000, "@bomb": BOMB,
    "@self": "&s [*s]", "@nan": ".nan", "@hex": "0x" + "f" * 3000, "@date": "2001-01-01", "@bad date": "2001-99-99",
    "@tag": "!!python/object:os.system [x]", "@binary": "!!binary AAAA", "@set": "!!set {x, y}", "@key": "{? [a, b] : c, 1: 2}",
    "@NaN": "NaN", "@minus": "-Infinity", "@merge": "{<<: {a: 1}}", "@tags": "!" + "x" * 3000 + " a",
}  # fmt: skip


def nasty(outside: Path) -> list[Any]:
    """Return values that nobody expects."""
    paths = [
        "..",
        ".",
        "/",
        "../" * 30 + str(outside)[1:] + "/sentinel",
        f"{outside}/sentinel",
        "a\0b",
        "a\nb",
        "a" * 300,
        "a/" * 3000,
    ]
    texts = [
        "",
        "x" * 100_000,
        "${cities}",
        "${" * 3000,
        "\ud800",
        "é\u200b",
        "-1",
        "nan",
        "d" * 32,
        "e" * 32 + ".dir",
        "z" * 32,
    ]
    values = [
        None,
        [],
        {},
        0,
        -1,
        True,
        1.5,
        1e308,
        [None],
        {"a": None},
        [[]],
        [{}],
        [{"path": None}],
        {"path": "x"},
        ["a", 3],
    ]
    return [*values, *paths, *texts, dt.date(2020, 1, 1), *RAW]


def places(values: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where each value in a file is, itself included."""
    yield place
    pairs = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, value in pairs:
        yield from places(value, (*place, key))


def replaced(values: Any, place: tuple[Any, ...], new: Any) -> Any:
    """Return values with another one at a place."""
    if not place:
        return new
    copy = dict(values) if isinstance(values, dict) else list(values)
    copy[place[0]] = replaced(copy[place[0]], place[1:], new)
    return copy


def renamed(values: Any, place: tuple[Any, ...], new: str) -> Any:
    """Return values with another key at a place, or without what is there."""
    if not place:
        return {new: values}
    if len(place) > 1:
        return replaced(values, place[:1], renamed(values[place[0]], place[1:], new))
    if isinstance(values, dict):
        return {new if key == place[0] else key: value for key, value in values.items()}
    return [value for number, value in enumerate(values) if number != place[0]]


def in_values(name: str, values: Any, rng: random.Random, outside: Path) -> bytes:
    """Return a file with another value or key somewhere."""
    place, new = rng.choice([*places(values)]), rng.choice(nasty(outside))
    if name.endswith((".toml", "uv.lock")) and not place:
        place = rng.choice([one for one in places(values) if one])
    change = rng.choice([replaced, replaced, replaced, renamed])
    whole = text(name, change(values, place, new if change is replaced else str(new)))
    for word, raw in RAW.items():
        whole = whole.replace(json.dumps(word), raw)
    return whole.encode(errors="surrogatepass")


def in_bytes(content: bytes, rng: random.Random) -> bytes:
    """Return a file that was cut, or has other bytes somewhere."""
    at, length = rng.randrange(len(content)), rng.randrange(1, 40)
    new = [
        b"",
        b"\0",
        b"\xff\xfe",
        b"\n",
        b"\t",
        b": ",
        b"[" * 2000,
        b"{" * 200,
        b"'",
        b'"',
        b"&a *a",
        b"<<<<<<< ours\n",
        b"\x1b[31m",
    ]
    changes: list[Callable[[], bytes]] = [
        lambda: content[:at],
        lambda: content[:at] + rng.choice(new) + content[at:],
        lambda: content[:at] + rng.choice(new) + content[at + length :],
        lambda: content + content,
        lambda: content[at:],
        lambda: content[:at] + rng.randbytes(length) + content[at + length :],
        lambda: b"\xef\xbb\xbf" + content,
        lambda: content.decode(errors="replace").encode("utf-16"),
        lambda: b"",
        lambda: b"\0" * 4096,
    ]
    return rng.choice(changes)()


def table(rng: random.Random) -> bytes:
    """Return a table of predictions with another column."""
    rows = pd.read_parquet(io.BytesIO(KEPT["predictions.parquet"]))
    name, numbers = rng.choice([*rows]), np.arange(ROWS)
    columns: list[Any] = [
        [[1]] * ROWS, [{"a": 1}] * ROWS, [None] * ROWS, [b"x"] * ROWS, ["x" * 10_000] * ROWS, [dt.date(2020, 1, 1)] * ROWS,
        numbers % 2 == 0, numbers * 1e308, numbers * 1j.real + np.nan, numbers.astype(str), pd.Categorical(numbers), numbers - (1 << 62),
        pd.to_datetime(numbers), pd.to_timedelta(numbers), numbers.astype(np.uint8), pd.array([None] * ROWS, dtype="Int64"), 3, "",
    ]  # fmt: skip
    change = rng.choice(["other", "other", "other", "gone", "renamed", "empty", "more"])
    if change == "other":
        rows[name] = rng.choice(columns)
    if change == "more":
        rows[rng.choice(["prediction", "group", "probability_2", "", "probability_"])] = rng.choice(columns)
    rows = (
        rows.drop(columns=name)
        if change == "gone"
        else rows.rename(columns={name: "\x1b" if change == "renamed" else name})
    )
    buffer = io.BytesIO()
    (rows[:0] if change == "empty" else rows).to_parquet(buffer)
    return buffer.getvalue()


def mutated(name: str, rng: random.Random, outside: Path) -> bytes:
    """Return a file of the project as nobody has written it."""
    if name == "predictions.parquet" and rng.random() < 0.7:
        return table(rng)
    if name == "templates":
        return in_values(name, TEMPLATES, rng, outside)
    whole = json.dumps(FOLDER).encode() if name == ".dir" else (contents() | KEPT)[name]
    values = json.loads(whole) if name in (".dir", "dvc.lock") else VALUES.get(name)
    if values is None or rng.random() < 0.3:
        return in_bytes(whole, rng)
    return in_values(name, values, rng, outside)


FILES = [
    *VALUES,
    "params.py",
    ".dir",
    "predictions.parquet",
    "dvc.yaml",
    "templates",
    "dvc.lock",
    "dvc.lock",
    ".dir",
    "data/train.csv",
]
