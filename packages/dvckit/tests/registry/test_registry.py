import json
import resource
import shutil

import pandas as pd
import pytest

from dvckit.core.errors import UserError
from dvckit.doctor.clone import WRONG, Clone
from dvckit.doctor.locks import of_git
from dvckit.registry.facts import differing, facts, print_facts
from dvckit.registry.registry import models, promote, register
from dvckit.registry.tags import model_version, tag_version, versioning, versions
from dvckit.repository.programs import git
from dvckit.repository.revision import Revision


@pytest.fixture(autouse=True)
def _identity(monkeypatch, tmp_path):
    """What the commands see that a test calls as functions."""
    for kind in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{kind}_NAME", "tester")
        monkeypatch.setenv(f"GIT_{kind}_EMAIL", "tester@localhost")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))


@pytest.fixture(scope="module")
def _history(_small, tmp_path_factory):
    """HEAD~2: a forest; HEAD~1: the rule women and girls live; HEAD: a forest with trees that are a level less deep."""
    root = tmp_path_factory.mktemp("history") / "titanic"
    shutil.copytree(_small.root, root, symlinks=True)
    project = type(_small)(root)
    for message, *changes in (
        ("baseline", ("pipeline: random_forest", "pipeline: baseline")),
        ("depth 9", ("pipeline: baseline", "pipeline: random_forest"), ("max_depth: 10", "max_depth: 9")),
    ):
        project.edit("params.yaml", *changes)
        project.ok("dvc", "repro", "--all-pipelines")
        project.ok("dvc", "push")
        project.commit(message)
    return project


@pytest.fixture
def history(_history, tmp_path):
    """A copy of that project."""
    shutil.copytree(_history.root, tmp_path / "titanic", symlinks=True)
    return type(_history)(tmp_path / "titanic")


def facts_of(project, selector):
    return facts(model_version(project.root, selector))


def test_a_commit_is_registered_listed_and_shown(history):
    assert history.ok("dvckit", "models", "list").startswith("no version yet; register one with")

    history.ok("dvckit", "models", "register", "--rev", "HEAD~1")
    output = history.ok("dvckit", "models", "register", "--bump", "patch")

    assert output == "survival@v1.0.1\nShare it with: git push origin 'survival@v1.0.1'\n"
    lines = history.ok("dvckit", "models", "list").splitlines()
    assert lines[0].split() == ["version", "stages", "registered", "by", "accuracy", "roc_auc"]
    assert [line.split()[0] for line in lines[1:]] == ["v1.0.1", "v1.0.0"]
    newest = json.loads(history.ok("dvckit", "models", "list", "--json"))[0]
    holdout = json.loads((history.root / "reports/metrics.json").read_text())["holdout"]
    assert (newest["accuracy"], newest["roc_auc"]) == (holdout["accuracy"], holdout["roc_auc"])
    assert lines[1].split()[1:] == [newest["when"], "tester", f"{holdout['accuracy']:.4f}", f"{holdout['roc_auc']:.4f}"]
    assert (newest["author"], newest["message"]) == ("tester", "depth 9")
    assert "train.max_depth" in history.ok("dvckit", "models", "show", "v1.0.1")


def test_two_hundred_versions_are_listed_within_a_second(tiny):
    """Of the processor's time: other tests run beside this one."""
    project = tiny()
    commit = project.ok("git", "rev-parse", "HEAD").strip()
    tags = [
        f"tag grades@v2.{n}.0\nfrom {commit}\ntagger a <a@localhost> {1_800_000_000 + n} +0000\ndata 4\nmade\n"
        for n in range(200)
    ]
    (project.root / "tags").write_text("".join(tags))
    project.ok("sh", "-c", "git fast-import --quiet < tags")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)

    output = project.ok("dvckit", "models", "list")

    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert len(output.splitlines()) == 202
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 1


def test_uncommitted_changes_to_the_pipeline_are_refused_and_others_are_not(small):
    small.edit("README.md", ("# titanic", "# Titanic"))
    small.edit("titanic/features.py", ('"""', '"""Changed. '))
    (small.root / "notes.txt").write_text("mine")

    with pytest.raises(
        UserError, match=r"a version is a commit, and titanic/features\.py differ from HEAD; commit them"
    ):
        register(small.root, None, "minor")
    small.ok("git", "checkout", "titanic/features.py")

    assert register(small.root, None, "minor") == "survival@v1.0.0"


