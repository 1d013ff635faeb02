"""What a machine lacks: space, permission to write, git, Python."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.faults

# KiB left on the disk: nothing; enough for the raw files; and for the tables of the next stages
SPACE = [0, 40, 100, 250]


def mounts(*command):
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        pytest.skip(f"this machine does not let us mount: {process.stderr.strip()}")


# The last is DVC's, where it tries out links in its cache and cannot write the file for that.
FULL = ("No space left on device", "disk is full", "No possible cache link types")


@pytest.fixture
def disk(small, tmp_path):
    """The reproduced project on a disk of its own; `fill(kib)` leaves so much of it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounts("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder))
    shutil.copytree(small.root, folder / "titanic", symlinks=True)
    project = type(small)(folder / "titanic")
    project.environment |= {"HOME": str(tmp_path), "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
    yield project
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("kib", SPACE)
def test_a_full_disk_gives_an_error_and_the_next_run_completes(disk, kib):
    before, ballast = disk.outputs(), disk.root.parent / "ballast"
    shutil.rmtree(disk.root / ".dvc/cache")
    free = shutil.disk_usage(disk.root).free
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - kib * 1024)

    result = disk.run("dvc", "repro", "--all-pipelines", "--force", "--no-run-cache")

    assert result.code != 0
    assert any(words in result.output for words in FULL)
    assert "Traceback" not in result.output
    left = disk.outputs()
    assert {path: left[path] for path in left} == {path: before[path] for path in left}
    ballast.unlink()
    disk.ok("dvc", "repro", "--all-pipelines")
    assert disk.outputs() == before


@pytest.mark.parametrize("kib", SPACE[:2])
def test_a_full_disk_stops_tasks_of_partitions_with_one_sentence(disk, kib):
    disk.edit("params.yaml", ("partitions: 1", "partitions: 2"))
    stages = ("titanic.dataset.ingest", "titanic.dataset.validate")
    disk.ok("python", "-m", "dvckit.stage", stages[0])
    shutil.rmtree(disk.root / ".dvc/tmp")
    before = set((disk.root / "data").rglob("*"))
    ballast = disk.root.parent / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk.root).free - kib * 1024)

    result = disk.run("python", "-m", "dvckit.stage", stages[1], DVCKIT_WORKERS="2")

    assert result.code == 1
    assert "No space left on device" in result.output
    assert result.output.count("\n") == 1
    assert set((disk.root / "data").rglob("*")) == before
    ballast.unlink()
    disk.ok("python", "-m", "dvckit.stage", stages[1])


def test_a_read_only_tree_gives_an_error(small):
    mounts("mount", "--bind", str(small.root), str(small.root))
    try:
        mounts("mount", "-o", "remount,ro,bind", str(small.root))
        result = small.run("dvc", "repro", "--force")
    finally:
        subprocess.run(["umount", "--lazy", str(small.root)], check=True)

    assert result.code != 0
    assert "Read-only file system" in result.output or "readonly" in result.output
    assert "Traceback" not in result.output
    small.ok("dvc", "repro", "--force")
    assert small.ok("git", "status", "--porcelain") == ""


@pytest.fixture
def bare_path(tmp_path):
    """A PATH with the named programs alone."""

    def bare_path(*names):
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in ("sh", "bash", "awk", "env", "dirname", *names):
            (folder / name).symlink_to(shutil.which(name))
        return {"PATH": str(folder), "XDG_CACHE_HOME": str(tmp_path / "nothing cached")}

    return bare_path


def sentences(output):
    return [line for line in output.splitlines() if not line.startswith("make")]


def test_without_git_there_is_an_error(fresh, bare_path, tmp_path):
    uv = program(tmp_path / "uv", "")

    result = fresh.run("make", "reproduce", f"UV={uv}", **bare_path("make", "python3.11"))

    assert result.code != 0
    assert "error: git is not installed; install it (Debian: apt install git)" in sentences(result.output)


