"""Progress at a terminal, of work that takes longer than two seconds; nothing elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

DELAY = 2.0  # seconds before anything is shown


@contextmanager
def progress(what: str, unit: str, total: int | None = None) -> Iterator[Callable[[int], object]]:
    """Give a function to call with how many units have been done; the line goes when the block ends."""
    from tqdm import tqdm  # a model that was published elsewhere is loaded without it

    with tqdm(
        desc=what,
        unit=f" {unit}",
        total=total,
        unit_scale=True,
        delay=DELAY,
        leave=False,
        disable=None,
        dynamic_ncols=True,
    ) as bar:
        yield bar.update
