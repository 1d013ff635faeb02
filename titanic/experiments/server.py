"""Whether a tracker's server answers. The clients of trackers try for minutes, or for ever, where it does not."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from titanic.stage import UserError

ANSWER = 10  # seconds that a server has for an answer
PAUSE = 5  # seconds between two looks at it


class _LostError(BaseException):
    """A server was lost. Not an Exception: clients take each of those for one of the network's, and try again."""


@contextmanager
def answering(tracker: str, *servers: str, verify: bool | str = True) -> Iterator[None]:
    """Look at servers again and again while the block talks to them, and end the block where one is lost (UserError).

    `verify` is as in requests: whether its certificate is checked, or with which file. Only for the main thread.
    """
    lost: list[UserError] = []

    def look_all() -> None:
        for server in servers:
            reach(tracker, server, verify=verify)

    def look(*_: object) -> None:
        try:
            if not lost:
                look_all()
        except UserError as error:
            lost.append(error)
        # what the block does at its end may wait for the server, too
        signal.setitimer(signal.ITIMER_REAL, 1 if lost else PAUSE)
        if lost:
            raise _LostError

    look_all()
    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, PAUSE)
    try:
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    except _LostError:
        raise lost[0] from None
    except Exception:
        look_all()  # says it shorter than what the client makes of it
        raise


def reach(tracker: str, server: str, *, verify: bool | str = True) -> None:
    """Refuse a server that cannot be connected to, gives no answer, or says that it is out of service (UserError)."""
    try:
        with requests.get(server, timeout=ANSWER, verify=verify, allow_redirects=False, stream=True) as answer:
            reason = f"{answer.status_code} {answer.reason}" if answer.status_code >= 500 else ""
    except requests.RequestException as error:
        reason = _first(error)
    if reason:
        raise UserError(f"the {tracker} server {without_password(server)} is out of reach ({reason})")


def without_password(url: str) -> str:
    """Leave a user's name and password out of a URL."""
    return re.sub("//[^/]*@", "//", url)


def _first(error: BaseException) -> str:
    """Say what happened first, which libraries wrap in sentences of theirs."""
    while error.__context__:
        error = error.__context__
    return getattr(error, "strerror", None) or str(error)
