"""The members of a .skops file, read within bounds: a zip archive says of itself how large it is, and may lie."""

import io
import zipfile

MOST_PACKED = 50  # maximum ratio of what is unpacked to its archive; small models have about 10, a forest 5
MOST_SCHEMA = 20  # that of its schema, which needs many times as much memory as it has bytes; small models have 13
ALWAYS = 2**22  # bytes that any archive may unpack to
SCHEMA = "schema.json"
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others need memory that the archive chooses


class HostileError(ValueError):
    """Why a file is not loaded, as the end of a sentence."""


def most(content: bytes, ratio: int = MOST_PACKED) -> int:
    """Return how many bytes an archive may unpack to, each reference to a member counted."""
    return max(ratio * len(content), ALWAYS)


def unpack(content: bytes) -> dict[str, bytes]:
    """Return the members of a zip archive by name; HostileError where it unpacks to too much or lies about it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if len({entry.filename for entry in entries}) < len(entries):
            raise HostileError("two of its members have the same name")
        if (size := sum(entry.file_size for entry in entries)) > most(content):
            raise HostileError(f"it would unpack to {size} bytes, {size // len(content)} times its size")
        if any(entry.filename == SCHEMA and entry.file_size > most(content, MOST_SCHEMA) for entry in entries):
            raise HostileError("its schema is too large for what it describes")
        _refuse_overlaps(entries)
        return {entry.filename: _read(archive, entry) for entry in entries}


def _refuse_overlaps(entries: list[zipfile.ZipInfo]) -> None:
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise HostileError("its members overlap")
        end = entry.header_offset + entry.compress_size


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return a member; never more is unpacked than the archive says, unlike in `ZipFile.read`."""
    if entry.compress_type not in METHODS:
        raise HostileError("a member is packed in another way than deflate")
    with archive.open(entry) as file:
        content = file.read(entry.file_size)
    if len(content) != entry.file_size:
        raise HostileError("a member is shorter than the archive says")
    return content


def repack(members: dict[str, bytes]) -> bytes:
    """Return an archive of exactly these members, not compressed: who reads it reads what was checked."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()
