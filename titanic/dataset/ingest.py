"""Stage ingest: the source that `dataset.source` names -> data/raw/{train,test,gender_submission}.csv.

What a source gives stays as it is, to the byte. A source without gender_submission.csv gets it derived.
"""

import csv
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from titanic.config import GENDER, RAW, TEST, TRAIN, Dataset, load_params
from titanic.dataset.kaggle import kaggle
from titanic.dataset.synthetic import write_passengers
from titanic.dataset.web import web
from titanic.schema import KEY, TARGET, Clean
from titanic.stage import UserError, scratch_folder

FILES = [f"{name}.csv" for name in (TRAIN, TEST, GENDER)]


def synthetic(dataset: Dataset, folder: Path) -> None:
    """Draw the two lists from `dataset.seed`."""
    write_passengers(dataset.seed, dataset.rows, folder / f"{TRAIN}.csv", folder / f"{TEST}.csv")


def files(dataset: Dataset, folder: Path) -> None:
    """Copy the user's files from the folder `dataset.path`; UserError where train.csv or test.csv is not there."""
    path = Path(dataset.path)
    missing = [f"{name}.csv" for name in (TRAIN, TEST) if not (path / f"{name}.csv").is_file()]
    if missing:
        raise UserError(
            f"dataset.path: the folder {path} has no {' and no '.join(missing)}; "
            "put both files there, or set dataset.source to synthetic"
        )
    for name in FILES:
        if (path / name).is_file():
            shutil.copyfile(path / name, folder / name)


def write_gender_submission(test: Path, submission: Path) -> None:
    """Derive Kaggle's example submission, in which every woman and girl survives, from test.csv.

    A file that is no list is not judged here: validate tells all that is wrong with it.
    """
    with (
        test.open(encoding="utf-8-sig", errors="replace", newline="") as rows,
        submission.open("w", encoding="utf-8", newline="") as answers,
    ):
        writer = csv.writer(answers, lineterminator="\n")
        writer.writerow([KEY, TARGET])
        with suppress(csv.Error):
            writer.writerows([row.get(KEY), int(row.get(Clean.Sex) == "female")] for row in csv.DictReader(rows))


# Each writes train.csv, test.csv and, where it has one, gender_submission.csv to a folder.
SOURCES: dict[str, Callable[[Dataset, Path], None]] = {
    "synthetic": synthetic,
    "files": files,
    "web": web,
    "kaggle": kaggle,
}


def main() -> None:
    """Run the stage."""
    dataset = load_params().dataset
    with scratch_folder(RAW / ".ingest.tmp") as folder:
        SOURCES[dataset.source](dataset, folder)
        if not (folder / f"{GENDER}.csv").exists():
            write_gender_submission(folder / f"{TEST}.csv", folder / f"{GENDER}.csv")
        for name in FILES:
            (folder / name).replace(RAW / name)
