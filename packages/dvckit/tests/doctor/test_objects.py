import os
import re
import shutil
from itertools import cycle, product

import pytest

from dvckit.doctor.clone import Clone
from dvckit.doctor.objects import elsewhere, external, objects, outputs
from dvckit.doctor.remotes import committed, default
from dvckit.repository.objects import (
    PART,
    file_md5,
    folder_object,
    is_legacy,
    legacy_md5,
    legacy_path,
    md5_of,
    object_path,
)
from dvckit.repository.revision import Revision

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


def age(project):
    """Bring a project into the form of DVC 2: objects beside files/, whose hashes take CRLF in text for LF."""
    names = {}
    for store in STORES.values():
        for path in sorted((project.root / store).glob("files/md5/??/*")):
            new = legacy_md5(path.read_bytes())
            names[path.parent.name + path.name.removesuffix(".dir")] = new
            target = legacy_path(project.root / store, new + path.suffix)
            target.parent.mkdir(exist_ok=True)
            path.rename(target)
        shutil.rmtree(project.root / store / "files")
    for lock in project.root.rglob("*.lock"):
        text = lock.read_text().replace("      hash: md5\n", "")
        lock.write_text(re.sub(r"(?<=md5: )\w+", lambda match: names.get(match[0], match[0]), text))


def lines(look, project):
    return [str(finding) for finding in look(Clone(project.root))]


def object_of(project, path, store=".dvc/cache"):
    return object_path(project.root / store, Revision(project.root).md5s[path])


@pytest.fixture
def added(toy):
    """A project with a folder of its own under DVC."""
    folder = toy.root / "data/external/mine/deep"
    folder.mkdir(parents=True)
    for name, text in {"b.csv": "2\n", "deep/a.csv": "1\n", "ä.csv": "3\n"}.items():
        (folder.parent / name).write_text(text)
    toy.ok("dvc", "add", "data/external/mine")
    return toy


@pytest.fixture
def old(toy):
    """A project of DVC 2, with the lines of Windows."""
    (toy.root / "source.csv").write_bytes(b"PassengerId\r\n1\r\n3\r\n")
    toy.ok("dvc", "repro", "--all-pipelines")
    toy.ok("dvc", "push")
    age(toy)
    toy.commit("of DVC 2")
    assert toy.ok("dvc", "status", "--quiet") == ""
    return toy


@pytest.mark.parametrize("store", STORES)
def test_every_damaged_object_is_found_and_repaired(toy, store, examined):
    before = toy.outputs()
    every = sorted((toy.root / STORES[store]).glob("files/md5/??/*"))
    for path, (how, mode) in zip(every, cycle(product([truncate, flip], [0o444, 0o644])), strict=False):
        damaged(path, how, mode)

    healthy, before_fix = examined(toy)
    healthy_now, after = examined(toy, fix_first=True)

    assert (healthy, before_fix.count("is damaged")) == (False, len(every))
    assert [path.name for path in every if f"{path.parent.name}{path.name}" not in before_fix] == []
    assert (healthy_now, after.count("is whole again")) == (True, len(every))
    assert len(every) >= 3
    toy.ok("dvc", "repro", "--all-pipelines")
    assert toy.outputs() == before
    assert toy.ok("git", "status", "--porcelain") == ""


def test_dvc_trusts_what_doctor_finds(toy):
    """The reason for it all: plain DVC checks a truncated object out, and says that all is well."""
    damaged(object_of(toy, FEATURES), truncate)
    (toy.root / FEATURES).unlink()

    toy.ok("dvc", "checkout", FEATURES)

    assert toy.ok("dvc", "data", "status").startswith("No changes.")
    assert len(lines(objects, toy)) == 2
    assert lines(outputs, toy) == [f"advice  not what the last run wrote: {FEATURES}; run `dvc repro --all-pipelines`"]


@pytest.mark.parametrize("store", STORES)
def test_a_damaged_object_of_dvc_2_is_found_and_repaired(old, store, examined):
    before, path = old.outputs(), legacy_path(old.root / STORES[store], Revision(old.root).md5s["data/raw/train.csv"])
    every, whole, (_, of_whole) = [*path.parents[1].glob("??/??*")], path.read_bytes(), examined(old)
    damaged(path, flip)

    healthy, before_fix = examined(old)
    healthy_now, after = examined(old, fix_first=True)

    assert f"ok      {store}: {len(every)} objects, each what its name says" in of_whole
    assert (healthy, healthy_now) == (False, True)
    assert f"{store}: the object {path.parent.name}{path.name} (data/raw/train.csv) is damaged; run" in before_fix
    assert f"{store}: the object {path.parent.name}{path.name} (data/raw/train.csv) is whole again" in after
    assert (path.read_bytes(), b"\r\n" in whole) == (whole, True)
    (old.root / "data/raw/train.csv").unlink()
    old.ok("dvc", "checkout")
    assert old.outputs() == before


