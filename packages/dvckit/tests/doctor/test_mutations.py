"""Files of git's and DVC's own, each damaged in some way: doctor never crashes, hangs, or says that nothing is wrong."""

import os
import random
import shutil
import subprocess
import time

import pytest

from dvckit.doctor.doctor import doctor
from dvckit.repository.dvc_internals import Repo
from dvckit.testing import Repository

PLACES = (".git", ".dvc", "../site")
SECONDS = 10.0


@pytest.fixture(scope="module")
def _used(tmp_path_factory):
    """A small repository of which everything that git and DVC keep is there: an experiment, a tag, a stash, packed refs."""
    root = tmp_path_factory.mktemp("used") / "project/toy"
    (root / "numbers").mkdir(parents=True)
    used = Repository(root)
    for name in ("a", "b"):
        (used.root / f"numbers/{name}.csv").write_text(f"{name}\n1\n")
    (used.root / "params.yaml").write_text("n: 1\n")
    (used.root / "dvc.yaml").write_text(
        "stages:\n  count: {cmd: cat params.yaml numbers/a.csv > count, deps: [numbers], params: [n], outs: [count]}\n"
        "  copy: {cmd: cp count copied, deps: [count], outs: [copied]}\n"
    )
    for command in (
        "git init --quiet --initial-branch main",
        "dvc init --quiet",
        "dvc add --quiet numbers",
        "dvc repro --quiet",
        "git add --all",
        "git commit --quiet --message one",
        "git tag --annotate --message one v1",
        "git pack-refs --all",
        "dvc exp run --quiet --name other -S n=2",
        "git restore .",
        "dvc checkout --quiet --force",
        "git gc --quiet",
        "git commit --quiet --allow-empty --message two",
        "dvc status --quiet",
    ):
        used.ok(*command.split())
    (used.root / "params.yaml").write_text("n: 3\n")
    used.ok("git", "stash", "--quiet")
    return used


@pytest.fixture
def mutated(_used, tmp_path, monkeypatch):
    """Return a copy, in which one file of git's or DVC's is damaged, by seed; and what was done."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "project/site"))
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, _used.environment[name])

    def mutated(seed):
        shutil.rmtree(tmp_path / "project", ignore_errors=True)
        shutil.copytree(_used.root.parent, tmp_path / "project", symlinks=True)
        project = Repository(tmp_path / "project/toy")
        shutil.rmtree(tmp_path / "project/site")  # it is another one for another path
        repo = Repo(str(project.root))
        repo.status()
        repo.close()
        draw = random.Random(seed)
        place = draw.choice(PLACES)
        files = sorted(
            path for path in (project.root / place).rglob("*") if path.is_file() and path.suffix != ".sample"
        )
        path = draw.choice(files)
        return project, f"{seed}: {damage(path, draw)} {os.path.relpath(path, project.root)}"

    return mutated


def damage(path, draw):
    """Damage a file in one of six ways; return which."""
    how, content = draw.choice(("cut", "zeros", "flip", "gone", "folder", "more")), path.read_bytes()
    path.chmod(0o644)
    at = draw.randrange(len(content) or 1)
    if how in ("gone", "folder"):
        path.unlink()
    if how == "folder":
        path.mkdir()
    changed = {
        "cut": content[:at],
        "zeros": bytes(len(content)),
        "flip": content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :] if content else b"\1",
        "more": content + draw.randbytes(64),
    }
    if how in changed:
        path.write_bytes(changed[how])
    return how


def state_of(folder):
    """What is beside the project and its site cache, which nobody may change."""
    beside = [path for path in folder.rglob("*") if path.is_file() and not {"toy", "site"} & set(path.parts)]
    return {path: path.read_bytes() for path in beside}


def refused(project):
    """What git or DVC itself says against the repository."""
    fsck = subprocess.run(
        ["git", "fsck", "--no-dangling"], cwd=project.root, capture_output=True, text=True, check=False
    )
    if fsck.returncode or "error" in fsck.stderr:
        return f"git: {fsck.stderr}"
    try:
        repo = Repo(str(project.root))
        repo.status()
        repo.close()
    except Exception as error:  # noqa: BLE001 - a broken repository breaks DVC in any way
        return f"DVC: {error!r}"
    return ""


def examine(project, what, *, fix_first):
    lines, started = [], time.monotonic()
    fine = doctor(project.root, lines.append, fix_first=fix_first)
    assert time.monotonic() - started < SECONDS, what
    assert not [line for line in lines if "Traceback" in line], what
    if fine:
        assert refused(project) == "", f"{what}\n" + "\n".join(lines)


def check(mutated, seeds):
    for seed in seeds:
        project, what = mutated(seed)
        beside = state_of(project.root.parents[1])
        examine(project, what, fix_first=False)
        examine(project, what, fix_first=True)
        assert state_of(project.root.parents[1]) == beside, what


def test_a_damaged_store_is_never_called_whole(mutated):
    check(mutated, range(3))


@pytest.mark.parametrize(
    "block", [pytest.param(n, marks=pytest.mark.fuzz if n else pytest.mark.faults) for n in range(20)]
)
def test_many_damaged_stores_are_never_called_whole(mutated, block):
    check(mutated, range(100 + block * 25, 125 + block * 25))
