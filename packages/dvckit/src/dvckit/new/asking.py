"""The questions about a CSV file: asked at a terminal, and listed with the flags that answer them elsewhere."""

import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import wrap

import typer

from dvckit.core.errors import UserError
from dvckit.core.grid import Terminal
from dvckit.new.columns import Examined, examine, table
from dvckit.new.options import Options, Question

WIDTH = 79
Notes = Callable[[Examined], dict[str, str]]  # what was measured about a question, by what the question is about


def ask(path: Path, options: Options, predict: Path | None, notes: Notes) -> Examined:
    """Examine a file until no question is open; UserError with all of them where nobody can be asked."""
    while (examined := examine(path, options, predict)).questions:
        _show(examined)
        measured = notes(examined)
        if not sys.stdin.isatty():
            raise UserError("\n".join([_opening(examined), *(_listed(one, measured) for one in examined.questions)]))
        question = examined.questions[0]
        print("", *_text(question, measured, ""), sep="\n")
        for number, choice in enumerate(question.choices, 1):
            print(f"  {number}  {choice.text}  ({choice.flag})")
        options = options.answered(question.choices[_answer(len(question.choices)) - 1])
    _show(examined)
    return examined


def _answer(most: int) -> int:
    """Ask until the answer is the number of a choice."""
    answer = ""
    while not (answer.isdecimal() and 1 <= int(answer) <= most):
        answer = typer.prompt(f"answer (1 to {most})" if most > 1 else "answer (1, or Ctrl-C)").strip()
    return int(answer)


def _show(examined: Examined) -> None:
    if examined.columns:
        table(examined).print(Terminal())


def _opening(examined: Examined) -> str:
    count = len(examined.questions)
    some = "one thing" if count == 1 else f"{count} things"
    return f"{examined.path} leaves {some} open; run this again with a flag for each:"


def _text(question: Question, measured: dict[str, str], indent: str) -> list[str]:
    """Return the lines of a question: what is asked, why, and what was measured about it."""
    paragraphs = [question.text, f"({question.why})", measured.get(question.about, "")]
    return [line for text in paragraphs for line in wrapped(text, indent)]


def wrapped(text: str, indent: str = "") -> list[str]:
    """Return text in lines for a terminal."""
    return wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _listed(question: Question, measured: dict[str, str]) -> str:
    wide = max(len(choice.flag) for choice in question.choices)
    choices = [f"    {choice.flag:<{wide}}  {choice.text}" for choice in question.choices]
    return "\n".join(["", *_text(question, measured, "  "), *choices])
