import json
import os
import signal
import subprocess
import time

import pytest
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.utils.serialize import parse_yaml

from dvckit.core.errors import UserError
from dvckit.doctor.clone import Clone
from dvckit.doctor.locks import added, of_dvc, of_git, pipelines
from dvckit.repository.dvc_internals import check_lock
from dvckit.repository.locks import read_lock
from dvckit.testing import Repository


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


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"write": {"a',
        b'{"write": 3}',
        b'{"wrate": {}}',
        b'{"write": {"a": {"pid": 1}}}',
        b'{"read": {"a": [{"pid": "1", "cmd": "dvc repro"}]}}',
        b"[]",
    ],
)
def test_an_unreadable_rwlock_stops_dvc_until_it_is_fixed(toy, content, examined):
    (toy.root / ".dvc/tmp/rwlock").write_bytes(content)
    assert toy.run("dvc", "repro").code != 0

    healthy, before_fix = examined(toy)
    healthy_now, after = examined(toy, fix_first=True)

    assert (healthy, healthy_now) == (False, True)
    assert f".dvc/tmp/rwlock cannot be read ({len(content)} bytes): DVC refuses to run; run `rm" in before_fix
    assert "fixed   removed .dvc/tmp/rwlock, which no process holds" in after
    toy.ok("dvc", "repro")


def test_an_rwlock_of_ended_processes_is_reported(toy, ended):
    hold(toy, ended)

    assert f"names processes that have ended ({ended})" in wrong(of_dvc, toy)[0]


def test_a_zombie_process_holds_no_lock(toy, fixed):
    """DVC waits for that one, too: it keeps its number until its parent has asked how it ended."""
    with subprocess.Popen(["sleep", "60"]) as process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        path = hold(toy, process.pid)

        assert "fixed" in fixed(toy)
        assert not path.exists()


def test_a_reused_process_id_holds_no_lock(toy, fixed):
    """DVC itself waits for that process: it only asks whether there is one."""
    path = hold(toy, os.getpid(), age=10_000_000)

    assert f"names processes that have ended ({os.getpid()})" in wrong(of_dvc, toy)[0]
    assert "fixed" in fixed(toy)
    assert not path.exists()


def test_a_lock_of_a_living_process_is_left(toy, fixed):
    path = hold(toy, os.getpid())

    assert wrong(of_dvc, toy) == []
    assert fixed(toy) == ""
    assert path.exists()


def leave_locks(project):
    """Lock what a killed git leaves locked."""
    locks = [project.root / ".git" / name for name in ("index.lock", "HEAD.lock", "refs/tags/data@v1.0.0.lock")]
    for lock in locks:
        lock.touch()
    return locks


def test_locks_of_a_killed_git_are_removed(toy, fixed):
    locks = leave_locks(toy)
    assert toy.run("git", "add", "--all").code != 0

    output = fixed(toy)

    assert "fixed   removed HEAD.lock, index.lock, data@v1.0.0.lock, which no git process holds" in output
    assert not any(lock.exists() for lock in locks)
    toy.ok("git", "add", "--all")


def test_a_running_git_is_not_disturbed(toy):
    locks = leave_locks(toy)
    with toy.start("git", "-c", "alias.work=!sleep 60", "work") as process:
        output = toy.ok("dvckit", "doctor", "--fix")  # a git that this process started would count as its own
        os.killpg(process.pid, signal.SIGTERM)

    assert "git refuses" not in output
    assert (
        f"advice  git is running (process {process.pid}), which HEAD.lock, index.lock, data@v1.0.0.lock may" in output
    )
    assert all(lock.exists() for lock in locks)


def test_a_git_in_another_worktree_is_not_disturbed(toy):
    toy.ok("git", "worktree", "add", "--quiet", "../other")
    locks = leave_locks(toy)
    with Repository(toy.root.with_name("other")).start("git", "-c", "alias.work=!sleep 60", "work") as process:
        toy.ok("dvckit", "doctor", "--fix")
        os.killpg(process.pid, signal.SIGTERM)

    assert all(lock.exists() for lock in locks)


