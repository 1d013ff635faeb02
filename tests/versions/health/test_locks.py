import json
import os
import signal
import subprocess
import time

import pytest
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.utils.serialize import parse_yaml

from titanic.stage import UserError
from titanic.versions.health.clone import Clone, parse_lock
from titanic.versions.health.locks import pipelines, waiting


def lines(look, project):
    return [str(finding) for finding in look(Clone(project.root))]


def wrong(look, project):
    return [line for line in lines(look, project) if line.startswith("WRONG")]


def hold(project, pid, age=0.0):
    """Write the lock that a process would have left at that age in seconds."""
    path = project.root / ".dvc/tmp/rwlock"
    path.write_text(json.dumps({"write": {str(project.root / "data/x"): {"pid": pid, "cmd": "dvc repro"}}}))
    os.utime(path, (time.time() - age, time.time() - age))
    return path


@pytest.fixture
def ended():
    """The number of a process that was."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.mark.parametrize("content", [b"", b'{"write": {"a', b'{"write": 3}'])
def test_an_unreadable_rwlock_stops_dvc_until_it_is_mended(small, content):
    (small.root / ".dvc/tmp/rwlock").write_bytes(content)
    assert small.run("dvc", "repro").code != 0

    found = small.run("titanic", "doctor")
    fixed = small.run("titanic", "doctor", "--fix")

    assert (found.code, fixed.code) == (1, 0)
    assert f".dvc/tmp/rwlock cannot be read ({len(content)} bytes): DVC refuses to run; run `rm" in found.said
    assert "fixed   removed .dvc/tmp/rwlock, which nobody holds" in fixed.said
    small.ok("dvc", "repro")


def test_an_rwlock_of_ended_processes_is_told(small, ended):
    hold(small, ended)

    assert f"names processes that have ended ({ended})" in wrong(waiting, small)[0]


def test_a_killed_process_that_nobody_has_asked_about_is_no_holder(small):
    """DVC waits for that one, too: it keeps its number until its parent has asked how it ended."""
    with subprocess.Popen(["sleep", "60"]) as process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        path = hold(small, process.pid)

        assert "fixed" in small.ok("titanic", "doctor", "--fix")
        assert not path.exists()


def test_a_number_that_another_process_has_by_now_is_no_holder(small):
    """DVC itself waits for that process: it only asks whether there is one."""
    path = hold(small, os.getpid(), age=10_000_000)

    assert f"names processes that have ended ({os.getpid()})" in wrong(waiting, small)[0]
    assert "fixed" in small.ok("titanic", "doctor", "--fix")
    assert not path.exists()


def test_a_lock_of_a_living_process_is_left(small):
    path = hold(small, os.getpid())

    assert wrong(waiting, small) == []
    assert "fixed" not in small.ok("titanic", "doctor", "--fix")
    assert path.exists()


def leave_locks(project):
    """Lock what a killed git leaves locked."""
    locks = [project.root / ".git" / name for name in ("index.lock", "HEAD.lock", "refs/tags/data@v1.0.0.lock")]
    for lock in locks:
        lock.touch()
    return locks


def test_locks_of_a_killed_git_are_removed(small):
    locks = leave_locks(small)
    assert small.run("git", "add", "--all").code != 0

    said = small.ok("titanic", "doctor", "--fix")

    assert "fixed   removed HEAD.lock, index.lock, data@v1.0.0.lock, which no git process holds" in said
    assert not any(lock.exists() for lock in locks)
    small.ok("git", "add", "--all")


def test_git_at_work_is_not_disturbed(small):
    locks = leave_locks(small)
    command = ["git", "-c", "alias.work=!sleep 60", "work"]
    with subprocess.Popen(command, cwd=small.root, start_new_session=True) as process:
        said = small.ok("titanic", "doctor", "--fix")
        os.killpg(process.pid, signal.SIGTERM)

    assert "git refuses" not in said
    assert all(lock.exists() for lock in locks)


def test_dvc_at_work_is_not_disturbed(small):
    small.edit("params.yaml", ("repeats: 1 ", "repeats: 300 "))
    with subprocess.Popen(
        ["dvc", "repro", "reports/dvc.yaml:diagnose"],
        cwd=small.root,
        env=small.environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        next(line for line in process.stdout if line.startswith("Running stage"))
        (small.root / ".dvc/tmp/rwlock").write_bytes(b"")
        said = small.run("titanic", "doctor", "--fix").said
        os.killpg(process.pid, 9)

    assert f"advice  DVC is at work here (process {process.pid}); what it writes is not settled\n" in said
    assert (small.root / ".dvc/tmp/rwlock").exists()


def test_the_lock_of_an_ended_process_is_removed_where_locks_are_links(small, ended):
    small.ok("dvc", "config", "--local", "core.hardlink_lock", "true")
    lock = small.root / ".dvc/tmp/lock"
    lock.write_text(f"{lock}|{os.uname().nodename}|{ended}|12345")

    assert wrong(waiting, small) == [
        f"WRONG   .dvc/tmp/lock is held by process {ended}, which has ended; run `rm .dvc/tmp/lock`"
    ]
    small.ok("titanic", "doctor", "--fix")
    assert not lock.exists()


def cut(project, share):
    """Cut dvc.lock in the hash that is nearest to that share of it; return what it was."""
    whole = (project.root / "dvc.lock").read_bytes()
    end = whole.index(b"md5: ", int(len(whole) * share)) + 12
    (project.root / "dvc.lock").write_bytes(whole[:end])
    return whole


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.7, 0.95])
def test_a_cut_lock_is_told(small, share):
    cut(small, share)

    (found,) = wrong(pipelines, small)

    assert found.startswith("WRONG   dvc.lock cannot be read: ")
    assert found.endswith("; run `git checkout HEAD -- dvc.lock && dvc repro --all-pipelines`")


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"schema: '2.0'\nstages:\n  ingest", b"\xff\xfe", b"- 1\n"])
def test_a_lock_that_is_none_is_told(small, content):
    (small.root / "dvc.lock").write_bytes(content)

    assert len(wrong(pipelines, small)) == 1


@pytest.mark.faults
def test_a_lock_that_is_cut_anywhere_is_told_or_is_one_that_dvc_reads(small):
    whole = (small.root / "reports/dvc.lock").read_text()

    for length in range(len(whole)):
        text = whole[:length]
        try:
            parse_lock("reports/dvc.lock", text)
        except UserError as error:
            assert "reports/dvc.lock cannot be read: " in str(error)  # noqa: PT017 - most lengths end here
        else:
            assert text.endswith("\n")
            COMPILED_LOCKFILE_SCHEMA(parse_yaml(text, "reports/dvc.lock"))


def test_a_pipeline_that_is_gone_comes_back_by_the_command_that_is_told(small):
    (small.root / "dvc.yaml").unlink()

    (found,) = wrong(pipelines, small)
    small.ok("sh", "-c", found.rpartition("; run `")[2].rstrip("`"))

    assert wrong(pipelines, small) == []


def test_an_empty_lock_is_told_in_plain_words(small):
    (small.root / "dvc.lock").write_text("")

    assert "dvc.lock cannot be read: it is not what DVC writes; run `git" in wrong(pipelines, small)[0]


def test_a_cut_lock_is_that_of_head_again(small):
    before = small.outputs()
    whole = cut(small, 0.5)
    left = (small.root / "dvc.lock").read_bytes()

    found = small.run("titanic", "doctor")
    fixed = small.run("titanic", "doctor", "--fix")

    assert (found.code, fixed.code) == (1, 0)
    assert "fixed   dvc.lock is that of HEAD again; what was there is in .dvc/tmp/damaged/dvc.lock" in fixed.said
    assert (small.root / ".dvc/tmp/damaged/dvc.lock").read_bytes() == left
    assert (small.root / "dvc.lock").read_bytes() == whole
    small.ok("dvc", "repro", "--all-pipelines")
    assert small.outputs() == before


def test_a_lock_that_git_does_not_have_is_made_anew(small):
    before = small.outputs()
    small.ok("git", "rm", "--quiet", "--cached", "dvc.lock")
    small.ok("git", "commit", "--quiet", "--message", "no lock")
    (small.root / "dvc.lock").write_text("stages: {")

    said = small.ok("titanic", "doctor", "--fix")

    assert "fixed   dvc.lock is gone, `dvc repro` makes it anew; what was there is in .dvc/tmp/damaged/dvc.lock" in said
    small.ok("dvc", "repro", "--all-pipelines")
    assert small.outputs() == before


def test_a_lock_that_is_a_folder_is_put_aside(small):
    (small.root / "reports/dvc.lock").unlink()
    (small.root / "reports/dvc.lock").mkdir()

    said = small.ok("titanic", "doctor", "--fix")

    assert "fixed   reports/dvc.lock is that of HEAD again" in said


def test_the_cure_of_conflict_markers_works_as_it_stands_there(small):
    for branch, bands in {"left": "20, 35", "right": "21, 35"}.items():
        small.ok("git", "checkout", "--quiet", "-b", branch, "main")
        small.edit("params.yaml", ("18, 35", bands))
        small.ok("dvc", "repro", "featurize")
        small.commit(branch)
    assert small.run("git", "merge", "left").code == 1
    small.ok("git", "checkout", "--ours", "params.yaml")

    (found,) = wrong(pipelines, small)

    assert found == (
        "WRONG   conflict markers of a merge in dvc.lock; "
        "run `git checkout --ours -- dvc.lock && dvc repro --all-pipelines && git add dvc.lock`"
    )
    assert "fixed" not in small.run("titanic", "doctor", "--fix").said
    small.ok("bash", "-c", found.partition("run `")[2].removesuffix("`"))
    assert wrong(pipelines, small) == []


def test_a_stage_that_never_ran_is_told(small):
    small.edit("dvc.yaml", ("metrics:\n", "  later:\n    cmd: 'true'\nmetrics:\n"))

    assert "advice  dvc.lock does not name later; run `dvc repro --all-pipelines`" in lines(pipelines, small)
