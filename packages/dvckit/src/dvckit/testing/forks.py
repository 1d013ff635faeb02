"""DVC's commands in forks of a process that has imported DVC, as importing it takes longer than most commands of tests.

`python -m dvckit.testing.forks` reads commands from its stdin, a line of JSON each, and answers with their exit codes.
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
from functools import cache
from pathlib import Path
from shutil import which
from tempfile import TemporaryFile
from threading import Lock
from typing import NoReturn

# What commands import when they run.
MODULES = (
    *("dvc.cachemgr", "dvc.cli.parser", "dvc.daemon", "dvc.data_cloud", "dvc.repo", "dvc.repo.artifacts"),
    *("dvc.repo.datasets", "dvc.repo.experiments.queue.celery", "dvc.repo.experiments.queue.workspace"),
    *("dvc.repo.experiments.run", "dvc.repo.graph", "dvc.repo.index", "dvc.repo.open_repo", "dvc.repo.plots"),
    *("dvc.repo.stage", "dvc.repo.trie", "dvc.repo.worktree", "dvc.rwlock", "dvc.scm", "dvc.utils.strictyaml"),
    *("dvc_data.hashfile.db.local", "dvc_data.index.checkout", "dvc_data.index.collect", "dvc_data.index.fetch"),
    *("dvc_data.index.push", "networkx", "pygit2", "rich.status"),
)
LOCALE = {"LANG": "C.UTF-8"}
AT_START = ("LANG", "LC_", "PYTHON")  # begin the variables that Python reads when it starts
_BUSY = Lock()


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


@cache
def _server() -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", f"from {__name__} import serve; serve()"]
    environment = {"PATH": os.environ["PATH"], **LOCALE}
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # doctor ends the programs of this session that its checks have left
    )


def serve() -> None:
    """Fork for each command, and answer with its exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in MODULES:
        importlib.import_module(name)
    importlib.import_module("dvc.cli.parser").get_main_parser()  # imports every command
    gc.freeze()
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            _become(**json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(arguments: list[str], root: str, environment: dict[str, str], output: str) -> NoReturn:
    """Do what `dvc` would that was started in a folder with an environment, and end this process."""
    from dvc.cli import main

    for descriptor, path, flags in ((0, os.devnull, os.O_RDONLY), (1, output, os.O_WRONLY), (2, output, os.O_WRONLY)):
        os.dup2(os.open(path, flags | os.O_APPEND), descriptor)
    os.chdir(root)
    os.environ.clear()
    os.environ.update(environment)
    pygit2 = importlib.import_module("pygit2")  # which DVC brings, and which read HOME when it was imported
    pygit2.settings.search_path[pygit2.enums.ConfigLevel.GLOBAL] = environment.get("HOME", "")
    random.seed()
    sys.argv = ["dvc", *arguments]
    code: object = 1
    try:
        code = main(arguments)
    except SystemExit as error:  # of --version
        code = error.code or 0
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    with suppress(OSError):
        atexit._run_exitfuncs()  # noqa: SLF001 - what the interpreter does when it ends
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)  # to tidy what was imported would take longer than the command
