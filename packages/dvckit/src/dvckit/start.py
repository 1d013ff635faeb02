"""Where the command `dvckit` begins. Where a package that it needs is damaged, it says which, without a traceback."""

import sys

from dvckit.doctor.installed import report


def main() -> None:
    """Run the command. Only the standard library is imported before it."""
    try:
        from dvckit.cli import main as run

        run()
    except Exception:
        if sentence := report():
            sys.exit(f"error: {sentence}")
        raise
