"""Paths that lead out of a repository: nothing is written there, and no answer of git's is taken for another's."""

import json

import pytest

from dvckit.core.errors import UserError
from dvckit.doctor.clone import Clone
from dvckit.doctor.doctor import fix
from dvckit.repository.objects import listed, md5_of, object_path
from dvckit.repository.programs import git_files
from dvckit.repository.revision import Revision
from packages.dvckit.tests.hostile.project import KEPT, VALUES, keep, lock, text, write
from packages.dvckit.tests.kinds.builder import git

WHOLE, DAMAGED = b"whole\n", b"theirs"  # the latter is what the file outside has


def damage(root):
    """Keep an object that is damaged in the cache, and intact in the embedded remote."""
    write(root, str(object_path(root / ".dvc/storage", md5_of(WHOLE))), WHOLE)
    write(root, str(object_path(root / ".dvc/cache", md5_of(WHOLE))), DAMAGED)


def in_list(root, path):
    items = [{"md5": md5_of(WHOLE), "relpath": path}]
    write(root, "dvc.lock", text("dvc.lock", lock(keep(root, json.dumps(items).encode(), ".dir"), b"")).encode())


def in_lock(root, path):
    whole = lock(f"{md5_of(b'[]')}.dir", b"")
    whole["stages"]["get"]["outs"][0] = {"path": path, "hash": "md5", "md5": md5_of(WHOLE)}
    write(root, "dvc.lock", json.dumps(whole).encode())


def in_files_of_lock(root, path):
    whole = lock(f"{md5_of(b'[]')}.dir", b"")
    whole["stages"]["get"]["outs"][1]["files"] = [{"relpath": path, "md5": md5_of(WHOLE)}]
    write(root, "dvc.lock", json.dumps(whole).encode())


def in_dvc_file(root, path):
    write(root, "more.dvc", json.dumps({"outs": [{"path": path, "hash": "md5", "md5": md5_of(WHOLE)}]}).encode())


def in_stage_of_dvc_0(root, path):
    content = {**VALUES["old/make.dvc"], "outs": [{"path": path, "cache": "true", "md5": md5_of(WHOLE)}]}
    write(root, "old/make.dvc", json.dumps(content).encode())


@pytest.mark.parametrize("place", [in_list, in_lock, in_files_of_lock, in_dvc_file, in_stage_of_dvc_0])
@pytest.mark.parametrize(
    "path",
    [
        "../../outside/sentinel",
        *(
            pytest.param(path, marks=pytest.mark.faults)
            for path in ("../outside/sentinel", "{}/sentinel", "link/sentinel")
        ),
    ],
)
def test_a_repair_writes_nothing_outside(project, place, path, capsys):
    outside = project.parent / "outside"
    (project / "link").symlink_to(outside)
    (project / "parts/link").symlink_to(outside)
    place(project, path.format(outside))
    damage(project)

    fix(project, print)

    assert (outside / "sentinel").read_bytes() == DAMAGED
    assert "is whole again" in capsys.readouterr().out
    assert sorted(file.name for file in outside.iterdir()) == ["sentinel", "sentinel.json"]


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "..", "", "a\0b", "a" * 300, "\ud800"])
def test_a_list_of_files_that_leads_out_of_its_folder_is_refused(path):
    with pytest.raises(UserError, match="it is not a list of files as DVC writes it"):
        listed(json.dumps([{"md5": "a" * 32, "relpath": path}]).encode())


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"[3]",
        b"[{}]",
        b'[{"md5": 3, "relpath": "a"}]',
        b"[" * 9000,
        b'[{"md5": "../../x", "relpath": "a"}]',
    ],
)
def test_what_is_no_list_of_files_is_refused(project, content):
    md5 = keep(project, content, ".dir")
    write(project, "dvc.lock", text("dvc.lock", lock(md5, KEPT["predictions.parquet"])).encode())

    with pytest.raises(UserError, match=r"^parts cannot be read in the workspace: "):
        Revision(project).members("parts")
    assert "parts/a.csv" not in [output.path for output in Clone(project).named]


@pytest.mark.parametrize("md5", ["../../../outside/sentinel", "a" * 31, "A" * 32, "", None, 3, "a" * 32 + ".dir\n"])
def test_no_object_has_such_a_name(project, md5):
    whole = lock(f"{md5_of(b'[]')}.dir", b"")
    whole["stages"]["get"]["outs"][0]["md5"] = md5
    write(project, "dvc.lock", json.dumps(whole).encode())

    with pytest.raises(UserError, match=r"^dvc\.lock cannot be read in the workspace: get\.outs\.0\.md5: "):
        _ = Revision(project).stages
    assert list(Revision(project).places(str(md5))) == []


@pytest.mark.parametrize(
    "path", ["a\nHEAD:./params.yaml", "../../../x", "/etc/passwd", "a/../../../x", "x" * 5000, "gone", "a b"]
)
def test_git_answers_each_question_alone(project, path):
    commit = git(project, "rev-parse", "HEAD").strip()
    names = [(commit, "code.py"), (commit, path), (commit, "params.py")]

    contents = git_files(project, names)

    assert [contents[0], contents[1], (contents[2] or b"")[:5]] == [b"import this\n", None, b"DEPTH"]
    assert Revision(project, "HEAD").file(path) is None
