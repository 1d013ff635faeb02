"""Little memory, as under `ulimit -v`: said in one sentence, and where libraries would abort or hang, before they are loaded."""

import os
import resource

from dvckit.core.errors import UserError

# What pandas, Arrow and scikit-learn take of addresses, and the stacks of the threads that each core gets, in bytes.
LEAST = (1 << 30) + (os.cpu_count() or 1) * (16 << 20)


def check_memory() -> None:
    """Raise a UserError where the limit on addresses is too low for the libraries; C++ in them ends the process then."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if 0 <= limit < LEAST:
        raise UserError(
            f"not enough memory: `ulimit -v` is {limit >> 10}, and this needs {LEAST >> 10}; raise it, or run it elsewhere"
        )
