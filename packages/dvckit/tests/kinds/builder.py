"""Kinds of DVC repositories that strangers have, each as a small one, written as DVC writes it and without starting it.

In a lock or .dvc file, MD5(PATH) stands for the md5 of that file or folder, OLD(PATH) for the one of DVC 1 and 2.
"""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dvckit.repository.objects import folder_object, legacy_md5, legacy_path, md5_of, object_path

GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "HOME": "/", "PATH": "/usr/bin:/bin"} | {
    f"GIT_{who}_{what}": "tester@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}
TABLE = "id,price\n1,2.5\n2,3.5\n3,4.5\n"  # the second commit has another price
SCORES = '{"accuracy": 0.5}\n'
HEAD = "schema: '2.0'\nstages:\n"
SCORED = "scores.json: {cache: false}"


class Kind(NamedTuple):
    """A repository: its files in git and in DVC, and what is to be found in it."""

    files: Mapping[str, str]
    kept: Mapping[str, str]  # by DVC, in the cache
    outputs: tuple[str, ...]
    tables: tuple[str, ...] = ()  # that differ between its two commits
    metrics: Mapping[str, float] = {"accuracy": 0.5}
    params: Mapping[str, Any] = {}
    folder: str = "."  # of the project in git's repository


def git(root: Path, *arguments: str) -> str:
    """Run git as nobody has configured it."""
    return subprocess.run(["git", *arguments], cwd=root, env=GIT, check=True, capture_output=True, text=True).stdout


def build(kind: Kind, top: Path) -> Path:
    """Make a repository of a kind, with two commits; return the root of the project in it."""
    root = top / kind.folder
    root.mkdir(parents=True)
    git(top, "init", "--quiet", "--initial-branch", "main")
    for price in ("4.5", "9.5"):
        write(kind, root, {name: text.replace("4.5", price) for name, text in kind.kept.items()})
        git(top, "add", "--all")
        git(top, "commit", "--quiet", "--allow-empty", "--message", f"a price of {price}")
    return root


def write(kind: Kind, root: Path, kept: Mapping[str, str]) -> None:
    """Write the files, and the objects of those that DVC keeps into the cache."""
    base = {".dvc/config": "", ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n"}
    base[".gitignore"] = "".join(f"/{name}\n" for name in kept)
    for name, text in {**base, **kept}.items():
        _write(root / name, text.encode())
    for text in kept.values():
        _write(object_path(root / ".dvc/cache", md5_of(text.encode())), text.encode())
    for name, text in sorted(kind.files.items(), key=lambda item: "MD5(" in item[1] or "OLD(" in item[1]):
        _write(root / name, re.sub(r"(MD5|OLD)\(([^)]*)\)", lambda match: _hash(root, *match.groups()), text).encode())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _hash(root: Path, kind: str, name: str) -> str:
    if kind == "OLD":
        content = (root / name).read_bytes()
        _write(legacy_path(root / ".dvc/cache", legacy_md5(content)), content)
        return legacy_md5(content)
    if (root / name).is_dir():
        content = folder_object(root / name)
        _write(object_path(root / ".dvc/cache", f"{md5_of(content)}.dir"), content)
        return f"{md5_of(content)}.dir"
    return md5_of((root / name).read_bytes())


def out(path: str, at: str | None = None) -> str:
    """Return the line of an output in a lock, whose path from the root is `at`."""
    return f"    - {{path: {path}, hash: md5, md5: MD5({at or path})}}\n"


KINDS = {
    "one stage": Kind(
        {
            "scores.json": SCORES,
            "dvc.yaml": f"stages:\n  score: {{cmd: x, outs: [table.csv, {SCORED}]}}\nmetrics: [scores.json]\n",
            "dvc.lock": f"{HEAD}  score:\n    cmd: x\n    outs:\n{out('table.csv')}{out('scores.json')}",
        },
        {"table.csv": TABLE},
        ("table.csv", "scores.json"),
        ("table.csv",),
    ),
    "data of dvc add": Kind(
        {"data/table.csv.dvc": "outs:\n- {path: table.csv, hash: md5, md5: MD5(data/table.csv), size: 27}\n"},
        {"data/table.csv": TABLE},
        (),
        ("data/table.csv",),
        {},
    ),
    "an empty project": Kind({}, {}, (), (), {}),
    "no run yet": Kind({"dvc.yaml": "stages:\n  score: {cmd: x, outs: [model.txt]}\n"}, {}, (), (), {}),
    "an empty dvc.yaml": Kind({"dvc.yaml": ""}, {}, (), (), {}),
    "parameters in every format": Kind(
        {
            "params.yaml": "depth: 3\n",
            "conf/params.json": '{"a": {"depth": 4}}',
            "conf/params.toml": "rate = 0.5\n",
            "params.py": "class Train:\n    EPOCHS = 7\n",
            "scores.toml": "accuracy = 0.5\n",
            "dvc.yaml": "stages:\n  score:\n    cmd: x\n    params: [depth, conf/params.json: [a], conf/params.toml: , params.py: [Train.EPOCHS]]\n"
            "    metrics: [scores.toml: {cache: false}]\n",
            "dvc.lock": f"{HEAD}  score:\n    cmd: x\n    params:\n      params.yaml: {{depth: 3}}\n      conf/params.json: {{a: {{depth: 4}}}}\n"
            f"      conf/params.toml: {{rate: 0.5}}\n      params.py: {{Train.EPOCHS: 7}}\n    outs:\n{out('scores.toml')}",
        },
        {},
        ("scores.toml",),
        params={"depth": 3, "a.depth": 4, "rate": 0.5, "Train.EPOCHS": 7},
    ),
    "one key in two files": Kind(
        {
            "dvc.yaml": "stages:\n  a: {cmd: x, params: [a.yaml: [lr]], metrics: [a.json: {cache: false}]}\n"
            "  b: {cmd: x, params: [b.yaml: [lr]], metrics: [b.json: {cache: false}]}\n",
            "a.json": SCORES,
            "b.json": SCORES,
            "dvc.lock": f"{HEAD}  a:\n    cmd: x\n    params: {{a.yaml: {{lr: 1}}}}\n    outs:\n{out('a.json')}"
            f"  b:\n    cmd: x\n    params: {{b.yaml: {{lr: 2}}}}\n    outs:\n{out('b.json')}",
        },
        {},
        ("a.json", "b.json"),
        metrics={"a.json:accuracy": 0.5, "b.json:accuracy": 0.5},
        params={"a.yaml:lr": 1, "b.yaml:lr": 2},
    ),
    "foreach, matrix and vars": Kind(
        {
            "params.yaml": "cities: [rome, oslo]\n",
            "more.yaml": "place: sub\n",
            "sub/scores.json": SCORES,
            "dvc.yaml": "vars: [more.yaml, {end: json}]\nstages:\n"
            "  city:\n    foreach: ${cities}\n    do: {cmd: 'x ${item}', wdir: 'sub/${item}', outs: ['${item}.csv']}\n"
            "  grid:\n    matrix: {size: [1, 2]}\n    cmd: x\n    wdir: ${place}\n    outs: ['grid${item.size}.csv']\n"
            "  score: {cmd: x, wdir: '${place}', metrics: ['scores.${end}': {cache: false}]}\n",
            "dvc.lock": f"{HEAD}  city@rome:\n    cmd: x rome\n    outs:\n{out('rome.csv', 'sub/rome/rome.csv')}"
            f"  city@oslo:\n    cmd: x oslo\n    outs:\n{out('oslo.csv', 'sub/oslo/oslo.csv')}"
            f"  grid@1:\n    cmd: x\n    outs:\n{out('grid1.csv', 'sub/grid1.csv')}"
            f"  score:\n    cmd: x\n    outs:\n{out('scores.json', 'sub/scores.json')}",
        },
        {"sub/rome/rome.csv": TABLE, "sub/oslo/oslo.csv": TABLE, "sub/grid1.csv": "a\n1\n"},
        ("sub/rome/rome.csv", "sub/oslo/oslo.csv", "sub/grid1.csv", "sub/scores.json"),
        ("sub/oslo/oslo.csv", "sub/rome/rome.csv"),
    ),
    "a template that nothing resolves": Kind(
        {
            "dvc.yaml": "stages:\n  score: {cmd: x, outs: ['${gone}.csv']}\n",
            "dvc.lock": f"{HEAD}  score:\n    cmd: x\n    outs:\n{out('table.csv')}",
        },
        {"table.csv": TABLE},
        ("table.csv",),
        ("table.csv",),
        {},
    ),
    "pipelines in folders": Kind(
        {
            "a/dvc.yaml": f"stages:\n  score: {{cmd: x, outs: [table.csv], metrics: [{SCORED}]}}\n",
            "a/dvc.lock": f"{HEAD}  score:\n    cmd: x\n    outs:\n{out('table.csv', 'a/table.csv')}{out('scores.json', 'a/scores.json')}",
            "a/scores.json": SCORES,
            "b/c/dvc.yaml": "stages:\n  more: {cmd: x, wdir: ../.., deps: [a/table.csv], outs: [b/more.csv]}\n",
            "b/c/dvc.lock": f"{HEAD}  more:\n    cmd: x\n    deps:\n{out('a/table.csv')}    outs:\n{out('b/more.csv')}",
        },
        {"a/table.csv": TABLE, "b/more.csv": TABLE},
        ("a/table.csv", "a/scores.json", "b/more.csv"),
        ("a/table.csv", "b/more.csv"),
    ),
    "a project in a folder of git's, with another below": Kind(
        {
            "dvc.yaml": "stages:\n  copy: {cmd: x, outs: [table.csv]}\n",
            "dvc.lock": f"{HEAD}  copy:\n    cmd: x\n    outs:\n{out('table.csv')}",
            "other/.dvc/config": "",
            "other/dvc.yaml": "stages:\n  theirs: {cmd: x, outs: [theirs.csv]}\n",
            "other/dvc.lock": f"{HEAD}  theirs:\n    cmd: x\n    outs:\n    - {{path: theirs.csv, hash: md5, md5: {'a' * 32}}}\n",
        },
        {"table.csv": TABLE},
        ("table.csv",),
        ("table.csv",),
        {},
        folder="team/project",
    ),
    "frozen stages and callbacks": Kind(
        {
            "scores.json": SCORES,
            "dvc.yaml": "stages:\n  get: {cmd: x, frozen: true, deps: ['https://localhost/table.csv'], outs: [table.csv]}\n"
            f"  score: {{cmd: x, always_changed: true, metrics: [{SCORED}]}}\n  tell: {{cmd: [echo a, echo b]}}\n",
            "dvc.lock": f"{HEAD}  get:\n    cmd: x\n    deps:\n    - {{path: 'https://localhost/table.csv', etag: abc}}\n    outs:\n{out('table.csv')}"
            f"  score:\n    cmd: x\n    outs:\n{out('scores.json')}  tell:\n    cmd: [echo a, echo b]\n",
        },
        {"table.csv": TABLE},
        ("table.csv", "scores.json"),
        ("table.csv",),
    ),
    "folders": Kind(
        {
            "eval/scores.json": SCORES,
            "dvc.yaml": "stages:\n  score:\n    cmd: x\n    outs: [tables: {persist: true}]\n    metrics: [eval: {cache: false}]\n    plots: [eval: {cache: false}]\n",
            "dvc.lock": f"{HEAD}  score:\n    cmd: x\n    outs:\n{out('tables')}{out('eval')}",
        },
        {"tables/a.csv": TABLE, "tables/b.csv": "a\n1\n"},
        ("tables", "eval"),
        ("tables/a.csv",),
    ),
    "plots of every shape": Kind(
        {
            "roc.csv": "x,y\n1,2\n",
            "loss.json": '[{"step": 1}]',
            "scores.json": SCORES,
            "dvc.yaml": "stages:\n  score:\n    cmd: x\n    plots:\n    - roc.csv: [{x: x, y: y, cache: false}]\n    - loss.json: {cache: false}\n"
            f"    metrics: [{SCORED}]\n    outs: [table.csv: {{checkpoint: true}}]\n"
            "plots:\n- roc.csv\n- both:\n    x: x\n    y: {roc.csv: y, loss.json: [a, b]}\n- gone.svg:\n",
            "dvc.lock": f"{HEAD}  score:\n    cmd: x\n    outs:\n{''.join(map(out, ('table.csv', 'roc.csv', 'loss.json', 'scores.json')))}",
        },
        {"table.csv": TABLE},
        ("table.csv", "roc.csv", "loss.json", "scores.json"),
        ("table.csv",),
    ),
    "DVC 2, lines of Windows": Kind(
        {
            "scores.json": SCORES,
            "dvc.yaml": f"stages:\n  score: {{cmd: x, outs: [table.csv], metrics: [{SCORED}]}}\n",
            "dvc.lock": f"{HEAD}  score:\n    cmd: x\n    outs:\n    - {{path: table.csv, md5: OLD(table.csv)}}\n    - {{path: scores.json, md5: OLD(scores.json)}}\n",
        },
        {"table.csv": TABLE.replace("\n", "\r\n")},
        ("table.csv", "scores.json"),
        ("table.csv",),
    ),
    "a lock of DVC 1": Kind(
        {
            "scores.json": SCORES,
            "dvc.yaml": f"stages:\n  score: {{cmd: x, outs: [table.csv], metrics: [{SCORED}]}}\n",
            "dvc.lock": f"score:\n  cmd: x\n  outs:\n{out('table.csv')}{out('scores.json')}",
        },
        {"table.csv": TABLE},
        ("table.csv", "scores.json"),
        ("table.csv",),
    ),
    "stages of DVC 0": Kind(
        {
            "steps/make.dvc": "md5: 00\ncmd: x\nwdir: ..\ndeps:\n- {md5: 00, path: code.py}\nouts:\n- {cache: true, path: out/table.csv, md5: MD5(out/table.csv)}\n",
            "steps/tell.dvc": "md5: 00\ncmd: x\ndeps:\n- {md5: 00, path: code.py}\n",
        },
        {"out/table.csv": TABLE},
        ("out/table.csv",),
        ("out/table.csv",),
        {},
    ),
    "data of DVC 0": Kind(
        {
            "data/table.csv.dvc": "md5: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nwdir: ..\nouts:\n- {path: data/table.csv, cache: true, metric: false, persist: false, md5: MD5(data/table.csv)}\n"
        },
        {"data/table.csv": TABLE},
        (),
        ("data/table.csv",),
        {},
    ),
    "data in the cloud": Kind(
        {
            "dvc.yaml": "stages:\n  up: {cmd: x, outs: ['s3://bucket/far.csv', folder]}\n",
            "dvc.lock": f"{HEAD}  up:\n    cmd: x\n    outs:\n    - {{path: 's3://bucket/far.csv', etag: abc-1, size: 4}}\n"
            f"    - path: folder\n      hash: md5\n      files:\n      - {{relpath: a.csv, md5: MD5(folder/a.csv), size: 2, cloud: {{up: {{etag: abc, version_id: v1}}}}}}\n",
        },
        {"folder/a.csv": "a\n1\n"},
        ("folder",),
        (),
        {},
    ),
    "a stage that was renamed": Kind(
        {
            "dvc.yaml": "stages:\n  now: {cmd: x, outs: [table.csv]}\n",
            "dvc.lock": f"{HEAD}  before:\n    cmd: x\n    outs:\n    - {{path: gone.csv, hash: md5, md5: {'a' * 32}}}\n"
            f"  now:\n    cmd: x\n    outs:\n{out('table.csv')}",
        },
        {"table.csv": TABLE},
        ("table.csv",),
        ("table.csv",),
        {},
    ),
    "a model in a folder": Kind(
        {
            "m/scores.json": SCORES,
            "m/dvc.yaml": "stages:\n  fit: {cmd: x, outs: [model.txt], metrics: [scores.json: {cache: false}]}\n"
            "artifacts:\n  net: {path: model.txt, type: model, desc: a net, labels: [small], meta: any}\n",
            "m/dvc.lock": f"{HEAD}  fit:\n    cmd: x\n    outs:\n{out('model.txt', 'm/model.txt')}{out('scores.json', 'm/scores.json')}",
        },
        {"m/model.txt": "weights 4.5"},
        ("m/model.txt", "m/scores.json"),
    ),
    "reports of any shape": Kind(
        {
            "reports/metrics.json": "[1, 2]",
            "reports/evaluation.json": "[]",
            "reports/data_quality.json": "7",
            "model.json": '{"input": 3}',
            "params.yaml": "- a\n- b\n",
            "pyproject.toml": "not toml",
            "dvc.yaml": "stages:\n  fit: {cmd: x, outs: [model.txt], metrics: [reports/metrics.json: {cache: false}]}\n"
            "artifacts:\n  net: {path: model.txt, type: model, meta: {predictions: table.csv}}\n",
            "dvc.lock": f"{HEAD}  fit:\n    cmd: x\n    outs:\n{out('model.txt')}{out('reports/metrics.json')}",
        },
        {"model.txt": "weights"},
        ("model.txt", "reports/metrics.json"),
        metrics={},
    ),
}
