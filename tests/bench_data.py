"""Benchmarks of the data stages on long synthetic lists: time as a ratio to Arrow's bare work, and memory.

Bare work is reading the same CSV files and writing them as Parquet, with all cores, in the same process and in turn with
the stages `validate` and `featurize` themselves; nothing is typed by hand, checked or counted there.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

SOURCE = Path(__file__).parents[1]
AIM = "<= 6, better 3"
SIZES = (100_000, 1_000_000)
LARGE, MEMORY_AIM = 10_000_000, "< 2 GiB"

# Runs in a folder with params.yaml and data/raw; prints the seconds of the bare work and of the two stages, run by run.
TURNS = """
import contextlib, io, os, sys, time
from dvckit.core.arithmetic import pin_arithmetic
pin_arithmetic()
import pyarrow as pa
from pyarrow import csv, parquet
from titanic import features
from titanic.dataset import validate

def bare():
    pa.set_cpu_count(os.cpu_count())
    for name in ("train", "test"):
        parquet.write_table(csv.read_csv(f"data/raw/{name}.csv"), f"{name}.parquet")
    pa.set_cpu_count(1)

def timed(work):
    with contextlib.redirect_stdout(io.StringIO()):
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

bare()
for _ in range(int(sys.argv[1])):
    print(timed(bare), timed(validate.main), timed(features.main))
"""


def project(folder: Path, rows: int) -> Path:
    """Make a folder in which the data stages run, on so many passengers."""
    folder.mkdir()
    text = (SOURCE / "params.yaml").read_text()
    (folder / "params.yaml").write_text(re.sub(r"rows: \d+", f"rows: {rows}", text))
    return folder


def stage(name: str, folder: Path) -> float:
    """Run a stage as DVC does; return its peak memory in GiB."""
    command = [sys.executable, "-m", "dvckit.stage", name]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"error: {name} failed")
    return used.ru_maxrss / 2**20


def time_rows(folder: Path, rows: int, runs: int) -> None:
    """Print what validate and featurize take for a list, beside the bare work."""
    stage("titanic.dataset.ingest", project(folder, rows))
    command = [sys.executable, "-c", TURNS, str(runs)]
    output = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    seconds = [tuple(map(float, line.split())) for line in output.splitlines()]
    bare, validate, featurize = (median(column) for column in zip(*seconds, strict=True))
    ratio = median((v + f) / b for b, v, f in seconds)
    print(f"{rows:>12,} {bare:10.2f} {validate:10.2f} {featurize:10.2f} {ratio:8.2f}  {AIM}", flush=True)


def main() -> None:
    """Print a table of times and one of memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="how often everything is timed (5)")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="titanic-bench-") as name:
        print(f"{'passengers':>12} {'bare s':>10} {'validate s':>10} {'featurize s':>10} {'ratio':>8}  aim")
        for rows in SIZES:
            time_rows(Path(name) / str(rows), rows, runs)
            shutil.rmtree(Path(name) / str(rows))
        folder = project(Path(name) / "large", LARGE)
        print(f"\n{LARGE:,} passengers: peak memory of each stage in GiB; aim {MEMORY_AIM}")
        for module in ("titanic.dataset.ingest", "titanic.dataset.validate", "titanic.features"):
            print(f"{module:>20} {stage(module, folder):8.2f}", flush=True)


if __name__ == "__main__":
    main()
