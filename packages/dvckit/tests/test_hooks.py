import os
import shutil

import pytest

from dvckit.core.errors import UserError
from dvckit.doctor.clone import Clone
from dvckit.doctor.environment import hooks as findings
from dvckit.doctor.remotes import committed
from dvckit.hooks import NAMES, install, run_hook
from dvckit.repository.objects import object_path
from dvckit.testing import Repository


@pytest.fixture
def project(tmp_path):
    """A git repository with the mark of a DVC project, for hooks that are not run."""
    project = Repository(tmp_path / "project")
    (project.root / ".dvc").mkdir(parents=True)
    (project.root / ".dvc/config").touch()
    project.ok("git", "init", "--quiet", "--initial-branch", "main")
    project.commit("first")
    return project


def installed(folder):
    return {name for name in NAMES if (folder / name).is_file() and "by `dvckit hooks`" in (folder / name).read_text()}


def test_each_hook_is_installed_once_and_for_all_and_doctor_sees_it(project):
    before = findings(Clone(project.root))[0]
    install(project.root)
    install(project.root)

    assert installed(project.root / ".git/hooks") == set(NAMES)
    assert os.access(project.root / ".git/hooks/pre-push", os.X_OK)
    assert (before.level, before.command) == ("advice", "dvckit hooks")
    assert findings(Clone(project.root))[0].level == "ok"
    assert "merge-lock %O %A %B %P" in project.ok("git", "config", "merge.dvc-lock.driver")


def test_a_worktree_and_a_submodule_have_theirs_where_git_looks(project, tmp_path):
    project.ok("git", "worktree", "add", "--quiet", "../side")
    outer = Repository(tmp_path / "outer")
    outer.root.mkdir()
    outer.ok("git", "init", "--quiet")
    outer.ok("git", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(project.root), "inner")

    install(tmp_path / "side")
    install(outer.root / "inner")

    assert installed(project.root / ".git/hooks") == set(NAMES)
    assert installed(outer.root / ".git/modules/inner/hooks") == set(NAMES)


def test_somebody_elses_hook_stays_and_the_others_are_installed(project):
    theirs = project.root / ".git/hooks/pre-commit"
    theirs.write_text("#!/bin/sh\nmake lint\n")

    with pytest.raises(UserError, match=r'add a line to pre-commit: \(cd \. && dvckit git-hook pre-commit "\$@"\)$'):
        install(project.root)

    assert theirs.read_text() == "#!/bin/sh\nmake lint\n"
    assert installed(project.root / ".git/hooks") == {"post-checkout", "pre-push"}
    theirs.write_text('#!/bin/sh\nmake lint && uv run dvckit git-hook pre-commit "$@"\n')
    install(project.root)


def test_another_project_of_a_monorepo_keeps_its_hooks(project):
    (project.root / "teams/über uns").mkdir(parents=True)
    install(project.root)

    with pytest.raises(UserError, match=r"to pre-push: \(cd 'teams/über uns/' && dvckit git-hook pre-push "):
        install(project.root / "teams/über uns")

    assert "\ncd . " in (project.root / ".git/hooks/pre-push").read_text()


def test_hooks_of_dvc_are_replaced(toy):
    toy.ok("dvc", "install")
    assert findings(Clone(toy.root))[0].command == "dvckit hooks"

    install(toy.root)

    assert installed(toy.root / ".git/hooks") == set(NAMES)


def test_a_folder_of_hooks_for_all_repositories_is_left_alone(project, tmp_path):
    project.ok("git", "config", "core.hooksPath", str(tmp_path / "hooks"))

    with pytest.raises(UserError, match=f"{tmp_path}/hooks has hooks of yours, or is shared"):
        install(project.root)

    assert not (tmp_path / "hooks").exists()
    assert installed(project.root / ".git/hooks") == set()


