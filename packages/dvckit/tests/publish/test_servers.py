"""Mirrors on servers. MLflow's is the real one; ClearML's is no Python package, so a stand-in answers the real client."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import uuid
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from time import sleep

import pandas as pd
import pytest
import requests

from dvckit.repository.programs import git

pytestmark = pytest.mark.system
FEATURES = "data/features/test.parquet"


@pytest.fixture
def project(small):
    small.ok("git", "tag", "v1")
    return small


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def clearml(url):
    """What names a ClearML server to its client."""
    hosts = {f"CLEARML_{name}_HOST": url for name in ("API", "WEB", "FILES")}
    return {**hosts, "CLEARML_API_ACCESS_KEY": "key", "CLEARML_API_SECRET_KEY": "secret"}


def publish(project, tracker, url, *options):
    """Publish the tag v1; return how it ended."""
    return project.run("dvckit", "publish", tracker, "v1", *options, MLFLOW_TRACKING_URI=url, **clearml(url))


@contextmanager
def mlflow_server(project, folder, port):
    """A real server with its own store, which takes artifacts over HTTP; gives its process."""
    store = ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", f"{folder}/artifacts"]
    command = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", *store]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    with (folder / "server.log").open("a") as log:
        server = subprocess.Popen(
            command, env=project.environment | quiet, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        for _ in range(240):
            try:
                requests.get(f"http://127.0.0.1:{port}/health", timeout=5).raise_for_status()
                break
            except requests.RequestException:
                sleep(0.25)
        yield server
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


LOADED = """
import mlflow, pandas as pd, sys
print(mlflow.pyfunc.load_model("models:/survival/1").predict(pd.read_parquet(sys.argv[1])).to_csv(index=False))
print([(run.info.run_name, run.info.status) for run in mlflow.search_runs(experiment_names=["titanic"], output_format="list")])
"""


def test_mlflow_has_a_revision_once_and_its_model_predicts_the_same(project, tmp_path, port):
    url = f"http://127.0.0.1:{port}"
    with mlflow_server(project, tmp_path, port):
        first = publish(project, "mlflow", url)
        there = sorted(tmp_path.glob("artifacts/**/*"))
        again = publish(project, "mlflow", url)
        output = project.ok("python", "-c", LOADED, FEATURES, MLFLOW_TRACKING_URI=url)
    project.ok("dvckit", "predict", "data/raw/test.csv", str(tmp_path / "ours.csv"))

    commit = git(project.root, "rev-parse", "--short=7", "v1").strip()
    assert first == (0, f"v1 ({commit}): published\nto see them: {url}\n")
    assert again == (0, f"v1 ({commit}): already published, as v1\nto see them: {url}\n")
    assert there
    assert sorted(tmp_path.glob("artifacts/**/*")) == there
    table, _, runs = output[output.index("Survived,") :].partition("\n\n")
    theirs, ours = pd.read_csv(StringIO(table)), pd.read_csv(tmp_path / "ours.csv")
    assert theirs.round(6).to_numpy().tolist() == ours[theirs.columns].to_numpy().tolist()
    assert runs.strip() == "[('v1', 'FINISHED')]"
    assert not (project.root / "mlflow.db").exists()


def test_a_dying_mlflow_server_is_named_and_the_next_publish_completes(project, tmp_path, port):
    url = f"http://127.0.0.1:{port}"
    with mlflow_server(project, tmp_path, port) as server, ThreadPoolExecutor(1) as thread:
        killed = thread.submit(_kill_at_first_artifact, server, tmp_path)
        result = publish(project, "mlflow", url)
        killed.result()
    with mlflow_server(project, tmp_path, port):
        publish(project, "mlflow", url)
        output = project.ok("python", "-c", LOADED, FEATURES, MLFLOW_TRACKING_URI=url)

    assert result.code == 1
    # the kill comes between two requests, or in the midst of one
    reason = r"\(Connection (refused|reset by peer)\)"
    assert re.fullmatch(rf"error: the MLflow server {url} is out of reach {reason}\n", result.output)
    assert output.strip().endswith("[('v1', 'FINISHED')]")


def _kill_at_first_artifact(server, folder):
    for _ in range(6000):
        if any(path.is_file() for path in folder.glob("artifacts/**/*")):
            break
        sleep(0.01)
    os.killpg(server.pid, signal.SIGKILL)


@pytest.mark.parametrize("tracker", ["mlflow", "clearml"])
def test_a_server_that_never_answers_is_named(project, tracker):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        result = publish(project, tracker, url)

    assert result.code == 1
    assert re.search(
        rf"^error: the (MLflow|ClearML) server {url} is out of reach \(timed out\)", result.output, re.MULTILINE
    )
    assert result.output.count("\n") == (1 if tracker == "mlflow" else 2)  # the session


class ClearML(ThreadingHTTPServer):
    """A stand-in: keeps projects, tasks and files, in memory, as far as what we call goes. `fault` is what goes wrong."""

    fault = ""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.tasks, self.projects, self.files = {}, [], []

    def states(self):
        """Status and whether it is in the archive of each task, in their order."""
        return [(task["status"], "archived" in task.get("system_tags", [])) for task in self.tasks.values()]

    def answer(self, action, body):  # noqa: PLR0911 - one for each
        """Return the data of an answer."""
        new_id = uuid.uuid4().hex
        match action:
            case "auth.login":
                claims = {"api_version": "2.30", "server_version": "2.0.0", "exp": 1 << 40, "iat": 0}
                return {
                    "token": ".".join(
                        urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
                        for part in ({"alg": "HS256"}, claims, "")
                    )
                }
            case "projects.create":
                self.projects.append({"id": new_id, "name": body["name"]})
                return {"id": new_id}
            case "projects.get_all":
                return {"projects": [project for project in self.projects if re.search(body["name"], project["name"])]}
            case "tasks.create":
                self.tasks[new_id] = {"id": new_id, "status": "created", "execution": {}, "script": {}, **body}
                return {"id": new_id}
            case "tasks.get_by_id":
                return {"task": self.tasks[body["task"]]}
            case "tasks.get_all":
                return {"tasks": [task for task in self.tasks.values() if _matches(task, body)]}
            case "tasks.edit":
                self.tasks[body["task"]].update(body)
            case "tasks.started" | "tasks.completed":
                self.tasks[body["task"]]["status"] = {"started": "in_progress"}.get(action[6:], "completed")
        return {}


def _matches(task, body):
    without = {tag.removeprefix("-") for tag in body.get("system_tags") or [] if tag.startswith("-")}
    tags = set(body.get("tags") or task.get("tags"))
    identities = body.get("id") or [task["id"]]
    return (
        tags & set(task.get("tags", [])) and not without & set(task.get("system_tags", [])) and task["id"] in identities
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        action = self.path.partition("?")[0].rpartition("/")[2]
        code = 200
        if self.headers.get("Content-Type", "").startswith("multipart"):
            self.server.files.append(self.path)
            if self.server.fault == "dies":
                self.server.fault = "out of service"
        if self.server.fault == "out of service":
            code = 503
        if self.server.fault == "refuses" and action == "auth.login":
            code = 401
        body = json.loads(content) if action.startswith(("projects", "tasks")) else {}
        data = self.server.answer(action, body) if code == 200 else {}
        meta = {"result_code": code, "result_msg": "Unauthorized" if code == 401 else ""}
        answer = json.dumps({"meta": {"id": "", "trx": "", "endpoint": {}, **meta}, "data": data}).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET  # noqa: N815 - http.server's


@pytest.fixture
def server():
    with ClearML() as stand_in:
        threading.Thread(target=stand_in.serve_forever, daemon=True).start()
        yield stand_in
        stand_in.shutdown()


def test_clearml_has_a_revision_once_and_with_its_data_where_they_are_asked_for(project, server):
    first = publish(project, "clearml", server.url)
    files = len(server.files)
    again = publish(project, "clearml", server.url)

    assert first.output.endswith(": published to the server\n")
    assert again.output.endswith(": already on the server\n")
    assert first.output.count("\n") == again.output.count("\n") == 2
    (task,) = server.tasks.values()
    assert (task["name"], task["tags"]) == ("v1", [git(project.root, "rev-parse", "v1").strip()])
    assert task["hyperparams"]["params"]["train.n_estimators"]["value"] == "5"
    assert len(server.files) == files

    data = publish(project, "clearml", server.url, "--with-data")

    assert data.output.endswith(": published to the server\n")
    assert server.states() == [("completed", True), ("completed", False)]
    _, task = server.tasks.values()
    assert "data/raw/train.csv" in [artifact["key"] for artifact in task["execution"]["artifacts"]]
    assert publish(project, "clearml", server.url).output.endswith(": already on the server\n")


def test_a_lost_clearml_server_is_named_and_the_next_publish_completes(project, server):
    server.fault = "dies"
    result = publish(project, "clearml", server.url)
    server.fault = ""
    after = publish(project, "clearml", server.url)

    sentence = f"error: the ClearML server {server.url} is out of reach (503 Service Unavailable); the sessions are in clearml/"
    assert (result.code, result.output.splitlines()[1:]) == (1, [sentence])
    assert after.output.endswith(": published to the server\n")
    assert server.states() == [("in_progress", True), ("completed", False)]


def test_a_clearml_server_that_refuses_gives_one_error(project, server):
    server.fault = "refuses"

    code, output = publish(project, "clearml", server.url)

    assert code == 1
    assert re.match(
        rf"error: the ClearML server {server.url}: .*401.*; the sessions are in clearml/$", output.splitlines()[-1]
    )
    assert output.count("\n") == 2
