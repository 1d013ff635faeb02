"""Benchmarks of partitions: one worker against several, bare Arrow, a new part, and what partitions cost in accuracy.

Times are ratios within one run. Passengers are drawn once and cut into parts; the stages run on them as DVC starts them.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Event, Thread

import psutil
import pyarrow as pa
from pyarrow import csv, parquet

from dvckit.tables.sources.parts import cut
from titanic.dataset.synthetic import write_passengers

SOURCE = Path(__file__).parents[1]
STAGES = {
    "ingest": "titanic.dataset.ingest",
    "validate": "titanic.dataset.validate",
    "featurize": "titanic.features",
    "split": "titanic.modeling.split",
    "train": "titanic.modeling.train",
    "evaluate": "titanic.modeling.evaluate",
}
UP_TO_FEATURES = ("ingest", "validate", "featurize")
PIPELINES = ("logistic_regression", "random_forest", "gradient_boosting", "neural_network", "voting")
WATCHED = 0.05  # seconds between looks at memory


class Peak:
    """The largest memory of a process and of one of its workers, in MiB, while it runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.client = self.worker = 0.0
        self._process, self._ended = psutil.Process(process.pid), Event()
        self._thread = Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(WATCHED):
            try:
                self.client = max(self.client, self._process.memory_info().rss / 2**20)
                for child in self._process.children():
                    self.worker = max(self.worker, child.memory_info().rss / 2**20)
            except psutil.Error:
                continue

    def end(self) -> None:
        self._ended.set()
        self._thread.join()


def run(folder: Path, stage: str, *, kill: bool = False, **environment: str) -> tuple[float, float, float]:
    """Run a stage; return its seconds, and the peak memory of the client and of a worker in MiB."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "dvckit.stage", STAGES[stage]],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    peak = Peak(process)
    if kill:
        Thread(target=kill_a_worker, args=[process.pid], daemon=True).start()
    code = process.wait()
    peak.end()
    if code:
        sys.exit(f"error: {stage} failed")
    return time.perf_counter() - started, peak.client, peak.worker


def kill_a_worker(pid: int) -> None:
    """Kill one process that runs tasks, when it has begun."""
    while psutil.pid_exists(pid):
        time.sleep(0.05)
        try:
            tasks = [one for one in psutil.Process(pid).children() if "dvckit.core.task" in one.cmdline()]
        except psutil.Error:
            return
        if tasks:
            time.sleep(2)
            if tasks[0].is_running():
                tasks[0].kill()
            return


def project(folder: Path, source: Path, *changes: tuple[str, str]) -> Path:
    """Make a folder in which the stages run on a source, with some parameters changed."""
    folder.mkdir()
    text = (SOURCE / "params.yaml").read_text()
    for name, value in (("source", "files"), ("path", str(source)), *changes):
        text, count = re.subn(rf"^(  {name}: )\S+", rf"\g<1>{value}", text, count=1, flags=re.MULTILINE)
        assert count, name
    (folder / "params.yaml").write_text(text)
    return folder


def passengers(folder: Path, rows: int, parts: int) -> None:
    """Draw passengers into a folder with parts of train and test."""
    folder.mkdir()
    for name in ("train", "test"):
        (folder / name).mkdir()
    write_passengers(1912, rows, folder / "train.csv", folder / "test.csv")
    for name in ("train", "test"):
        whole = folder / f"{name}.csv"
        cut(whole, folder / name, whole.stat().st_size // parts)
        whole.unlink()


def outputs(folder: Path) -> dict[str, str]:
    """Return the sha256 of every output but those that keep the names of the source's parts."""
    files = [path for path in (*folder.glob("data/*/**/*"), *folder.glob("reports/**/*")) if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if "raw" not in path.parts
    }


def whole_pipeline(folder: Path, **options: str | bool) -> dict[str, tuple[float, float, float]]:
    """Run all stages from nothing."""
    for name in ("data", "reports", ".dvc"):
        shutil.rmtree(folder / name, ignore_errors=True)
    return {stage: run(folder, stage, **options) for stage in STAGES}  # type: ignore[arg-type]


def workers(folder: Path, source: Path, counts: list[int], partitions: int) -> bool:
    """Compare numbers of workers, a worker that is killed in each stage, and parts in another order."""
    place = project(folder / "workers", source, ("partitions", str(partitions)), ("pipeline", "logistic_regression"))
    times = {count: whole_pipeline(place, DVCKIT_WORKERS=str(count)) for count in counts[:1]}
    expected, equal = outputs(place), True
    for count in counts[1:]:
        times[count] = whole_pipeline(place, DVCKIT_WORKERS=str(count))
        equal &= outputs(place) == expected
    print(
        f"{'stage':10} "
        + " ".join(f"{f'{count} workers':>12}" for count in counts)
        + f" {'1 to 2':>7} worker MiB client MiB"
    )
    for stage in [*STAGES, "all"]:
        seconds = {n: sum(one[0] for one in of.values()) if stage == "all" else of[stage][0] for n, of in times.items()}
        of_stage = [one for of in times.values() for name, one in of.items() if stage in (name, "all")]
        ratio = f"{seconds[1] / seconds[2]:7.2f}" if {1, 2} <= seconds.keys() else ""
        memory = f"{max(one[2] for one in of_stage):10.0f} {max(one[1] for one in of_stage):10.0f}"
        print(f"{stage:10} " + " ".join(f"{seconds[n]:10.1f} s" for n in counts) + f" {ratio} {memory}", flush=True)
    print(f"the same bytes with {', '.join(map(str, counts))} workers: {equal}", flush=True)
    whole_pipeline(place, DVCKIT_WORKERS="2", kill=True)
    killed = outputs(place) == expected
    print(f"the same bytes with one worker killed in every stage: {killed}", flush=True)
    for name in ("train", "test"):
        files = sorted((source / name).iterdir())
        for number, file in enumerate(files):
            file.rename(file.with_name(f"other-{len(files) - number:03d}.csv"))
    whole_pipeline(place, DVCKIT_WORKERS="2")
    other = outputs(place) == expected
    print(f"the same bytes with parts of other names in another order: {other}", flush=True)
    shutil.rmtree(place)
    return equal and killed and other


