"""How DVC starts a stage: `python -m dvckit.stage PACKAGE.MODULE` runs `main()` of that module.

DVC starts it in the project's root. A stage reads what dvc.yaml declares as its deps and writes what it declares as its
outs.
"""

import sys

from dvckit.core.interrupts import ended_by_ctrl_c


def main() -> None:
    """Run the stage whose module the command line names."""
    with ended_by_ctrl_c():
        # an exception from Ctrl-C could get lost in what this loads
        from dvckit.core.stage import run

        run(sys.argv[1])


if __name__ == "__main__":
    main()
