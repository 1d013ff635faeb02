"""`dvckit sweep` in repositories of every kind leaves what `dvc exp run` leaves, byte for byte."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest
from dvc.cli import main as dvc
from typer.testing import CliRunner

from dvckit.cli import app
from dvckit.core.errors import UserError
from dvckit.testing import Repository

# DVC's own
pytestmark = [
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


class Kind(NamedTuple):
    """A repository by its files, the values to try in it, the metric that decides, and where its parts are."""

    files: dict[str, str]
    values: list[str]
    metric: str
    place: str = "."  # of the DVC repository in git's
    here: str = "."  # the current folder in the DVC repository
    later: Callable[[Path], None] | None = None  # what is changed in the folder once all was run
    added: tuple[str, ...] = ()  # files that `dvc add` tracks


FORMATS = Kind(
    {
        "params.yaml": "lr: 0.1  # a comment\n",
        "conf/model.json": '{\n    "model": {"depth": 3, "kind": "tree"}\n}\n',
        "conf/data.toml": "# a comment\n[split]\nshare = 0.2\n",
        "settings.py": "SEED = 1\n\n\nclass Train:\n    ROUNDS = 10\n",
        "in.txt": "1\n2\n",
        "dvc.yaml": """stages:
  train:
    cmd: cat in.txt params.yaml conf/model.json conf/data.toml settings.py > model.txt
    deps: [in.txt]
    params: [lr, conf/model.json: [model.depth], conf/data.toml: [split], settings.py: [SEED, Train.ROUNDS]]
    outs: [model.txt]
  score:
    cmd: >-
      python -c "n = len(open('model.txt').read()); open('scores.yaml', 'w').write(f'all: {{size: {n}, name: x}}\\n');
      open('scores.toml', 'w').write(f'size = {n / 2}\\n'); open('plot.csv', 'w').write(f'x,y\\n1,{n}\\n')"
    deps: [model.txt]
    metrics: [scores.yaml: {cache: false}]
    outs: [scores.toml]
    plots: [plot.csv: {cache: false, x: x}]
metrics: [scores.toml]
plots:
  - plot.csv: {y: y}
""",
    },
    ["lr=0.25", "conf/model.json:model.depth=4", "conf/data.toml:split.share=0.3", "settings.py:Train.ROUNDS=20"],
    "all.size",
)
WITHOUT_PARAMS_YAML = Kind(
    {
        "conf/model.toml": "depth = 3\n",
        "in.txt": "1\n",
        "dvc.yaml": """stages:
  train:
    cmd: [cat in.txt conf/model.toml > model.txt, wc -c < model.txt > size.metric]
    deps: [in.txt]
    params: [conf/model.toml: [depth]]
    outs: [model.txt]
    metrics: [size.metric]
""",
    },
    ["conf/model.toml:depth=123"],
    "size.metric",
)
TEMPLATES = Kind(
    {
        "params.yaml": "model: {depth: 3, kinds: [a, b]}\n",
        "more.yaml": "folder: built\nitems: {x: {n: 1}, y: {n: 2}}\n",
        "prepare/params.yaml": "rows: 5\n",
        "prepare/dvc.yaml": """stages:
  rows:
    cmd: seq ${rows} > rows.txt
    outs: [rows.txt]
    params: [rows]
""",
        "code/scale.sh": "mkdir -p ../built && awk -v n=$1 '{print $1 * n}' ../prepare/rows.txt > ../built/$2.txt\n",
        "dvc.yaml": """vars: [more.yaml, {shell: sh}]
