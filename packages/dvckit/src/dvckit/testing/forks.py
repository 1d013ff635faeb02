"""`dvc` and `dvckit` in forks of a process that has imported what they need, and so the DVC and the stages that they start.

To import that takes longer than most commands of tests. The process runs `serve`: it reads commands from its stdin, a line
of JSON each, and answers with their exit codes. A command asks in the same way for those that it starts.
"""

import atexit
import gc
import importlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from shutil import which
from tempfile import TemporaryFile
from threading import Lock
from typing import IO, Any, NoReturn

from dvckit.core.arithmetic import ARITHMETIC, pin_arithmetic
from dvckit.repository import dvc_internals

STAGE = ["python", "-m", "dvckit.stage"]  # and a module
IMPORTED = (
    *("dvckit.cli", "dvckit.doctor.doctor", "dvckit.models.diagnostics", "dvckit.models.stages", "dvckit.project"),
    *("dvckit.reports.report", "dvckit.tables.validation", "sklearn.compose", "sklearn.ensemble", "sklearn.impute"),
    *("sklearn.linear_model", "sklearn.neural_network"),
)
LOCALE = {"LANG": "C.UTF-8"}
AT_START = ("LANG", "LC_", "PYTHON", *ARITHMETIC)  # begin the variables that Python and numpy read when they start
Streams = Mapping[str, str]  # paths: where "output" and "errors" go
_BUSY = Lock()
_SERVERS: "dict[str, subprocess.Popen[str]]" = {}  # by the interpreter


def run(command: tuple[str, ...], root: Path, environment: Mapping[str, str]) -> tuple[int, str] | None:
    """Run a command, `dvc`, `dvckit` or a stage; return its exit code and output.

    It is that of the Python environment that PATH names first. None, with nothing done, where only a process of its own can
    do it: it is another program, `environment` says how Python is to start, another command is running, or this is not Linux.
    """
    python = _python(command[0], environment)
    is_forked = python and sys.platform == "linux" and _is_forked(python, [*command], environment)
    if not is_forked or not _BUSY.acquire(blocking=False):
        return None
    try:
        with TemporaryFile("w+") as output:
            file = f"/proc/{os.getpid()}/fd/{output.fileno()}"
            process = _server(python)
            assert process.stdin
            assert process.stdout
            streams = {"output": file, "errors": file}
            code = _ask(process.stdin, process.stdout, command, root, environment, streams)
            output.seek(0)
            return code, output.read()
    finally:
        _BUSY.release()


def _python(program: str, environment: Mapping[str, str]) -> str:
    """Return the interpreter of the environment whose program this is; "" where it is no program of DVC's or ours."""
    place = which(program, path=environment.get("PATH")) if program in _MAIN else None
    python = Path(place).with_name("python") if place else None
    return str(python) if python and (python.parents[1] / "pyvenv.cfg").is_file() else ""


def _is_forked(python: str, command: list[str], environment: Mapping[str, str]) -> bool:
    """Tell whether a fork of an interpreter does what a command would in an environment."""
    program = command[0]
    if program not in _MAIN or (program == "python" and command[:-1] != STAGE):
        return False
    at_start = {name: value for name, value in environment.items() if name.startswith(AT_START)}
    return at_start == LOCALE and _python(program, environment) == python


def _ask(  # noqa: PLR0917
    questions: IO[str],
    answers: IO[str],
    command: Sequence[str],
    root: Any,
    environment: Mapping[str, str],
    streams: Streams,
) -> int:
    """Ask for a fork that runs a command; return its exit code."""
    question = {"command": command, "root": str(root), "environment": dict(environment), **streams}
    print(json.dumps(question), file=questions, flush=True)
    return int(answers.readline())


def _server(python: str) -> "subprocess.Popen[str]":
    # the file itself: the package that it is in needs pytest, which an environment without the group `dev` does not have
    command = [python, "-c", f"import runpy; runpy.run_path({__file__!r})['serve']()"]
    environment = {"PATH": os.environ["PATH"], **LOCALE}
    if python not in _SERVERS or _SERVERS[python].poll() is not None:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # doctor ends the programs of this session that its checks have left
        )
        atexit.register(_end, process)
        _SERVERS[python] = process
    return _SERVERS[python]


