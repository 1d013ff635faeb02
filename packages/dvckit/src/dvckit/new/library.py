"""The library of a project: where it comes from, and its wheel, which is the same for equal installs."""

import csv
import hashlib
import json
import re
import stat
import tempfile
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from email import message_from_bytes
from importlib.metadata import Distribution, distribution
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from dvckit.core.errors import UserError
from dvckit.core.files import write_bytes
from dvckit.new.uv import run_uv

VENDOR = "vendor"  # folder of the wheel in a project

# What an installer adds to a package's metadata.
_INSTALLERS = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json"}
_GIT = re.compile(
    r"git\+(?P<git>\w+://[^#]+?)(?:@(?P<rev>[^@/:#]+(?:/[^@:#]+)*))?(?:#subdirectory=(?P<subdirectory>[^#&]+))?"
)


class Library(NamedTuple):
    """Where a project has its library from.

    `name` stands in `[tool.dvckit]`, `specifier` behind dvckit in the dependencies, `source` in `[tool.uv.sources]`.
    """

    name: str
    specifier: str = ""
    source: Mapping[str, str] = {}


def add_library(root: Path, source: str | None = None) -> Library:
    """Return the library that a person names, by default the one that runs; a wheel is written to the project's vendor/.

    `source`: the path of a wheel, a version or requirement for the index, or git+https://…@REV.
    """
    if source is None:
        return _vendored(wheel(root / VENDOR))
    if source.startswith("git+"):
        return _from_git(source)
    if source.endswith(".whl"):
        return _vendored(_copied(Path(source), root / VENDOR))
    return _from_index(source)


def _vendored(path: Path) -> Library:
    name = f"{VENDOR}/{path.name}"
    return Library(name, source={"path": name})


def _from_git(source: str) -> Library:
    match = _GIT.fullmatch(source)
    if not match:
        raise UserError(f"{source} is no address of a git repository; write git+https://HOST/PATH@REV")
    return Library(source, source={key: value for key, value in match.groupdict().items() if value})


def _from_index(source: str) -> Library:
    try:
        return Library(f"dvckit=={Version(source)}", f"=={Version(source)}")
    except InvalidVersion:
        pass
    try:
        wanted = Requirement(source)
    except InvalidRequirement:
        wanted = Requirement("none")
    if wanted.name != "dvckit" or wanted.url or wanted.marker or wanted.extras:
        raise UserError(
            f"{source} is no source of the library; give the path of a wheel, a version such as 0.2.0, "
            "or git+https://HOST/PATH@REV"
        )
    return Library(str(wanted), str(wanted.specifier))


def _copied(path: Path, folder: Path) -> Path:
    """Copy a wheel of the library; UserError where it is none."""
    try:
        content = path.read_bytes()
        name = _wheel_name(_unpacked(content))
    except FileNotFoundError:
        raise UserError(f"there is no file {path}") from None
    except (zipfile.BadZipFile, KeyError, StopIteration):
        raise UserError(f"{path} is not a wheel, or not a whole one") from None
    if not name.startswith("dvckit-"):
        raise UserError(f"{path} is not a wheel of dvckit: it is {name}")
    write_bytes(folder / name, content)
    return folder / name


def wheel(folder: Path) -> Path:
    """Write the wheel of the library that runs now into `folder`; equal installs give equal bytes."""
    installed = distribution("dvckit")
    source = _editable(installed)
    files = _built(source) if source else _installed(installed)
    path = folder / _wheel_name(files)
    write_bytes(path, _packed(files))
    return path


def _editable(installed: Distribution) -> Path | None:
    """Return the folder that the library runs from, where it is not installed itself."""
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlsplit(origin["url"]).path))


def _built(source: Path) -> dict[str, bytes]:
    """Build a wheel from a folder, in which nothing is left, and return its files."""
    with tempfile.TemporaryDirectory() as folder:
        run_uv(Path(folder), "build", "--quiet", "--wheel", "--out-dir", folder, str(source))
        return _unpacked(next(Path(folder).glob("*.whl")).read_bytes())


def _unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def _installed(installed: Distribution) -> dict[str, bytes]:
    """Return the files of the package and its metadata, without bytecode and scripts; UserError where one is gone."""
    record = (installed.read_text("RECORD") or "").splitlines()  # `Distribution.files` may leave out what is gone
    names = [row[0] for row in csv.reader(record)]
    kept = [name for name in names if name.startswith(("dvckit/", "dvckit-")) and "__pycache__/" not in name]
    try:
        return {name: Path(str(installed.locate_file(name))).read_bytes() for name in kept}
    except FileNotFoundError as error:
        raise UserError(f"dvckit is not installed as a whole: {error.filename} is missing; install it again") from None


def _metadata(files: Mapping[str, bytes], name: str) -> str:
    """Return the path of a file of the package's metadata."""
    return next(path for path in files if re.fullmatch(rf"[^/]+\.dist-info/{name}", path))


def _wheel_name(files: Mapping[str, bytes]) -> str:
    path = _metadata(files, "WHEEL")
    tag = message_from_bytes(files[path])["Tag"]
    return f"{path.split('.dist-info/')[0]}-{tag}.whl"


def _packed(files: Mapping[str, bytes]) -> bytes:
    """Return a wheel whose bytes depend on nothing but the files: no times, one order, and no compression, which differs.

    Git, which keeps it, compresses it, and against the version before.
    """
    record = _metadata(files, "METADATA").replace("METADATA", "RECORD")
    kept = {name: files[name] for name in sorted(files, key=_last_metadata) if not _of_installer(name)}
    lines = [f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in kept.items()]
    kept[record] = "".join([*lines, f"{record},,\n"]).encode()
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in kept.items():
            entry = zipfile.ZipInfo(name)  # of 1980
            entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, content)
    return target.getvalue()


def _last_metadata(name: str) -> tuple[bool, str]:
    return ".dist-info/" in name, name


def _of_installer(name: str) -> bool:
    folder, _, file = name.partition(".dist-info/")
    return "/" not in folder and file in _INSTALLERS


def _digest(content: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