def test_code_that_was_committed_without_a_run_is_refused(small):
    small.edit("titanic/features.py", ('"""', '"""Changed. '))
    small.edit("params.yaml", ("n_estimators: 5", "n_estimators: 6"))
    small.edit("reports/metrics.json", ("holdout", "hold_out"))
    small.commit("without a run")

    with pytest.raises(
        UserError, match=r"not made from what is committed there: reports/metrics\.json, titanic/features"
    ):
        register(small.root, None, "minor")
    assert differing(Revision(small.root, "HEAD"))[-1] == "train.n_estimators"
    assert differing(Revision(small.root, "HEAD~1")) == []


def test_what_a_run_has_read_and_nobody_has_committed_is_refused(small):
    for name in ("train", "test"):
        shutil.copy(small.root / f"data/raw/{name}.csv", small.root / "data/external/titanic")
    small.edit("params.yaml", ("source: synthetic", "source: files"))
    small.ok("dvc", "repro", "--all-pipelines")
    small.ok("git", "rm", "--quiet", "--cached", "titanic/features.py")
    small.ok("git", "commit", "--quiet", "--all", "--message", "the list is ignored by git, the module forgotten")

    with pytest.raises(UserError, match=r"not made from .*: data/external/titanic, titanic/features\.py; run"):
        register(small.root, "main", "minor")


def test_an_experiment_that_was_applied_lacks_the_report(small):
    """The cause is named, not every file that it has changed."""
    small.edit("params.yaml", ("max_depth: 10", "max_depth: 9"))
    small.ok("dvc", "repro")
    small.ok("dvc", "push")
    small.commit("as after dvc exp apply")

    with pytest.raises(UserError) as error:
        register(small.root, None, "patch")

    assert str(error.value) == (
        "reports/dvc.yaml:diagnose, reports/dvc.yaml:report at HEAD ran before what they read was made, as after "
        "`dvc exp apply`; run `dvc repro -P` and commit what it makes"
    )


def test_a_lock_without_the_model_is_refused(tiny):
    project = tiny()
    project.ok("git", "rm", "--quiet", "dvc.lock")
    project.commit("no run")

    with pytest.raises(UserError, match=r"no dvc\.lock at HEAD names .*fitted/model\.skops.*; run `dvc repro -P`"):
        register(project.root, None, "minor")


def test_a_project_that_names_no_model_is_refused(tiny):
    project = tiny()
    project.edit("dvc.yaml", ("    type: model\n", "    type: other\n"))
    project.commit("another type")

    with pytest.raises(UserError, match=r"no dvc\.yaml at HEAD names a model; add `artifacts"):
        register(project.root, None, "minor")


def test_objects_that_did_not_reach_the_commit_are_refused(small):
    """Pushed to the embedded remote, but not committed with it: no clone would ever get them."""
    small.ok("git", "rm", "--quiet", "--cached", "-r", ".dvc/storage")
    small.ok("git", "commit", "--quiet", "--message", "no storage")

    with pytest.raises(
        UserError, match=r"default remote embedded does not have .*model\.skops.* of HEAD; run `dvc push` \(and"
    ):
        register(small.root, None, "minor")
    assert small.ok("git", "tag") == ""


@pytest.mark.parametrize("url", ["../remote", "absolute"])
def test_a_real_remote_in_the_local_config_is_asked_too(small, tmp_path, url):
    url = str(tmp_path / "remote") if url == "absolute" else url
    small.ok("dvc", "remote", "add", "--local", "--default", "real", url)
    (tmp_path / "remote").mkdir()
    with pytest.raises(UserError, match=r"default remote real does not have .*data/models/model\.skops"):
        register(small.root, None, "minor")

    small.ok("dvc", "push")

    assert register(small.root, None, "minor") == "survival@v1.0.0"


def test_what_is_registered_or_unknown_is_refused(small):
    register(small.root, None, "minor")

    with pytest.raises(UserError, match=r"HEAD is registered already: survival@v1\.0\.0"):
        register(small.root, None, "major")
    with pytest.raises(UserError, match="there is no revision 'mian'; did you mean main"):
        register(small.root, "mian", "minor")