def test_a_program_that_has_a_lock_open_is_not_disturbed(toy):
    (lock, *_) = leave_locks(toy)
    with lock.open("w") as file:
        editor = subprocess.Popen(["sleep", "60"], stdout=file)
    with editor:
        output = toy.ok("dvckit", "doctor", "--fix")
        editor.kill()

    assert str(editor.pid) in output
    assert lock.exists()


def test_the_git_that_runs_a_hook_is_not_disturbed(toy):
    hook = toy.root / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\ntouch .git/HEAD.lock && dvckit doctor --fix; rm .git/HEAD.lock || exit 1\n")
    hook.chmod(0o755)

    toy.ok("git", "commit", "--quiet", "--allow-empty", "--message", "in a hook")


def test_a_lock_that_was_taken_again_is_left(toy, monkeypatch):
    (lock, *others) = leave_locks(toy)
    findings = list(of_git(Clone(toy.root)))

    def taken_again(_):
        lock.unlink()
        (toy.root / ".git/other").touch()
        lock.touch()

    monkeypatch.setattr("dvckit.doctor.locks.time.sleep", taken_again)
    findings[0].fix()

    assert lock.exists()
    assert not any(other.exists() for other in others)


def test_a_running_dvc_is_not_disturbed(toy):
    toy.edit("reports/dvc.yaml", ("cmd: cat", "cmd: sleep 60; cat"))
    with toy.start("dvc", "repro", "reports/dvc.yaml:report") as process:
        next(line for line in process.stdout if line.startswith("Running stage"))
        (toy.root / ".dvc/tmp/rwlock").write_bytes(b"")
        output = toy.run("dvckit", "doctor", "--fix").output
        os.killpg(process.pid, 9)

    assert f"advice  DVC is running here (process {process.pid}); what it writes is not settled\n" in output
    assert (toy.root / ".dvc/tmp/rwlock").exists()


def test_the_lock_of_an_ended_process_is_removed_where_locks_are_links(toy, ended, fixed):
    toy.ok("dvc", "config", "--local", "core.hardlink_lock", "true")
    lock = toy.root / ".dvc/tmp/lock"
    lock.write_text(f"{lock}|{os.uname().nodename}|{ended}|12345")

    assert wrong(of_dvc, toy) == [
        f"WRONG   .dvc/tmp/lock is held by process {ended}, which has ended; run `rm .dvc/tmp/lock`"
    ]
    assert "fixed" in fixed(toy)
    assert not lock.exists()


def cut(project, share):
    """Cut dvc.lock in the hash that is nearest to that share of it; return what it was."""
    whole = (project.root / "dvc.lock").read_bytes()
    end = whole.index(b"md5: ", int(len(whole) * share)) + 12
    (project.root / "dvc.lock").write_bytes(whole[:end])
    return whole


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.7, 0.95])
def test_a_truncated_lock_is_reported(toy, share):
    cut(toy, share)

    (line,) = wrong(pipelines, toy)

    assert line.startswith("WRONG   dvc.lock cannot be read: ")
    assert line.endswith("; run `git checkout HEAD -- dvc.lock && dvc repro --all-pipelines`")


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"schema: '2.0'\nstages:\n  ingest", b"\xff\xfe", b"- 1\n"])
def test_an_invalid_lock_is_reported(toy, content):
    (toy.root / "dvc.lock").write_bytes(content)

    assert len(wrong(pipelines, toy)) == 1


@pytest.mark.faults
def test_a_lock_truncated_anywhere_is_reported_or_readable_by_dvc(toy):
    whole = (toy.root / "reports/dvc.lock").read_text()

    for length in range(len(whole)):
        text = whole[:length]
        try:
            read_lock("reports/dvc.lock", text.encode(), {})
            check_lock(text, "reports/dvc.lock")
        except UserError:
            pass  # most lengths end here
        else:
            assert text.endswith("\n")
            COMPILED_LOCKFILE_SCHEMA(parse_yaml(text, "reports/dvc.lock"))


def test_a_missing_pipeline_comes_back_by_the_command(toy):
    (toy.root / "dvc.yaml").unlink()

    (line,) = wrong(pipelines, toy)
    toy.ok("sh", "-c", line.rpartition("; run `")[2].rstrip("`"))

    assert wrong(pipelines, toy) == []


