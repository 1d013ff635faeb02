"""The tables that a user brings: `dvckit data check` judges them, `dvckit data add` puts them under DVC as well."""

import re
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path, PurePath

from dvckit.core.errors import UserError
from dvckit.core.interrupts import ended_by_ctrl_c, unfinished
from dvckit.core.layout import PARAMS, TEST, TRAIN
from dvckit.core.params import read, read_values
from dvckit.core.pool import pool
from dvckit.core.scratch import private_folder
from dvckit.data.replace import EXTERNAL, adding, replace, restore
from dvckit.project import Project
from dvckit.repository.programs import dvc
from dvckit.tables.dialect import named
from dvckit.tables.parts import Division
from dvckit.tables.reading import check_header
from dvckit.tables.rows import table_in
from dvckit.tables.schema import Rules
from dvckit.tables.sources.folder import in_parts
from dvckit.tables.sources.parts import copy
from dvckit.tables.stores import parts_in
from dvckit.tables.validation import Verdict, judge, judge_parts

SCRATCH = "dvckit-check-"  # begin folders in .dvc/tmp
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?<!\.dvc)"


def verdict(root: Path, project: Project, paths: list[Path]) -> Verdict:
    """Check CSV files, those in folders, or a folder with tables in parts, as the stage validate would, and write nothing."""
    if len(paths) == 1 and in_parts(paths[0], project.rules):
        return _verdict_on_parts(root, project, paths[0])
    files, problems = tables_in(project.rules, paths)
    with ended_by_ctrl_c(), unfinished(Path(tempfile.mkdtemp(prefix="dvckit-"))) as folder:
        judged = judge(files, folder, project.rules, project.task)
    return judged._replace(problems=problems + judged.problems)


def _verdict_on_parts(root: Path, project: Project, source: Path) -> Verdict:
    """Do so for tables in parts, by tasks, with as many partitions as params.yaml has, or two."""
    (parent := root.resolve() / ".dvc/tmp").mkdir(parents=True, exist_ok=True)
    partitions = max(2, _partitions(root))
    with ended_by_ctrl_c(), private_folder(parent, SCRATCH) as folder, pool(root) as running:
        (raw := folder / "raw").mkdir()
        parts = copy(str(source.absolute()), project.rules, raw, running, whole=True)
        brought = {part.target: source / PurePath(part.address).relative_to(source.absolute()) for part in parts}
        files = {part.table: part.target.parent for part in parts}
        return judge_parts(files, folder / "clean", project.rules, project.task, None, running, partitions, brought)


def _partitions(root: Path) -> int:
    return read("dataset", Division, root / PARAMS).partitions


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
    judged = verdict(root, project, paths)
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
        replace(root, folder, dict(_named(files)))
    chosen = " -S dataset.source=files" if "source" in read_values(root / PARAMS).get("dataset", {}) else ""
    if any(path.is_dir() for path in files.values()) and _partitions(root) == 1:
        chosen += " -S dataset.partitions=2"
    names = {table: table if path.is_dir() else f"{table}.csv" for table, path in files.items()}
    rows = ", ".join(f"{name} ({judged.checked[table].rows} rows)" for table, name in names.items())
    return [
        *(f"note: {note}" for check in judged.report["checks"].values() for note in check["found"]),
        f"added {folder}: {rows}",
        f"use it:  dvc exp run{chosen} -S dataset.path={folder}",
        "         (or set that in params.yaml, then `dvc repro`)",
        f"keep it: git add {folder}.dvc {EXTERNAL}/.gitignore && git commit",
        "         (`dvc exp run --temp` and `--queue` see the data only once that is committed)",
    ]


def _named(files: dict[str, Path]) -> Iterator[tuple[str, Path]]:
    """Yield the name of each file in data/external, and the file."""
    for table, path in files.items():
        if path.is_dir():
            yield from ((f"{table}/{PurePath(part).name}", Path(part)) for part in parts_in(str(path)))
        else:
            yield f"{table}.csv", path


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