def test_the_embedded_remote_of_dvc_2_has_what_head_names(old):
    assert lines(committed, old) == []
    gone = legacy_path(old.root / STORES[".dvc/storage"], Revision(old.root).md5s[FEATURES])
    gone.unlink()

    (line,) = lines(committed, old)

    assert line.startswith(f"WRONG   objects of HEAD are gone from .dvc/storage ({FEATURES}), as after")
    old.ok("git", "restore", ".dvc/storage")
    assert lines(committed, old) == []


def test_objects_of_dvc_2_are_pushed(old, fixed):
    legacy_path(old.root / STORES[".dvc/storage"], Revision(old.root).md5s[FEATURES]).unlink()
    old.commit("without the object")

    output = fixed(old)

    assert f"copied to .dvc/storage what it lacked ({FEATURES})" in output
    shutil.rmtree(old.root / ".dvc/cache")
    old.ok("dvc", "pull")
    assert lines(default, old) == ["ok      remote embedded (.dvc/storage) has what the locks name"]


def test_an_object_may_be_text_in_parts(tmp_path):
    """DVC 1 and 2 asked the first bytes of a file alone whether it is text; DVC 3 asks those of each part."""
    content = b"text\r\n".ljust(PART, b"a") + b"\x00 no text\r\n"
    (tmp_path / "object").write_bytes(content)

    of_dvc_3 = file_md5(tmp_path / "object", legacy=True)
    of_dvc_2 = md5_of(content.replace(b"\r\n", b"\n"))

    assert of_dvc_3 == legacy_md5(content) != of_dvc_2
    assert is_legacy(content, of_dvc_3)
    assert is_legacy(content, of_dvc_2)
    assert not is_legacy(content, md5_of(content))


@pytest.mark.parametrize("link", ["copy", "hardlink", "symlink"])
def test_an_object_that_is_intact_nowhere_is_set_aside_and_rebuilt(toy, link, fixed):
    toy.ok("dvc", "config", "--local", "cache.type", link)
    toy.edit("params.yaml", ("18, 35", "20, 35"))
    toy.ok("dvc", "repro", "featurize")
    toy.ok("dvc", "checkout", "--relink", FEATURES)
    before = toy.outputs()
    damaged(object_of(toy, FEATURES), truncate)
    if link == "copy":
        damaged(toy.root / FEATURES, truncate)

    output = fixed(toy)

    assert "is intact nowhere here; moved to .dvc/tmp/damaged/" in output
    assert len(list((toy.root / ".dvc/tmp/damaged").iterdir())) == 1
    assert not os.path.lexists(toy.root / FEATURES)
    toy.ok("dvc", "repro", "featurize")
    assert toy.outputs() == before


def test_links_to_a_damaged_object_are_repaired(toy, fixed):
    toy.ok("dvc", "config", "--local", "cache.type", "hardlink")
    toy.ok("dvc", "checkout", "--relink")
    before = toy.outputs()
    damaged(object_of(toy, FEATURES), flip)

    output = fixed(toy)

    assert f"({FEATURES}) is whole again, and {FEATURES}" in output
    assert toy.outputs() == before


def test_an_edit_through_a_link_to_the_object_is_kept_aside(toy, fixed):
    """A hard link makes of an edit in place a damaged object: what the fix replaces may be nowhere else."""
    toy.ok("dvc", "config", "--local", "cache.type", "hardlink")
    toy.ok("dvc", "checkout", "--relink")
    (toy.root / FEATURES).chmod(0o644)
    (toy.root / FEATURES).write_bytes(b"a day of work")

    output = fixed(toy)

    (aside,) = (toy.root / ".dvc/tmp/damaged").iterdir()
    assert output.endswith(f"what was there is in .dvc/tmp/damaged/{aside.name}")
    assert aside.read_bytes() == b"a day of work"


@pytest.mark.parametrize("where", ["absolute", "above", "through a link", "a link", "added"])
def test_what_is_outside_of_the_repository_is_left_alone(toy, tmp_path, fixed, where):
    """A lock of a stranger's may name any file; one with the bytes of a damaged object looks like a copy of it."""
    victim = tmp_path / "elsewhere/keys.txt"
    victim.parent.mkdir()
    damaged(object_of(toy, FEATURES), truncate)
    victim.write_bytes(before := object_of(toy, FEATURES).read_bytes())
    (toy.root / "link").symlink_to(victim if where == "a link" else victim.parent)
    path = {"absolute": str(victim), "through a link": "link/keys.txt", "a link": "link"}.get(
        where, "../elsewhere/keys.txt"
    )
    md5 = Revision(toy.root).md5s[FEATURES]
    if where == "added":
        (toy.root / "keys.txt.dvc").write_text(f"outs:\n- {{path: {path}, hash: md5, md5: {md5}}}\n")
    else:
        toy.edit(
            "dvc.lock",
            (
                f"path: {FEATURES}\n      hash: md5\n      md5: {md5}",
                f"path: {path}\n      hash: md5\n      md5: {md5}",
            ),
        )

    fixed(toy)

    assert victim.read_bytes() == before
    assert lines(elsewhere, toy) == [f"advice  outside of this repository, so not looked at: {path}"]


