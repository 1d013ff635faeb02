"""Errors that a user can correct, and the one place that reports them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dvckit.core.addresses import without_secrets
from dvckit.core.screen import in_line, show_visibly, visible


class UserError(Exception):
    """A mistake that the user can correct; the message says what is wrong and what to do."""

    def __str__(self) -> str:
        return without_secrets(super().__str__())  # an address may be in it, or a library's own words with one


@contextmanager
def answered() -> Iterator[None]:
    """End the process with one sentence on stderr and no traceback if the user or the machine caused the failure."""
    show_visibly()
    try:
        yield
    except UserError as error:
        sys.exit(f"error: {visible(str(error))}")  # here, too: colorama, which tqdm starts, obeys what it gets
    except OSError as error:
        sys.exit(
            f"error: {in_line(error.filename)}: {error.strerror}" if error.filename else f"error: {visible(str(error))}"
        )
    except Exception as error:
        if not is_short_of_memory(error):
            raise
        sys.exit("error: not enough memory; close other programs, raise `ulimit -v`, or run it on a larger machine")


def is_short_of_memory(error: BaseException | None) -> bool:
    """Tell whether an error, or one that led to it, is how Python, a library's loader or a thread says so."""
    texts = ("failed to map segment", "annot allocate memory", "can't start new thread")
    while error:
        if isinstance(error, MemoryError) or any(text in str(error) for text in texts):
            return True
        error = error.__cause__ or error.__context__
    return False


def undo(path: Path) -> str:
    """Return the end of a sentence about a value that a file must not have: `dvc exp run -S` leaves it there."""
    return f"; undo it with `git restore {path}`"


def one_line(error: object) -> str:
    """Return an error's message on one line, without secrets."""
    return without_secrets(" ".join(str(error).split()))
