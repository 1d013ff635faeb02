"""verify runs what DVC runs, in a repository with many kinds of stages, no remote and no packages of its own."""

import pytest

from dvckit import verify as verify_module
from dvckit.core.errors import UserError
from dvckit.repository.revision import Revision
from dvckit.testing import Repository
from dvckit.verify import verify
from packages.dvckit.tests.kinds.builder import HEAD, KINDS, Kind, build, git, out

STAGES = """stages:
  city:
    foreach: [rome, oslo]
    do: {cmd: 'cp ../data/table.csv ${item}.csv', wdir: sub, deps: [../data/table.csv], outs: ['${item}.csv']}
  get: {cmd: exit 1, frozen: true, outs: [far.csv]}
  folder: {cmd: mkdir -p folder && cp far.csv folder/a.csv, deps: [far.csv], outs: [folder: {persist: true, checkpoint: true}]}
  windows: {cmd: "printf 'a\\\\r\\\\nb\\\\r\\\\n' > windows.txt", outs: [windows.txt]}
  tell: {cmd: [echo a, echo b]}
metrics: [scores.json]
"""
LOCK = (
    f"{HEAD}  city@rome:\n    cmd: x\n    outs:\n{out('rome.csv', 'sub/rome.csv')}"
    f"  city@oslo:\n    cmd: x\n    outs:\n{out('oslo.csv', 'sub/oslo.csv')}  get:\n    cmd: exit 1\n    outs:\n{out('far.csv')}"
    f"  folder:\n    cmd: x\n    outs:\n{out('folder')}  windows:\n    cmd: x\n    outs:\n    - {{path: windows.txt, md5: OLD(windows.txt)}}\n"
)
MANY = Kind(
    {
        "dvc.yaml": STAGES,
        "dvc.lock": LOCK,
        "data/table.csv.dvc": "outs:\n- {path: table.csv, hash: md5, md5: MD5(data/table.csv)}\n",
        "scores.json": "{}",
        "sub/.gitkeep": "",
        "low/dvc.yaml": "stages:\n  score: {cmd: echo 1 > ../scores.json, outs: [../scores.json: {cache: false}]}\n",
        "low/dvc.lock": f"{HEAD}  score:\n    cmd: x\n    outs:\n    - {{path: ../scores.json, hash: md5, md5: {'b026324c6904b2a9cb4b88d6d61c81d1'}}}\n",
    },
    {
        "data/table.csv": "a\n1\n",
        "sub/rome.csv": "a\n1\n",
        "sub/oslo.csv": "a\n1\n",
        "far.csv": "b\n2\n",
        "folder/a.csv": "b\n2\n",
        "windows.txt": "a\r\nb\r\n",
    },
    (),
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The repository, whose metrics were edited by hand, as lines about it say."""
    root = build(MANY, tmp_path / "top")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", Repository(root).environment["DVC_SITE_CACHE_DIR"])
    return root


@pytest.mark.faults
def test_many_kinds_of_stages_are_reproduced(project):
    lines = []

    holds = verify(project, lines.append)

    assert not holds  # by scores.json alone
    assert f"from the cache of {project}, as there is no default remote: data/table.csv.dvc, get" in lines
    assert [line for line in lines if line.startswith("EDITED")] == [
        "EDITED     scores.json: not the file that dvc.lock names; run `dvc repro -P` and commit both"
    ]
    assert "folder has a checkpoint, of which DVC 3 takes no notice: such a stage may wait for ever" in lines
    assert "frozen     get: it does not run, and its outputs are as they were" in lines
    assert sorted(line for line in lines if line.startswith("same")) == [
        "same       city@oslo (1 file)",
        "same       city@rome (1 file)",
        "same       folder (1 file)",
        "same       low/dvc.yaml:score (1 file)",
        "same       tell (0 files)",
        "same       windows (1 file)",
    ]
    assert not any(line.startswith("DIFFERENT") for line in lines)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("an empty project", r"^HEAD has no dvc\.yaml with stages: there is nothing to reproduce$"),
        ("a lock of DVC 1", r"^DVC 3 refuses dvc\.lock, of DVC 1; run `dvckit doctor --fix` and commit it$"),
        ("stages of DVC 0", r"^DVC 3 refuses steps/make\.dvc, steps/tell\.dvc, of DVC 0; run `dvckit doctor`"),
        ("no run yet", r"^HEAD has no dvc\.lock that promises an output; run `dvc repro -P` and commit it$"),
    ],
)
def test_what_cannot_be_verified_is_said(kind, message, tmp_path):
    root = build(KINDS[kind], tmp_path / "top")

    with pytest.raises(UserError, match=message):
        verify(root, print)


@pytest.mark.faults
def test_a_source_that_is_nowhere_is_named(project):
    git(project, "clean", "-qfdx", ".dvc/cache")

    with pytest.raises(UserError, match=r"^data/table\.csv, far\.csv: no remote that DVC can read has it"):
        verify(project, print)


@pytest.mark.parametrize("source", [True, False])
def test_a_remote_that_cannot_be_used_is_not_waited_for(source, tmp_path, monkeypatch):
    """DVC would open a browser, or ask a server that is not there for minutes."""
    root = build(KINDS["data of dvc add" if source else "one stage"], tmp_path / "top")
    asked = []
    remote = "[core]\nremote = far\n['remote \"far\"']\nurl = ssh://far/place\nkeyfile = gone\n"
    (root / ".dvc/config").write_text(remote)
    monkeypatch.setattr(verify_module, "dvc", lambda _, *arguments: asked.append(arguments[0]) or "")
    says = []
    revision = Revision(root)

    if source:
        with pytest.raises(UserError, match=r"^data/table\.csv\.dvc cannot be pulled: remote far: "):
            verify_module._pull(root, revision, [], says.append)
    else:
        verify_module._pull(root, revision, [], says.append)
        assert says[0].startswith("not asked whether the default remote has every output: remote far: ")
    assert asked == []


def test_stages_see_the_environment_of_the_user(tmp_path):
    project = Repository(build(KINDS["an empty project"], tmp_path / "top"))
    stage = "stages:\n  threads: {cmd: 'echo $OMP_NUM_THREADS $OPENBLAS_CORETYPE > threads.txt', outs: [threads.txt]}\n"
    (project.root / "dvc.yaml").write_text(stage)
    project.ok("dvc", "repro", OMP_NUM_THREADS="7")
    project.commit("seven")

    assert "same       threads" in project.ok("dvckit", "verify", OMP_NUM_THREADS="7")


@pytest.mark.parametrize("where", ["absolute", "above", "through a link"])
def test_nothing_outside_of_the_clone_is_removed(tmp_path, where):
    victim = tmp_path / "elsewhere/keys.txt"
    victim.parent.mkdir()
    victim.write_text("mine")
    path = {"absolute": str(victim), "above": "../" * 9 + str(victim).lstrip("/"), "through a link": "link/keys.txt"}[
        where
    ]
    lock = f"{HEAD}  make:\n    cmd: x\n    outs:\n    - {{path: {path}, hash: md5, md5: {'a' * 32}}}\n"
    root = build(
        Kind({"dvc.yaml": "stages:\n  make: {cmd: 'true', outs: [a.txt]}\n", "dvc.lock": lock}, {}, ()),
        tmp_path / "top",
    )
    (root / "link").symlink_to(victim.parent)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "a link")
    says = []

    verify_module._remove_committed(Revision(root), [], says.append)

    assert victim.read_text() == "mine"
    assert says == [
        f"{Revision(root).outputs[0].path} is outside of the repository: it stays as it is, and is not compared"
    ]
