"""A local source: CSV files in a folder."""

from pathlib import Path

from pydantic import Field

from dvckit.core.errors import UserError
from dvckit.core.files import scratch_folder
from dvckit.core.layout import RAW
from dvckit.core.params import Section
from dvckit.tables.schema import Rules


class Dataset(Section):
    """The folder of the source."""

    path: str = Field(min_length=1)


def copy(source: Path, rules: Rules, folder: Path) -> None:
    """Copy the files of a source to `folder`, as plain CSV; UserError if a table of rows is missing or not in its dialect."""
    missing = [f"{name}.csv" for name in rules.tables if not (source / f"{name}.csv").is_file()]
    if missing:
        raise UserError(
            f"dataset.path: the folder {source} has no {' and no '.join(missing)}; "
            "put the files there, or use another source"
        )
    for name in rules.names:
        if (source / f"{name}.csv").is_file():
            rules.decode(name, source / f"{name}.csv", folder / f"{name}.csv")


def ingest(params: Dataset, rules: Rules) -> None:
    """Do the work of stage ingest: the files of a source -> data/raw, all or none."""
    with scratch_folder(RAW / ".ingest.tmp") as folder:
        copy(Path(params.path), rules, folder)
        for file in folder.iterdir():
            file.replace(RAW / file.name)