def _end(process: "subprocess.Popen[str]") -> None:
    with process, suppress(OSError):
        assert process.stdin
        process.stdin.close()


def serve() -> None:
    """Fork for each command; answer with its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a snapshot sends it to all that run beside it
    pin_arithmetic()
    dvc_internals.load_commands()
    for module in IMPORTED:
        importlib.import_module(module)
    gc.freeze()
    for line in sys.stdin:
        print(_forked(line), flush=True)


def _forked(line: str) -> int:
    """Run a command in a fork, and those that it asks for; return its exit code."""
    ours, theirs = socket.socketpair()
    with ours:
        if (child := os.fork()) == 0:
            _become(asker=theirs, **json.loads(line))
        theirs.close()
        with ours.makefile("rw") as asked:
            for question in asked:  # until it ends
                print(_forked(question), file=asked, flush=True)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class _Asker:
    """The end of a command that starts others."""

    def __init__(self, asker: socket.socket, streams: Streams) -> None:
        self._questions, self._answers = asker.makefile("w"), asker.makefile("r")
        self._streams, self._run = streams, subprocess.run

    def stage(self, command: str, root: str, environment: Mapping[str, str]) -> int | None:
        """Run the command of a stage, and return its exit code; None where only a process of its own can run it."""
        words = command.split()
        if not _is_forked(sys.executable, words, environment):
            return None
        return _ask(self._questions, self._answers, words, root, environment, self._streams)

    def run(self, command: list[str], **options: Any) -> "subprocess.CompletedProcess[bytes]":
        """Do what `subprocess.run` does, for DVC in a fork."""
        words, environment = command[2:], options.get("env", {})
        is_dvc = command[:3] == [sys.executable, "-m", "dvc"] and options.get("capture_output")
        if not is_dvc or not _is_forked(sys.executable, words, environment) or not _BUSY.acquire(blocking=False):
            return self._run(command, **options)
        try:
            with TemporaryFile() as output, TemporaryFile() as errors:
                files = {"output": output, "errors": errors}
                streams = {name: f"/proc/{os.getpid()}/fd/{file.fileno()}" for name, file in files.items()}
                code = _ask(self._questions, self._answers, words, options["cwd"], environment, streams)
                for file in files.values():
                    file.seek(0)
                return subprocess.CompletedProcess(command, code, output.read(), errors.read())
        finally:
            _BUSY.release()


def _dvc() -> object:
    return dvc_internals.main(sys.argv[1:])


def _dvckit() -> None:
    importlib.import_module("dvckit.start").main()


def _stage() -> None:
    importlib.import_module("dvckit.stage").main()


_MAIN: dict[str, Callable[[], object]] = {"dvc": _dvc, "dvckit": _dvckit, "python": _stage}


def _become(  # noqa: PLR0917
    command: list[str], root: str, environment: dict[str, str], output: str, errors: str, asker: socket.socket
) -> NoReturn:
    """Run a command in this process, and end it."""
    for descriptor, path, flags in ((0, os.devnull, os.O_RDONLY), (1, output, os.O_WRONLY), (2, errors, os.O_WRONLY)):
        os.dup2(os.open(path, flags | os.O_APPEND), descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(root)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    pygit2 = importlib.import_module("pygit2")  # which DVC brings, and which read HOME when it was imported
    pygit2.settings.search_path[pygit2.enums.ConfigLevel.GLOBAL] = environment.get("HOME", "")
    random.seed()
    starter = _Asker(asker, {"output": output, "errors": errors})
    dvc_internals.run_stages_by(starter.stage)
    subprocess.run = starter.run  # type: ignore[assignment]
    program, *arguments = command
    is_stage = command[:-1] == STAGE
    sys.path[0] = root if is_stage else str(Path(sys.executable).parent)
    sys.argv = command[2:] if is_stage else [str(Path(sys.executable).with_name(program)), *arguments]
    os._exit(_run_main(_MAIN[program]))  # to tidy up would take longer than the command


def _run_main(main: Callable[[], object]) -> int:
    """Do what the interpreter does with a program; return its exit code."""
    code: object = 1
    try:
        code = main()
    except SystemExit as error:
        code = error.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    with suppress(OSError):
        atexit._run_exitfuncs()  # noqa: SLF001
        sys.stdout.flush()
        sys.stderr.flush()
    return code if isinstance(code, int) else int(code is not None)
