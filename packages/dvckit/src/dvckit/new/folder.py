"""The folder of a new project: whole, or not there at all."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dvckit.core.errors import UserError
from dvckit.new.interrupts import end_children, interrupts
from dvckit.repository.programs import git

_FULL = {errno.ENOSPC, errno.EDQUOT}


def check_identity(folder: Path) -> None:
    """UserError where git does not know, in `folder`, who makes a commit, and where there is no such folder."""
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; create it, or name another")
    try:
        for kind in ("AUTHOR", "COMMITTER"):
            git(folder, "-c", "user.useConfigOnly=true", "var", f"GIT_{kind}_IDENT")
    except UserError:
        raise UserError(
            "git does not know who you are, and a project has commits; "
            "run `git config --global user.name NAME` and `git config --global user.email ADDRESS`"
        ) from None


@contextmanager
def project_folder(path: Path) -> Iterator[Path]:
    """Create a folder and remove it again, with all that is in it, if the block fails or a signal ends it.

    UserError where something has that name, where it cannot be created, and where the disk is full.
    """
    with interrupts() as signals:
        _create(path)
        try:
            signals.release()
            yield path
            signals.check()
        except BaseException as error:
            signals.hold()
            end_children()
            shutil.rmtree(path, ignore_errors=True)
            if isinstance(error, OSError) and error.errno in _FULL:
                raise UserError(f"the disk of {path.parent} is full; nothing is left of the project") from None
            raise


def _create(path: Path) -> None:
    try:
        path.mkdir()
    except FileExistsError:
        raise UserError(f"{path} exists; name a folder that does not") from None
    except FileNotFoundError:
        raise UserError(f"{path.parent} is no folder; create it, or name another") from None
    except OSError as error:
        raise UserError(f"{path} cannot be created: {error.strerror}") from None
