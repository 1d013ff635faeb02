"""`dvckit publish mlflow`: revisions as runs of MLflow, by default in a SQLite file in the project's root.

The times of a run are those of its commit, not of the publishing. A run is finished when all of it has been logged, so
that an interrupted one is recognised and replaced.
"""

import json
import logging
import os
import re
import sys
import tarfile
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from dvckit.core.addresses import address
from dvckit.core.errors import UserError
from dvckit.core.files import write_bytes
from dvckit.core.grid import first
from dvckit.project import project_of
from dvckit.publish.mirror import Mirror
from dvckit.publish.server import answering
from dvckit.repository.extras import install
from dvckit.repository.programs import git
from dvckit.repository.tables import as_table

# MLflow sends and prints nothing of its own; a model's packages are named here, not guessed from the current folder.
os.environ |= {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",
}
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # MLflow's seven take minutes
try:
    import mlflow
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run
    from mlflow.exceptions import MlflowException
    from mlflow.models import ModelSignature
    from mlflow.store.db import utils as stores
    from mlflow.types import ColSpec, Schema
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import SQLAlchemyError
except ImportError:
    raise UserError(f"MLflow is not installed; run `{install('mlflow', 'mlflow')}`") from None

DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"  # in the project's root; `mlflow ui` started there finds them
TYPES = {"int": "long", "float": "double", "str": "string"}  # of model.json, as MLflow has them
KINDS = {"i": "long", "f": "double", "O": "string"}  # of numpy
CONTEXTS = {"train": "training", "holdout": "evaluation", "test": "evaluation", "val": "evaluation"}  # by a file's stem
BATCH = 100  # parameters that MLflow takes at once
KEY, VALUE = 250, 6000  # letters that MLflow takes
LOADER = "dvckit.publish.mlflow_model"
# What loading a model imports beside the libraries of its model.json.
NEEDS = ("omegaconf", "pydantic", "pyyaml", "ruamel.yaml", "scipy")


def publish(root: Path, mirrors: Sequence[Mirror], uri: str | None, say: Callable[[str], None]) -> None:
    """Make a run of each revision that has none yet; say a line for each, and where to see them.

    UserError where the server, the database or a file of a revision is out of reach.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or _address(root / DATABASE)
    shown, servers = address(uri), [uri] if uri.startswith("http") else []
    unchecked = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
    certificate = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or not unchecked
    for noisy in ("alembic", "mlflow"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", ".*An input example was not provided")
    stores.MAX_RETRY_COUNT = 3  # MLflow's ten attempts to open a database take 100 s
    try:
        with answering("MLflow", *servers, verify=certificate):
            _make_database(uri)
            mlflow.set_tracking_uri(uri)
            client = MlflowClient()
            for mirror in mirrors:
                say(f"{mirror}: {_publish(client, _experiment(client, uri, mirror.project), mirror)}")
    except (MlflowException, SQLAlchemyError, ModuleNotFoundError) as error:
        raise UserError(f"MLflow at {shown}: {str(error).splitlines()[0].replace(uri, shown)}") from None
    say(f"to see them: {shown if servers else f'mlflow ui --backend-store-uri {shown}'}")


def _address(database: Path) -> str:
    """Return the address of an SQLite file, from the current folder: MLflow makes a folder of what an address escapes."""
    return URL.create("sqlite", database=os.path.relpath(database)).render_as_string()


def _make_database(uri: str) -> None:
    """Make an SQLite file that is not there, whole or not at all: MLflow cannot use one in which a kill left half of its tables."""
    file = make_url(uri).database if uri.startswith("sqlite:///") else None
    if not file or Path(file).exists() or not Path(file).parent.is_dir():
        return
    with tempfile.TemporaryDirectory(prefix="dvckit-") as folder:
        new = Path(folder, DATABASE)
        MlflowClient(URL.create("sqlite", database=str(new)).render_as_string()).search_experiments()
        try:
            write_bytes(Path(file), new.read_bytes())
        except OSError as error:
            raise UserError(f"{uri} cannot be written: {error.strerror}") from None


def _experiment(client: MlflowClient, uri: str, name: str) -> str:
    """Return the id of a project's experiment; the artifacts of a SQLite file go beside it."""
    if experiment := client.get_experiment_by_name(name):
        return str(experiment.experiment_id)
    file = make_url(uri).database if uri.startswith("sqlite:///") else None
    location = (Path(file).resolve().parent / ARTIFACTS).as_uri() if file else None
    return str(client.create_experiment(name, location, {"mlflow.experimentKind": "custom_model_development"}))


def _publish(client: MlflowClient, experiment: str, mirror: Mirror) -> str:
    """Make the run of a revision, unless there is a complete one; return what was done."""
    for run in client.search_runs([experiment], f"tags.commit = '{mirror.commit}'"):
        if run.info.status == "FINISHED" and mirror.is_complete(run.data.tags):
            return f"already published, as {run.info.run_name}"
        _remove(client, run)
    at = mirror.time * 1000
    run_id = client.create_run(experiment, at, _tags(mirror), mirror.name).info.run_id
    metrics = [Metric(_key(key), value, at, 0) for key, value in mirror.scores.items()]
    params = [Param(_key(key), str(value)[:VALUE]) for key, value in mirror.params.items()]
    for start in range(0, max(len(metrics), len(params)), BATCH):
        client.log_batch(run_id, metrics[start : start + BATCH], params[start : start + BATCH])
    client.log_inputs(run_id, list(_datasets(mirror)))
    _log_files(client, run_id, mirror)
    if mirror.project_model:
        _log_model(client, run_id, mirror)
    client.set_terminated(run_id, end_time=at)
    lacks = [] if mirror.project_model else ["its model: dvc.yaml names no project that could load it"]
    return " without ".join(["published", *filter(None, [first([*lacks, *mirror.lacks], 3)])])


