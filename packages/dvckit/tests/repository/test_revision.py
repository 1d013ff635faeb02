import hashlib
import shutil

import pytest

from dvckit.core.errors import UserError
from dvckit.repository.objects import object_path
from dvckit.repository.revision import Revision, resolve
from dvckit.tables.load import TABLES, load
from dvckit.testing import Repository

FEATURES = "data/features/train.parquet"
# the age bands of each version, by which it is told from the others
V1 = {"0-12", "13-17", "18-34", "35-59", "60+"}
HEAD = {"0-19", "20-39", "40+"}
BANDS = {"0-15", "16-39", "40+"}


@pytest.fixture(scope="module")
def _history(_small, tmp_path_factory):
    """Three versions of the features: the tag v1, its child HEAD, and the experiment `bands`, run on v1."""
    root = tmp_path_factory.mktemp("history") / "titanic"
    shutil.copytree(_small.root, root, symlinks=True)
    project = Repository(root)
    project.ok("git", "tag", "v1")
    project.ok("dvc", "exp", "run", "--name", "bands", "--set-param", "features.age_bands=[16,40]", "featurize")
    project.edit("params.yaml", ("16", "20"))
    project.ok("dvc", "repro", "featurize")
    project.commit("other bands")
    return project


@pytest.fixture
def history(_history, tmp_path, monkeypatch):
    """A copy of that project, which is the current folder."""
    shutil.copytree(_history.root, tmp_path / "titanic", symlinks=True)
    monkeypatch.chdir(tmp_path / "titanic")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return Repository(tmp_path / "titanic")


@pytest.fixture
def clone(history, tmp_path, monkeypatch):
    """A clone of it that pulled nothing, which is the current folder. What HEAD has new was never pushed."""
    clone = history.clone(tmp_path / "clone")
    monkeypatch.chdir(clone.root)
    return clone


def read(project, path, rev):
    return Revision(project.root, rev).read(path)


def bands(rev):
    return set(load("features", rev).AgeBand.dropna())


def test_the_workspace_is_what_is_on_disk(history):
    (history.root / FEATURES).write_bytes(b"in the middle of something")

    assert read(history, FEATURES, None) == b"in the middle of something"


@pytest.mark.parametrize(
    ("rev", "expected"),
    [("HEAD", HEAD), ("HEAD~1", V1), ("v1", V1), ("bands", BANDS), (None, HEAD)],
)
def test_a_table_is_read_at_a_commit_a_tag_an_experiment_and_now(history, rev, expected):
    assert bands(rev) == expected


def test_every_table_has_a_name(history):
    tables = {name: load(name, "v1") for name in TABLES}

    assert list(tables) == [
        "raw", "raw/test", "clean", "clean/test", "features", "features/test",
        "processed", "processed/test", "processed/holdout", "submission", "rejected", "predictions",
    ]  # fmt: skip
    assert len(tables["processed"]) + len(tables["processed/holdout"]) == len(tables["clean"])
    assert {str(dtype) for dtype in tables["raw"].dtypes} == {"str"}
    assert list(tables["submission"].dtypes.astype(str)) == ["int64", "int64"]


@pytest.fixture
def workspace(workdir):
    """A project of which there is nothing but the tables that a test writes."""
    for folder in (".dvc", "data/raw", "data/interim"):
        (workdir / folder).mkdir(parents=True)
    return workdir


def test_a_raw_cell_is_the_text_that_is_in_the_file(workspace):
    (workspace / "data/raw/train.csv").write_text("PassengerId,Cabin,Age\n007,NA,\n")

    table = load("raw")

    assert list(table.iloc[0, :2]) == ["007", "NA"]
    assert table.Age.isna().all()


def test_a_raw_row_of_another_length_is_reported(workspace):
    (workspace / "data/raw/train.csv").write_text("PassengerId,Cabin\n007,NA,3\n")

    with pytest.raises(UserError, match=r"data/raw/train\.csv in the workspace is not a table: "):
        load("raw")


def test_what_is_not_a_table_is_reported(workspace):
    (workspace / "data/interim/train.parquet").write_text("PassengerId,Age\n")

    with pytest.raises(
        UserError, match=r"data/interim/train\.parquet cannot be read in the workspace: it is not a table"
    ):
        load("clean")


def test_outputs_that_git_keeps_are_read_from_git(clone):
    v1 = Revision(clone.root, "v1")

    assert hashlib.md5(v1.read("reports/metrics.json")).hexdigest() == v1.md5s["reports/metrics.json"]
    assert "holdout" in v1.json("reports/metrics.json")


def test_a_lock_that_git_does_not_have_yet_is_read(history):
    history.ok("git", "rm", "--quiet", "--cached", "dvc.lock")
    assert FEATURES in Revision(history.root).md5s

    (history.root / "dvc.lock").unlink()

    assert FEATURES not in Revision(history.root).md5s


