"""Where the command `dvckit` begins. Ctrl-C, and a package that is needed and damaged, are one sentence, at any moment."""

import sys

from dvckit.core.interrupts import ended_by_ctrl_c
from dvckit.doctor.installed import report


def main() -> None:
    """Run the command. Only the standard library is imported before it."""
    try:
        with ended_by_ctrl_c():
            # an exception from Ctrl-C could get lost in what this loads
            from dvckit.cli import main as run
        run()
    except (KeyboardInterrupt, Exception) as error:
        # Ctrl-C while a module is loaded may come out as the cause of a RuntimeError
        if isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt):
            print("interrupted", file=sys.stderr)
            sys.exit(130)
        if sentence := report():
            sys.exit(f"error: {sentence}")
        raise
