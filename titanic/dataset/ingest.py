"""Stage ingest: the source that `dataset.source` names -> data/raw/{train,test,gender_submission}.csv.

The files of a user stay as they are, to the byte. A source without gender_submission.csv gets it derived.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from titanic.config import RAW, Dataset, load_params
from titanic.dataset.synthetic import TEST_ROWS, TRAIN_ROWS, passengers
from titanic.schema import KEY, TARGET, Clean
from titanic.stage import UserError, write_bytes

TRAIN, TEST, GENDER = "train.csv", "test.csv", "gender_submission.csv"


def synthetic(dataset: Dataset) -> dict[str, bytes]:
    """Draw the two lists from `dataset.seed`."""
    everyone = passengers(dataset.seed, TRAIN_ROWS + TEST_ROWS)
    return {
        TRAIN: _csv(list(Clean), islice(everyone, TRAIN_ROWS)),
        TEST: _csv([name for name in Clean if name != TARGET], everyone),
    }


def files(dataset: Dataset) -> dict[str, bytes]:
    """Read the user's files in the folder `dataset.path`; UserError where train.csv or test.csv is not there."""
    folder = Path(dataset.path)
    missing = [name for name in (TRAIN, TEST) if not (folder / name).is_file()]
    if missing:
        raise UserError(
            f"dataset.path: the folder {folder} has no {' and no '.join(missing)}; "
            "put both files there, or set dataset.source to synthetic"
        )
    return {name: (folder / name).read_bytes() for name in (TRAIN, TEST, GENDER) if (folder / name).is_file()}


def gender_submission(test: bytes) -> bytes:
    """Derive Kaggle's example submission, in which every woman and girl survives, from test.csv."""
    try:
        rows = csv.DictReader(io.StringIO(test.decode("utf-8-sig"), newline=""))
        answers = [{KEY: row[KEY], TARGET: int(row[Clean.Sex] == "female")} for row in rows]
    except (UnicodeDecodeError, KeyError, csv.Error) as error:
        raise UserError(f"{TEST} is no CSV table with the columns {KEY} and {Clean.Sex}: {error}") from None
    return _csv([KEY, TARGET], answers)


SOURCES: dict[str, Callable[[Dataset], dict[str, bytes]]] = {"synthetic": synthetic, "files": files}


def _csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def main() -> None:
    """Run the stage."""
    dataset = load_params().dataset
    tables = SOURCES[dataset.source](dataset)
    tables.setdefault(GENDER, gender_submission(tables[TEST]))
    for name, content in tables.items():
        write_bytes(RAW / name, content)
