import shutil
import sys
import time
from functools import partial

import pytest

from dvckit.doctor.clone import OK, Finding
from dvckit.doctor.doctor import Check, doctor, look
from dvckit.testing import Repository


def test_a_healthy_clone_is_reported_on_one_screen(small):
    lines = small.ok("dvckit", "doctor").splitlines()

    assert {line[:8] for line in lines[:-1]} == {"ok      ", "advice  "}
    assert lines[-1] == "nothing is wrong"
    assert len(lines) < 24


def test_a_clone_that_pulled_nothing_is_healthy(fresh):
    output = fresh.ok("dvckit", "doctor")

    assert "advice  missing outputs: " in output
    assert "run `dvc pull` or `dvc repro --all-pipelines`" in output


def test_doctor_changes_nothing_without_fix(small):
    before = {path: path.stat().st_mtime_ns for path in small.root.rglob("*") if path.is_file()}
    damaged = next((small.root / ".dvc/cache").glob("files/md5/??/*"))
    damaged.chmod(0o644)
    damaged.write_bytes(b"")
    before[damaged] = damaged.stat().st_mtime_ns

    assert small.run("dvckit", "doctor").code == 1

    assert {path: path.stat().st_mtime_ns for path in small.root.rglob("*") if path.is_file()} == before


IMPORTS_IN_THREADS = """
import sys
import threading
from pathlib import Path
from dvckit.doctor.doctor import look

class Watch:
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is not threading.main_thread():
            print(threading.current_thread().name, name)

sys.meta_path.insert(0, Watch())
look(Path.cwd(), 7.0)
"""


def test_no_check_imports_anything_in_its_own_thread(fresh):
    # two threads that import modules which import each other in circles can deadlock
    assert fresh.ok(sys.executable, "-c", IMPORTS_IN_THREADS) == ""


def compute(_, seconds=2.0):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(1000))
    yield Finding(OK, "computed")


def hang(_):
    time.sleep(60)
    yield Finding(OK, "woke up")


def test_a_check_that_computes_has_the_time_that_a_busy_machine_takes(toy, monkeypatch):
    monkeypatch.setattr("dvckit.doctor.doctor.CHECKS", [Check("this", compute), Check("that", hang)])

    findings = look(toy.root, 1.0)

    assert [str(finding) for finding in findings] == [
        "ok      computed",
        "WRONG   that could not be checked: no answer within 1 s",
    ]


def test_a_check_that_never_ends_its_computing_is_left(toy, monkeypatch):
    monkeypatch.setattr("dvckit.doctor.doctor.CHECKS", [Check("this", partial(compute, seconds=20))])

    assert [str(finding) for finding in look(toy.root, 0.1)] == [
        "WRONG   this could not be checked: no answer within 0 s"
    ]


def remove(*names):
    def change(root):
        for name in names:
            shutil.rmtree(root / name) if (root / name).is_dir() else (root / name).unlink()

    return change


def write(name, content):
    return lambda root: (root / name).write_bytes(content)


def replace_by_folder(name):
    def change(root):
        (root / name).unlink()
        (root / name).mkdir()

    return change


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (remove(".dvc/config"), "there is no .dvc/config; run `git checkout HEAD -- .dvc/config`"),
        (write(".dvc/config", b"[core\nremote"), "DVC's configuration cannot be read: "),
        (write(".dvc/config", b"\xff\0"), "DVC's configuration cannot be read: "),
        (remove(".dvc"), "there is no .dvc/config"),
        (remove(".git"), "this is no git repository"),
        (remove("uv.lock"), "uv.lock is missing; run `git restore uv.lock`"),
        (write("uv.lock", b"[[package"), "uv.lock cannot be read"),
        (remove("params.yaml"), "params.yaml is missing; run `git restore params.yaml`"),
        (write("params.yaml", b"\xff"), "params.yaml is not UTF-8 text"),
        (write("dvc.yaml", b"stages: ["), "dvc.yaml cannot be read"),
        (remove("dvc.yaml"), "dvc.yaml is missing; run `git checkout HEAD -- dvc.yaml`"),
        (replace_by_folder("dvc.lock"), "dvc.lock cannot be read"),
        (write("dvc.lock", b"stages: 3"), "dvc.lock cannot be read"),
        (write("data/x.dvc", b"outs: ["), "data/x.dvc cannot be read"),
        (write(".dvc/tmp/rwlock", b""), ".dvc/tmp/rwlock cannot be read"),
    ],
)
def test_whatever_is_broken_is_reported_in_a_line(small, change, line):
    change(small.root)
    lines = []

    assert not doctor(small.root, lines.append, fix_first=False)

    assert [text for text in lines if text.startswith("WRONG") and line in text], lines
    assert [text for text in lines if "could not be checked" in text] == []


def test_the_command_works_where_params_are_lost(small):
    (small.root / "params.yaml").unlink()

    result = Repository(small.root / "reports").run("dvckit", "doctor")

    assert result.code == 1
    assert "params.yaml is missing" in result.output
    assert result.output.splitlines()[-1].endswith("wrong")


def test_outside_of_a_project_there_is_an_error(small, tmp_path):
    (tmp_path / "empty").mkdir()

    result = Repository(tmp_path / "empty").run("dvckit", "doctor")

    assert (result.code, result.output.count("\n")) == (1, 1)
    assert "is not inside a DVC project" in result.output


@pytest.fixture
def plain(tmp_path):
    """A DVC repository that has nothing to do with this library: added data, and a pipeline in a folder."""
    (tmp_path / "plain/model").mkdir(parents=True)
    plain = Repository(tmp_path / "plain")
    plain.ok("git", "init", "--quiet")
    plain.ok("dvc", "init", "--quiet")
    (plain.root / "numbers.csv").write_text("a,b\n1,2\n")
    (plain.root / "model/dvc.yaml").write_text(
        "stages:\n  fit:\n    foreach: [x, y]\n    do: {cmd: 'echo ${item} > ${item}', outs: ['${item}']}\n"
    )
    plain.ok("dvc", "add", "--quiet", "numbers.csv")
    plain.ok("dvc", "repro", "--quiet", "--all-pipelines")
    plain.commit("plain")
    return plain


def test_any_dvc_repository_can_be_examined(plain):
    lines = plain.ok("dvckit", "doctor").splitlines()

    assert "ok      model/dvc.lock can be read, and names every stage" in lines
    assert "ok      2 outputs, each what the last run wrote" in lines
    assert "ok      numbers.csv: as it was added" in lines
    assert lines[-1] == "nothing is wrong"
    assert [line for line in lines if "uv.lock" in line or "params.yaml" in line or " dvc.yaml" in line] == []


def test_nothing_of_the_repository_is_imported(plain):
    for name in ("dvc", "dvckit", "yaml", "sitecustomize"):
        (plain.root / f"{name}.py").write_text("open('imported', 'w').close()")
    plain.ok("dvc", "remote", "add", "--default", "embedded", "/elsewhere/.dvc/storage")
    plain.ok("dvc", "remote", "add", "far", "webdav://127.0.0.1:9")

    assert "fixed" in plain.run("dvckit", "doctor", "--fix").output
    plain.ok("dvc", "remote", "default", "far")
    assert "cannot be reached" in plain.run("dvckit", "doctor").output

    assert not (plain.root / "imported").exists()