stages:
  scale:
    foreach: ${items}
    do:
      wdir: code
      cmd: ${shell} scale.sh ${item.n} ${key}
      deps: [scale.sh, ../prepare/rows.txt]
      outs: ["../${folder}/${key}.txt"]
  fit:
    matrix: {kind: "${model.kinds}", item: [x, y]}
    cmd: >
      echo ${item.kind} ${model.depth} | cat - ${folder}/${item.item}.txt > ${item.kind}-${item.item}.txt
    deps: ["${folder}/${item.item}.txt"]
    outs: ["${item.kind}-${item.item}.txt"]
  count:
    cmd: |
      cat a-x.txt a-y.txt b-x.txt b-y.txt > all.txt
      echo "{\\"n\\": $(wc -c < all.txt)}" > n.json
    deps: [a-x.txt, a-y.txt, b-x.txt, b-y.txt]
    outs: [all.txt]
    metrics: [n.json]
""",
    },
    ["model.depth=14", "more.yaml:items.y.n=30"],
    "n",
)


def freeze(root):
    (root / "in.txt").write_text("changed")
    (root / "dvc.yaml").write_text(
        (root / "dvc.yaml").read_text().replace("{cmd: cat in", "{frozen: true, cmd: cat in")
    )


STATES = Kind(
    {
        "params.yaml": "x: 1\ny: 2\n",
        "in.txt": "1\n",
        "dvc.yaml": """stages:
  cold: {cmd: cat in.txt params.yaml > cold.txt, deps: [in.txt], params: [y], outs: [cold.txt]}
  call: {cmd: wc -l < params.yaml > call.json, outs: [{call.json: {cache: false}}]}
  always: {always_changed: true, cmd: cp params.yaml always.txt, deps: [in.txt], outs: [always.txt]}
  last:
    cmd: cat cold.txt always.txt > last.txt; echo "{\\"m\\":{\\"len\\":$(wc -c < last.txt)}}" > m.json
    deps: [cold.txt, always.txt]
    params: [x, y]
    outs: [last.txt]
metrics: [m.json]
""",
    },
    ["x=1234", "y=5"],
    "m.len",
    later=freeze,
)
OUTPUTS = Kind(
    {
        "params.yaml": "n: 2\n",
        "data/fixed.txt": "fixed\n",
        "dvc.yaml": """stages:
  many:
    cmd: mkdir -p data/many/deep && for i in $(seq $(cut -c4- params.yaml)); do echo $i > data/many/deep/$i.txt; done
    params: [n]
    outs: [data/many]
  one: {cmd: cat data/many/deep/1.txt data/fixed.txt > one.txt, deps: [data/many/deep/1.txt, data], outs: [one.txt]}
  grow:
    cmd: mkdir -p grown && ls data/many/deep | wc -l >> grown/log.txt && cat grown/log.txt > sum.txt
    deps: [data/many]
    outs: [grown: {persist: true}, sum.txt: {cache: false}]
  plain:
    cmd: mkdir plain && cp one.txt plain && cp sum.txt kept.txt && echo "{\\"n\\":$(ls data/many/deep | wc -l)}" > m.json
    deps: [one.txt, sum.txt, data/many]
    outs: [plain: {cache: false}, kept.txt: {cache: false}]
    metrics: [m.json: {cache: false}]
