"""The `titanic` command: what DVC lacks. Each command imports what it needs when it runs."""

import typer

from titanic.stage import answered, pin_arithmetic

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def titanic() -> None:
    """Answer what DVC leaves open about a project: its parameters, its scores, and whether all of it reproduces."""


@app.command()
def check() -> None:
    """Check params.yaml as a whole, each key, type and range."""
    from titanic.config import PARAMS, load_params
    from titanic.versions.repository import find_root

    load_params(find_root() / PARAMS)
    print(f"{PARAMS}: every key, type and range is right")


@app.command()
def summary() -> None:
    """Print the scores of the last run beside the baselines, and where the report is."""
    from titanic.reporting.summary import print_summary
    from titanic.versions.repository import find_root

    print_summary(find_root())


@app.command()
def verify() -> None:
    """Reproduce HEAD in an empty clone and compare every output with dvc.lock, to the byte."""
    from titanic.versions.repository import find_root
    from titanic.versions.verify import verify as same

    if not same(find_root(), lambda line: print(line, flush=True)):
        raise typer.Exit(1)


def main() -> None:
    """Run the command."""
    pin_arithmetic()
    with answered():
        app()
