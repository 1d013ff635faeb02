"""`titanic publish clearml`: revisions as tasks of ClearML, each recorded offline into a zip of its own.

Where a server is configured (`clearml-init`, or CLEARML_API_HOST and the access keys), the same zip is imported there.
ClearML changes the process that loads it (signals, exit, standard output): nothing else imports this module.
"""

import io
import json
import logging
import os
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pandas as pd

from titanic.config import MODEL, MODEL_CARD, PLOTS
from titanic.experiments.facts import PROJECT, Facts
from titanic.experiments.server import answering
from titanic.stage import UserError, write_bytes

try:
    from clearml import Logger, Task
    from clearml.backend_api import Session
    from clearml.backend_api.session.defs import ENV_HOST_VERIFY_CERT
    from clearml.backend_api.session.session import LoginError
    from clearml.backend_interface.session import SendError
    from clearml.config import config_obj
except ImportError:
    raise UserError("ClearML is not installed; run `uv sync --extra clearml`") from None

FINISHED = ("completed", "published")  # the states of a task that was imported to its end
SESSIONS = "clearml"  # in the project's root: COMMIT.zip for each revision
# What ClearML would otherwise do by itself: read the command line, patch libraries, look for a repository, watch the machine.
QUIET: dict[str, Any] = {
    "auto_connect_arg_parser": False,
    "auto_connect_frameworks": {"detect_repository": False},
    "auto_connect_streams": False,
    "auto_resource_monitoring": False,
}


def publish(root: Path, revisions: Sequence[Facts], say: Callable[[str], None]) -> None:
    """Record each revision that has no session yet, and import it to the server, if one is configured and lacks it."""
    sessions = {root / SESSIONS / f"{facts.commit}.zip": facts for facts in revisions}
    for session, facts in sessions.items():
        there = _recorded(session, facts)
        if not there:
            _record(session, facts)
        say(f"{facts}: {session.relative_to(root)}{' is there already' if there else ''}")
    if _configured():
        _send(sessions, say)


def _send(sessions: dict[Path, Facts], say: Callable[[str], None]) -> None:
    """Import sessions to the server; UserError where it does not answer, or refuses."""
    server = Session.get_api_server_host()
    checked = ENV_HOST_VERIFY_CERT.get(default=config_obj.get("api.verify_certificate", default=True))
    logging.getLogger("clearml").setLevel(logging.CRITICAL)
    try:
        files = Session.get_files_server_host()
        servers = [server, files] if files.startswith("http") else [server]
        with answering("ClearML", *servers, verify=str(checked).lower() not in ("false", "0", "no")):
            Task.set_offline(offline_mode=False)
            for session, facts in sessions.items():
                say(f"{facts}: {_import(session, facts)}")
    except UserError as error:
        raise UserError(f"{error}; the sessions are in {SESSIONS}/") from None
    except (LoginError, SendError, ValueError) as error:
        told = f"the ClearML server {server}: {str(error).splitlines()[0]}"
        raise UserError(f"{told}; the sessions are in {SESSIONS}/") from None


def _configured() -> bool:
    """Whether ClearML knows a server."""
    file = Path(os.environ.get("CLEARML_CONFIG_FILE", "~/clearml.conf")).expanduser()
    return "CLEARML_API_HOST" in os.environ or file.is_file()


def _recorded(session: Path, facts: Facts) -> bool:
    """Whether a session holds all that is to be published."""
    if not session.is_file():
        return False
    with zipfile.ZipFile(session) as archive:
        origin = json.loads(archive.read("task.json"))["hyperparams"]["revision"]
    return facts.held({name: told["value"] for name, told in origin.items()})


def _record(session: Path, facts: Facts) -> None:
    """Write the task of a revision into a zip, whole or not at all."""
    with tempfile.TemporaryDirectory(prefix="titanic-") as folder, redirect_stdout(io.StringIO()):
        os.environ["CLEARML_CACHE_DIR"] = folder
        Task.set_offline(offline_mode=True)
        task: Task = Task.init(PROJECT, facts.name, Task.TaskTypes.training, reuse_last_task_id=False, **QUIET)
        _tell(task, facts, Path(folder))
        task.close()
        write_bytes(session, Path(f"{task.get_offline_mode_folder()}.zip").read_bytes())


def _tell(task: Any, facts: Facts, folder: Path) -> None:
    """Give a task all that is known of a revision, its files as artifacts; ClearML reads them when they are uploaded."""
    task.set_comment(facts.note)
    task.add_tags([facts.commit])
    task.connect(facts.params, name="params")
    task.connect(facts.origin, name="revision")
    task.connect(facts.outputs, name="md5")
    task.connect_configuration(facts.stages, name="stages")
    task.connect_configuration(facts.card, name="model")
    for name, value in facts.metrics.items():
        task.get_logger().report_single_value(name, value)
    # the model, too: ClearML 2.1 has models that cannot be recorded offline
    for path in [*facts.files, MODEL.as_posix(), MODEL_CARD.as_posix()]:
        file = facts.write(path, folder)
        task.upload_artifact(path, file, wait_on_upload=True)
        if Path(path).parent == PLOTS:
            _plot(task.get_logger(), file)


def _plot(logger: Logger, file: Path) -> None:
    """Draw the data of a plot: pairs of labels as counts, the others as a line of the first two columns."""
    table = pd.read_csv(file)
    x, y = table.columns[:2]
    if file.stem == "confusion":
        counts = pd.crosstab(table[y], table[x])
        logger.report_confusion_matrix(file.stem, "holdout", counts.to_numpy(), 0, x, y)
    else:
        points = table[[x, y]].to_numpy()
        logger.report_scatter2d(file.stem, "holdout", points, 0, xaxis=x, yaxis=y, mode="lines")


def _import(session: Path, facts: Facts) -> str:
    """Import a session to the server, unless all of it is there; what was cut short, or has less, goes to the archive."""
    with redirect_stdout(io.StringIO()):
        tasks: list[Task] = Task.get_tasks(project_name=PROJECT, tags=[facts.commit], allow_archived=False)
        for task in tasks:
            origin = {name: str(task.get_parameter(f"revision/{name}")) for name in facts.origin}
            if task.get_status() in FINISHED and facts.held(origin):
                return "is there already, on the server"
            task.set_archived(archive=True)
        Task.import_offline_session(str(session))
    return "published to the server"