def test_an_edited_file_is_not_used_as_a_copy(toy, fixed):
    damaged(object_of(toy, FEATURES), truncate)
    (toy.root / FEATURES).write_bytes(b"mine")

    assert "is whole again" in fixed(toy)

    assert lines(outputs, toy) == [f"advice  not what the last run wrote: {FEATURES}; run `dvc repro --all-pipelines`"]
    assert (toy.root / FEATURES).read_bytes() == b"mine"


def test_the_object_of_a_folder_is_rebuilt_from_the_folder(added, fixed):
    folder = next((added.root / ".dvc/cache").rglob("*.dir"))
    whole = folder.read_bytes()
    assert folder_object(added.root / "data/external/mine") == whole
    damaged(folder, truncate)

    output = fixed(added)

    assert "(data/external/mine) is whole again" in output
    assert folder.read_bytes() == whole


def test_a_member_of_a_folder_is_a_copy_too(added, fixed):
    content = file_md5(added.root / "data/external/mine/b.csv")
    damaged(object_path(added.root / ".dvc/cache", content), truncate)

    output = fixed(added)

    assert f"{content} (data/external/mine/b.csv) is whole again" in output


def test_a_local_remote_is_checked(toy, tmp_path):
    toy.ok("dvc", "remote", "add", "shelf", str(tmp_path / "shelf"))
    toy.ok("dvc", "push", "--remote", "shelf")
    damaged(object_of(toy, FEATURES, tmp_path / "shelf"), flip)

    faults = [line for line in lines(objects, toy) if line.startswith("WRONG")]

    assert len(faults) == 1
    assert faults[0].startswith("WRONG   remote shelf: the object ")


def test_when_time_runs_out_the_rest_is_reported(toy):
    texts = [str(finding) for finding in objects(Clone(toy.root, until=0))]

    assert re.match(r"advice  cache: no time for (\d+) of \1 objects?; --fix takes the time", texts[0])


def test_raw_data_edited_in_place_is_reported_with_a_fix(toy):
    before = toy.outputs()
    (toy.root / "data/raw/train.csv").write_bytes(b"PassengerId\n1\n")

    (line,) = lines(outputs, toy)

    assert line == (
        "WRONG   data/raw/train.csv was edited in place (to bring a table of your own: `dvckit data add`); "
        "run `dvc checkout --force data/raw/train.csv`"
    )
    toy.ok("dvc", "checkout", "--force", "data/raw/train.csv")
    assert toy.outputs() == before


def test_without_a_cache_the_fix_of_raw_data_is_to_pull(toy):
    shutil.rmtree(toy.root / ".dvc/cache")
    before = toy.outputs()
    (toy.root / "data/raw/train.csv").write_bytes(b"PassengerId\n1\n")

    assert lines(outputs, toy)[0].endswith("; run `dvc pull --force data/raw/train.csv`")
    toy.ok("dvc", "pull", "--force", "data/raw/train.csv")
    assert toy.outputs() == before


def test_a_clone_that_pulled_nothing_lacks_its_outputs(toy, tmp_path):
    clone = toy.clone(tmp_path / "clone")

    (line,) = lines(outputs, clone)

    assert line == (
        f"advice  missing outputs: data/raw/train.csv, {FEATURES}, reports/report.html; "
        "run `dvc pull` or `dvc repro --all-pipelines`"
    )


@pytest.mark.parametrize("change", ["edit", "more", "fewer"])
def test_changed_user_data_are_reported_with_both_fixes(added, change):
    assert lines(external, added) == ["ok      data/external/mine: as it was added"]
    folder = added.root / "data/external/mine"
    if change == "fewer":
        (folder / "b.csv").unlink()
    else:
        (folder / ("b.csv" if change == "edit" else "c.csv")).write_text("4\n")

    (line,) = lines(external, added)

    assert line == (
        "WRONG   data/external/mine has changed since it was added (to keep that as a new version: "
        "`dvc add data/external/mine`); run `dvc checkout --force data/external/mine.dvc`"
    )
    added.ok("dvc", "checkout", "--force", "data/external/mine.dvc")
    assert lines(external, added)[0].startswith("ok")
