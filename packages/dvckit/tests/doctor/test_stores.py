"""What git and DVC keep beside the project's files, damaged; and files of the project that are still valid when cut."""

import shutil
import subprocess

import pytest

from dvckit.doctor import environment, git, locks, objects, remotes, stores
from dvckit.doctor.clone import Clone
from dvckit.repository.dvc_internals import Repo, site_cache
from dvckit.repository.objects import object_path
from dvckit.repository.revision import Revision


def wrong(look, project):
    return [finding for finding in look(Clone(project.root)) if finding.level == "WRONG"]


def write(name, content):
    return lambda root: (root / name).write_bytes(content)


def cut(name):
    return lambda root: (root / name).write_bytes((root / name).read_bytes()[:100])


def folder_for(name):
    def change(root):
        (root / name).unlink()
        (root / name).mkdir()

    return change


def file_for_prefix(root):
    prefix = next((root / ".dvc/cache/files/md5").iterdir())
    shutil.rmtree(prefix)
    prefix.write_bytes(b"")


def flipped(name, *command):
    """Let git write one of its indexes, and change a byte in the middle of it."""

    def change(root):
        for words in (["gc", "--quiet"], command):
            subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)
        path = root / ".git/objects" / name
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.chmod(0o644)
        path.write_bytes(content)

    return change


# the check, the damage, what is said, and whether --fix repairs it
CASES = {
    "index cut": (git.store, cut(".git/index"), "git's index cannot be read", True),
    "index gone": (git.store, lambda root: (root / ".git/index").unlink(), "git's index is missing", True),
    "index a folder": (git.store, folder_for(".git/index"), "git's index cannot be read", True),
    "branch empty": (git.store, write(".git/refs/heads/main", b""), "refs/heads/main of git's names nothing", True),
    "tag broken": (git.store, write(".git/refs/tags/v1", b"x\n"), "refs/tags/v1 of git's names nothing", True),
    "packed-refs": (git.store, write(".git/packed-refs", b"garbage\n"), "packed-refs cannot be read", True),
    "alternates": (git.store, write(".git/objects/info/alternates", b"/nowhere\n"), "does not exist", True),
    "commit-graph": (
        git.store,
        flipped("info/commit-graph", "commit-graph", "write", "--reachable"),
        "git's index of commits is damaged",
        True,
    ),
    "multi-pack-index": (
        git.store,
        flipped("pack/multi-pack-index", "multi-pack-index", "write"),
        "git's index of packs is damaged",
        True,
    ),
    "HEAD": (git.store, write(".git/HEAD", b"ref: refs/heads/gone\n"), "HEAD names no commit (refs/heads/gone)", False),
    "shallow": (git.store, write(".git/shallow", b"garbage\n"), "git's store is damaged", False),
    "prefix": (stores.folders, file_for_prefix, "is no folder, which DVC needs there", True),
    "ignored outputs": (stores.project, write(".dvcignore", b"data\n"), "DVC refuses this repository", False),
    "valid and cut": (environment.files, cut("dvc.yaml"), "dvc.yaml is cut off: HEAD has ", False),
    "config.local": (remotes.config, write(".dvc/config.local", b"\0\0"), "(.dvc/config.local)", False),
    "output": (objects.outputs, folder_for("data/raw/train.csv"), "data/raw/train.csv is no file, and was one", False),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_damage_is_said_and_repaired_where_that_is_safe(toy, case):
    look, change, words, repaired = case
    assert wrong(look, toy) == []
    change(toy.root)

    finding = wrong(look, toy)[0]

    assert words in finding.what
    assert finding.command
    assert bool(finding.fix) == repaired
    if repaired:
        finding.fix()
        assert wrong(look, toy) == []


def test_a_damaged_database_is_moved_away(toy):
    Repo(str(toy.root)).close()
    clone = Clone(toy.root)
    database = next(site_cache(toy.root, clone.config).rglob("cache.db"))
    database.write_bytes(b"no database, and long enough to be read as one" * 10)

    (finding,) = wrong(stores.databases, toy)
    finding.fix()

    assert "file is not a database" in finding.what
    assert not database.exists()
    assert wrong(stores.databases, toy) == wrong(stores.project, toy) == []


def test_a_stage_that_dvc_yaml_has_lost_is_named(toy):
    text = (toy.root / "dvc.yaml").read_text()
    (toy.root / "dvc.yaml").write_text(text[: text.index("  evaluate")])

    assert "dvc.yaml lacks evaluate, which dvc.lock and HEAD have" in wrong(locks.pipelines, toy)[0].what


CUT = """
import os, sys
import dvc.cli
import dvc_data.index.collect as module

collect, made = module._collect_from_index, []

def die_at_the_second(*arguments, **options):
    if made:
        os._exit(137)
    made.append(collect(*arguments, **options))

module._collect_from_index = die_at_the_second
dvc.cli.main(sys.argv[1:])
"""


@pytest.mark.parametrize("kind", ["push", "fetch"])
def test_a_list_that_a_kill_has_cut_is_found_and_dropped(toy, kind):
    """DVC keeps what it had listed, and says ever after that everything is up to date."""
    assert toy.run("python", "-c", CUT, kind).code == 137
    lost = [*Revision(toy.root).md5s][-1]
    store = toy.root / (".dvc/storage" if kind == "push" else ".dvc/cache")
    whole = object_path(store, Revision(toy.root).md5s[lost])
    whole.unlink()
    if kind == "fetch":
        (toy.root / lost).unlink()
    assert "Everything is up to date" in toy.ok("dvc", kind)

    result = toy.run("dvckit", "doctor")
    assert result.code == 1
    assert f"WRONG   a kill has cut DVC's list of what to {kind}" in result.output
    toy.run("dvckit", "doctor", "--fix")
    toy.ok("dvc", kind)

    assert whole.exists()
    assert "has cut" not in toy.run("dvckit", "doctor").output
