import shutil
import time

import pytest

from titanic.versions.doctor import doctor


def test_a_healthy_clone_is_told_on_one_screen(small):
    started = time.monotonic()
    lines = small.ok("titanic", "doctor").splitlines()

    assert time.monotonic() - started < 10
    assert {line[:8] for line in lines[:-1]} == {"ok      ", "advice  "}
    assert lines[-1] == "nothing is wrong"
    assert len(lines) < 24


def test_a_clone_that_pulled_nothing_is_healthy(fresh):
    said = fresh.ok("titanic", "doctor")

    assert "advice  outputs that are not there: " in said
    assert "run `dvc pull` or `dvc repro --all-pipelines`" in said


def test_doctor_changes_nothing_unless_it_is_told_to(small):
    before = {path: path.stat().st_mtime_ns for path in small.root.rglob("*") if path.is_file()}
    damaged = next((small.root / ".dvc/cache").glob("files/md5/??/*"))
    damaged.chmod(0o644)
    damaged.write_bytes(b"")
    before[damaged] = damaged.stat().st_mtime_ns

    assert small.run("titanic", "doctor").code == 1

    assert {path: path.stat().st_mtime_ns for path in small.root.rglob("*") if path.is_file()} == before


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
    ("change", "said"),
    [
        (remove(".dvc/config"), "there is no .dvc/config; run `git checkout HEAD -- .dvc/config`"),
        (write(".dvc/config", b"[core\nremote"), "DVC's configuration cannot be read: "),
        (write(".dvc/config", b"\xff\0"), "DVC's configuration cannot be read: "),
        (remove(".dvc"), "there is no .dvc/config"),
        (remove(".git"), "this is no git repository"),
        (remove("uv.lock"), "uv.lock cannot be read"),
        (write("uv.lock", b"[[package"), "uv.lock cannot be read"),
        (remove("params.yaml"), "there is no params.yaml"),
        (write("params.yaml", b"\xff"), "params.yaml is not UTF-8 text"),
        (write("dvc.yaml", b"stages: ["), "dvc.yaml cannot be read"),
        (remove("dvc.yaml"), "dvc.yaml cannot be read"),
        (replace_by_folder("dvc.lock"), "dvc.lock cannot be read"),
        (write("dvc.lock", b"stages: 3"), "dvc.lock cannot be read"),
        (write("data/x.dvc", b"outs: ["), "data/x.dvc cannot be read"),
        (write(".dvc/tmp/rwlock", b""), ".dvc/tmp/rwlock cannot be read"),
    ],
)
def test_whatever_is_broken_is_told_in_a_line(small, change, said):
    change(small.root)
    lines = []

    assert not doctor(small.root, lines.append, fix=False)

    assert [line for line in lines if line.startswith("WRONG") and said in line], lines
    assert [line for line in lines if "could not be checked" in line] == []


def test_the_command_works_where_params_are_lost(small):
    (small.root / "params.yaml").unlink()

    done = type(small)(small.root / "reports").run("titanic", "doctor")

    assert done.code == 1
    assert "there is no params.yaml" in done.said
    assert done.said.splitlines()[-1].endswith("wrong")


def test_outside_of_a_project_it_is_answered(small, tmp_path):
    (tmp_path / "empty").mkdir()

    done = type(small)(tmp_path / "empty").run("titanic", "doctor")

    assert (done.code, done.said.count("\n")) == (1, 1)
    assert "is not inside a project" in done.said