def test_a_clone_that_pulled_nothing_can_show_all_facts(history, tmp_path):
    register(history.root, "HEAD", "minor")
    clone = history.clone(tmp_path / "clone")
    clone.ok("git", "remote", "set-url", "origin", "https://me:secret@example.org/titanic.git")

    details = json.loads(clone.ok("dvckit", "models", "show", "v1.0.0", "--json"))

    assert not (clone.root / ".dvc/cache").exists()
    head = history.ok("git", "rev-parse", "HEAD").strip()
    assert details["code"] == {
        "commit": head, "repository": "https://example.org/titanic.git", "clean": True, "differing": [],
    }  # fmt: skip
    assert details["registered"]["by"] == "tester"
    assert details["parameters"]["train.max_depth"] == 9
    assert details["data"]["source"]["seed"] == 1912
    for file in details["data"]["files"]:
        read = pd.read_csv if file["path"].endswith(".csv") else pd.read_parquet
        assert file["rows"] in {None, len(read(history.root / file["path"]))}
        assert (history.root / file["path"]).stat().st_size == file["size"]
    assert len([file for file in details["data"]["files"] if file["rows"]]) == 5
    assert details["metrics"] == json.loads((history.root / "reports/metrics.json").read_text())
    assert details["intervals"]["holdout"]["accuracy"]["low"] < details["metrics"]["holdout"]["accuracy"]
    train = details["pipeline"]["train"]
    assert set(train["outputs"]) == {"data/models/model.skops", "data/models/model.json"}
    assert train["inputs"]["data/processed/train.parquet"] in {file["md5"] for file in details["data"]["files"]}
    assert details["packages"]["all"]["scikit-learn"] == details["packages"]["main"]["scikit-learn"]
    assert "reports/dvc.yaml:diagnose" in details["pipeline"]


def test_a_reader_is_shown_whole_hashes_and_paths(tiny, capsys):
    facts = facts_of(tiny(), "v1.0.0")

    print_facts(facts)

    shown = capsys.readouterr().out
    for value in (facts["model"]["sha256"], facts["code"]["commit"], *(file["md5"] for file in facts["data"]["files"])):
        assert value in shown
    assert all(path in shown for stage in facts["pipeline"].values() for path in stage["inputs"])


def test_packages_are_those_that_the_project_runs_with(source):
    packages = Revision(source).packages.needed()

    assert {"dvc", "dvc-gdrive", "pydrive2", "scikit-learn", "cryptography"} <= set(packages)
    assert not {"pytest", "moto", "dvc-s3", "kaggle", "titanic", "dvckit"} & set(packages)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://user:token@example.org/a/b.git", "https://example.org/a/b.git"),
        ("ssh://git:secret@example.org:22/a/b.git", "ssh://git@example.org:22/a/b.git"),
        ("git@example.org:a/b.git", "git@example.org:a/b.git"),
        ("/home/me/a", None),
        ("file:///home/me/a", None),
    ],
)
def test_a_repository_is_named_without_secrets_and_places_on_this_machine(tmp_path, url, expected):
    git(tmp_path, "init", "--quiet")
    assert Revision(tmp_path).repository is None

    git(tmp_path, "remote", "add", "origin", url)

    assert Revision(tmp_path).repository == expected


def test_a_version_that_was_tagged_without_results_is_named_incomplete(tiny):
    project = tiny()
    project.ok("git", "rm", "--quiet", "reports/evaluation.json")
    project.commit("less")
    project.ok("git", "tag", "-a", "-m", "by hand", "grades@v3.0.0")

    with pytest.raises(UserError, match=r"grades@v3\.0\.0 is incomplete: its commit has no reports/evaluation\.json"):
        facts_of(project, "v3.0.0")
    assert models(project.root)[0][0].version == "v3.0.0"