def _key(name: str) -> str:
    """Return a name as MLflow takes it, which puts parameters and tags into folders by it."""
    plain = re.sub(r"[^\w.\-:/ ]", "_", name)
    return "/".join(part for part in plain.split("/") if part.strip("."))[-KEY:]


def _remove(client: MlflowClient, run: Run) -> None:
    for version in client.search_model_versions(f"run_id = '{run.info.run_id}'"):
        client.delete_model_version(version.name, version.version)
    for model in run.outputs.model_outputs if run.outputs else ():
        client.delete_logged_model(model.model_id)
    client.delete_run(run.info.run_id)


def _tags(mirror: Mirror) -> dict[str, str]:
    """Return where a run comes from: commit, hashes and commands."""
    return {
        "mlflow.source.type": "PROJECT",
        "mlflow.source.name": mirror.repository or mirror.project,
        "mlflow.source.git.commit": mirror.commit,
        "mlflow.source.git.repoURL": mirror.origin["repository"],
        "mlflow.note.content": mirror.note,
        **mirror.origin,
        **{_key(f"md5.{path}"): md5 for path, md5 in mirror.md5s.items()},
        **{_key(f"stage.{name.replace(':', '/')}"): str(stage["cmd"])[:VALUE] for name, stage in mirror.stages.items()},
    }


def _datasets(mirror: Mirror) -> Iterator[DatasetInput]:
    """Yield each table as a reference: where DVC has it, and its md5."""
    for path, md5 in mirror.data.items():
        source = {"repository": mirror.origin["repository"], "revision": mirror.commit, "path": path, "md5": md5}
        file = Path(path)
        tag = InputTag("mlflow.data.context", CONTEXTS.get(file.stem) or file.parent.name or file.stem)
        yield DatasetInput(Dataset(path[-VALUE:], md5[:36], "dvc", json.dumps(source)), [tag])


def _log_files(client: MlflowClient, run_id: str, mirror: Mirror) -> None:
    """Log stages.json, each file under its path, and plots' data as tables too, which MLflow shows side by side."""
    client.log_dict(run_id, mirror.stages, "stages.json")
    with tempfile.TemporaryDirectory(prefix="dvckit-") as folder:
        for path in mirror.attached:
            file = mirror.write(path, Path(folder))
            client.log_artifact(run_id, str(file), _key(str(Path(path).parent)) or None)
            if path in mirror.plots and file.suffix in (".csv", ".tsv"):
                with suppress(UserError):  # a plot's data may be no table
                    client.log_table(run_id, as_table(path, mirror.attached[path]), f"tables/{_key(file.stem)}.json")


def _log_model(client: MlflowClient, run_id: str, mirror: Mirror) -> None:
    """Log the model's own files with the code that loads them, and register it; nothing is pickled."""
    stored, project = mirror.model, project_of(mirror)
    inputs = Schema([ColSpec(TYPES[kind], name) for name, kind in mirror.card["input"].items()])
    answer = project.task.answer(project.features.target, project.task.none())
    outputs = Schema([ColSpec(KINDS[column.dtype.kind], name) for name, column in answer.items()])
    with tempfile.TemporaryDirectory(prefix="dvckit-") as folder, mlflow.start_run(run_id, log_system_metrics=False):
        (model := Path(folder) / "model").mkdir()
        (model / "model.skops").write_bytes(mirror.read(stored.path))
        (model / "model.json").write_bytes(mirror.read(stored.card))
        (model / "project.txt").write_text(name := str(stored.project), encoding="utf-8")
        libraries = [f"{library}=={version}" for library, version in mirror.card["libraries"].items()]
        logged = mlflow.pyfunc.log_model(
            name="model",
            loader_module=LOADER,
            data_path=str(model),
            code_paths=[_package(mirror, package, folder) for package in (re.split("[.:]", name)[0], "dvckit")],
            signature=ModelSignature(inputs, outputs),
            pip_requirements=[*libraries, *NEEDS],
        )
    if not client.search_registered_models(f"name = '{stored.name}'"):
        client.create_registered_model(stored.name)
    tags = {"revision": mirror.name, "commit": mirror.commit}
    client.create_model_version(stored.name, logged.model_uri, run_id, tags, model_id=logged.model_id)


def _package(mirror: Mirror, name: str, folder: str) -> str:
    """Write a package as git has it at a revision into a folder, and return its path; else that of the installed one."""
    packages = [path for path in mirror.files() if f"/{path}".endswith(f"/{name}/__init__.py")]
    if not packages:
        return str(Path(str(sys.modules[name].__file__)).parent)
    path, archive = str(Path(min(packages, key=len)).parent), f"{folder}/{name}.tar"
    git(mirror.root, "archive", f"--output={archive}", mirror.commit, path)
    with tarfile.open(archive) as members:
        members.extractall(folder)  # noqa: S202 - of git, which knows no path outside; Python 3.11.2 has no filter
    return f"{folder}/{path}"