def test_outputs_of_the_second_pipeline_are_read(clone):
    assert read(clone, "reports/report.html", "v1").startswith(b"<!")


def test_a_committed_file_that_the_lock_does_not_name_is_refused(history):
    history.edit("reports/metrics.json", ("holdout", "hold_out"))
    history.commit("better by hand")

    with pytest.raises(UserError, match=r"reports/metrics\.json at HEAD is not the file that dvc\.lock names"):
        read(history, "reports/metrics.json", "HEAD")


def test_a_clone_that_pulled_nothing_reads_old_revisions_from_their_own_storage(clone):
    """The objects of v1 are in the storage that v1 has, even when the work tree has them no more."""
    shutil.rmtree(clone.root / ".dvc/storage")

    assert bands("v1") == V1
    assert not (clone.root / ".dvc/cache").exists()


def test_a_clone_that_pulled_nothing_reads_its_workspace(clone):
    assert not (clone.root / "data/raw/train.csv").exists()

    assert len(load("raw")) == 891


def test_a_damaged_cache_object_is_skipped(history):
    v1 = Revision(history.root, "v1")
    damaged = object_path(history.root / ".dvc/cache", v1.md5s[FEATURES])
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes()[:100])

    assert hashlib.md5(v1.read(FEATURES)).hexdigest() == v1.md5s[FEATURES]


def test_a_configured_cache_is_used(history, tmp_path):
    (history.root / ".dvc/cache").rename(tmp_path / "cache of all")
    history.ok("dvc", "config", "--local", "cache.dir", str(tmp_path / "cache of all"))

    assert bands("bands") == BANDS


def test_a_missing_object_is_reported(clone):
    with pytest.raises(UserError) as error:
        load("features", "HEAD")

    assert str(error.value) == (
        f"{FEATURES} at HEAD is in none of: the cache, .dvc/storage; run `dvc push` where it was made"
    )


def test_an_object_is_read_from_another_default_remote(history, clone, tmp_path):
    name = Revision(history.root).md5s[FEATURES]
    target = object_path(tmp_path / "remote", name)
    target.parent.mkdir(parents=True)
    shutil.copy(object_path(history.root / ".dvc/cache", name), target)
    clone.ok("dvc", "remote", "add", "--default", "other", str(tmp_path / "remote"))

    assert bands("HEAD") == HEAD
    with pytest.raises(UserError, match=r"\.dvc/storage, remote other; run `dvc push`"):
        load("features/test", "HEAD")


def test_paths_of_a_pipeline_in_a_folder_are_relative_to_the_root(tmp_path):
    Repository(tmp_path).ok("git", "init", "--quiet")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/dvc.yaml").write_text("stages:\n  fit: {wdir: src, cmd: x, outs: [model.txt]}\n")
    (tmp_path / "model/dvc.lock").write_text(
        "schema: '2.0'\nstages:\n  fit:\n    cmd: x\n    deps:\n    - {path: ../list.csv}\n    - {path: s3://far/list.csv}\n"
        f"    outs:\n    - {{path: model.txt, md5: {'a' * 32}}}\n"
    )

    revision = Revision(tmp_path)

    assert [output[:3] for output in revision.outputs] == [("model/dvc.yaml:fit", "model/src/model.txt", "a" * 32)]
    assert [dep["path"] for dep in revision.stages["model/dvc.yaml:fit"]["deps"]] == [
        "model/list.csv",
        "s3://far/list.csv",
    ]


def test_of_two_experiments_with_one_name_the_one_on_head_is_used(history):
    first = resolve(history.root, "bands")
    head = resolve(history.root, "HEAD")
    history.ok("git", "update-ref", f"refs/exps/{'0' * 2}/{'0' * 38}/bands", head)
    with pytest.raises(UserError, match="several experiments bands; name one in full: refs/exps/00/0"):
        resolve(history.root, "bands")

    history.ok("git", "checkout", "--quiet", "v1")

    assert resolve(history.root, "bands") == first


@pytest.mark.parametrize(
    ("rev", "message"),
    [
        ("v2", "there is no revision 'v2'; did you mean v1?"),
        ("band", "there is no revision 'band'; did you mean bands, main?"),
        ("0123456", "there is no revision '0123456'"),
        ("--all", "there is no revision '--all'"),
        ("", "there is no revision ''"),
    ],
)
def test_an_unknown_revision_gives_an_error(history, rev, message):
    with pytest.raises(UserError) as error:
        load("clean", rev)

    assert str(error.value) == message


def test_an_unknown_table_gives_an_error():
    with pytest.raises(UserError, match="there is no table 'clena'; there are raw, raw/test, clean, "):
        load("clena")


def test_an_unknown_output_gives_an_error(history):
    with pytest.raises(UserError, match=r"data/x\.csv is not an output of any stage at v1"):
        read(history, "data/x.csv", "v1")
