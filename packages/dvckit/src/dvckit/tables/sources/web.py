"""A source on the web: CSV files from a mirror, held to the sha256 that params.yaml states.

pooch downloads, verifies and keeps the files; what it lacks is here: more than one mirror, and the continuation of a
download that broke off.
"""

import fcntl
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dvckit.core.errors import UserError

TIMEOUT = 10  # seconds without a byte, after which a mirror is left
ATTEMPTS = 5  # at one mirror, for failures that may pass
PAUSE = 1  # seconds before the second attempt, twice as many before the third, ...


class Download:
    """What pooch calls for the bytes of a file: continues `partial` where an earlier attempt or process left it."""

    def __init__(self, partial: Path) -> None:
        self.partial = partial
        self.start = 0  # bytes of it that were there before the last attempt, and stayed

    def __call__(self, url: str, output: str, _pooch: object) -> None:
        """Download the rest and move the file to `output`; what requests raises leaves `partial` to be continued."""
        from pooch import HTTPDownloader

        with self.partial.open("ab") as file:
            self.start = file.tell()

            def look(response: Any, **_: Any) -> None:
                # 200 brings the whole file again, 416 says that it is no longer than what is here
                if response.status_code in (200, 416):
                    file.truncate(0)
                    self.start = 0

            # a Range counts the bytes that are sent: they must be the file's own, not those of its compression
            headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={self.start}-"} if self.start else {})
            get = HTTPDownloader(sys.stderr.isatty(), timeout=TIMEOUT, headers=headers, hooks={"response": look})
            get(url, file, None)
        # pooch deletes `output` when its sha256 is wrong, so that wrong bytes are never continued
        self.partial.replace(output)

    def failure(self, error: Exception) -> tuple[str, bool]:
        """Return in few words what pooch.retrieve raised, and whether the same mirror deserves another attempt."""
        from requests import exceptions as http

        message = str(error)
        if isinstance(error, http.HTTPError):  # "404 Client Error: Not Found for url: ..."
            return message[:3], message.startswith(("416", "429", "5"))
        if isinstance(error, http.Timeout) or "timed out" in message:
            return f"no answer within {TIMEOUT} s", False
        if counts := re.search(r"IncompleteRead\((\d+) bytes read, (\d+) more", message):
            read, missing = self.start + int(counts[1]), int(counts[2])
            return f"connection dropped after {read} of {read + missing} bytes", True
        if isinstance(error, http.ChunkedEncodingError) or "Connection aborted" in message:
            return "connection dropped", True
        if isinstance(error, http.RequestException):
            kind = "" if type(error) is http.ConnectionError else f" ({type(error).__name__})"
            return f"no connection{kind}", False
        # the fault of wrong bytes may lie with those that were there before
        return re.sub(r".*but got (\w{12}).*", r"other bytes (sha256 \1…)", message), self.start > 0


def _fetch(name: str, sha256: str, mirrors: Sequence[str], cache: Path) -> Path:
    """Return the path of the verified file, from the cache or else from the first mirror that gives it."""
    import pooch
    from requests import RequestException

    pooch.get_logger().setLevel("WARNING")
    reasons = []
    for mirror in mirrors:
        get = Download(cache / f"{sha256}.part")
        url = f"{mirror.rstrip('/')}/{name}"
        for attempt in range(ATTEMPTS):
            time.sleep(PAUSE * attempt)
            try:
                return Path(pooch.retrieve(url, f"sha256:{sha256}", fname=sha256, path=cache, downloader=get))
            except (RequestException, ValueError) as error:
                reason, may_pass = get.failure(error)
            if not may_pass:
                break
        reasons.append(f"{mirror}: {reason}")
    raise UserError(
        f"no mirror gave {name} ({'; '.join(reasons)}); check the network, name another one in dataset.mirrors, "
        "or use another dataset.source"
    )


def download(files: Mapping[str, str], mirrors: Sequence[str], folder: Path, *, cache: str) -> None:
    """Write NAME.csv to `folder` for each name with its sha256, from the user's cache or else from the first mirror.

    The cache is the folder of that name in XDG_CACHE_HOME. UserError names each mirror and its reason when none gave a
    file with the right sha256.
    """
    import pooch

    place = Path(pooch.os_cache(cache))
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # experiments run side by side, and two must not append to one partial file
        for name, sha256 in files.items():
            shutil.copyfile(_fetch(f"{name}.csv", sha256, mirrors, place), folder / f"{name}.csv")
