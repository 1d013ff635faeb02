"""Where the command begins: Ctrl-C before, and in the midst of, what it imports."""

import pytest

from dvckit import start


class Slow:
    def __set_name__(self, owner, name):
        raise KeyboardInterrupt


def in_a_class():
    type("Column", (), {"cells": Slow()})


def at_once():
    raise KeyboardInterrupt


@pytest.mark.parametrize("interrupted", [in_a_class, at_once])
def test_ctrl_c_is_one_word_at_any_moment(interrupted, monkeypatch, capsys):
    monkeypatch.setattr("dvckit.cli.main", interrupted)

    with pytest.raises(SystemExit) as ended:
        start.main()

    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_any_other_error_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr("dvckit.cli.main", lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        start.main()
