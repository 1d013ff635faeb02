"""Where the command begins: Ctrl-C before, and in the midst of, what it imports."""

import subprocess
import sys

import pytest

from dvckit import start

# Sends SIGINT while a module is looked for, and drops the exception as some libraries do.
DROPPED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
class Finder:
    def find_spec(name, path=None, target=None):
        if name == "dvckit.core.errors":
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except BaseException:
                pass
sys.meta_path.insert(0, Finder)
from dvckit.{module} import main
main()
"""


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


@pytest.mark.parametrize("module", ["start", "stage"])
def test_ctrl_c_while_modules_are_loaded_is_never_lost(module, tmp_path):
    command = [sys.executable, "-c", DROPPED.format(module=module), "nothing"]

    process = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert process.returncode == 130
    assert process.stderr == "interrupted: files already written are whole, the others are as they were\n"