def bare(folder: Path, source: Path, partitions: int) -> None:
    """Compare validate and featurize with Arrow's bare reading of CSV and writing of Parquet, on one core."""
    place = project(folder / "bare", source, ("partitions", str(partitions)))
    run(place, "ingest", DVCKIT_WORKERS="1")
    pa.set_cpu_count(1)
    started = time.perf_counter()
    for file in [*place.glob("data/raw/*/*.csv")]:
        parquet.write_table(csv.read_csv(file, csv.ReadOptions(use_threads=False)), place / "bare.parquet")
    reading = time.perf_counter() - started
    seconds = [run(place, stage, DVCKIT_WORKERS="1")[0] for stage in ("validate", "featurize")]
    print(f"validate and featurize: {sum(seconds) / reading:.2f} times bare Arrow on one core; aim <= 3", flush=True)
    shutil.rmtree(place)


def new_part(folder: Path, source: Path, partitions: int) -> None:
    """Compare a new part beside the others with the same part alone, up to the features."""
    last = {name: max((source / name).iterdir()) for name in ("train", "test")}
    alone = folder / "alone"
    for name, file in last.items():
        (alone / name).mkdir(parents=True)
        shutil.copyfile(file, alone / name / file.name)
    place = project(folder / "one", alone, ("partitions", str(partitions)))
    of_part = sum(run(place, stage, DVCKIT_WORKERS="1")[0] for stage in UP_TO_FEATURES)
    place = project(folder / "added", source, ("partitions", str(partitions)))
    for file in last.values():
        file.rename(folder / f"{file.parent.name}-later.csv")
    for stage in UP_TO_FEATURES:
        run(place, stage)
    for file in last.values():
        (folder / f"{file.parent.name}-later.csv").rename(file)
    added = sum(run(place, stage, DVCKIT_WORKERS="1")[0] for stage in UP_TO_FEATURES)
    print(f"one part more up to the features: {added / of_part:.2f} times that part alone; aim <= 2.5", flush=True)


def accuracy(folder: Path, rows: int, counts: list[int]) -> None:
    """Print ROC AUC and log loss of the hold-out for each pipeline, of one fit and of means over partitions."""
    source = folder / f"source-{rows}"
    passengers(source, rows * 1309 // 891, 2)
    print(f"\n{rows} labelled rows: ROC AUC and log loss of the hold-out")
    print(f"{'partitions':20} " + " ".join(f"{count:>15}" for count in counts))
    for pipeline in PIPELINES:
        cells = []
        for count in counts:
            place = folder / f"{rows}-{pipeline}-{count}"
            cells.append("")
            if rows / count < 2_200:
                continue
            project(
                place,
                source,
                ("partitions", str(count)),
                ("pipeline", pipeline),
                ("folds", "2"),
                ("n_estimators", "100"),
            )
            if count == 1:
                single(place, source)
            for stage in STAGES:
                run(place, stage)
            scores = json.loads((place / "reports/metrics.json").read_text())["holdout"]
            cells[-1] = f"{scores['roc_auc']:.4f} {scores['log_loss']:.4f}"
            shutil.rmtree(place)
        print(f"{pipeline:20} " + " ".join(f"{cell:>15}" for cell in cells), flush=True)


def single(place: Path, source: Path) -> None:
    """Put the parts of a source together for one partition."""
    whole = place / "source"
    whole.mkdir()
    for name in ("train", "test"):
        first, *rest = sorted((source / name).iterdir())
        lines = [first.read_text(), *(file.read_text().partition("\n")[2] for file in rest)]
        (whole / f"{name}.csv").write_text("".join(lines))
    text = (place / "params.yaml").read_text()
    (place / "params.yaml").write_text(text.replace(f"path: {source}", f"path: {whole}"))


def main() -> int:
    """Print the tables; return 1 where bytes differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000, help="passengers in all (10,000,000)")
    parser.add_argument("--partitions", type=int, default=16, help="partitions and parts (16)")
    parser.add_argument("--workers", default="1,2,8", help="numbers of workers to compare (1,2,8)")
    parser.add_argument("--only", default="", help="workers, bare, part or accuracy")
    options = parser.parse_args()
    counts, same = [int(count) for count in options.workers.split(",")], True
    with tempfile.TemporaryDirectory(prefix="titanic-scale-") as name:
        folder = Path(name)
        if options.only != "accuracy":
            passengers(folder / "source", options.rows, options.partitions)
        if options.only in ("", "workers"):
            same = workers(folder, folder / "source", counts, options.partitions)
        if options.only in ("", "bare"):
            bare(folder, folder / "source", options.partitions)
        if options.only in ("", "part"):
            new_part(folder, folder / "source", options.partitions)
        if options.only in ("", "accuracy"):
            for rows in (12_000, 60_000):
                accuracy(folder, rows, [1, 2, 6, 12, 24])
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
