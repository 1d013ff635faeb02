"""What is installed, compared with the RECORD of each package: a killed `uv sync` leaves files out, and uv does not see it.

`python -I -m dvckit.doctor.installed UV` installs such packages again, as `make` does. The standard library alone is
imported: any other package may be damaged.
"""

import csv
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path

Rows = list[list[str]]  # of a RECORD: a path, which begins at the folder of packages, its hash and its size


def site() -> Path:
    """Return the folder of this interpreter's packages."""
    return Path(sysconfig.get_path("purelib"))


def damaged(packages: Path) -> list[Path]:
    """Return the metadata folder of each package that is not as its RECORD says, and of each other version of it."""
    folders = sorted(packages.glob("*.dist-info"))
    names = {name_of(folder) for folder in folders if not is_whole(folder)}
    return [folder for folder in folders if name_of(folder) in names]


def name_of(folder: Path) -> str:
    """Return the name, as uv.lock has it, of the package that a metadata folder belongs to."""
    return re.sub(r"[-_.]+", "-", folder.name.partition("-")[0]).lower()


def is_whole(folder: Path) -> bool:
    """Whether every file is there, with its size, and with its hash where it was written after the RECORD.

    An installer that comes to its end adds INSTALLER to the RECORD.
    """
    try:
        rows, then = _rows(folder), (folder / "RECORD").stat().st_mtime
        ended = any(path == f"{folder.name}/INSTALLER" for path, *_ in rows)
        packages = str(folder.parent)  # once: there are tens of thousands of rows
        return ended and all(_is_as(packages, row, then) for row in rows)
    except (OSError, ValueError, csv.Error):
        return False


def _rows(folder: Path) -> Rows:
    text = (folder / "RECORD").read_text(encoding="utf-8")
    if not text.endswith("\n"):
        raise ValueError("it is cut off")
    return list(csv.reader(text.splitlines(), strict=True))


def _is_as(packages: str, row: list[str], then: float) -> bool:
    path, expected, size = row
    if path.endswith(".pyc"):
        return True  # Python itself writes it again
    place = os.path.join(packages, path)  # noqa: PTH118 - for thousands of files
    now = os.stat(place)  # noqa: PTH116
    return (not size or now.st_size == int(size)) and (now.st_mtime <= then or not expected or _has(place, expected))


def _has(place: str, expected: str) -> bool:
    kind, _, text = expected.partition("=")
    with Path(place).open("rb") as file:
        return urlsafe_b64encode(file_digest(file, kind).digest()).rstrip(b"=").decode() == text


def report() -> str:
    """Return a sentence about damaged packages of this environment, with the command that cures; nothing without any."""
    names = sorted({name_of(folder) for folder in damaged(site())})
    if not names:
        return ""
    cure = f"uv sync --inexact {' '.join(f'--reinstall-package {name}' for name in names)}"
    return f"files of packages are missing or changed: {', '.join(names)}; run `{cure}`"


def uninstall(folder: Path) -> None:
    """Remove what the RECORD of a package names in this environment, what stands in its place, and the metadata folder."""
    with suppress(OSError, ValueError, csv.Error):
        for path, *_ in _rows(folder):
            _remove(folder.parent, path)
    _remove(folder.parent, folder.name)


def _remove(packages: Path, path: str) -> None:
    """Remove a file or folder of this environment, or the file that stands where a folder on the way to it is due."""
    place = Path(os.path.normpath(packages / path))
    if not place.is_relative_to(sys.prefix):
        return
    folders = (folder for folder in reversed(place.parents) if packages in folder.parents)
    block = next((folder for folder in folders if folder.is_symlink() or folder.is_file()), place)
    if block.is_dir() and not block.is_symlink():
        shutil.rmtree(block)
    else:
        block.unlink(missing_ok=True)


def repair(uv: str) -> Iterator[str]:
    """Install damaged packages again, the second time not from uv's cache; yield a line for each time.

    uv is only told that they are not there: `--reinstall-package` would need the network.
    """
    for attempt in (1, 2):
        folders = damaged(site())
        names = sorted({name_of(folder) for folder in folders})
        if not folders:
            return
        yield f"installing again what is damaged, as after a killed set-up: {', '.join(names)}"
        for folder in folders:
            uninstall(folder)
        if attempt == 2:
            subprocess.run([uv, "cache", "clean", "--quiet", *names], check=True)
        subprocess.run([uv, "sync", "--locked", "--quiet", "--inexact"], check=True)


def main() -> None:
    """Do so; end with an error where packages are still damaged."""
    try:
        for line in repair(sys.argv[1]):
            print(line, flush=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")
    if folders := damaged(site()):
        names = ", ".join(map(name_of, folders))
        sys.exit(f"error: damaged packages: {names}; remove .venv, and run make again")


if __name__ == "__main__":
    main()