def test_only_a_better_or_an_accepted_equal_version_gets_a_stage(history, tmp_path):
    """All in a clone that pulled nothing."""
    forest, rule, other = (register(history.root, rev, "minor") for rev in ("HEAD~2", "HEAD~1", "HEAD"))
    clone = history.clone(tmp_path / "clone")
    assert promote(clone.root, rule, "prod", accept_equal=False) == "survival#prod#1"

    assert clone.ok("dvckit", "models", "promote", forest, "--to", "prod").startswith(
        "survival#prod#2\nShare it with: "
    )
    with pytest.raises(
        UserError, match=r"v1\.1\.0 is worse than v1\.0\.0, which is in prod \(hold-out accuracy .* against .*r"
    ):
        promote(clone.root, rule, "prod", accept_equal=True)
    with pytest.raises(
        UserError, match=r"v1\.2\.0 cannot be told from v1\.0\.0, .*; pass `--accept-equal` to promote it"
    ):
        promote(clone.root, other, "prod", accept_equal=False)
    assert promote(clone.root, other, "prod", accept_equal=True) == "survival#prod#3"

    with pytest.raises(UserError, match=r"survival@v1\.2\.0 is in prod already"):
        promote(clone.root, "prod", "prod", accept_equal=True)
    stages = {version.version: version.stages for version in versions(clone.root, "survival")}
    assert stages == {"v1.2.0": ("prod",), "v1.1.0": (), "v1.0.0": ()}
    assert "v1.2.0" in clone.ok("gto", "show", "survival#prod")


def test_of_two_promotions_at_a_time_one_is_told(tiny, tmp_path):
    """Both would be compared with the same version, and the later would replace the other one unseen."""
    project = tiny()
    project.ok("git", "worktree", "add", "--quiet", "--detach", str(tmp_path / "side"))
    busy = "another `dvckit models` is running here; try again when it has ended"

    with versioning(project.root):
        for work in (
            lambda: promote(tmp_path / "side", "v1.0.0", "prod", accept_equal=False),
            lambda: register(tmp_path / "side", "HEAD", "minor"),
        ):
            with pytest.raises(UserError, match=busy):
                work()

    assert promote(tmp_path / "side", "v1.0.0", "prod", accept_equal=False) == "grades#prod#1"
    assert [finding.what for finding in of_git(Clone(project.root)) if finding.level == WRONG] == []


def test_a_wrong_stage_and_an_unknown_version_are_refused(tiny):
    project = tiny()

    with pytest.raises(UserError, match="'Prod/1' is not a stage"):
        promote(project.root, "v1.0.0", "Prod/1", accept_equal=False)
    result = project.run("dvckit", "models", "show", "v1.0.1")
    assert result == (1, "error: there is no version 'v1.0.1' of grades; did you mean v1.0.0, grades@v1.0.0?\n")
    project.ok("git", "tag", "--delete", "grades@v1.0.0")
    with pytest.raises(UserError, match="there is no version of grades yet; register one"):
        promote(project.root, "v1.0.0", "prod", accept_equal=False)


def test_dvc_gets_the_model_and_the_data_of_a_version_from_a_clones_path(history, tmp_path):
    """From a clone that pulled nothing, out of the embedded remote."""
    register(history.root, "HEAD~1", "minor")
    promote(history.root, "v1.0.0", "prod", accept_equal=False)
    tag_version(Revision(history.root, "HEAD~1"), "data", "minor", "the data")
    clone = history.clone(tmp_path / "clone")

    history.ok("dvc", "artifacts", "get", str(clone.root), "survival", "--rev", "v1.0.0", "--out", "../model")
    history.ok("dvc", "artifacts", "get", str(clone.root), "survival", "--stage", "prod", "--out", "../promoted")
    history.ok("dvc", "artifacts", "get", str(clone.root), "data", "--out", "../data.csv")

    history.ok("git", "checkout", "--quiet", "HEAD~1")
    history.ok("dvc", "checkout")
    model = (history.root / "data/models/model.skops").read_bytes()
    assert (tmp_path / "model").read_bytes() == (tmp_path / "promoted").read_bytes() == model
    assert (tmp_path / "data.csv").read_bytes() == (history.root / "data/raw/train.csv").read_bytes()


def test_dvc_gets_a_version_from_a_git_url_once_there_is_a_real_remote(small, tmp_path):
    small.ok("dvc", "remote", "add", "--default", "real", str(tmp_path / "remote"))
    small.ok("dvc", "push")
    small.commit("a real remote")
    register(small.root, None, "minor")

    small.ok("dvc", "artifacts", "get", f"file://{small.root}", "survival", "--rev", "v1.0.0", "--out", "../model")

    assert (tmp_path / "model").read_bytes() == (small.root / "data/models/model.skops").read_bytes()
