"""The embedded remote of a clone: the folder .dvc/storage, which git keeps.

DVC takes a relative url in .dvc/config for one below `/` as soon as it reads another revision, and `dvc exp push` and
`dvc push --all-tags` then write to /.dvc/storage. The same url in .dvc/config.local, which is no file of a revision, is
right for all of them, and remains so where the clone is moved.
"""

import re
from contextlib import suppress
from pathlib import Path

from dvckit.core.files import replacing

URL = "    url = storage\n"

_SECTION = re.compile(r"""^[ \t]*\[[ \t]*['"]?remote "embedded"['"]?[ \t]*\].*\n""", re.MULTILINE)
_URL = re.compile(r"""^[ \t]*url[ \t]*=[ \t]*['"]?(?P<url>.*?)['"]?[ \t]*\n""", re.MULTILINE)


def _read(path: Path) -> str:
    with suppress(OSError):
        text = path.read_bytes().decode(errors="surrogateescape")
        return text if text.endswith("\n") or not text else f"{text}\n"
    return ""


def _url(text: str) -> "re.Match[str] | None":
    """Find the url of the embedded remote in a configuration."""
    section = _SECTION.search(text)
    following = re.compile(r"^[ \t]*\[", re.MULTILINE).search(text, section.end()) if section else None
    return _URL.search(text, section.end(), following.start() if following else len(text)) if section else None


def is_located(root: Path) -> bool:
    """Whether DVC finds the embedded remote of the project at `root` from every revision, if there is one."""
    shared, own = _url(_read(root / ".dvc/config")), _url(_read(root / ".dvc/config.local"))
    if shared is None or shared["url"] != "storage":
        return True
    return own is not None and root / ".dvc" / own["url"] == root / ".dvc/storage"


def locate(root: Path) -> None:
    """Let DVC find the embedded remote from every revision; text by text, as DVC cannot write what is not ASCII."""
    file = root / ".dvc/config.local"
    text = _read(file)
    if url := _url(text):
        text = text[: url.start()] + URL + text[url.end() :]
    elif section := _SECTION.search(text):
        text = text[: section.end()] + URL + text[section.end() :]
    else:
        text += f"['remote \"embedded\"']\n{URL}"
    mode = file.stat().st_mode if file.exists() else 0o666
    with replacing(file) as temporary:
        temporary.touch(mode)  # it may hold secrets
        temporary.write_bytes(text.encode(errors="surrogateescape"))


def ensure_located(root: Path) -> None:
    """Do so where nobody has; a folder that cannot be written to stays as it is, and so does the url of a user."""
    if not is_located(root) and _url(_read(root / ".dvc/config.local")) is None:
        with suppress(OSError):
            locate(root)
