"""Questions: asked one after the other at a terminal, listed with their flags elsewhere."""

import sys

import pytest
import typer

from dvckit.core.errors import UserError
from dvckit.new.asking import ask
from dvckit.new.options import Options


@pytest.fixture
def path(tmp_path):
    rows = [f"{n * 37 % 100 + 500},{n * 7919 % 61 / 4},{'no' if n % 3 else 'yes'}\n" for n in range(100)]
    (tmp_path / "in.csv").write_text("".join(["places,x,y\n", *rows]))
    return tmp_path / "in.csv"


def test_without_a_terminal_all_questions_are_listed_with_their_flags(path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", sys.__stdin__)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)

    with pytest.raises(UserError) as refused:
        ask(path, Options(target="y"), None, lambda _: {"places": "measured: much"})

    opening, *lines = str(refused.value).splitlines()
    assert opening.endswith("in.csv leaves one thing open; run this again with a flag for each:")
    assert lines == [
        "",
        "  Is places an id or a number?",
        "  (whole numbers that differ in every row; neither the name nor the order tells",
        "  what they are)",
        "  measured: much",
        "    --id places           an id, which is no input",
        "    --role places=number  a number",
        "    --role places=ignore  neither",
    ]


def test_at_a_terminal_a_question_is_asked_until_its_answer_is_one_of_the_choices(path, monkeypatch, capsys):
    answers = iter(["4", "x", "3", "5", "1"])
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(typer, "prompt", lambda _: next(answers))

    found = ask(path, Options(), None, lambda _: {})

    assert list(answers) == []
    assert [(one.name, one.role) for one in found.columns] == [("places", "id"), ("x", "number"), ("y", "target")]
    assert "Which column is to be predicted?" in capsys.readouterr().out
