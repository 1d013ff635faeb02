"""`dvckit new`: a project from a CSV file, with its data, its first results and their version."""

import math
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from packaging.utils import canonicalize_name

from dvckit.core.errors import UserError
from dvckit.core.files import write_bytes
from dvckit.core.layout import TEST, TRAIN
from dvckit.new import fields
from dvckit.new.asking import ask, wrapped
from dvckit.new.columns import Column, Examined
from dvckit.new.folder import check_identity, project_folder
from dvckit.new.library import add_library
from dvckit.new.measure import best_column, check_splits, inflated, leaves, table_of
from dvckit.new.options import Options
from dvckit.new.project_name import check_name, package_of
from dvckit.new.pyproject import render_pyproject
from dvckit.new.rendering import render_folder
from dvckit.new.shared import PYPROJECT, Answers, write
from dvckit.new.uv import environment_of, lock, sync
from dvckit.repository.objects import STORAGE
from dvckit.repository.programs import git

EXTERNAL = "data/external"
EMBEDDED = 20_000_000  # bytes of data up to which the remote is a folder in git
OTHER_REMOTE = (
    "then push:",
    "  dvc remote add --default NAME URL",
    "  git commit --all --message 'A remote'",
    "  dvc push",
    "  dvckit snapshot --message 'First results'",
)
LONG, VERY_LONG = 10_000, 100_000  # rows from which on first results would take minutes with what is usual for fewer
DRAWN = 5_000  # rows of a tree of a long table
SLICES, SLICED = 3, range(2, 9)  # categories with so many values, of which the report shows the first ones

Say = Callable[[str], None]


def new(
    folder: Path,
    csv: Path,
    options: Options,
    say: Say,
    *,
    predict: Path | None = None,
    name: str | None = None,
    library: str | None = None,
) -> None:
    """Make a project of a CSV file; `predict` has rows to predict, `library` is the source of dvckit.

    UserError where something cannot be known or done; then there is no project.
    """
    folder = folder.absolute()
    name = name or folder.name
    check_name(name)
    if folder.exists():
        raise UserError(f"{folder} exists; name a folder that does not")
    check_identity(folder.parent)
    examined = ask(csv, options, predict, _measured)
    table = table_of(examined)
    if examined.of_role("group") or examined.of_role("time"):
        check_splits(examined, table)
    for line in _groups(examined, table):
        say(line)
    package = package_of(name)
    answers = Answers(canonicalize_name(name), package, name, examined.task, examined.predict is not None, "none")  # type: ignore[arg-type]
    own = files(answers, examined, table)
    with project_folder(folder) as root:
        say(f"writing {root}")
        _write(root, answers, own, library)
        _copy_data(root / EXTERNAL / answers.name, examined)
        say("choosing and installing packages: uv lock, uv sync")
        lock(root)
        sync(root)
        _run(root, examined, say)


def _measured(examined: Examined) -> dict[str, str]:
    """Return what was measured about the questions of a file: how much its random splits flatter."""
    asked = {question.about for question in examined.questions} & set(examined.groups)
    if not asked:
        return {}
    table = table_of(examined)
    columns = [column for column in examined.columns if column.name in asked]
    return {column.name: f"measured: {text}" for column in columns if (text := _inflation(examined, table, column))}


def _groups(examined: Examined, table: pd.DataFrame) -> list[str]:
    """Return lines about the column of the role group: what a random split would have shown."""
    groups = examined.of_role("group")
    if not groups:
        return []
    text = _inflation(examined, table, groups[0])
    return wrapped(f"{groups[0].name}: {text}") if text else []


def _inflation(examined: Examined, table: pd.DataFrame, column: Column) -> str:
    measured = inflated(examined, table, column.field)
    if measured is None:
        return ""
    low, high = sorted((abs(measured.difference.low), abs(measured.difference.high)))
    by = f"{abs(measured.difference.value):.3f} ({low:.3f} to {high:.3f})"
    verdict = f"it flatters by {by}" if measured.found else "they do not differ by more than noise"
    return (
        f"a random split gives {measured.metric.title} {measured.random:.3f}, one that keeps its values together "
        f"{measured.kept:.3f}: {verdict}"
    )


def _write(root: Path, answers: Answers, own: Mapping[str, bytes], source: str | None) -> None:
    """Write the library and all files but the data."""
    library = add_library(root, source)
    answers = Answers(**{**vars(answers), "library": library.name})
    write(root, answers)
    write_bytes(root / PYPROJECT, render_pyproject(answers, library).encode())
    for path, content in own.items():
        write_bytes(root / path, content)
    git(root, "init", "--quiet", "--initial-branch", "main")


