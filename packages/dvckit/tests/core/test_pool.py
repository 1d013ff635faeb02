"""Tasks in processes: whoever runs them, whatever becomes of them."""

import importlib
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from textwrap import dedent

import psutil
import pytest

from dvckit.core.arithmetic import ARITHMETIC
from dvckit.core.errors import UserError
from dvckit.core.pool import pool, workers

TASKS = """
import os, signal, time
from pathlib import Path
from dvckit.core.errors import UserError

def double(number):
    return 2 * number

def environment(name):
    return os.environ.get(name)

def killed_once(path):
    try:
        Path(path).touch(exist_ok=False)
    except FileExistsError:
        return "done"
    os.kill(os.getpid(), signal.SIGKILL)

def killed(_):
    os.kill(os.getpid(), signal.SIGKILL)

def refuses(number):
    if number > 1:
        raise UserError(f"{number} is too much")
    return number

def fails(number):
    return 1 / number

def cannot_read(path):
    return Path(path).read_bytes()

def needs_memory(_):
    raise MemoryError

def sleeps(path):
    Path(path).write_text(str(os.getpid()))
    time.sleep(60)
"""


@pytest.fixture
def tasks(tmp_path, monkeypatch):
    """A project with a module of tasks."""
    (tmp_path / "own_tasks.py").write_text(TASKS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("DVCKIT_WORKERS", "2")
    yield importlib.import_module("own_tasks")
    sys.modules.pop("own_tasks")


def results(root, work, items):
    with pool(root) as running:
        return running.map(work, items, "test")


def test_results_are_in_the_order_of_the_items(tasks, tmp_path):
    assert results(tmp_path, tasks.double, range(10)) == [2 * number for number in range(10)]


def test_arithmetic_is_pinned_in_every_task(tasks, tmp_path):
    assert results(tmp_path, tasks.environment, [*ARITHMETIC]) == [*ARITHMETIC.values()]


def test_a_task_whose_process_is_killed_is_run_again(tasks, tmp_path):
    marks = [str(tmp_path / f"mark-{number}") for number in range(3)]

    assert results(tmp_path, tasks.killed_once, marks) == ["done"] * 3


@pytest.mark.parametrize(
    ("name", "items", "sentence"),
    [
        ("killed", [1], r"was killed \(SIGKILL\), 3 times; if memory ran out, use fewer workers \(DVCKIT_WORKERS\)"),
        ("refuses", [1, 3, 2], "^3 is too much$"),
        ("cannot_read", ["/not/there"], "/not/there: No such file or directory"),
        ("needs_memory", [1], "^not enough memory for a task; use fewer workers"),
    ],
)
def test_a_task_that_cannot_be_done_is_told_in_one_sentence(tasks, tmp_path, name, items, sentence):
    with pytest.raises(UserError, match=sentence):
        results(tmp_path, getattr(tasks, name), items)


def test_an_error_of_the_code_keeps_its_traceback(tasks, tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)in fails.*ZeroDivisionError"):
        results(tmp_path, tasks.fails, [0])


@pytest.mark.parametrize("text", ["0", "two", "-1", "1e3", "2000"])
def test_a_number_of_workers_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("DVCKIT_WORKERS", text)

    with pytest.raises(UserError, match="must be the number of processes that run tasks, from 1 to 1024"):
        workers()


def test_there_is_a_worker_for_each_core_by_default(monkeypatch):
    monkeypatch.delenv("DVCKIT_WORKERS", raising=False)

    assert workers() == len(os.sched_getaffinity(0))


def test_tasks_end_with_the_process_that_asked_for_them(tasks, tmp_path):
    mark = tmp_path / "pid"
    code = f"""
        from pathlib import Path
        import own_tasks
        from dvckit.core.pool import pool
        with pool(Path({str(tmp_path)!r})) as running:
            running.map(own_tasks.sleeps, [{str(mark)!r}], "test")
    """
    parent = subprocess.Popen([sys.executable, "-c", dedent(code)], cwd=tmp_path)
    while not (mark.is_file() and mark.read_text()):
        time.sleep(0.05)

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    with suppress(psutil.NoSuchProcess):
        psutil.Process(int(mark.read_text())).wait(10)
