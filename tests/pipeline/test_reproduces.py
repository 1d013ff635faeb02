"""The same commit gives the same bytes, from nothing, from the embedded remote, and on another machine."""

import shutil

import pytest

from titanic.modeling.pipelines import PIPELINES


def stages_run(output):
    return [line for line in output.splitlines() if line.startswith("Running stage")]


def tool(name):
    return shutil.which(name) or pytest.skip(f"{name} is not installed")


def test_a_clone_reproduces_and_stays_clean(small, tmp_path):
    clone = small.clone(tmp_path / "clone")

    assert len(stages_run(clone.ok("dvc", "repro"))) == 6

    assert clone.ok("git", "status", "--porcelain") == ""
    second = clone.ok("dvc", "repro")
    assert not stages_run(second)
    assert "Data and pipelines are up to date." in second


def test_a_clone_pulls_and_then_has_nothing_to_run(small, tmp_path):
    clone = small.clone(tmp_path / "clone")

    clone.ok("dvc", "pull")

    assert not stages_run(clone.ok("dvc", "repro", "--all-pipelines"))
    assert clone.outputs() == small.outputs()
    assert clone.ok("git", "status", "--porcelain") == ""


def test_the_committed_lock_can_be_pulled(fresh):
    fresh.ok("dvc", "pull")

    assert not stages_run(fresh.ok("dvc", "repro", "--all-pipelines"))


def on_another_machine(project, folder, *arguments):
    """Repro with another user, home, time zone, locale, thread count, kernel of OpenBLAS, hash seed, core count."""
    environment = {
        "HOME": str(folder / "nobody's home"),
        "USER": "nobody",
        "LOGNAME": "nobody",
        "TZ": "Pacific/Chatham",
        "LANG": "C",
        "LC_ALL": "POSIX",
        "OMP_NUM_THREADS": "3",
        "OPENBLAS_NUM_THREADS": "2",
        "OPENBLAS_CORETYPE": "Prescott",
        "NPY_DISABLE_CPU_FEATURES": "AVX512_SPR",
        "PYTHONHASHSEED": "4711",
        "COLUMNS": "40",
        "MPLBACKEND": "pdf",
    }
    return stages_run(project.ok(tool("taskset"), "-c", "0", "dvc", "repro", "--force", *arguments, **environment))


def test_another_machine_gives_the_same_bytes(small, tmp_path):
    other = small.clone(tmp_path / "another place/with a blank")

    assert len(on_another_machine(other, tmp_path, "--all-pipelines")) == 8

    assert other.outputs() == small.outputs()
    assert other.ok("git", "status", "--porcelain") == ""


@pytest.mark.faults
@pytest.mark.parametrize("pipeline", sorted(set(PIPELINES) - {"random_forest"}))
def test_another_machine_gives_the_same_bytes_of_each_pipeline(small, tmp_path, pipeline):
    small.edit("params.yaml", ("pipeline: random_forest", f"pipeline: {pipeline}"))
    stages = ("train", "evaluate", "reports/dvc.yaml:diagnose")
    small.ok("dvc", "repro", *stages)
    small.commit("another pipeline")
    other = small.clone(tmp_path / "clone")
    other.ok("dvc", "pull", "validate", "featurize", "split")

    assert len(on_another_machine(other, tmp_path, "--single-item", *stages)) == len(stages)

    made = other.outputs()
    assert made["data/models/model.skops"]
    assert made.items() <= small.outputs().items()
    assert other.ok("git", "status", "--porcelain") == ""


@pytest.mark.faults
def test_an_older_processor_gives_the_same_bytes(small, tmp_path):
    """The C library, too, picks other exp and log where there is no FMA."""
    other = small.clone(tmp_path / "clone")

    other.ok("dvc", "repro", "--all-pipelines", "--force", GLIBC_TUNABLES="glibc.cpu.hwcaps=-FMA,-AVX2,-AVX512F")

    assert other.outputs() == small.outputs()


@pytest.mark.faults
def test_a_user_id_without_a_name_gives_the_same_bytes(small, tmp_path):
    become = [tool("unshare"), "--user", "--map-user=4711", "--map-group=4711"]
    if small.run(*become, "true").code:
        pytest.skip("this machine does not allow user namespaces")
    other = small.clone(tmp_path / "clone")

    other.ok(*become, "dvc", "repro", "--all-pipelines", "--force")

    assert other.outputs() == small.outputs()
