"""A local source: CSV files in a folder."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from dvckit.core.errors import UserError


def copy(source: Path, files: Sequence[str], folder: Path, *, required: int) -> None:
    """Copy the user's files to `folder`; UserError if one of the first `required` is missing."""
    missing = [name for name in files[:required] if not (source / name).is_file()]
    if missing:
        raise UserError(
            f"dataset.path: the folder {source} has no {' and no '.join(missing)}; "
            "put the files there, or use another dataset.source"
        )
    for name in files:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
