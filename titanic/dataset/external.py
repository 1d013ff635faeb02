"""The lists that a user brings: `titanic data check` judges them, `titanic data add` puts them under DVC as well."""

import re
import shutil
import tempfile
from itertools import chain
from pathlib import Path

from titanic.config import GENDER, TEST, TRAIN
from titanic.dataset.reading import check_bytes, read_header
from titanic.dataset.validate import COLUMNS, LISTS, Verdict, judge
from titanic.schema import TARGET
from titanic.stage import UserError, ended_by_ctrl_c, unfinished
from titanic.versions.repository import dvc

EXTERNAL = Path("data/external")
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?<!\.dvc)"


def verdict(paths: list[Path]) -> Verdict:
    """Check CSV files, or those in folders, as the stage validate would, and write nothing."""
    files, problems = lists_in(paths)
    found = _judged(files)
    return found._replace(problems=problems + found.problems)


def _judged(files: dict[str, Path]) -> Verdict:
    with ended_by_ctrl_c(), unfinished(Path(tempfile.mkdtemp(prefix="titanic-"))) as folder:
        return judge(files, folder, None)


def lists_in(paths: list[Path]) -> tuple[dict[str, Path], list[str]]:
    """Return which list each CSV file is, by its columns, and what is wrong with those that are none.

    A folder stands for the files in it; of two files that are the same list, only the first is taken.
    """
    files: dict[str, Path] = {}
    problems = []
    about = {TRAIN: f"lists with {TARGET}", TEST: f"lists without {TARGET}", GENDER: "submissions"}
    for path in chain.from_iterable(map(_files, paths)):
        try:
            name = _list_of(path)
        except UserError as error:
            problems.append(str(error))
            continue
        if name in files:
            problems.append(f"{files[name]} and {path} are both {about[name]}; name one of them")
        files.setdefault(name, path)
    return {name: files[name] for name in COLUMNS if name in files}, problems


def _files(path: Path) -> list[Path]:
    """Return the files that a path stands for; a folder without any stands for itself, which is no file."""
    if not path.is_dir():
        return [path]
    usual = [path / f"{name}.csv" for name in COLUMNS]
    return [file for file in usual if file.exists()] or sorted(path.glob("*.csv")) or [path]


def _list_of(path: Path) -> str:
    if re.match(r"\w+:/", str(path)):
        raise UserError(f"{path} is an address; download the file and name it")
    if path.is_dir():
        raise UserError(f"the folder {path} has no file that ends in .csv")
    check_bytes(path)
    header = read_header(path)
    return GENDER if set(header) == set(COLUMNS[GENDER]) else TRAIN if TARGET in header else TEST


def add(root: Path, paths: list[Path], name: str | None) -> list[str]:
    """Copy checked lists to data/external/NAME and put them under DVC, as a new version if they are there already.

    Return what to tell. UserError where anything is wrong with the files or the name; then nothing was copied.
    """
    files, problems = lists_in(paths)
    if problems:
        raise UserError("\n".join(problems))
    if missing := [other for other in LISTS if other not in files]:
        want = {TRAIN: f"one with {TARGET}, to learn from", TEST: f"one without {TARGET}, to predict"}
        raise UserError(f"two lists are needed; missing is {' and '.join(want[other] for other in missing)}")
    name = name or files[TRAIN].absolute().parent.name
    if not re.fullmatch(NAME, name):
        raise UserError(f"{name!r} cannot be the name of a folder here; give one of letters, digits, . _ - with --name")
    folder = EXTERNAL / name
    _check_folder(root, folder)
    found = _judged(files)
    if found.problems:
        raise UserError("\n".join(["nothing was added:", *found.problems]))
    _put(root, folder, files)
    rows = ", ".join(f"{file}.csv ({found.checked[file].rows} rows)" for file in files)
    return [
        *(f"note: {note}" for check in found.report["checks"].values() for note in check["found"]),
        f"added {folder}: {rows}",
        f"use it:  dvc exp run -S dataset.source=files -S dataset.path={folder}",
        "         (or set the two in params.yaml, then `dvc repro`)",
        f"keep it: git add {folder}.dvc {EXTERNAL}/.gitignore && git commit",
        "         (`dvc exp run --temp` and `--queue` see the data only once that is committed)",
    ]


def _check_folder(root: Path, folder: Path) -> None:
    """Refuse a folder whose content DVC could not give back."""
    if not (root / folder).exists():
        return
    if not (root / f"{folder}.dvc").exists():
        raise UserError(f"{folder} is there already, and not by `titanic data add`; give another name with --name")
    if dvc(root, "status", "--json", f"{folder}.dvc").strip() != "{}":
        raise UserError(
            f"{folder} was changed since it was added; run `dvc add {folder}` to keep that, or `dvc checkout`"
        )


def _put(root: Path, folder: Path, files: dict[str, Path]) -> None:
    """Copy the files and `dvc add` the folder: all of it or nothing."""
    whole = root / folder
    temporary, old = (whole.with_name(f".{whole.name}.{kind}.tmp") for kind in ("new", "old"))
    # what dvc add writes besides
    beside = {
        path: path.read_bytes() if path.exists() else None
        for path in (whole.with_name(".gitignore"), Path(f"{whole}.dvc"))
    }
    for left in (temporary, old):
        shutil.rmtree(left, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        for name, path in files.items():
            shutil.copyfile(path, temporary / f"{name}.csv")
        if whole.exists():
            whole.rename(old)
        temporary.rename(whole)
        dvc(root, "add", str(folder))
    except BaseException:
        shutil.rmtree(whole, ignore_errors=True)
        if old.exists():
            old.rename(whole)
        for path, content in beside.items():
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_bytes(content)
        raise
    finally:
        for left in (temporary, old):
            shutil.rmtree(left, ignore_errors=True)
