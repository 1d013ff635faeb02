"""A folder under `dvc add` is replaced as a whole: a failure or a kill at any step leaves the old version or the new one."""

import pytest

from dvckit.core.errors import UserError
from dvckit.data import replace as module
from dvckit.data.replace import adding, interrupted, replace, restore
from dvckit.doctor.clone import Clone
from dvckit.doctor.objects import external
from packages.dvckit.tests.kinds.builder import KINDS, build

FOLDER = module.EXTERNAL / "mine"


class Killed(BaseException):
    """The process has ended: nothing is put right."""


def dvc_adds(root, *_):
    """Do what matters of `dvc add`."""
    rows = (root / FOLDER / "train.csv").read_text()
    (root / f"{FOLDER}.dvc").write_text(f"outs: {rows}")
    (root / FOLDER.parent / ".gitignore").write_text(f"/mine {rows}")


def left(root):
    folder = root / FOLDER.parent
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "dvc", dvc_adds)
    return build(KINDS["an empty project"], tmp_path / "top")


@pytest.fixture
def put(root, tmp_path):
    """Put a text into the folder."""

    def put(text):
        (tmp_path / "new.csv").write_text(text)
        replace(root, FOLDER, {"train.csv": tmp_path / "new.csv"})
        return left(root)

    return put


def fails_after(monkeypatch, owner, name, error, *, before=False):
    """Let a function end with an error after, or before, it has done its work."""
    original = getattr(owner, name)

    def failing(*arguments, **options):
        if not before:
            original(*arguments, **options)
        raise error

    monkeypatch.setattr(owner, name, failing)


def test_the_new_version_is_all_that_is_left(put):
    assert put("1")["mine/train.csv"] == "1"
    assert put("2") == {"mine/train.csv": "2", "mine.dvc": "outs: 2", ".gitignore": "/mine 2"}


@pytest.mark.parametrize("versions", [[], ["1"]])
def test_where_dvc_fails_the_old_version_is_back(root, put, monkeypatch, versions):
    before = [put(text) for text in versions][-1:] or [{}]

    def full_disk(root, *_):
        (root / f"{FOLDER}.dvc").write_text("")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "dvc", full_disk)
    with pytest.raises(OSError, match="No space left"):
        put("2")

    assert left(root) == before[0]


STEPS = {
    "the new files are copied": (module.shutil, "copyfile"),
    "the old ones are kept": (module.Path, "rename"),
    "dvc add": (module, "dvc"),
    "before the old ones go": (module, "_forget"),
}


@pytest.mark.parametrize("versions", [[], ["1"]])
@pytest.mark.parametrize("moment", [(step, before) for step in STEPS for before in (True, False)])
def test_a_kill_at_any_step_is_undone_by_doctor_and_by_the_same_command(root, put, monkeypatch, moment, versions):
    step, before = moment
    old = [put(text) for text in versions][-1:] or [{}]
    with monkeypatch.context() as patch:
        patch.setattr(module, "restore", lambda *_: None)  # nor is anything put right
        fails_after(patch, *STEPS[step], Killed, before=before)
        with pytest.raises(Killed):
            put("2")

    findings = [finding for finding in external(Clone(root)) if finding.fix]
    assert len(findings) == len(interrupted(root)) <= 1
    for finding in findings:
        finding.fix()

    assert left(root) in (old[0], {"mine/train.csv": "2", "mine.dvc": "outs: 2", ".gitignore": "/mine 2"})
    assert interrupted(root) == []
    assert put("3")["mine/train.csv"] == "3"


def test_one_that_is_running_is_not_taken_for_killed(root):
    (root / FOLDER).mkdir(parents=True)
    module._old(root / FOLDER).mkdir()

    with adding(root):
        (running,) = external(Clone(root))
    (killed,) = external(Clone(root))

    assert (running.level, running.fix) == ("advice", None)
    assert killed.level == "WRONG"


def test_what_is_put_back_twice_is_there_once(root, put, monkeypatch):
    before = put("1")
    with monkeypatch.context() as patch:
        patch.setattr(module, "_forget", lambda _: None)
        fails_after(patch, module, "dvc", Killed)
        with pytest.raises(Killed):
            put("2")

    restore(root, FOLDER)

    assert left(root) == before


def test_of_two_at_a_time_one_is_told(root):
    with (
        adding(root),
        pytest.raises(UserError, match="another `dvckit data add` is running here"),
        adding(root),
    ):
        pass
