"""The questions about a CSV file: asked at a terminal, and listed with the flags that answer them elsewhere."""

import sys
from collections.abc import Callable
from pathlib import Path

import typer

from dvckit.core.errors import UserError
from dvckit.core.grid import terminal
from dvckit.new.columns import Examined, examine, table
from dvckit.new.options import Options, Question

Notes = Callable[[Examined], dict[str, str]]  # what was measured about a question, by what the question is about


def ask(path: Path, options: Options, predict: Path | None, notes: Notes) -> Examined:
    """Examine a file until no question is open; UserError with all of them where nobody can be asked."""
    while (examined := examine(path, options, predict)).questions:
        _show(examined)
        measured = notes(examined)
        if not sys.stdin.isatty():
            raise UserError("\n".join([_opening(examined), *(_listed(one, measured) for one in examined.questions)]))
        question = examined.questions[0]
        print(f"\n{_text(question, measured)}")
        for number, choice in enumerate(question.choices, 1):
            print(f"  {number}  {choice.text}  ({choice.flag})")
        number = 0
        while not 1 <= number <= len(question.choices):
            number = typer.prompt("answer", type=int)
        options = options.answered(question.choices[number - 1])
    _show(examined)
    return examined


def _show(examined: Examined) -> None:
    if examined.columns:
        table(examined).print(terminal())


def _opening(examined: Examined) -> str:
    count = len(examined.questions)
    some = "one thing" if count == 1 else f"{count} things"
    return f"{examined.path} leaves {some} open; run this again with a flag for each:"


def _text(question: Question, measured: dict[str, str]) -> str:
    more = measured.get(question.about)
    return f"{question.text} {question.why}{f'; {more}' if more else ''}"


def _listed(question: Question, measured: dict[str, str]) -> str:
    choices = [f"    {choice.flag}   {choice.text}" for choice in question.choices]
    return "\n".join([f"  {_text(question, measured)}", *choices])