def test_an_empty_lock_is_reported_in_plain_words(toy):
    (toy.root / "dvc.lock").write_text("")

    assert "dvc.lock cannot be read: it is not what DVC writes; run `git" in wrong(pipelines, toy)[0]


def test_a_cut_lock_is_that_of_head_again(toy, examined):
    before = toy.outputs()
    whole = cut(toy, 0.5)
    left = (toy.root / "dvc.lock").read_bytes()

    (healthy, _), (healthy_now, after) = examined(toy), examined(toy, fix_first=True)

    assert (healthy, healthy_now) == (False, True)
    assert "fixed   dvc.lock is that of HEAD again; what was there is in .dvc/tmp/damaged/dvc.lock" in after
    assert (toy.root / ".dvc/tmp/damaged/dvc.lock").read_bytes() == left
    assert (toy.root / "dvc.lock").read_bytes() == whole
    toy.ok("dvc", "repro", "--all-pipelines")
    assert toy.outputs() == before


def test_a_lock_that_git_does_not_have_is_rebuilt(toy, fixed):
    before = toy.outputs()
    toy.ok("git", "rm", "--quiet", "--cached", "dvc.lock")
    toy.ok("git", "commit", "--quiet", "--message", "no lock")
    (toy.root / "dvc.lock").write_text("stages: {")

    output = fixed(toy)

    assert "fixed   moved dvc.lock to .dvc/tmp/damaged/dvc.lock; `dvc repro` makes it anew" in output
    toy.ok("dvc", "repro", "--all-pipelines")
    assert toy.outputs() == before


def test_a_lock_that_is_a_folder_is_set_aside(toy, fixed):
    (toy.root / "reports/dvc.lock").unlink()
    (toy.root / "reports/dvc.lock").mkdir()

    output = fixed(toy)

    assert "fixed   reports/dvc.lock is that of HEAD again" in output


def test_the_command_for_conflict_markers_works_as_it_is(toy, fixed):
    for branch, bands in {"left": "20, 35", "right": "21, 35"}.items():
        toy.ok("git", "checkout", "--quiet", "-b", branch, "main")
        toy.edit("params.yaml", ("18, 35", bands))
        toy.ok("dvc", "repro", "featurize")
        toy.commit(branch)
    assert toy.run("git", "merge", "left").code == 1
    toy.ok("git", "checkout", "--ours", "params.yaml")

    (line,) = wrong(pipelines, toy)

    assert line == (
        "WRONG   conflict markers of a merge in dvc.lock; "
        "run `git checkout --ours -- dvc.lock && dvc repro --all-pipelines && git add dvc.lock`"
    )
    assert fixed(toy) == ""
    toy.ok("bash", "-c", line.partition("run `")[2].removesuffix("`"))
    assert wrong(pipelines, toy) == []


def test_a_stage_that_never_ran_is_reported(toy):
    toy.edit("dvc.yaml", ("metrics:\n", "  later:\n    cmd: 'true'\nmetrics:\n"))

    assert "advice  dvc.lock does not name later; run `dvc repro --all-pipelines`" in lines(pipelines, toy)


def test_a_lock_that_is_broken_in_head_too_is_made_anew(toy, fixed):
    (toy.root / "reports/dvc.lock").write_text("schema: [")
    toy.commit("broken")

    (line,) = wrong(pipelines, toy)

    assert line.endswith("; run `rm reports/dvc.lock && dvc repro --all-pipelines`")
    assert "moved reports/dvc.lock to .dvc/tmp/damaged/dvc.lock; `dvc repro` makes it anew" in fixed(toy)
    toy.ok("dvc", "repro", "--all-pipelines")
    assert wrong(pipelines, toy) == []


def test_a_file_that_is_broken_in_head_too_is_looked_up_in_earlier_commits(toy):
    (toy.root / "data/mine.dvc").write_text("outs: [")
    toy.commit("broken")
    (toy.root / "data/other.dvc").write_text("outs: [")
    toy.commit("other")
    (toy.root / "data/other.dvc").write_text("outs: {")

    mine, other = wrong(added, toy)

    assert mine.endswith("; run `git log --patch -- data/mine.dvc`")
    assert other.endswith("; run `git checkout HEAD -- data/other.dvc`")
