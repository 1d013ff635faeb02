"""Whether a tracker's server answers. Where it does not, the trackers' clients try for minutes, or for ever."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from dvckit.core.addresses import address
from dvckit.core.errors import UserError

ANSWER = 10  # seconds that a server has for an answer
PAUSE = 5  # seconds between two checks


class _LostError(BaseException):
    """A server was lost. Not an Exception: clients take each of those for the network's, and try again."""


@contextmanager
def answering(tracker: str, *servers: str, verify: bool | str = True) -> Iterator[None]:
    """Check servers again and again while the block talks to them; end the block where one is lost (UserError).

    `verify` is as in requests: whether its certificate is checked, or with which file. Only for the main thread.
    """

    def check_all() -> None:
        for server in servers:
            check(tracker, server, verify=verify)

    def on_timer(*_: object) -> None:
        pause = 1  # what the block does at its end may wait for the server, too
        try:
            check_all()
            pause = PAUSE
        except UserError as error:
            raise _LostError(error) from None
        finally:
            signal.setitimer(signal.ITIMER_REAL, pause)

    check_all()
    before = signal.signal(signal.SIGALRM, on_timer)
    signal.setitimer(signal.ITIMER_REAL, PAUSE)
    try:
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    except _LostError as lost:
        raise lost.args[0] from None
    except Exception:
        check_all()  # its sentence is shorter than the client's
        raise


def check(tracker: str, server: str, *, verify: bool | str = True) -> None:
    """Refuse a server that cannot be connected to, gives no answer, or says that it is out of service (UserError)."""
    try:
        with requests.get(server, timeout=ANSWER, verify=verify, allow_redirects=False, stream=True) as answer:
            reason = f"{answer.status_code} {answer.reason}" if answer.status_code >= 500 else ""
    except requests.RequestException as error:
        reason = _first_cause(error)
    if reason:
        raise UserError(f"the {tracker} server {address(server)} is out of reach ({reason})")


def _first_cause(error: BaseException) -> str:
    """Return what happened first; libraries wrap it in sentences of their own."""
    while error.__context__:
        error = error.__context__
    return getattr(error, "strerror", None) or str(error)
