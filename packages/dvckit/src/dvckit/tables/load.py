"""Load a table of a project by name, at any revision."""

from io import BytesIO
from typing import TYPE_CHECKING

from dvckit.core.errors import UserError, one_line
from dvckit.core.layout import FEATURES, INTERIM, PREDICTIONS, PROCESSED, RAW, REJECTED, SUBMISSION
from dvckit.repository.programs import find_root
from dvckit.repository.revision import Revision

if TYPE_CHECKING:
    import pandas as pd

STEPS = {"raw": RAW, "clean": INTERIM, "features": FEATURES, "processed": PROCESSED}
TABLES = {
    name + ("" if part == "train" else f"/{part}"): folder / f"{part}.{'csv' if folder == RAW else 'parquet'}"
    for name, folder in STEPS.items()
    for part in ("train", "test", *(["holdout"] if folder == PROCESSED else []))
} | {"submission": SUBMISSION, "rejected": REJECTED, "predictions": PREDICTIONS}
# Not typed yet: guessing types would lose leading zeros and turn "NA" into a missing value.
AS_TEXT = ("raw", "raw/test", "rejected")


def load(table: str, rev: str | None = None) -> "pd.DataFrame":
    """Return a table of the project in the current folder, at a revision, by default in the workspace.

    `table` is a step ("raw", "clean", "features", "processed": its training rows), a step and a part ("clean/test",
    "processed/holdout"), "predictions", "submission" or "rejected". Raw and rejected cells are text, an empty one
    missing. UserError for an unknown table or revision, or if the table is not available.
    """
    if table not in TABLES:
        raise UserError(f"there is no table {table!r}; there are {', '.join(TABLES)}")
    return table_at(Revision(find_root(), rev), table)


def table_at(revision: Revision, table: str) -> "pd.DataFrame":
    """Return a table in TABLES at a revision; UserError if it is not available or not a table.

    Of text, a row with more or fewer cells than the header is an error.
    """
    import pandas as pd

    path = TABLES[table].as_posix()
    if table not in AS_TEXT:
        return revision.table(path)
    parts = [_as_text(revision, part) for part in revision.parts(path)]
    return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)


def _as_text(revision: Revision, path: str) -> "pd.DataFrame":
    """Return a CSV file with every cell as text."""
    from pyarrow import csv

    from dvckit.tables.reading import as_text

    content = revision.read(path)
    try:
        names = csv.open_csv(BytesIO(content)).schema.names
        text: pd.DataFrame = csv.read_csv(BytesIO(content), **as_text(names)).to_pandas()
    except ValueError as error:  # pyarrow's and pandas' own errors are ValueErrors
        raise UserError(f"{path} {revision.where} is not a table: {one_line(error)}") from None
    return text
