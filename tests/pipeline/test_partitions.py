"""The whole pipeline in partitions: the same bytes whoever runs the tasks, and commands that see no difference."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from threading import Event, Thread

import pandas as pd
import psutil
import pytest

PORT = 18789
CHANGES = (
    ("rows: 1309 ", "rows: 9600 "),
    ("partitions: 1", "partitions: 3"),
    ("pipeline: random_forest", "pipeline: logistic_regression"),
)
STAGES = (
    *("titanic.dataset.ingest", "titanic.dataset.validate", "titanic.features", "titanic.modeling.split"),
    *("titanic.modeling.train", "titanic.modeling.evaluate"),
)


@pytest.fixture(scope="module")
def _divided(_small, make_once):
    def fill(folder):
        shutil.copytree(_small.root, folder / _small.root.name, symlinks=True)
        project = type(_small)(folder / _small.root.name)
        project.edit("params.yaml", *CHANGES)
        project.ok("dvc", "repro", "--all-pipelines", DVCKIT_WORKERS="2")
        project.ok("dvc", "push")
        project.commit("three partitions")

    return make_once("divided", fill) / _small.root.name


@pytest.fixture
def divided(_divided, _small, tmp_path):
    """A copy of the project with three partitions, reproduced, pushed and committed on top of the small one."""
    shutil.copytree(_divided, tmp_path / _divided.name, symlinks=True)
    return type(_small)(tmp_path / _divided.name)


def content(project):
    """Every file of the six stages."""
    files = [path for folder in ("data", "reports") for path in (project.root / folder).rglob("*") if path.is_file()]
    made = [
        path
        for path in files
        if "external" not in path.parts and path.suffix in {".parquet", ".skops", ".json", ".csv"}
    ]
    return {path.relative_to(project.root): path.read_bytes() for path in made if path.name != "diagnostics.json"}


def remove_outputs(project):
    for folder in ("raw", "interim", "features", "processed", "models"):
        shutil.rmtree(project.root / "data" / folder)
    shutil.rmtree(project.root / ".dvc/tmp", ignore_errors=True)


def run_stages(project, kill=None, **environment):
    """Run the stages of the first pipeline; `kill` is called while each of them runs."""
    for stage in STAGES:
        with ExitStack() as stack:
            process = project.start("python", "-m", "dvckit.stage", stage, **environment)
            if kill:
                ended = Event()
                stack.callback(ended.set)
                Thread(target=kill, args=[process, ended], daemon=True).start()
            output = process.communicate()[0]
        assert process.returncode == 0, f"{stage}: {output}"


def kill_a_child(process, ended):
    """Kill one process of a stage that runs tasks."""
    while not ended.wait(0.05):
        try:
            tasks = [one for one in psutil.Process(process.pid).children() if "dvckit.core.task" in one.cmdline()]
        except psutil.Error:
            continue
        if tasks:
            time.sleep(0.5)
            with suppress(psutil.NoSuchProcess):
                tasks[0].kill()
            return


@pytest.mark.faults
@pytest.mark.parametrize(("workers", "kill"), [("1", None), ("5", kill_a_child)])
def test_the_number_of_workers_and_their_death_change_nothing(divided, workers, kill):
    before = content(divided)
    remove_outputs(divided)

    run_stages(divided, kill, DVCKIT_WORKERS=workers)

    assert content(divided) == before


@pytest.mark.faults
def test_commands_see_no_difference(divided):
    divided.ok("dvckit", "verify")
    divided.edit("params.yaml", ("C: 0.3  ", "C: 9.0  "))
    divided.ok("dvc", "repro")
    assert "workspace is indistinguishable from HEAD" in divided.ok("dvckit", "compare", "HEAD", "workspace")
    divided.ok("git", "restore", ".")
    divided.ok("dvc", "checkout")
    assert "v1.0.0" in divided.ok("dvckit", "models", "register")
    divided.ok("dvckit", "models", "promote", "v1.0.0", "--to", "prod")
    assert "prod" in divided.ok("dvckit", "models", "list")
    divided.ok("dvckit", "models", "show", "v1.0.0")
    assert divided.run("dvckit", "doctor").code == 0
    code = "import dvckit.tables.load as load; print(len(load.load('clean')), len(load.load('predictions', 'HEAD')))"
    assert divided.ok("python", "-c", code).split() == ["6534", "6534"]


@pytest.mark.faults
def test_one_partition_again_gives_what_one_gave(divided, _small):  # noqa: PT019
    divided.ok("git", "checkout", "--quiet", "HEAD~", "--", "params.yaml", "dvc.lock", "reports")

    divided.ok("dvc", "repro", "--all-pipelines", "--force")

    assert content(divided) == content(_small)


@pytest.mark.faults
def test_rows_of_a_folder_are_predicted_file_by_file(divided):
    whole = pd.read_csv(divided.root / "data/processed/submission.csv")
    test = divided.root / "data/raw/test.csv"
    (part,) = test.iterdir()
    lines = part.read_text().splitlines(keepends=True)
    (divided.root / "new").mkdir()
    for number in range(3):
        (divided.root / f"new/day{number}.csv").write_text("".join([lines[0], *lines[1:][number::3]]))
    rows = pd.read_csv(divided.root / "new/day2.csv", dtype=str)
    types = {"PassengerId": "int64", "Pclass": "int64", "Age": float, "SibSp": "int64", "Parch": "int64", "Fare": float}
    rows.astype(types).to_parquet(divided.root / "new/day2.parquet")
    (divided.root / "new/day2.csv").unlink()

    output = divided.ok("dvckit", "predict", "new", "out")

    assert output == f"out: {len(whole)} rows\n"
    predictions = pd.concat(map(pd.read_csv, sorted((divided.root / "out").iterdir()))).sort_values("PassengerId")
    assert predictions[["PassengerId", "Survived"]].reset_index(drop=True).equals(whole)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("change", "command", "sentence"),
    [
        (
            ("partitions: 3", "partitions: 4"),
            "dvc repro",
            "labelled rows in a partition, and a model needs 2000; 6534 rows are enough for about 2",
        ),
        (
            ("partitions: 3", "partitions: 0"),
            "dvc repro",
            "dataset.partitions is 0; it must be greater than or equal to 1",
        ),
        ((), "dvckit predict nowhere/ out", "nowhere"),
        ((), "dvckit predict data/raw data/raw", "is no part of a table"),
    ],
)
def test_a_mistake_is_one_sentence(divided, change, command, sentence):
    if change:
        divided.edit("params.yaml", change)

    result = divided.run(*command.split())

    assert result.code != 0
    assert sentence in result.output
    assert "Traceback" not in result.output


@pytest.mark.faults
def test_a_scheduler_that_is_not_there_is_one_sentence(divided):
    result = divided.run("python", "-m", "dvckit.stage", STAGES[0], DVCKIT_SCHEDULER="tcp://127.0.0.1:9")

    assert result.output.startswith("error: no Dask scheduler answers at tcp://127.0.0.1:9")
    assert result.output.count("\n") == 1


# ---- servers


@pytest.fixture
def dask(divided):
    """The address of a scheduler, its workers, and what starts another one."""
    address = f"tcp://127.0.0.1:{PORT}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    local = ["--host", "127.0.0.1", "--no-dashboard"]
    with ExitStack() as stack:

        def start(*command):
            process = subprocess.Popen(["dask", *command], cwd=divided.root.parent, env=divided.environment, **quiet)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        def worker():
            folder = divided.root.parent / "dask"
            return start("worker", address, *local, "--nthreads", "1", "--no-nanny", "--local-directory", str(folder))

        start("scheduler", *local, "--port", str(PORT))
        workers = [worker(), worker()]
        code = "import sys, distributed; distributed.Client(sys.argv[1]).wait_for_workers(2, timeout=60)"
        divided.ok("python", "-c", code, address)
        yield address, workers, worker


@pytest.mark.system
def test_a_cluster_gives_the_same_bytes_though_a_worker_dies_in_every_stage(divided, dask):
    address, workers, start = dask
    before = content(divided)
    remove_outputs(divided)

    def kill_a_worker(_, ended):
        if not ended.wait(3):
            os.kill(workers.pop(0).pid, signal.SIGKILL)
            workers.append(start())

    run_stages(divided, kill_a_worker, DVCKIT_SCHEDULER=address)

    assert content(divided) == before


@pytest.mark.system
def test_a_cluster_without_workers_is_one_sentence(divided, dask):
    address, workers, _ = dask
    for worker in workers:
        worker.kill()
        worker.wait()
    time.sleep(1)

    result = divided.run("python", "-m", "dvckit.stage", STAGES[0], DVCKIT_SCHEDULER=address)

    assert (
        result.output == f"error: the Dask scheduler at {address} has no workers; start some: dask worker {address}\n"
    )


@pytest.fixture
def bucket(divided):
    """A store with the S3 API on this machine; its bucket, and what a program needs to use it."""
    import urllib.request

    url = "http://127.0.0.1:18790"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(["moto_server", "-H", "127.0.0.1", "-p", "18790"], env=divided.environment, **quiet)
    variables = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "me",
        "AWS_SECRET_ACCESS_KEY": "mine",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for _ in range(200):
        time.sleep(0.1)
        with suppress(OSError):
            urllib.request.urlopen(urllib.request.Request(f"{url}/bucket", method="PUT"))
            break
    yield "s3://bucket", variables
    server.kill()
    server.wait()


@pytest.mark.system
def test_a_source_and_predictions_may_lie_in_s3(divided, bucket):
    address, variables = bucket
    before = content(divided)
    copy = "import sys, fsspec; fsspec.filesystem('s3').put(sys.argv[1], sys.argv[2], recursive=True)"
    for name in ("train", "test"):
        divided.ok("python", "-c", copy, f"data/raw/{name}.csv/", f"{address}/list/{name}", **variables)
    divided.edit("params.yaml", ("source: synthetic", "source: files"), ("data/external/titanic ", f"{address}/list "))

    divided.ok("dvc", "repro", "evaluate", **variables)
    divided.ok("dvc", "remote", "add", "--default", "--force", "far", f"{address}/store")
    divided.ok("dvc", "push", **variables)
    output = divided.ok("dvckit", "predict", f"{address}/list/test", f"{address}/answers", **variables)

    after = content(divided)
    assert {path: after[path] for path in after if path.suffix != ".csv"} == {
        path: before[path] for path in before if path.suffix != ".csv"
    }
    assert "3066 rows" in output
    listed = "import sys, fsspec; print(*fsspec.filesystem('s3').find(sys.argv[1]))"
    assert divided.ok("python", "-c", listed, f"{address}/answers", **variables).split()
    assert divided.ok("python", "-c", listed, f"{address}/store", **variables).split()


@pytest.mark.system
def test_a_bucket_that_is_not_there_is_one_sentence(divided, bucket):
    address, variables = bucket

    result = divided.run("dvckit", "predict", f"{address}-other/list", "out", **variables)

    assert result.code == 1
    assert result.output.startswith(f"error: {address}-other/list ")
    assert result.output.count("\n") == 1
