"""Every command that prints, in a repository whose names, messages and cells are made to control a terminal."""

import csv
import json
import re
import subprocess
import sys
from importlib import util
from io import StringIO
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from dvckit.repository.objects import md5_of

_SPEC = util.spec_from_file_location("registry_conftest", Path(__file__).with_name("conftest.py"))
_SPEC.loader.exec_module(_tiny := util.module_from_spec(_SPEC))

# colour, title, clipboard, link, C1, bidi, invisible, carriage return and backspace, markup of rich, HTML and Markdown
BAD = "\x1b[31m\x1b]0;t\x07\x1b]52;c;eA==\x07\x1b]8;;http://e\x1b\\\x9b31m\u202e\u200b\x85\r\b[red]<b>|`![x](http://e)"
NAME = "\x9b31m\u202e\u200b<b>|`"  # what git allows in the name of a branch
FORGED = f"{BAD}\nok      nothing is wrong"
UNSEEN = {*map(chr, [*range(9), *range(11, 32), *range(127, 160)]), *"\u200b\u202e"}
TAGS = {"h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "code", "pre"}
SECRET = "hunt" + "er2hunter2"
TABLE, TABLES = f"tables/{FORGED.replace('/', '_')}.csv", "oof.csv"

# Run all in one process: each would import pandas again.
RUN = """
import json, sys
from dvckit import cli
for arguments in json.load(open(sys.argv[1], encoding="utf-8", errors="surrogatepass")):
    sys.argv = ["dvckit", *arguments]
    print("==", arguments[:3])
    try:
        cli.main()
    except SystemExit as end:
        if end.code not in (0, 1, 2, None):
            print(end.code, file=sys.stderr)
    except BaseException:
        import traceback
        traceback.print_exc()
"""
COMMANDS = [
    ["check"],
    ["libraries"],
    ["summary"],
    ["doctor"],
    ["compare", "v1", f"b{NAME}"],
    ["compare", "v1", "HEAD", "--md"],
    ["compare", "v1", "HEAD", "--json"],
    ["compare", "v1", f"no{BAD}"],
    ["compare", "--from", "revisions"],
    ["data", "diff", "v1", f"b{NAME}"],
    ["data", "diff", "v1", "--md"],
    ["data", "diff", "v1", "--json"],
    ["data", "check", f"data{BAD}.csv"],
    ["data", "add", "new.csv", "--name", BAD],
    ["models", "list"],
    ["models", "list", "--json"],
    ["models", "show", "1.1.0"],
    ["models", "show", "1.1.0", "--json"],
    ["models", "show", BAD],
    ["models", "export", "1.1.0", f"out{BAD[:20]}"],
    ["models", "promote", "1.1.0", "--to", BAD],
    ["models", "register", "--rev", f"b{NAME}"],
    ["predict", "new.csv", f"out{BAD}.csv", "--rev", "v1"],
    ["sweep", "--dry", "-S", f"{BAD}=1,2"],
    ["sweep", "--dry", "-S", "params.yaml:n=1,2", "--metric", BAD],
    [
        "sweep",
        "-S",
        "n=1,2",
        "--trials",
        "1",
        "--storage",
        f"postgresql+no://me:{SECRET}@host/x",
        "--metric",
        "holdout.accuracy",
    ],
    ["init", "--model", BAD],
    ["hooks"],
    ["snapshot", "--message", BAD],
    ["upgrade", BAD],
    ["new", "made", "new.csv", "--target", BAD],
    ["new", "made", "new.csv"],
    ["new", "made", "new.csv", "--target", "2"],
    ["merge-lock", "dvc.lock", "dvc.lock", "new.csv", BAD],
    ["git-hook", BAD],
    ["publish", "mlflow", BAD],
    [BAD],
    ["compare", f"--{BAD}"],
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The tiny project with a second version, in which everything is hostile that can be."""
    folder = tmp_path_factory.mktemp("hostile")
    project = _tiny.tiny.__wrapped__(folder)({"n": 1})
    project.environment |= {"GIT_COMMITTER_NAME": f"tagger {BAD}", "GIT_AUTHOR_NAME": f"author {BAD}"}
    root = project.root
    _add(root, 0)
    project.commit("first")
    project.ok("git", "tag", "v1")
    _add(root, 1)
    (root / "params.yaml").write_text(json.dumps({"n": 2, "train": {BAD: FORGED}}))
    lock = json.loads((root / "dvc.lock").read_text())
    lock["stages"]["fetch"]["params"] = {"params.yaml": {"n": 2, f"train.{BAD}": FORGED}}
    lock["stages"]["fetch"]["deps"] += [{"path": f"https://me:{SECRET}@host/x.csv", "md5": "0" * 32}]
    (root / "dvc.lock").write_text(f"{json.dumps(lock)}\n")
    project.commit(f"subject {BAD}\n\n{FORGED}")
    project.ok("git", "branch", f"b{NAME}")
    project.ok("git", "tag", "-a", "-m", f"message {FORGED}", "grades@v1.1.0")
    project.ok("git", "remote", "add", "origin", f"https://me:{SECRET}@host/x.git?private_token={SECRET}#{SECRET}")
    (root / "new.csv").write_text(f'id,"{BAD}",y\n1,"{BAD}",a\n2,"two\nlines",b\n', encoding="utf-8")
    (root / "revisions").write_text(f"v1\nno{BAD}\n".replace("\x85", ""), encoding="utf-8")
    (root / "commands.json").write_text(json.dumps(COMMANDS))
    return project


def _add(root, number):
    """Write a table, predictions and a file of code with hostile names and cells; a stage has them."""
    cells = [["id", BAD, "x"], *([str(row), f"{BAD}{number}", str(row + number)] for row in range(30))]
    text = StringIO()
    csv.writer(text).writerows(cells)
    labels = [f"yes{BAD}", "no"]
    rows = [
        {"row": f"{row:064x}", "key": row, "part": "holdout", "truth": labels[row % 2]}
        | {f"probability_{labels[0]}": 0.4 + 0.1 * number, "probability_no": 0.6 - 0.1 * number}
        for row in range(120)
    ]
    oof = StringIO()
    writer = csv.DictWriter(oof, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    files = {TABLE: text.getvalue(), TABLES: oof.getvalue(), f"code/{BAD.replace('/', '_')}.py": str(number)}
    for name, content in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(content.encode())
    yaml = (root / "dvc.yaml").read_text()
    head, stages = yaml.split("stages: ")
    stages, (code, *_) = json.loads(stages), [name for name in files if name.startswith("code/")]
    stages["evil"] = {
        "cmd": f"true {FORGED}",
        "deps": [code],
        "outs": [{name: {"cache": False}} for name in (TABLE, TABLES)],
    }
    if "predictions" not in head:
        head = head.replace("type: model\n", "type: model\n    meta: {predictions: oof.csv}\n")
        head = head.replace("desc: Grade of a beam", f"desc: {json.dumps(FORGED)}")
    (root / "dvc.yaml").write_text(f"{head}stages: {json.dumps(stages)}\n")
    lock = json.loads((root / "dvc.lock").read_text())
    entries = {name: {"path": name, "md5": md5_of(content.encode()), "size": 1} for name, content in files.items()}
    lock["stages"]["evil"] = {
        "cmd": stages["evil"]["cmd"], "deps": [entries[code]], "outs": [entries[TABLE], entries[TABLES]],
    }  # fmt: skip
    (root / "dvc.lock").write_text(f"{json.dumps(lock)}\n")


def printed(project, **environment):
    command = [sys.executable, "-c", RUN, "commands.json"]
    surroundings = {"cwd": project.root, "env": project.environment | environment, "stdin": subprocess.DEVNULL}
    return subprocess.run(command, capture_output=True, check=False, **surroundings)


@pytest.mark.parametrize(
    "encoding", ["utf-8", *(pytest.param(one, marks=pytest.mark.faults) for one in ("ascii", "cp1252", "cp437"))]
)
def test_no_command_prints_what_a_terminal_obeys(hostile, encoding):
    done = printed(hostile, PYTHONIOENCODING=encoding)

    text = (done.stdout + done.stderr).decode(encoding)
    assert [line for line in text.split("\n") if UNSEEN & {*line}] == []
    assert "Traceback" not in text, text[text.index("Traceback") - 500 :][:3000]
    assert "could not be checked" not in text
    assert text.count("\nok      nothing is wrong") == 0
    assert SECRET not in text


def test_the_card_of_an_exported_version_holds_text(hostile):
    hostile.ok("dvckit", "models", "export", "1.1.0", "exported")

    card = (hostile.root / "exported/grades_v1.1.0/README.md").read_text(encoding="utf-8")

    _, front, body = card.split("---\n", 2)
    assert not UNSEEN & {*card}
    assert YAML(typ="safe").load(front)["library_name"] == "sklearn"
    html = MarkdownIt("commonmark").enable("table").render(body)
    assert not {*re.findall("<([a-z0-9]+)", html)} - TAGS
    assert SECRET not in (hostile.root / "exported/grades_v1.1.0/metadata.json").read_text(encoding="utf-8") + card


def test_a_page_of_a_comparison_holds_text(hostile):
    hostile.ok("dvckit", "compare", "v1", f"b{NAME}", "--html", "page.html")

    page = (hostile.root / "page.html").read_text(encoding="utf-8")

    assert not UNSEEN & {*page}
    assert not {"<b>", "javascript:"} & {*re.findall("<b>|javascript:", page)}
    assert "&lt;b&gt;" in page
    assert SECRET not in page