def test_without_python_and_uv_there_is_an_error(fresh, bare_path):
    result = fresh.run("make", "reproduce", **bare_path("make", "git"))

    assert result.code != 0
    assert sentences(result.output) == ["error: there is neither uv nor Python 3.11 on PATH; install one of them"]


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)
    return path


def test_uv_is_used_from_a_path_with_blanks(fresh, bare_path, tmp_path):
    uv = program(tmp_path / "my tools/uv", 'echo uv "$@"')
    bare = bare_path("make", "git")

    output = fresh.ok("make", "hooks", **bare | {"PATH": f"{bare['PATH']}:{uv.parent}"})

    assert output.splitlines()[-2:] == [
        "uv run --locked --quiet dvckit libraries",
        "uv run --locked --quiet dvckit hooks",
    ]


def test_a_uv_of_our_own_is_installed_below_a_home_with_blanks(fresh, bare_path, tmp_path):
    (tmp_path / "uv").write_text('#!/bin/sh\necho own uv "$@"')
    (tmp_path / "pip").write_text(f'#!/bin/sh\necho pip "$@"; cp "{tmp_path}/uv" "${{0%/pip}}/uv"')
    venv = f'mkdir -p "$3/bin"; cp "{tmp_path}/pip" "$3/bin/pip"; chmod +x "$3/bin/pip" "{tmp_path}/uv"'
    bare = bare_path("make", "git", "mkdir", "cp", "chmod", "mv", "rm")
    program(tmp_path / "bin/python3.11", f'test "$1" = -c || {{ {venv}; }}')
    home = {"HOME": str(tmp_path / "my home"), "XDG_CACHE_HOME": ""}

    output = fresh.ok("make", "hooks", **bare | home)

    assert output.splitlines()[0].startswith("pip install --quiet --disable-pip-version-check uv==")
    assert output.splitlines()[-1] == "own uv run --locked --quiet dvckit hooks"
    assert list((tmp_path / "my home/.cache/dvckit").glob("uv-*/bin/uv"))


def test_a_folder_that_is_not_a_clone_gives_an_error(fresh):
    shutil.rmtree(fresh.root / ".git")

    code, output = fresh.run("make", "reproduce", GIT_CEILING_DIRECTORIES=str(fresh.root.parent))

    assert code != 0
    assert any(line.startswith("error: ") and "is not a git clone of yours" in line for line in sentences(output))


def test_an_unknown_target_gives_the_known_ones(fresh):
    result = fresh.run("make", "nonsense")

    assert result.code == 2
    assert "error: there is no target 'nonsense'; these are:" in result.output
    assert "make reproduce" in result.output


def test_a_missing_params_file_gives_an_error(small):
    (small.root / "params.yaml").unlink()

    result = small.run("dvc", "repro")

    assert result.code != 0
    assert "Could not find 'dataset.path'" in result.output
    assert "Traceback" not in result.output


def test_home_need_not_be_writable(small):
    home = Path("/proc/self")

    small.ok("dvc", "repro", "--all-pipelines", "--force", HOME=str(home), XDG_CACHE_HOME=str(home))

    assert small.ok("git", "status", "--porcelain") == ""


@pytest.mark.parametrize("kib", SPACE)
def test_a_sweep_on_a_full_disk_gives_an_error_and_continues_later(disk, kib):
    before, ballast = disk.outputs(), disk.root.parent / "ballast"
    command = ["dvckit", "sweep", "-S", "train.max_depth=range(1,9)"]
    free = shutil.disk_usage(disk.root).free
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - kib * 1024)

    result = disk.run(*command)

    assert result.code == 1
    assert sum(line.startswith("error: ") for line in result.output.splitlines()) == 1
    assert "Traceback" not in result.output
    assert disk.outputs() == before
    ballast.unlink()
    disk.ok(*command)
    assert len(disk.ok("git", "for-each-ref", "refs/exps/*/*/*").splitlines()) == 8
    assert disk.ok("git", "status", "--porcelain") == ""
