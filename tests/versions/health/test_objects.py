import os
import re
import shutil
from itertools import cycle, product

import pytest

from titanic.versions.health.clone import Clone, listing, md5_of, object_in
from titanic.versions.health.objects import external, objects, outputs
from titanic.versions.repository import locked_outputs

STORES = {"cache": ".dvc/cache", ".dvc/storage": ".dvc/storage"}
FEATURES = "data/features/train.parquet"


def truncate(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flip(path):
    """Turn one bit over, and leave the time as it was."""
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    times = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def damaged(path, how, mode=0o444):
    path.chmod(0o644)
    how(path)
    path.chmod(mode)


def lines(look, project):
    return [str(finding) for finding in look(Clone(project.root))]


def object_of(project, path, store=".dvc/cache"):
    md5 = next(output.md5 for output in locked_outputs(project.root) if output.path == path)
    return object_in(project.root / store, md5)


@pytest.fixture
def added(small):
    """A project with a folder of its own under DVC."""
    folder = small.root / "data/external/mine/deep"
    folder.mkdir(parents=True)
    for name, text in {"b.csv": "2\n", "deep/a.csv": "1\n", "ä.csv": "3\n"}.items():
        (folder.parent / name).write_text(text)
    small.ok("dvc", "add", "data/external/mine")
    return small


@pytest.mark.parametrize("store", STORES)
def test_every_damaged_object_is_found_and_made_whole(small, store):
    before = small.outputs()
    every = sorted((small.root / STORES[store]).glob("files/md5/??/*"))
    for path, (how, mode) in zip(every, cycle(product([truncate, flip], [0o444, 0o644])), strict=False):
        damaged(path, how, mode)

    found = small.run("titanic", "doctor")
    fixed = small.run("titanic", "doctor", "--fix")

    assert (found.code, found.said.count("is damaged")) == (1, len(every))
    assert [path.name for path in every if f"{path.parent.name}{path.name}" not in found.said] == []
    assert (fixed.code, fixed.said.count("is whole again")) == (0, len(every))
    assert len(every) >= 17
    small.ok("dvc", "repro", "--all-pipelines")
    assert small.outputs() == before
    assert small.ok("git", "status", "--porcelain") == ""


def test_dvc_trusts_what_doctor_finds(small):
    """The reason for it all: plain DVC checks a truncated object out, and says that all is well."""
    damaged(object_of(small, FEATURES), truncate)
    (small.root / FEATURES).unlink()

    small.ok("dvc", "checkout", FEATURES)

    assert small.ok("dvc", "data", "status").startswith("No changes.")
    assert len(lines(objects, small)) == 2
    assert lines(outputs, small) == [f"advice  not what the last run made: {FEATURES}; run `dvc repro --all-pipelines`"]


@pytest.mark.parametrize("link", ["copy", "hardlink", "symlink"])
def test_what_is_intact_nowhere_is_put_aside_and_made_again(small, link):
    small.ok("dvc", "config", "--local", "cache.type", link)
    small.edit("params.yaml", ("18, 35", "20, 35"))
    small.ok("dvc", "repro", "featurize")
    small.ok("dvc", "checkout", "--relink", FEATURES)
    before = small.outputs()
    damaged(object_of(small, FEATURES), truncate)
    if link == "copy":
        damaged(small.root / FEATURES, truncate)

    fixed = small.run("titanic", "doctor", "--fix")

    assert fixed.code == 0, fixed.said
    assert "is intact nowhere here; moved to .dvc/tmp/damaged/" in fixed.said
    assert len(list((small.root / ".dvc/tmp/damaged").iterdir())) == 1
    assert not os.path.lexists(small.root / FEATURES)
    small.ok("dvc", "repro", "featurize")
    assert small.outputs() == before


def test_links_to_a_damaged_object_are_made_whole(small):
    small.ok("dvc", "config", "--local", "cache.type", "hardlink")
    small.ok("dvc", "checkout", "--relink")
    before = small.outputs()
    damaged(object_of(small, FEATURES), flip)

    said = small.ok("titanic", "doctor", "--fix")

    assert f"({FEATURES}) is whole again, and {FEATURES}\n" in said
    assert small.outputs() == before


def test_what_was_edited_is_not_taken_for_a_copy(small):
    damaged(object_of(small, FEATURES), truncate)
    (small.root / FEATURES).write_bytes(b"mine")

    said = small.ok("titanic", "doctor", "--fix")

    assert f"not what the last run made: {FEATURES}" in said
    assert (small.root / FEATURES).read_bytes() == b"mine"


def test_the_object_of_a_folder_is_made_again_from_the_folder(added):
    folder = next((added.root / ".dvc/cache").rglob("*.dir"))
    whole = folder.read_bytes()
    assert listing(added.root / "data/external/mine") == whole
    damaged(folder, truncate)

    said = added.ok("titanic", "doctor", "--fix")

    assert "(data/external/mine) is whole again" in said
    assert folder.read_bytes() == whole


def test_a_member_of_a_folder_is_a_copy_too(added):
    content = md5_of(added.root / "data/external/mine/b.csv")
    damaged(object_in(added.root / ".dvc/cache", content), truncate)

    said = added.ok("titanic", "doctor", "--fix")

    assert f"{content} is whole again" in said


def test_a_local_remote_is_looked_into(small, tmp_path):
    small.ok("dvc", "remote", "add", "shelf", str(tmp_path / "shelf"))
    small.ok("dvc", "push", "--remote", "shelf")
    damaged(object_of(small, FEATURES, tmp_path / "shelf"), flip)

    found = [line for line in lines(objects, small) if line.startswith("WRONG")]

    assert len(found) == 1
    assert found[0].startswith("WRONG   remote shelf: the object ")


def test_where_time_runs_out_the_rest_is_told(small):
    found = [str(finding) for finding in objects(Clone(small.root, until=0))]

    assert re.match(r"advice  cache: there was no time for (\d+) of \1 objects; --fix takes all the time", found[0])


def test_raw_data_edited_in_place_is_told_with_its_cure(small):
    before = small.outputs()
    (small.root / "data/raw/train.csv").write_bytes(b"PassengerId\n1\n")

    (found,) = lines(outputs, small)

    assert found == (
        "WRONG   data/raw/train.csv was edited in place (a list of your own: `titanic data add`); "
        "run `dvc checkout --force data/raw/train.csv`"
    )
    small.ok("dvc", "checkout", "--force", "data/raw/train.csv")
    assert small.outputs() == before


def test_without_a_cache_the_cure_of_raw_data_is_to_pull(small):
    shutil.rmtree(small.root / ".dvc/cache")
    before = small.outputs()
    (small.root / "data/raw/train.csv").write_bytes(b"PassengerId\n1\n")

    assert lines(outputs, small)[0].endswith("; run `dvc pull --force data/raw/train.csv`")
    small.ok("dvc", "pull", "--force", "data/raw/train.csv")
    assert small.outputs() == before


def test_a_clone_that_pulled_nothing_lacks_its_outputs(small, tmp_path):
    clone = small.clone(tmp_path / "clone")

    (found,) = lines(outputs, clone)

    assert found.startswith("advice  outputs that are not there: data/raw/gender_submission.csv, ")
    assert found.endswith(" more; run `dvc pull` or `dvc repro --all-pipelines`")


@pytest.mark.parametrize("change", ["edit", "more", "fewer"])
def test_changed_data_of_the_user_are_told_with_both_cures(added, change):
    assert lines(external, added) == ["ok      data/external/mine: as it was added"]
    folder = added.root / "data/external/mine"
    if change == "fewer":
        (folder / "b.csv").unlink()
    else:
        (folder / ("b.csv" if change == "edit" else "c.csv")).write_text("4\n")

    (found,) = lines(external, added)

    assert found == (
        "WRONG   data/external/mine was changed since it was added (to keep that as a new version: "
        "`dvc add data/external/mine`); run `dvc checkout --force data/external/mine.dvc`"
    )
    added.ok("dvc", "checkout", "--force", "data/external/mine.dvc")
    assert lines(external, added)[0].startswith("ok")
