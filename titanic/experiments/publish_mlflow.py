"""`titanic publish mlflow`: revisions as runs of MLflow, by default in a SQLite file in the project's root.

The times of a run are those of its commit, not of the publishing. It is declared finished when all of it is there, so that
one that was cut short is known, and made anew.
"""

import io
import json
import logging
import os
import subprocess
import tarfile
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from titanic.config import MODEL, MODEL_CARD, PLOTS, PROCESSED
from titanic.experiments.facts import MODEL_NAME, PROJECT, Facts
from titanic.experiments.server import answering, without_password
from titanic.stage import UserError

# Nothing of MLflow's own goes out or is printed, and the packages of a model are named here, not guessed from the folder it
# runs in.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",
}
os.environ.update(SETTINGS)
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # MLflow's seven take minutes
try:
    import mlflow
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run
    from mlflow.exceptions import MlflowException
    from mlflow.models import ModelSignature
    from mlflow.store.db import utils as stores
    from mlflow.types import ColSpec, Schema, TensorSpec
    from sqlalchemy.exc import SQLAlchemyError
except ImportError:
    raise UserError("MLflow is not installed; run `uv sync --extra mlflow`") from None

DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"  # in the project's root; `mlflow ui` started there finds them
LOADER = Path(__file__).with_name("survival_model.py")
TYPES = {"int": "long", "float": "double", "str": "string"}  # of model.json, as MLflow has them
CONTEXTS = {PROCESSED / "train.parquet": "training", PROCESSED / "holdout.parquet": "evaluation"}
MOST = 100  # params or tags that MLflow takes at once


def publish(root: Path, revisions: Sequence[Facts], uri: str | None, say: Callable[[str], None]) -> None:
    """Make a run of each revision that has none yet; say a line for each, and where they are to be seen.

    UserError where the server, the database or a file of a revision is out of reach.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / DATABASE}"
    shown = without_password(uri)
    for noisy in ("alembic", "mlflow"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", ".*An input example was not provided")
    stores.MAX_RETRY_COUNT = 3  # MLflow's ten attempts to open a database take 100 s
    try:
        with _answering(uri):
            mlflow.set_tracking_uri(uri)
            client = MlflowClient()
            if not client.search_registered_models(f"name = '{MODEL_NAME}'"):
                client.create_registered_model(MODEL_NAME)
            experiment = _experiment(client, uri)
            for facts in revisions:
                say(f"{facts}: {_mirror(client, experiment, facts)}")
    except (MlflowException, SQLAlchemyError, ModuleNotFoundError) as error:
        raise UserError(f"MLflow at {shown}: {str(error).splitlines()[0].replace(uri, shown)}") from None
    say(f"to see them: {shown if uri.startswith('http') else f'mlflow ui --backend-store-uri {shown}'}")


def _answering(uri: str) -> AbstractContextManager[None]:
    """Watch a server, if that is what is named; its certificate is checked as MLflow does."""
    if not uri.startswith("http"):
        return nullcontext()
    unchecked = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
    return answering("MLflow", uri, verify=os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or not unchecked)


def _experiment(client: MlflowClient, uri: str) -> str:
    """Return the id of the project's experiment; the artifacts of a SQLite file go beside it."""
    if found := client.get_experiment_by_name(PROJECT):
        return str(found.experiment_id)
    beside = Path(uri.removeprefix("sqlite:///")).resolve().parent / ARTIFACTS
    location = beside.as_uri() if uri.startswith("sqlite:///") else None
    return str(client.create_experiment(PROJECT, location, {"mlflow.experimentKind": "custom_model_development"}))


def _mirror(client: MlflowClient, experiment: str, facts: Facts) -> str:
    """Make the run of a revision, unless it is there; return what was done."""
    for run in client.search_runs([experiment], f"tags.commit = '{facts.commit}'"):
        if run.info.status == "FINISHED" and facts.held(run.data.tags):
            return f"is there already, as {run.info.run_name}"
        _remove(client, run)
    at = facts.time * 1000
    run_id = client.create_run(experiment, at, _tags(facts), facts.name).info.run_id
    params = [Param(key, str(value)) for key, value in facts.params.items()]
    for start in range(0, len(params), MOST):
        client.log_batch(run_id, params=params[start : start + MOST])
    client.log_batch(run_id, [Metric(key, value, at, 0) for key, value in facts.metrics.items()])
    client.log_inputs(run_id, list(_datasets(facts)))
    _log_files(client, run_id, facts)
    _log_model(client, run_id, facts)
    client.set_terminated(run_id, end_time=at)
    return "published"


