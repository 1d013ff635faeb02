"""`dvckit publish clearml`: revisions as tasks of ClearML, each recorded offline into a zip of its own.

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

from dvckit.core.addresses import address
from dvckit.core.errors import UserError
from dvckit.core.files import write_bytes
from dvckit.publish.mirror import Mirror
from dvckit.publish.server import answering
from dvckit.repository.extras import install

try:
    from clearml import Logger, Task
    from clearml.backend_api import Session
    from clearml.backend_api.session.defs import ENV_HOST_VERIFY_CERT
    from clearml.backend_api.session.session import LoginError
    from clearml.backend_interface.session import SendError
    from clearml.config import config_obj
except ImportError:
    raise UserError(f"ClearML is not installed; run `{install('clearml', 'clearml')}`") from None

FINISHED = ("completed", "published")  # the states of a task that was imported to its end
SESSIONS = "clearml"  # in the project's root: COMMIT.zip for each revision
# What ClearML would otherwise do by itself: read the command line, patch libraries, look for a repository, watch the machine.
QUIET: dict[str, Any] = {
    "auto_connect_arg_parser": False,
    "auto_connect_frameworks": {"detect_repository": False},
    "auto_connect_streams": False,
    "auto_resource_monitoring": False,
}


def publish(root: Path, mirrors: Sequence[Mirror], say: Callable[[str], None]) -> None:
    """Record each revision that has no session yet, and import it to the server, if one is configured and lacks it."""
    sessions = {root / SESSIONS / f"{mirror.commit}.zip": mirror for mirror in mirrors}
    for session, mirror in sessions.items():
        if not (recorded := _is_recorded(session, mirror)):
            _record(session, mirror)
        say(f"{mirror}: {'already ' if recorded else ''}recorded in {session.relative_to(root)}")
    configuration = Path(os.environ.get("CLEARML_CONFIG_FILE", "~/clearml.conf")).expanduser()
    if "CLEARML_API_HOST" in os.environ or configuration.is_file():
        _send(sessions, say)


def _send(sessions: dict[Path, Mirror], say: Callable[[str], None]) -> None:
    """Import sessions to the server; UserError where it does not answer, or refuses."""
    server = Session.get_api_server_host()
    checked = ENV_HOST_VERIFY_CERT.get(default=config_obj.get("api.verify_certificate", default=True))
    logging.getLogger("clearml").setLevel(logging.CRITICAL)
    try:
        files = Session.get_files_server_host()
        servers = [server, files] if files.startswith("http") else [server]
        with answering("ClearML", *servers, verify=str(checked).lower() not in ("false", "0", "no")):
            Task.set_offline(offline_mode=False)
            for session, mirror in sessions.items():
                say(f"{mirror}: {_import(session, mirror)}")
    except (UserError, LoginError, SendError, ValueError) as error:
        reason = str(error).splitlines()[0]
        where = "" if isinstance(error, UserError) else f"the ClearML server {address(server)}: "
        raise UserError(f"{where}{reason}; the sessions are in {SESSIONS}/") from None


def _is_recorded(session: Path, mirror: Mirror) -> bool:
    """Tell whether a session holds all that is to be published."""
    if not session.is_file():
        return False
    with zipfile.ZipFile(session) as archive:
        origin = json.loads(archive.read("task.json"))["hyperparams"]["revision"]
    return mirror.is_complete({name: parameter["value"] for name, parameter in origin.items()})


def _record(session: Path, mirror: Mirror) -> None:
    """Write the task of a revision into a zip, whole or not at all."""
    with tempfile.TemporaryDirectory(prefix="dvckit-") as folder, redirect_stdout(io.StringIO()):
        os.environ["CLEARML_CACHE_DIR"] = folder
        Task.set_offline(offline_mode=True)
        kind = Task.TaskTypes.training
        task: Task = Task.init(mirror.project, mirror.name, kind, reuse_last_task_id=False, **QUIET)
        _fill(task, mirror, Path(folder))
        task.close()
        write_bytes(session, Path(f"{task.get_offline_mode_folder()}.zip").read_bytes())


def _fill(task: Any, mirror: Mirror, folder: Path) -> None:
    """Give a task all that is known of a revision, its files as artifacts; ClearML reads them when they are uploaded."""
    task.set_comment(mirror.note)
    task.add_tags([mirror.commit])
    task.connect(mirror.params, name="params")
    task.connect(mirror.origin, name="revision")
    task.connect(mirror.md5s, name="md5")
    task.connect_configuration(mirror.stages, name="stages")
    task.connect_configuration(mirror.card, name="model")
    for name, value in mirror.scores.items():
        task.get_logger().report_single_value(name, value)
    # the model, too: ClearML 2.1 has models that cannot be recorded offline
    model = [mirror.project_model.path, mirror.project_model.card] if mirror.project_model else []
    for path in [*mirror.attached, *model]:
        file = mirror.write(path, folder)
        task.upload_artifact(path, file, wait_on_upload=True)
        if path in mirror.plots and file.suffix == ".csv":
            _plot(task.get_logger(), file, str(mirror.plots[path].get("template")))


def _plot(logger: Logger, file: Path, template: str) -> None:
    """Draw the first two columns of a plot's data: as counts of label pairs where dvc.yaml says so, else as a line."""
    table = pd.read_csv(file)
    x, y = table.columns[:2]
    if template.startswith("confusion"):
        counts = pd.crosstab(table[y], table[x])
        logger.report_confusion_matrix(file.stem, "holdout", counts.to_numpy(), 0, x, y)
    else:
        logger.report_scatter2d(file.stem, "holdout", table[[x, y]].to_numpy(), 0, xaxis=x, yaxis=y, mode="lines")


def _import(session: Path, mirror: Mirror) -> str:
    """Import a session to the server, unless all of it is there; archive the tasks that are incomplete."""
    with redirect_stdout(io.StringIO()):
        tasks: list[Task] = Task.get_tasks(project_name=mirror.project, tags=[mirror.commit], allow_archived=False)
        for task in tasks:
            origin = {name: str(task.get_parameter(f"revision/{name}")) for name in mirror.origin}
            if task.get_status() in FINISHED and mirror.is_complete(origin):
                return "already on the server"
            task.set_archived(archive=True)
        Task.import_offline_session(str(session))
    return "published to the server"
