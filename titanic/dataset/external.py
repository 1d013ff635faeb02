"""The lists that a user brings: `titanic data check` judges them, `titanic data add` puts them under DVC as well."""

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from titanic.dataset.quality import TEST, TRAIN, Accepted, quality
from titanic.dataset.reading import check_bytes, read_header
from titanic.dataset.validate import TEST_COLUMNS, TRAIN_COLUMNS, Checked, check, refusal
from titanic.schema import KEY, TARGET
from titanic.stage import UserError
from titanic.versions.repository import dvc

EXTERNAL = Path("data/external")
SUBMISSION = "gender_submission"
COLUMNS = {TRAIN: TRAIN_COLUMNS, TEST: TEST_COLUMNS, SUBMISSION: [KEY, TARGET]}


class Verdict(NamedTuple):
    """What was found: the files by the name of the list that each is, what is wrong, and the report of `quality`."""

    files: dict[str, Path]
    problems: list[str]
    report: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        files = {name: str(path) for name, path in self.files.items()}
        return {"ok": not self.problems, "files": files, "problems": self.problems, "report": self.report}


def verdict(paths: list[Path]) -> Verdict:
    """Check CSV files, or the ones in folders, against the raw schema; what each is, its columns tell.

    UserError where two files are the same list, or a folder has no CSV file.
    """
    files: dict[str, Path] = {}
    problems: list[str] = []
    accepted: dict[str, Accepted] = {}
    with tempfile.TemporaryDirectory(prefix="titanic-") as folder:
        for path in _files(paths):
            try:
                name = _list_of(path, files)
                files[name] = path
                clean = Path(folder) / f"{name}.parquet"
                checked = check(path, clean, COLUMNS[name])
            except UserError as error:
                problems.append(str(error))
                continue
            problems += _told(checked)
            if name != SUBMISSION:
                accepted[name] = Accepted(clean, checked.rejected)
        report = quality(accepted) if accepted else {}
    if report:
        problems += [f"{files[TRAIN]}: {found}" for found in report["checks"]["both_labels"]["found"]]
    return Verdict(files, problems, report)


def _files(paths: list[Path]) -> list[Path]:
    found = []
    for path in paths:
        inside = sorted(path.glob("*.csv")) if path.is_dir() else [path]
        if not inside:
            raise UserError(f"the folder {path} has no file that ends in .csv")
        found += inside
    return found


def _list_of(path: Path, files: dict[str, Path]) -> str:
    check_bytes(path)
    header = read_header(path)
    name = SUBMISSION if len(header) == 2 and header[0] == KEY else TRAIN if TARGET in header else TEST
    if name in files:
        kind = (
            f"a list with {TARGET}" if name == TRAIN else f"a list without {TARGET}" if name == TEST else "a submission"
        )
        raise UserError(f"{files[name]} and {path} are both {kind}; name one of them")
    return name


def _told(checked: Checked) -> list[str]:
    lines = refusal(checked, 0)
    return ["\n".join(lines)] if lines else []


def add(root: Path, paths: list[Path], name: str | None) -> list[str]:
    """Copy checked lists to data/external/NAME and put them under DVC; return what to tell.

    UserError where anything is wrong with the files or the name; then nothing was copied.
    """
    found = verdict(paths)
    if found.problems:
        raise UserError("\n".join(found.problems))
    if missing := [other for other in (TRAIN, TEST) if other not in found.files]:
        want = {TRAIN: f"one with {TARGET}, to learn from", TEST: f"one without {TARGET}, to predict"}
        raise UserError(f"two lists are needed; missing is {' and '.join(want[other] for other in missing)}")
    name = name or found.files[TRAIN].absolute().parent.name
    folder = EXTERNAL / name
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UserError(f"{name!r} cannot be the name of a folder here; give one of letters, digits, . _ - with --name")
    if (root / folder).exists() or (root / f"{folder}.dvc").exists():
        raise UserError(f"there is a {folder} already; give another name with --name")
    _put(root, folder, found.files)
    rows = ", ".join(f"{file}.csv ({found.report[file]['rows']['read']} rows)" for file in (TRAIN, TEST))
    return [
        f"added {folder}: {rows}",
        f"use it:  dvc exp run -S dataset.source=files -S dataset.path={folder}",
        "         (or set the two in params.yaml, then `dvc repro`)",
        f"keep it: git add {folder}.dvc {EXTERNAL}/.gitignore && git commit",
        "         (`dvc exp run --temp` and `--queue` see the data only once that is committed)",
    ]


def _put(root: Path, folder: Path, files: dict[str, Path]) -> None:
    """Copy the files and `dvc add` the folder: all of it or nothing."""
    whole, temporary = root / folder, root / folder.with_name(f".{folder.name}.tmp")
    ignored = whole.with_name(".gitignore")  # dvc add writes a line into it
    before = ignored.read_bytes() if ignored.exists() else None
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        for name, path in files.items():
            shutil.copyfile(path, temporary / f"{name}.csv")
        temporary.rename(whole)
        dvc(root, "add", str(folder))
    except BaseException:
        shutil.rmtree(whole, ignore_errors=True)
        whole.with_name(f"{whole.name}.dvc").unlink(missing_ok=True)
        ignored.unlink(missing_ok=True)
        if before is not None:
            ignored.write_bytes(before)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
