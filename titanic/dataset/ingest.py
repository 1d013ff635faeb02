"""Stage ingest: the source that `dataset.source` names -> data/raw/{train,test,gender_submission}.csv.

Files of a source are kept unchanged. If a source has no gender_submission.csv, it is derived from test.csv.
"""

import csv
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from dvckit.core.files import put, scratch_folder
from dvckit.core.layout import RAW, TEST
from dvckit.core.params import Section, Seed, read
from dvckit.tables.parts import Partitions
from dvckit.tables.sources import folder as local
from dvckit.tables.sources import kaggle, web
from dvckit.tables.sources.parts import derive, in_parts
from titanic.dataset.synthetic import write_passengers
from titanic.schema import KEY, RULES, SUBMISSION, TARGET, Clean

FILES = [f"{name}.csv" for name in RULES.names]
COMPETITION = "titanic"  # Kaggle's name for it

_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", strict=True)]


class Sha256(Section):
    """The sha256 of each file of the web source."""

    train: _Sha256
    test: _Sha256


class Dataset(Section):
    """The source of the data."""

    source: Literal["synthetic", "files", "web", "kaggle"]
    path: str = Field(min_length=1)
    partitions: Partitions
    seed: Seed
    rows: int = Field(ge=50, le=1_000_000_000)
    mirrors: tuple[Annotated[str, Field(pattern="^https?://.")], ...] = Field(min_length=1, strict=False)
    sha256: Sha256


# Each writes train.csv, test.csv and, where it has one, gender_submission.csv to a folder.
SOURCES: dict[str, Callable[[Dataset, Path], None]] = {
    "synthetic": lambda dataset, to: write_passengers(dataset.seed, dataset.rows, to / FILES[0], to / FILES[1]),
    "files": lambda dataset, to: local.copy(dataset.path, RULES, to, dataset.partitions),
    "web": lambda dataset, to: web.download(dict(dataset.sha256), dataset.mirrors, to, cache=COMPETITION),
    "kaggle": lambda _, to: kaggle.download(COMPETITION, FILES, to),
}


def write_gender_submission(test: Path, submission: Path) -> None:
    """Derive Kaggle's example submission, in which every woman and girl survives, from test.csv.

    A file that is not a table is not reported here: validate reports everything that is wrong with it.
    """
    with (
        test.open(encoding="utf-8-sig", errors="replace", newline="") as rows,
        submission.open("w", encoding="utf-8", newline="") as answers,
    ):
        writer = csv.writer(answers, lineterminator="\n")
        writer.writerow([KEY, TARGET])
        with suppress(csv.Error):
            writer.writerows([row.get(KEY), int(row.get(Clean.Sex) == "female")] for row in csv.DictReader(rows))


def main() -> None:
    """Run the stage."""
    dataset = read("dataset", Dataset)
    with scratch_folder(RAW / ".ingest.tmp") as folder:
        SOURCES[dataset.source](dataset, folder)
        if dataset.partitions > 1:
            in_parts(folder)
        if not (folder / f"{SUBMISSION}.csv").exists():
            derive(folder / f"{TEST}.csv", folder / f"{SUBMISSION}.csv", write_gender_submission)
        for name in FILES:
            put(folder / name, RAW / name)
