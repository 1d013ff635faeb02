"""A local source: CSV files in a folder; with partitions, tables in parts, which may lie elsewhere."""

from pathlib import Path

from pydantic import Field

from dvckit.core.errors import UserError
from dvckit.core.files import put, scratch_folder
from dvckit.core.layout import RAW
from dvckit.core.params import Section
from dvckit.tables.parts import Partitions
from dvckit.tables.schema import Rules


class Dataset(Section):
    """The folder of the source, and into how many partitions its rows are divided."""

    path: str = Field(min_length=1)
    partitions: Partitions


def copy(source: str, rules: Rules, folder: Path, partitions: int) -> None:
    """Copy the tables of a source to `folder`, as plain CSV; UserError if one of rows is missing or not in its dialect.

    A table is a file NAME.csv; with partitions it is cut into parts, or comes as a folder NAME of parts, see `parts`.
    """
    if partitions > 1:
        from dvckit.core.pool import pool
        from dvckit.tables.sources import parts

        with pool(Path.cwd()) as running:
            parts.copy(source, rules, folder, running)
        return
    path = Path(source)
    if folders := in_parts(path, rules):
        raise UserError(f"dataset.path: {folders[0]} is a folder of parts; set dataset.partitions to 2 or more")
    missing = [f"{name}.csv" for name in rules.tables if not (path / f"{name}.csv").is_file()]
    if missing:
        raise UserError(
            f"dataset.path: the folder {source} has no {' and no '.join(missing)}; "
            "put the files there, or use another source"
        )
    for name in rules.names:
        if (path / f"{name}.csv").is_file():
            rules.decode(name, path / f"{name}.csv", folder / f"{name}.csv")


def in_parts(source: Path, rules: Rules) -> list[Path]:
    """Return the tables of a source that are folders of parts."""
    return [
        source / name for name in rules.tables if (source / name).is_dir() and not (source / f"{name}.csv").is_file()
    ]


def ingest(params: Dataset, rules: Rules) -> None:
    """Do the work of stage ingest: the files of a source -> data/raw, all or none."""
    with scratch_folder(RAW / ".ingest.tmp") as folder:
        copy(params.path, rules, folder, params.partitions)
        for file in folder.iterdir():
            put(file, RAW / file.name)