def _remove(client: MlflowClient, run: Run) -> None:
    for version in client.search_model_versions(f"run_id = '{run.info.run_id}'"):
        client.delete_model_version(version.name, version.version)
    for model in run.outputs.model_outputs if run.outputs else ():
        client.delete_logged_model(model.model_id)
    client.delete_run(run.info.run_id)


def _tags(facts: Facts) -> dict[str, str]:
    """Return what tells where a run comes from: commit, hashes and commands."""
    return {
        "mlflow.source.type": "PROJECT",
        "mlflow.source.name": facts.repository or PROJECT,
        "mlflow.source.git.commit": facts.commit,
        "mlflow.source.git.repoURL": facts.repository,
        "mlflow.note.content": facts.note,
        **facts.origin,
        **{f"md5.{path}": md5 for path, md5 in facts.outputs.items()},
        **{f"stage.{name.replace(':', '/')}": str(stage["cmd"]) for name, stage in facts.stages.items()},
    }


def _datasets(facts: Facts) -> Iterator[DatasetInput]:
    """Give each table as a reference: where DVC has it, and its md5."""
    for path, md5 in facts.data.items():
        source = {"repository": facts.repository, "revision": facts.commit, "path": path, "md5": md5}
        tag = InputTag("mlflow.data.context", CONTEXTS.get(Path(path), path.split("/")[1]))
        yield DatasetInput(Dataset(path, md5, "dvc", json.dumps(source)), [tag])


def _log_files(client: MlflowClient, run_id: str, facts: Facts) -> None:
    """Log stages.json, each file under its path, and the plots' data as tables too, which MLflow shows side by side."""
    import pandas as pd

    client.log_dict(run_id, facts.stages, "stages.json")
    with tempfile.TemporaryDirectory(prefix="titanic-") as folder:
        for path in facts.files:
            file = facts.write(path, Path(folder))
            client.log_artifact(run_id, str(file), str(Path(path).parent))
            if Path(path).parent == PLOTS:
                client.log_table(run_id, pd.read_csv(file), f"tables/{file.stem}.json")


def _log_model(client: MlflowClient, run_id: str, facts: Facts) -> None:
    """Log the model's own files and the code of its revision, and register it. MLflow calls the loader, and no pickle."""
    columns: list[ColSpec | TensorSpec] = [ColSpec(TYPES[kind], name) for name, kind in facts.card["input"].items()]
    outputs: list[ColSpec | TensorSpec] = [ColSpec("long", "Survived"), ColSpec("double", "SurvivalChance")]
    with tempfile.TemporaryDirectory(prefix="titanic-") as folder, mlflow.start_run(run_id, log_system_metrics=False):
        (model := Path(folder) / "model").mkdir()
        for path in (MODEL, MODEL_CARD):
            facts.write(path.as_posix(), model)
        logged = mlflow.pyfunc.log_model(
            name="model",
            loader_module=LOADER.stem,
            data_path=str(model),
            code_paths=[str(_package(facts, Path(folder))), str(LOADER)],
            signature=ModelSignature(Schema(columns), Schema(outputs)),
            pip_requirements=[f"{name}=={version}" for name, version in facts.card["libraries"].items()] + ["pydantic"],
        )
    tags = {"revision": facts.name, "commit": facts.commit}
    client.create_model_version(MODEL_NAME, logged.model_uri, run_id, tags, model_id=logged.model_id)


def _package(facts: Facts, folder: Path) -> Path:
    """Write the package as it was at a revision into a folder."""
    command = ["git", "archive", facts.commit, PROJECT]
    packed = subprocess.run(command, cwd=facts.root, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder / PROJECT