def test_a_hook_lets_git_work_where_neither_dvc_nor_dvckit_is(project):
    install(project.root)
    hook = project.root / ".git/hooks/pre-commit"
    hook.write_text(hook.read_text().replace(str(shutil.which("dvckit", path=project.environment["PATH"])), "/gone"))
    (project.root / "file").touch()
    project.ok("git", "add", "file")

    output = project.ok("git", "commit", "--message", "outside", PATH="/usr/bin:/bin")

    assert "pre-commit: dvckit is not installed here, and DVC not asked" in output


@pytest.fixture
def ahead(toy):
    """The toy project with a run that is committed, and whose objects are pushed after that."""
    toy.edit("params.yaml", ("18, 35", "20, 35"))
    toy.ok("dvc", "repro", "--quiet", "--all-pipelines")
    toy.commit("other bands")
    toy.ok("dvc", "push", "--quiet")
    return toy


def test_a_push_that_others_could_not_pull_is_refused(ahead):
    commit = ahead.ok("git", "rev-parse", "HEAD").strip()
    refs = f"refs/heads/main {commit} refs/heads/main {'0' * 40}\n(delete) {'0' * 40} refs/heads/x {commit}\n"

    with pytest.raises(UserError, match=f"nothing was pushed: {commit[:7]} names data/features/train.parquet, "):
        run_hook(ahead.root, "pre-push", ["origin", "url"], refs)

    ahead.commit("its objects")
    commit = ahead.ok("git", "rev-parse", "HEAD").strip()
    assert run_hook(ahead.root, "pre-push", ["origin", "url"], f"refs/heads/main {commit} refs/heads/main 0\n") == 0


def test_doctor_names_objects_of_head_that_no_commit_has(ahead):
    (local,) = committed(Clone(ahead.root))
    ahead.ok("git", "update-ref", "refs/remotes/origin/main", "HEAD")
    (shared,) = committed(Clone(ahead.root))

    assert (local.level, shared.level) == ("advice", "WRONG")
    assert shared.what.startswith("HEAD names data/features/train.parquet, and git has no such objects")
    ahead.commit("its objects")
    assert [*committed(Clone(ahead.root))] == []


def test_doctor_restores_objects_of_head_that_dvc_gc_has_removed(toy):
    features = next(output for output in Clone(toy.root).outputs if output.path == "data/features/train.parquet")
    gone = object_path(toy.root / ".dvc/storage", features.md5)
    content = gone.read_bytes()
    gone.unlink()

    (finding,) = committed(Clone(toy.root))

    assert (finding.level, finding.command) == ("WRONG", "git restore .dvc/storage")
    assert finding.fix() == "1 object of HEAD is in .dvc/storage again"
    assert gone.read_bytes() == content
    assert [*committed(Clone(toy.root))] == []


@pytest.mark.faults
def test_git_push_is_refused_until_the_objects_are_committed(ahead, tmp_path):
    ahead.ok("git", "init", "--quiet", "--bare", str(tmp_path / "origin"))
    ahead.ok("git", "remote", "add", "origin", str(tmp_path / "origin"))
    ahead.ok("dvckit", "hooks")
    outside = {"PATH": "/usr/bin:/bin"}  # dvc is not on it

    refused = ahead.run("git", "push", "origin", "main", **outside)
    ahead.ok("git", "add", ".dvc/storage", **outside)
    ahead.ok("git", "commit", "--message", "objects", **outside)
    ahead.ok("git", "push", "origin", "main", **outside)

    assert refused.code != 0
    assert "nothing was pushed" in refused.output
    clone = Repository(tmp_path / "colleague")
    ahead.ok("git", "clone", "--quiet", str(tmp_path / "origin"), str(clone.root), "--branch", "main")
    clone.ok("dvc", "pull")


@pytest.mark.faults
def test_verify_in_a_hook_leaves_the_commit_and_the_index_alone(toy):
    hook = toy.root / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\ndvckit verify\n")
    hook.chmod(0o755)
    (toy.root / "notes.txt").write_text("mine")
    toy.ok("git", "add", "notes.txt")

    output = toy.ok("git", "commit", "--message", "notes")

    assert "same       ingest" in output
    assert toy.ok("git", "show", "--name-only", "--format=").split() == ["notes.txt"]
    assert toy.ok("git", "status", "--porcelain") == ""
