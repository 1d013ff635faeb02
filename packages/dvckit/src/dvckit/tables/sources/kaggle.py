"""A source at Kaggle: a competition's own files, through Kaggle's client, the extra `kaggle`.

The client runs as a process of its own: loaded as a library it looks for a token, and asks Kaggle about it, on import.
"""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from dvckit.core.errors import UserError

TIMEOUT = 180  # seconds for an archive of 35 kB; the client itself would wait without end
RULES = "https://www.kaggle.com/competitions/{}/rules"
HOW_TO = (
    "make one at https://www.kaggle.com/settings/api (Generate New Token), "
    "and save it as ~/.kaggle/access_token or set it as KAGGLE_API_TOKEN; an older kaggle.json goes to ~/.kaggle"
)


def download(competition: str, files: Sequence[str], folder: Path) -> None:
    """Write the files of a competition to `folder`.

    UserError if the client is not installed, has no token or a wrong one, the competition's rules are not accepted,
    there is no network, or Kaggle answers otherwise than with an archive of these files.
    """
    if importlib.util.find_spec("kaggle") is None:
        raise UserError("dataset.source is kaggle, and Kaggle's client is not installed; run: uv sync --extra kaggle")
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        _download(competition, temporary)
        try:
            with zipfile.ZipFile(Path(temporary) / f"{competition}.zip") as packed:
                packed.extractall(folder, files)
        except (FileNotFoundError, zipfile.BadZipFile, KeyError, zlib.error) as error:
            raise UserError(f"Kaggle did not give an archive with {', '.join(files)}: {error}") from None


def _download(competition: str, folder: str) -> None:
    command = ["--no-warn", "competitions", "download", "-c", competition, "-p", folder, "--quiet"]
    try:
        process = subprocess.run(
            [sys.executable, "-m", "kaggle", *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"Kaggle did not finish within {TIMEOUT} s; check the network and try again") from None
    if process.returncode:
        raise UserError(_problem(process.stdout + process.stderr, competition))


def _problem(output: str, competition: str) -> str:
    """Return, from what the client printed, its errors last, what the user has to do."""
    last = _without_secrets(output.strip().rpartition("\n")[2])
    if "Authentication required" in output or "401 Client Error" in output:
        # the client says the same in both cases
        reason = "does not accept the token that it finds" if _has_token() else "needs a token, and there is none"
        return f"Kaggle {reason}; {HOW_TO}"
    if re.search("Max retries exceeded|Connection aborted|Connection broken|timed out", output):
        return "Kaggle cannot be reached; check the network, or use another dataset.source"
    if re.search("403 Client Error|rules|[Pp]ermission", last):
        return f"Kaggle does not give you the files ({last}); open {RULES.format(competition)} and accept the rules of the competition"
    return f"Kaggle's client failed: {last or 'it printed nothing'}"


def _has_token() -> bool:
    """Whether something lies where the client looks for a token."""
    home = Path("~/.kaggle").expanduser()
    config = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "kaggle"
    files = [home / "access_token", home / "access_token.txt", home / "credentials.json"]
    files += [place / "kaggle.json" for place in (home, config, Path(os.environ.get("KAGGLE_CONFIG_DIR") or home))]
    return any(os.environ.get(name) for name in ("KAGGLE_API_TOKEN", "KAGGLE_KEY")) or any(map(Path.is_file, files))


def _without_secrets(line: str) -> str:
    """Drop what the client may quote: a header with the token, the token as a file's name, a signed address."""
    for secret in filter(None, map(os.environ.get, ("KAGGLE_API_TOKEN", "KAGGLE_KEY"))):
        line = line.replace(secret, "...")
    return re.sub(r"(Bearer |Basic |\?)\S+", r"\1...", line)