def files(answers: Answers, examined: Examined, table: pd.DataFrame) -> dict[str, bytes]:
    """Return the files that are the person's own, by path; `table` has the rows of the file."""
    values = _values(answers, examined, *best_column(examined, table))
    package = render_folder("package", **values)
    return {
        **render_folder("start", **values),
        **render_folder("project", **values),
        **{f"{answers.package}/{path}": content for path, content in package.items()},
    }


def _copy_data(folder: Path, examined: Examined) -> None:
    folder.mkdir(parents=True)
    shutil.copyfile(examined.path, folder / f"{TRAIN}.csv")
    if examined.predict:
        shutil.copyfile(examined.predict, folder / f"{TEST}.csv")


def _values(answers: Answers, examined: Examined, simple: str, simple_role: str) -> dict[str, Any]:
    """Return what the templates of the person's own files are rendered from."""
    lines = fields.declarations(examined)
    target = examined.of_role("target")[0]
    computed = fields.computed(examined)
    slices = [column.field for column in examined.of_role("category") if len(column.found.values) in SLICED]
    return {
        **vars(answers),
        "quoted": fields.quoted,
        "regression": answers.task == "regression",
        "kind": "Regressor" if answers.task == "regression" else "Classifier",
        "file": examined.path.name,
        "folder": f"{EXTERNAL}/{answers.name}",
        "rows": examined.rows,
        "target": target.name,
        "columns": lines,
        "imports": fields.imports(examined, lines),
        "rules": fields.rules(examined),
        "computed": computed,
        "group": bool(examined.of_role("group")),
        "time": bool(examined.of_role("time")),
        "texts": bool(examined.of_role("text")),
        "simple": simple,
        "simple_role": simple_role,
        "leaves": leaves(examined),
        "slices": [*slices, *([simple] if simple not in slices and simple_role != "text" else [])][:SLICES],
        "share": _share(examined),
        "sizes": _sizes(examined.rows),
        "embedded": _is_embedded(examined),
    }


def _share(examined: Examined) -> float:
    """Return the share of rows that may be rejected: those without a label, which a person chose to leave out."""
    return math.ceil(1000 * examined.unlabelled / examined.rows) / 1000 if examined.unlabelled else 0.0


def _sizes(rows: int) -> dict[str, int | str]:
    """Return the parameters that decide how long the first results take."""
    very_long = rows > VERY_LONG
    share = f"{DRAWN / rows:.2g}" if rows > LONG else "null"
    return {
        "trees": 50 if very_long else 100,
        "share": share,
        "folds": 3 if very_long else 5,
        "repeats": 1 if very_long else 3,
    }


def _is_embedded(examined: Examined) -> bool:
    return sum(path.stat().st_size for path in (examined.path, examined.predict) if path) <= EMBEDDED


def _run(root: Path, examined: Examined, say: Say) -> None:
    """Put data and code under DVC and git, run the pipelines, and make a version of the results."""
    data = next((root / EXTERNAL).iterdir())
    program = _Program(root)
    program("dvc", "remote", "modify", "--local", "embedded", "url", str(root / STORAGE))
    program("dvc", "add", "--quiet", str(data.relative_to(root)))
    program("dvckit", "dictionary")
    program("dvckit", "libraries")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", f"A project from {examined.path.name}, made by dvckit new")
    say("running the pipelines: dvc repro --all-pipelines")
    program("dvc", "repro", "--all-pipelines")
    if _is_embedded(examined):
        program("dvc", "push", "--quiet")  # makes the folder of the remote, which snapshot wants to see
        program("dvckit", "snapshot", "--message", "First results")
    else:
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "--message", "First results")
        say(f"the data have more than {EMBEDDED // 1_000_000} MB, too much for a remote in git; set another one,")
        for line in OTHER_REMOTE:
            say(line)
    for line in program("dvckit", "summary").rstrip().split("\n"):
        say(line)
    say(f"the project is {root}; its README.md says what to do next")


class _Program:
    """A program of the environment of a new project."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment: Mapping[str, str] = environment_of(root)

    def __call__(self, *command: str) -> str:
        """Run it in the project and return its stdout; UserError with the end of what it prints where it fails."""
        program = [str(self.root / ".venv/bin" / command[0]), *command[1:]]
        done = subprocess.run(program, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
            raise UserError(f"`{' '.join(command)}` failed in the new project, and nothing is left of it:\n{last}")
        return done.stdout