""",
        ".gitignore": "/kept.txt\n",
    },
    ["n=4"],
    "n",
)
ADDED = Kind(
    {
        "params.yaml": "n: 2\n",
        "raw/a.txt": "1\n2\n3\n",
        "raw/b.txt": "4\n",
        "one.txt": "5\n",
        "notes.txt": "6\n",
        ".env": "7\n",
        "tools/run": "#!/bin/sh\ncat .env\n",
        ".gitignore": "/.env\n/notes.txt\n/tools/\n",
        "dvc.yaml": """stages:
  sum:
    cmd: cat raw/*.txt one.txt notes.txt > all.txt && sh tools/run >> all.txt && cat params.yaml >> all.txt
    deps: [raw, one.txt, notes.txt]
    params: [n]
    outs: [all.txt]
  score:
    cmd: echo "{\\"lines\\":$(wc -l < all.txt)}" > m.json
    deps: [all.txt]
    metrics: [m.json: {cache: false}]
""",
    },
    ["n=3"],
    "lines",
    added=("raw", "one.txt"),
)
ELSEWHERE = Kind(
    {
        "a/params.yaml": "n: 2\n",
        "a/dvc.yaml": """stages:
  make: {cmd: cp params.yaml made.txt, params: [n], outs: [made.txt]}
  score: {cmd: "echo n: $(wc -c < made.txt) > m.yaml", deps: [made.txt], metrics: [m.yaml]}
""",
        "b/dvc.yaml": "stages:\n  other: {cmd: date > date.txt, outs: [date.txt]}\n",
    },
    ["n=345"],
    "n",
    place="services/model",
    here="a",
)


def age(root):
    """Bring dvc.lock and the cache into the form of DVC 2: no `hash`, and objects at another place."""
    (root / "dvc.lock").write_text((root / "dvc.lock").read_text().replace("      hash: md5\n", ""))
    for folder in (root / ".dvc/cache/files/md5").iterdir():
        folder.rename(root / ".dvc/cache" / folder.name)
    shutil.rmtree(root / ".dvc/cache/files")
    shutil.rmtree(root / ".dvc/cache/runs")


OLD = Kind(
    WITHOUT_PARAMS_YAML.files
    | {
        "dvc.yaml": """stages:
  first: {cmd: mkdir first && cp in.txt first, deps: [in.txt], outs: [{first: {checkpoint: true}}]}
  train:
    cmd: cat first/in.txt conf/model.toml > model.txt
    deps: [first]
    params: [conf/model.toml: [depth]]
    outs: [model.txt]
  score: {cmd: wc -c < model.txt > size.metric, deps: [model.txt], metrics: [{size.metric: {cache: false}}]}
"""
    },
    ["conf/model.toml:depth=123"],
    "size.metric",
    later=age,
)
INSIDE = Kind(
    {
        "params.yaml": "n: 2\n",
        "dvc.yaml": """stages:
  fit: {cmd: cp params.yaml model.txt, params: [n], outs: [model.txt]}
  score:
    cmd: mkdir -p eval/deep && echo "{\\"size\\":$(wc -c < model.txt)}" > eval/deep/m.json && cp model.txt eval/plot.txt
    deps: [model.txt]
    outs: [eval]
metrics: [eval/deep/m.json]
""",
    },
    ["n=345"],
    "size",
)
FOLDER = Kind(
    {
        "params.yaml": "n: 2\n",
        "dvc.yaml": """stages:
  score:
    cmd: mkdir -p live && echo "{\\"size\\":$(wc -c < params.yaml)}" > live/m.json && echo {} > live/other.json
    params: [n]
    outs: [live]
metrics: [live]
""",
    },
    ["n=345"],
    "size",
)
KINDS = {
    "inside": INSIDE,
    "folder": FOLDER,
    "formats": FORMATS,
    "without_params_yaml": WITHOUT_PARAMS_YAML,
    "templates": TEMPLATES,
    "states": STATES,
    "outputs": OUTPUTS,
    "added": ADDED,
    "elsewhere": ELSEWHERE,
    "old": OLD,
}


def built(kind, folder):
    """The repository of a kind, run once and committed."""
    folder.mkdir(parents=True)
    repository = Repository(folder)
    root = folder / kind.place
    for name, text in kind.files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    repository.ok("git", "init", "--quiet", "--initial-branch", "main")
    run_dvc(repository, root, "init", "--quiet", *(["--subdir"] if kind.place != "." else []))
    for name in kind.added:
        run_dvc(repository, root, "add", "--quiet", name)
    run_dvc(repository, root / kind.here, "repro", "--quiet")
    if kind.later:
        kind.later(root)
    repository.commit("run once")
    return repository


def run_dvc(repository, folder, *arguments):
    """Run DVC in this process: a second less for each command."""
    with patch.dict(os.environ, repository.environment, clear=True), pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        assert dvc(list(arguments)) == 0, arguments


def sweep(repository, kind, *options):
    """Run the command in this process, in the kind's folder."""
    arguments = [word for value in kind.values for word in ("-S", value)]
    with patch.dict(os.environ, repository.environment, clear=True), pytest.MonkeyPatch.context() as patched:
        patched.chdir(repository.root / kind.place / kind.here)
        return CliRunner().invoke(app, ["sweep", *arguments, "--metric", kind.metric, *options])


def commits(repository):
    listed = repository.ok("git", "for-each-ref", "--format=%(objectname)", "refs/exps/*/*/*")
    return listed.split()


def objects(repository, kind):
    cache = repository.root / kind.place / ".dvc/cache"
    return {str(path.relative_to(cache)): path.read_bytes() for path in cache.rglob("*") if path.is_file()}


def shown(repository, kind, commit):
    """What `dvc exp show` has of an experiment."""
    code = "import sys; from dvc.repo import Repo; from dvc.repo.experiments.collect import collect_rev as c; "
    code += "print(c(Repo(sys.argv[2]), sys.argv[1]).data.as_bytes().decode())"
    note = json.loads(repository.ok(sys.executable, "-c", code, commit, str(repository.root / kind.place)))
    return {key: value for key, value in note.items() if key not in {"rev", "timestamp"}}


def users(repository):
    """What must stay as it is."""
    kept = {
        path.relative_to(repository.root): path.read_bytes()
        for path in repository.root.rglob("*")
        if path.is_file() and {".git", ".dvc"}.isdisjoint(path.relative_to(repository.root).parts)
    }
    return kept, repository.ok("git", "status", "--short"), repository.ok("git", "ls-files", "--stage")


def compare(ours, kind):
    """Sweep one configuration and let DVC run it in a copy: all that both leave is the same."""
    theirs = Repository(ours.root.parent / "theirs")
    theirs.environment |= {"DVC_SITE_CACHE_DIR": str(ours.root.parent / "theirs-site")}
    shutil.copytree(ours.root, theirs.root, symlinks=True)
    before = users(ours)

    result = sweep(ours, kind)

    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    assert users(ours) == before
    values = [word for value in kind.values for word in ("-S", value)]
    run_dvc(theirs, theirs.root / kind.place / kind.here, "exp", "run", "--quiet", *values)
    (our,), (their,) = commits(ours), commits(theirs)
    trees = [r.ok("git", "ls-tree", "-r", c) for r, c in ((ours, our), (theirs, their))]
    assert trees[0] == trees[1]
    messages = [r.ok("git", "log", "-1", "--format=%P %an %ae %B", c) for r, c in ((ours, our), (theirs, their))]
    assert messages[0] == messages[1]
    assert objects(ours, kind) == objects(theirs, kind)
    assert shown(ours, kind, our) == shown(theirs, kind, their)
    assert f"best {kind.metric}: " in result.output
    assert "0 new, 1 already done, 0 failed" in sweep(ours, kind).output


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.faults] if name != "without_params_yaml" else []) for name in KINDS],
)
def test_an_experiment_is_dvcs_in_a_repository_of_any_kind(name, tmp_path):
    compare(built(KINDS[name], tmp_path / "ours"), KINDS[name])


def change(toy, path, text):
    (toy.root / path).write_text(text)
    toy.commit("a change")


def forget(toy):
    shutil.rmtree(toy.root / ".git")


def restart(toy):
    forget(toy)
    toy.ok("git", "init", "--quiet")


def move(toy):
    (toy.root / "dvc.yaml").unlink()
    toy.commit("one pipeline less")


def unmeasured(toy):
    (toy.root / "reports/metrics.json").unlink()
    toy.edit("dvc.yaml", ("metrics:\n  - reports/metrics.json\n", ""))
    toy.commit("no metric")


def metrics_outside_of_git(toy):
    toy.edit("dvc.yaml", ("outs: [reports/metrics.json: {cache: false, persist: true}]", "outs: [count]"))
    toy.edit("dvc.yaml", ("wc -l < data/features/train.parquet > reports/metrics.json", "touch count"))
    toy.ok("git", "rm", "--quiet", "--cached", "reports/metrics.json")
    (toy.root / ".gitignore").write_text("metrics.json\n")
    toy.commit("ignored")


def lock_of_dvc_1(toy):
    toy.edit("dvc.lock", ("schema: '2.0'\nstages:\n", ""))


def cut_lock(toy):
    """As Ctrl-C leaves it at the moment at which DVC writes it."""
    lock = toy.root / "dvc.lock"
    content = lock.read_text()
    lock.write_text(content[: content.rindex("size:") + len("size:")])


@pytest.mark.parametrize(
    ("hurt", "options", "message"),
    [
        (forget, [], "not a git repository"),
        (restart, [], "there is no commit yet, and an experiment stands on one; run `git commit` first"),
        (move, [], "there is no dvc.yaml here; run this in a folder that has one: reports"),
        (
            unmeasured,
            [],
            "no metric is known: no `metrics` in dvc.yaml; a sweep needs one, run with `dvc repro` and committed",
        ),
        (
            metrics_outside_of_git,
            [],
            "no metric is known: git does not have reports/metrics.json; `git add --force` and commit what is there",
        ),
        (lock_of_dvc_1, [], "dvc.lock' validation failed: 4 errors; run `dvckit doctor --fix`"),
        (cut_lock, [], "dvc.lock' validation failed; run `dvckit doctor --fix`"),
        (
            lambda toy: change(toy, ".dvc/config", "[hydra]\n enabled = true\n"),
            [],
            "Hydra composes params.yaml here (hydra.enabled); use `dvc exp run --queue -S`",
        ),
        (
            lambda _: None,
            ["-S", "model.toml:a=1"],
            "there is no model.toml in git; `-S FILE:KEY=VALUES` names a key of another",
        ),
        (
            lambda _: None,
            [],
            "dvc.yaml names no project, so name the metric that decides: --metric with one of reports/metrics.json",
        ),
        (
            lambda _: None,
            ["--metric", "auc"],
            "there is no metric 'auc' in reports/metrics.json; known: reports/metrics.json",
        ),
        (
            lambda _: None,
            ["--metric", "reports/metrics.json", "--scheduler", "tcp://127.0.0.1:1"],
            "--scheduler is for pipelines whose stages all are `python -m dvckit.stage MODULE`; leave it out",
        ),
    ],
)
def test_what_a_sweep_cannot_do_is_one_sentence(toy, hurt, options, message, monkeypatch):
    hurt(toy)
    monkeypatch.chdir(toy.root)

    result = CliRunner().invoke(app, ["sweep", "-S", "features.bands=1", *options], env=toy.environment)

    assert isinstance(result.exception, UserError)
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)


def test_a_trial_that_lacks_a_remotes_library_says_what_to_install(tmp_path, monkeypatch):
    kind = KINDS["without_params_yaml"]
    ours = built(kind, tmp_path / "ours")
    ours.ok("dvc", "remote", "add", "--default", "far", "oss://bucket/x")
    ours.commit("a remote whose library is not installed")

    result = sweep(ours, kind)

    assert "oss is supported, but requires 'dvc-oss' to be installed" in result.output


def test_results_stay_where_they_are_when_git_ignores_the_folder_that_they_made(tmp_path):
    kind = KINDS["without_params_yaml"]
    ours = built(kind, tmp_path / "ours")
    (ours.root / kind.place / ".gitignore").open("a").write("reports/\n")
    ours.commit("reports/ is ignored")

    pages = [sweep(ours, kind).output.splitlines()[-1] for _ in range(2)]

    assert pages == ["all trials:  .dvc/tmp/sweep/sweep.html"] * 2
