"""A folder of data/external is replaced as a whole, with the files that DVC writes beside it, or not at all.

`.NAME.old.tmp` beside the folder holds what was there, from before the first change until all is done. Where it is, a kill
has come between, and `restore` gives back what was there.
"""

import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from dvckit.core.errors import UserError
from dvckit.core.files import scratch_folder
from dvckit.repository.alone import alone
from dvckit.repository.programs import dvc

EXTERNAL = Path("data/external")
DATA = "data"  # in `.NAME.old.tmp`: the folder that was there


def _old(whole: Path) -> Path:
    return whole.with_name(f".{whole.name}.old.tmp")


def _written_by_dvc(whole: Path) -> list[Path]:
    return [whole.with_name(".gitignore"), whole.with_name(f"{whole.name}.dvc")]


def interrupted(root: Path) -> list[Path]:
    """Return the folders, relative to the root, whose replacement a kill has come between."""
    olds = (root / EXTERNAL).glob(".*.old.tmp")
    return sorted(EXTERNAL / old.name.removeprefix(".").removesuffix(".old.tmp") for old in olds)


def replace(root: Path, folder: Path, files: Mapping[str, Path]) -> None:
    """Put files, by their new names, in the place of a folder, and `dvc add` it.

    The new files are complete before the old ones go. UserError or OSError where that fails; then all is as it was.
    """
    whole = root / folder
    with scratch_folder(whole.with_name(f".{whole.name}.new.tmp")) as new:
        for name, path in files.items():
            (new / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(path, new / name)
        with scratch_folder(whole.with_name(f".{whole.name}.aside.tmp")) as aside:
            for path in _written_by_dvc(whole):
                if path.exists():
                    shutil.copyfile(path, aside / path.name)
            aside.rename(_old(whole))
        try:
            if whole.exists():
                whole.rename(_old(whole) / DATA)
            new.rename(whole)
            dvc(root, "add", str(folder))
        except BaseException:
            restore(root, folder)
            raise
    _forget(whole)


def restore(root: Path, folder: Path) -> None:
    """Give back what was there before a replacement that did not end; each step needs no space, and can be repeated."""
    whole = root / folder
    old = _old(whole)
    if not old.exists():
        return
    was_there = (old / f"{whole.name}.dvc").exists()
    if (old / DATA).exists() or not was_there:
        shutil.rmtree(whole, ignore_errors=True)
    if (old / DATA).exists():
        (old / DATA).rename(whole)
    for path in _written_by_dvc(whole):
        path.unlink(missing_ok=True)
        if (old / path.name).exists():
            path.hardlink_to(old / path.name)
    _forget(whole)


def _forget(whole: Path) -> None:
    """Remove what was there, at once: half of it would be taken for something else."""
    done = whole.with_name(f".{whole.name}.done.tmp")
    shutil.rmtree(done, ignore_errors=True)
    _old(whole).rename(done)
    shutil.rmtree(done)


def adding(root: Path) -> AbstractContextManager[None]:
    """Let no other process replace a folder here; UserError where one does."""
    return alone(root / ".dvc/tmp/data-add.lock", "data add")


def is_running(root: Path) -> bool:
    """Whether a process replaces a folder here."""
    try:
        with adding(root):
            return False
    except UserError:
        return True
