"""DVC's commands in forks of a process that has imported DVC, as importing it takes longer than most commands of tests.

That process runs `serve`: it reads commands from its stdin, a line of JSON each, and answers with their exit codes.
"""

import atexit
import gc
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from shutil import which
from tempfile import TemporaryFile
from threading import Lock
from typing import NoReturn

from dvckit.repository import dvc_internals

LOCALE = {"LANG": "C.UTF-8"}
AT_START = ("LANG", "LC_", "PYTHON")  # begin the variables that Python reads when it starts
_BUSY = Lock()
_SERVERS: "list[subprocess.Popen[str]]" = []  # the last one lives


def run(arguments: tuple[str, ...], root: Path, environment: Mapping[str, str]) -> tuple[int, str] | None:
    """Run a command of DVC's; return its exit code and output.

    None, with nothing done, where only a process of its own can do it: `environment` has another `dvc` or says how Python
    is to start, another command is running, or this is not Linux.
    """
    at_start = {name: value for name, value in environment.items() if name.startswith(AT_START)}
    is_ours = which("dvc", path=environment.get("PATH")) == str(Path(sys.executable).with_name("dvc"))
    if sys.platform != "linux" or at_start != LOCALE or not is_ours or not _BUSY.acquire(blocking=False):
        return None
    try:
        with TemporaryFile("w+") as output:
            file = f"/proc/{os.getpid()}/fd/{output.fileno()}"
            command = {"arguments": arguments, "root": str(root), "environment": dict(environment), "output": file}
            process = _server()
            assert process.stdin
            assert process.stdout
            print(json.dumps(command), file=process.stdin, flush=True)
            code = int(process.stdout.readline())
            output.seek(0)
            return code, output.read()
    finally:
        _BUSY.release()


def _server() -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", f"from {__name__} import serve; serve()"]
    environment = {"PATH": os.environ["PATH"], **LOCALE}
    if not _SERVERS or _SERVERS[-1].poll() is not None:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # doctor ends the programs of this session that its checks have left
        )
        atexit.register(_end, process)
        _SERVERS.append(process)
    return _SERVERS[-1]


def _end(process: "subprocess.Popen[str]") -> None:
    with process, suppress(OSError):
        assert process.stdin
        process.stdin.close()


def serve() -> None:
    """Fork for each command, and answer with its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a snapshot sends it to all that run beside it
    dvc_internals.load_commands()
    gc.freeze()
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            _become(**json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(arguments: list[str], root: str, environment: dict[str, str], output: str) -> NoReturn:
    """Do what `dvc` would that was started in a folder with an environment, and end this process."""
    for descriptor, path, flags in ((0, os.devnull, os.O_RDONLY), (1, output, os.O_WRONLY), (2, output, os.O_WRONLY)):
        os.dup2(os.open(path, flags | os.O_APPEND), descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(root)
    os.environ.clear()
    os.environ.update(environment)
    pygit2 = importlib.import_module("pygit2")  # which DVC brings, and which read HOME when it was imported
    pygit2.settings.search_path[pygit2.enums.ConfigLevel.GLOBAL] = environment.get("HOME", "")
    random.seed()
    sys.argv = ["dvc", *arguments]
    code: object = 1
    try:
        code = dvc_internals.main(arguments)
    except SystemExit as error:  # of --version
        code = error.code or 0
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    with suppress(OSError):
        atexit._run_exitfuncs()  # noqa: SLF001 - what the interpreter does when it ends
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)  # to tidy what was imported would take longer than the command
