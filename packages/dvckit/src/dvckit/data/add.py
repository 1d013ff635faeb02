"""The tables that a user brings: `dvckit data check` judges them, `dvckit data add` puts them under DVC as well."""

import re
import tempfile
from itertools import chain
from pathlib import Path

from dvckit.core.errors import UserError
from dvckit.core.interrupts import ended_by_ctrl_c, unfinished
from dvckit.core.layout import PARAMS, TEST, TRAIN
from dvckit.core.params import read_values
from dvckit.data.replace import EXTERNAL, adding, replace, restore
from dvckit.project import Project
from dvckit.repository.programs import dvc
from dvckit.tables.dialect import named
from dvckit.tables.reading import check_header
from dvckit.tables.rows import table_in
from dvckit.tables.schema import Rules
from dvckit.tables.validation import Verdict, judge

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?<!\.dvc)"


def verdict(project: Project, paths: list[Path]) -> Verdict:
    """Check CSV files, or those in folders, as the stage validate would, and write nothing."""
    files, problems = tables_in(project.rules, paths)
    with ended_by_ctrl_c(), unfinished(Path(tempfile.mkdtemp(prefix="dvckit-"))) as folder:
        judged = judge(files, folder, project.rules, project.task)
    return judged._replace(problems=problems + judged.problems)


def tables_in(rules: Rules, paths: list[Path]) -> tuple[dict[str, Path], list[str]]:
    """Return which table of a source each CSV file is, by its columns, and what is wrong with those that are none.

    A folder stands for the files in it; of two files that are the same table, only the first is used.
    """
    files: dict[str, Path] = {}
    problems = []
    target = rules.schema.target
    about = {
        TRAIN: f"tables with {target}; name one of them, or remove {target} from the one to predict",
        TEST: f"tables without {target}; name one of them, or add {target} to the one to learn from",
        rules.submission: "submissions; name one of them",
    }
    for path in chain.from_iterable(_files(rules, path) for path in paths):
        try:
            name = _table_in(rules, path)
        except UserError as error:
            problems.append(str(error))
            continue
        if name not in files:
            files[name] = path
            continue
        one, other = sorted((files[name], path), key=lambda file: bool(_wrong_header(rules, name, file)))
        problems.append(_wrong_header(rules, name, other) or f"{files[name]} and {path} are both {about[name]}")
        files[name] = one
    return {name: files[name] for name in rules.names if name in files}, problems


def _wrong_header(rules: Rules, name: str, path: Path) -> str:
    """Return what is wrong with the header of a file: what may be why it is not known as the table that it is."""
    dialect = rules.dialect
    try:
        if dialect.header:
            check_header(path, rules.header(name), dialect.separator, dialect.encoding, named)
    except UserError as error:
        return str(error)
    return ""


def _files(rules: Rules, path: Path) -> list[Path]:
    """Return the files that a path stands for; a folder without any stands for itself, which is no file."""
    if not path.is_dir():
        return [path]
    usual = [path / f"{name}.csv" for name in rules.names]
    return [file for file in usual if file.exists()] or sorted(path.glob("[!.]*.csv")) or [path]


def _table_in(rules: Rules, path: Path) -> str:
    if re.match(r"\w+:/", str(path)):
        raise UserError(f"{path} is an address; download the file and name it")
    if path.is_dir():
        raise UserError(f"the folder {path} has no file that ends in .csv")
    return table_in(rules, path)


def add(root: Path, project: Project, paths: list[Path], name: str | None) -> list[str]:
    """Copy checked tables to data/external/NAME and put them under DVC; as a new version where NAME is known.

    Return the lines of a report. UserError where anything is wrong with the files or the name; then nothing was copied.
    """
    judged = verdict(project, paths)
    if judged.problems:
        raise UserError("\n".join(["nothing was added:", *judged.problems]))
    files = {table: checked.path for table, checked in judged.checked.items()}
    target = project.rules.schema.target
    needed = {TRAIN: f"one with {target}, to learn from", TEST: f"one without {target}, to predict"}
    if missing := [needed[table] for table in project.rules.tables if table not in files]:
        raise UserError(f"missing is {' and '.join(missing)}")
    name = name or files[TRAIN].absolute().parent.name
    if not re.fullmatch(NAME, name):
        raise UserError(f"{name!r} cannot be the name of a folder here; give one of letters, digits, . _ - with --name")
    folder = EXTERNAL / name
    with adding(root):
        restore(root, folder)
        _check_folder(root, folder)
        replace(root, folder, {f"{table}.csv": path for table, path in files.items()})
    chosen = " -S dataset.source=files" if "source" in read_values(root / PARAMS).get("dataset", {}) else ""
    rows = ", ".join(f"{file}.csv ({judged.checked[file].rows} rows)" for file in files)
    return [
        *(f"note: {note}" for check in judged.report["checks"].values() for note in check["found"]),
        f"added {folder}: {rows}",
        f"use it:  dvc exp run{chosen} -S dataset.path={folder}",
        "         (or set that in params.yaml, then `dvc repro`)",
        f"keep it: git add {folder}.dvc {EXTERNAL}/.gitignore && git commit",
        "         (`dvc exp run --temp` and `--queue` see the data only once that is committed)",
    ]


def _check_folder(root: Path, folder: Path) -> None:
    """Refuse a folder whose content DVC could not give back."""
    if not (root / folder).exists():
        return
    if not (root / f"{folder}.dvc").exists():
        raise UserError(f"{folder} exists, and not by `dvckit data add`; give another name with --name")
    if dvc(root, "status", "--json", f"{folder}.dvc").strip() != "{}":
        raise UserError(
            f"{folder} was changed since it was added; run `dvc add {folder}` to keep that, or `dvc checkout`"
        )
