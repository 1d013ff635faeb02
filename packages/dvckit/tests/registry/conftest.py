"""A project whose model is a few bytes, all of it in git: what is read of a commit needs no run."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from dvckit.repository.objects import listing, md5_of
from dvckit.testing import Repository

DVC_YAML = """
metrics: [reports/metrics.json]
artifacts:
  grades:
    path: fitted/model.skops
    type: model
    desc: Grade of a beam
  beams:
    path: source/train.csv
    type: dataset
    desc: Beams of a warehouse
"""
FILES = {
    "code/fit.py": "import this",
    "code/read.py": "import csv",
    "source/train.csv": "grade\n1\n2\n3\n",
    "source/test.csv": "width\n1\n2\n",
    "tables/train.parquet": "two rows",
    "tables/holdout.parquet": "one row",
    "tables/test.parquet": "rows to predict",
    "fitted/model.skops": "a model",
    "fitted/model.json": json.dumps(
        {"sha256": hashlib.sha256(b"a model").hexdigest(), "input": {"width": "int"}, "libraries": {"numpy": "2.4.6"}}
    ),
    "reports/metrics.json": json.dumps({"holdout": {"accuracy": 0.5}, "cv": {"accuracy": 0.6}}),
    "reports/evaluation.json": json.dumps({"holdout": {"rows": 1, "accuracy": {"low": 0.1, "high": 0.9}}, "cv": {}}),
    "reports/diagnostics.json": "{}",
    "reports/data_quality.json": json.dumps(
        {"train": {"rows": {"read": 3, "accepted": 3}}, "test": {"rows": {"read": 2, "accepted": 2}}}
    ),
}
STAGES = {  # what each reads and writes
    "fetch": ((), ("source/train.csv", "source/test.csv")),
    "check": (("source/train.csv", "source/test.csv"), ("reports/data_quality.json",)),
    "divide": (
        ("source/train.csv", "source/test.csv"),
        ("tables/train.parquet", "tables/holdout.parquet", "tables/test.parquet"),
    ),
    "fit": (("code", "tables/train.parquet"), ("fitted/model.skops", "fitted/model.json")),
    "score": (
        ("fitted/model.skops", "tables/holdout.parquet"),
        ("reports/metrics.json", "reports/evaluation.json", "reports/diagnostics.json"),
    ),
}


def defined(params: Mapping[str, object]) -> dict[str, object]:
    """Return the stages for dvc.yaml."""
    stages: dict[str, object] = {
        name: {"cmd": name, "deps": list(deps), "outs": list(outs)} for name, (deps, outs) in STAGES.items()
    }
    if params:
        stages["fetch"] = {**stages["fetch"], "params": list(params)}  # type: ignore[dict-item]
    return stages


def entry(path: str) -> dict[str, object]:
    """Return what dvc.lock has of a file or folder."""
    if path not in FILES:
        inside = {name.removeprefix(f"{path}/"): text for name, text in FILES.items() if name.startswith(f"{path}/")}
        md5s = {name: md5_of(text.encode()) for name, text in inside.items()}
        return {"path": path, "md5": f"{md5_of(listing(md5s))}.dir", "nfiles": len(md5s)}
    content = FILES[path].encode()
    return {"path": path, "md5": md5_of(content), "size": len(content)}


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[..., Repository]:
    """Make the project with the parameters of its first stage; commit it and tag it grades@v1.0.0 by hand."""

    def tiny(params: Mapping[str, object] = MappingProxyType({})) -> Repository:
        project = Repository(tmp_path / "project")
        lock = {
            name: {"cmd": name, "deps": [*map(entry, deps)], "outs": [*map(entry, outs)]}
            for name, (deps, outs) in STAGES.items()
        }
        lock["fetch"]["params"] = {"params.yaml": dict(params)}
        files = {
            "dvc.yaml": f"{DVC_YAML}stages: {json.dumps(defined(params))}\n",
            "dvc.lock": json.dumps({"schema": "2.0", "stages": lock}),
            "params.yaml": json.dumps(dict(params)),
            **FILES,
        }
        for name, text in files.items():
            (project.root / name).parent.mkdir(parents=True, exist_ok=True)
            (project.root / name).write_text(text)
        project.ok("git", "init", "--quiet", "--initial-branch", "main")
        project.commit("made")
        project.ok("git", "tag", "-a", "-m", "by hand", "grades@v1.0.0")
        return project

    return tiny
