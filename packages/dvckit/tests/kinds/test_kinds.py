"""Each command in each kind of repository: it does its work, or says in one sentence what is missing."""

import json
import shutil

import pytest

from dvckit.compare.changes import changes, data_source
from dvckit.compare.compare import compare
from dvckit.core.errors import UserError
from dvckit.data.diff import data_diff, render_md
from dvckit.doctor.clone import WRONG
from dvckit.doctor.doctor import fix, look
from dvckit.merge import merge_files
from dvckit.publish.mirror import collect
from dvckit.registry.registry import models
from dvckit.repository import programs
from dvckit.repository.dvc_internals import check_lock
from dvckit.repository.revision import Revision
from dvckit.snapshot.bumps import tags_due
from packages.dvckit.tests.kinds.builder import HEAD, KINDS, SCORES, Kind, build, git


@pytest.fixture(scope="module", params=KINDS)
def repository(request, tmp_path_factory):
    """A repository of each kind, and the kind; not to be written to."""
    return build(KINDS[request.param], tmp_path_factory.mktemp("kind") / "top"), KINDS[request.param]


@pytest.mark.parametrize("rev", ["HEAD", None])
def test_outputs_metrics_and_parameters_are_found(repository, rev):
    root, kind = repository

    revision = Revision(root, rev)

    assert [output.path for output in revision.outputs] == [*kind.outputs]
    assert revision.metrics == kind.metrics
    assert revision.params == kind.params


def test_every_output_is_read_at_its_revision(repository):
    root, kind = repository
    revision = Revision(root, "HEAD~1")
    files = [file for path in kind.outputs for file in (revision.members_here(path) or [path])]

    contents = {path: revision.read(path).decode() for path in files}

    texts = {**kind.files, **kind.kept}
    assert contents == {path: texts[path] for path in files}


def _dvc_refuses(root):
    try:
        programs.dvc(root, "repro", "--dry")
    except UserError:
        return True
    return False


def test_doctor_finds_nothing_wrong_but_an_old_lock(repository):
    root, _ = repository

    wrong = [str(finding) for finding in look(root, 30) if finding.level == WRONG]

    unknown = [line for line in wrong if "git does not know your" not in line]
    known = ("is one of DVC 1", "holds data of its own", "of DVC 0", *(["DVC refuses"] if _dvc_refuses(root) else []))
    assert all(any(words in line for words in known) for line in unknown), unknown


def test_data_diff_compares_every_table(repository):
    root, kind = repository
    if not kind.tables:
        return

    report = data_diff(root, ["HEAD~1", "HEAD"])

    assert [path for path, table in report["tables"].items() if table["state"] != "same"] == [*kind.tables]
    cells = [cell for path in kind.tables for cell in report["tables"][path]["cells"]]
    assert [(cell["key"], cell["old"], cell["new"]) for cell in cells] == [(3, 4.5, 9.5)] * len(kind.tables)
    assert "9.5" in render_md(json.loads(json.dumps(report)))


def test_without_a_table_data_diff_says_so(tmp_path):
    root = build(KINDS["an empty project"], tmp_path / "top")

    with pytest.raises(UserError, match=r"^no dvc\.lock or \.dvc file names a table \(\.csv, \.tsv, \.parquet\), HEAD"):
        data_diff(root)


def test_a_tracker_gets_what_the_commit_has(repository):
    root, kind = repository
    if not kind.outputs:
        with pytest.raises(UserError, match=r"has no finished run: no dvc\.lock names a stage"):
            collect(root, ["HEAD"])
        return

    (mirror,) = collect(root, ["HEAD"])

    assert mirror.scores == kind.metrics
    assert mirror.params == kind.params
    assert {*mirror.metric_files} <= {*mirror.attached}
    assert {*kind.tables} <= {member for path in mirror.data for member in (mirror.members_here(path) or [path])}
    assert all("gone.svg" in reason for reason in mirror.lacks)


def test_without_a_model_the_lines_to_add_are_named(repository):
    root, _ = repository
    if Revision(root).artifacts:
        return

    for command in (lambda: models(root), lambda: compare(root, ["HEAD~1", "HEAD"])):
        with pytest.raises(UserError, match=r"names a model; add `artifacts: \{NAME: \{path: PATH, type: model, meta:"):
            command()


def test_what_changed_between_two_commits_is_told(repository):
    root, _ = repository
    old, new = Revision(root, "HEAD~1"), Revision(root, "HEAD")
    if not new.artifacts:
        return

    assert changes(old, new)["params"] == {}
    assert data_source(new)


def test_versions_are_due_where_artifacts_are(repository):
    root, _ = repository

    assert [*tags_due(root, "HEAD", None)] == [f"{name.replace(':', '=')}@v1.0.0" for name in Revision(root).artifacts]


def test_a_model_in_a_folder_has_versions_with_its_scores(tmp_path):
    root = build(KINDS["a model in a folder"], tmp_path / "top")
    git(root, "tag", "--annotate", "--message", "first", "m=net@v1.0.0")

    ((version, scores),) = models(root)

    assert (version.name, version.version, scores) == ("m:net", "v1.0.0", {"accuracy": 0.5})


def test_compare_names_what_a_table_of_predictions_is(tmp_path):
    root = build(KINDS["a model in a folder"], tmp_path / "top")

    with pytest.raises(UserError, match=r"add `meta: \{predictions: PATH\}` to m:net .* columns row, key, part, truth"):
        compare(root, ["HEAD~1", "HEAD"])


def test_two_sides_of_a_lock_are_merged_or_refused(repository, tmp_path):
    root, _ = repository
    for lock in Revision(root).locks:
        for file, rev in (("base", "HEAD~1"), ("ours", "HEAD~1"), ("theirs", "HEAD")):
            (tmp_path / file).write_text(git(root, "show", f"{rev}:./{lock}") if (root / lock).exists() else "")

        try:
            merge_files(tmp_path / "base", tmp_path / "ours", tmp_path / "theirs", lock)
        except UserError as error:
            assert "DVC refuses it" in str(error)  # noqa: PT017
        else:
            check_lock((tmp_path / "ours").read_text(), lock)


def test_doctor_renews_a_lock_of_dvc_1(tmp_path):
    root = build(KINDS["a lock of DVC 1"], tmp_path / "top")
    before = Revision(root).stages

    fix(root, print)

    check_lock((root / "dvc.lock").read_text(), "dvc.lock")
    assert Revision(root).stages == before


def test_doctor_renews_data_of_dvc_0(tmp_path):
    root = build(KINDS["data of DVC 0"], tmp_path / "top")
    with pytest.raises(UserError, match="validation failed"):
        programs.dvc(root, "status")

    lines = []
    fix(root, lines.append)

    assert "fixed   DVC 3 reads data/table.csv.dvc; commit it" in lines
    programs.dvc(root, "status")
    assert "persist: false" in (text := (root / "data/table.csv.dvc").read_text())
    assert "metric" not in text
    assert not [finding for finding in look(root, 30) if "DVC 0" in finding.what]


def test_doctor_names_stages_of_dvc_0(tmp_path):
    root = build(KINDS["stages of DVC 0"], tmp_path / "top")
    with pytest.raises(UserError, match="validation failed"):
        programs.dvc(root, "status")

    wrong = [finding for finding in look(root, 30) if finding.level == WRONG]

    assert [(finding.what, finding.fix) for finding in wrong if "DVC 0" in finding.what] == [
        (
            "DVC 3 refuses steps/make.dvc, steps/tell.dvc: stages of DVC 0; write each into a dvc.yaml, and remove the file",
            None,
        )
    ]


def test_doctor_calls_nothing_edited_that_is_as_git_has_it(tmp_path):
    lock = f"{HEAD}  load:\n    cmd: x\n    outs:\n    - {{path: data/raw/table.csv, hash: md5, md5: {'a' * 32}}}\n"
    files = {"data/raw/table.csv": "1\n", "dvc.yaml": "stages:\n  load: {cmd: x, outs: [data/raw/table.csv]}\n"}
    root = build(Kind({**files, "dvc.lock": lock}, {}, ()), tmp_path / "top")  # as where git changed the ends of lines

    lines = [str(finding) for finding in look(root, 30)]

    assert "advice  not what the last run wrote: data/raw/table.csv; run `dvc repro --all-pipelines`" in lines
    assert not [line for line in lines if "edited" in line]


def test_doctor_does_not_advise_to_pull_where_there_is_no_remote(tmp_path):
    root = build(KINDS["data of dvc add"], tmp_path / "top")
    (root / "data/table.csv").unlink()
    in_cache = [finding.command for finding in look(root, 30) if "is missing" in finding.what]
    shutil.rmtree(root / ".dvc/cache")

    nowhere = [(finding.what, finding.command) for finding in look(root, 30) if "missing" in finding.what]

    assert in_cache == ["dvc pull data/table.csv.dvc"]
    what = "data/table.csv is missing, and there is no remote to pull from: ask whoever added it to push to one"
    assert nowhere == [(what, "")]


def test_a_remote_of_which_nothing_is_named_is_asked_all_the_same(tmp_path):
    root = build(KINDS["an empty project"], tmp_path / "top")
    (root / ".dvc/config").write_text("[core]\nremote = far\n['remote \"far\"']\nurl = http://127.0.0.1:9/x\n")

    lines = [str(finding) for finding in look(root, 30) if finding.level == WRONG]

    assert any("remote far (http://127.0.0.1:9/x)" in line and "cannot be reached" in line for line in lines), lines


def test_a_worktree_and_a_submodule_are_projects_of_their_own(tmp_path):
    root, kind = build(KINDS["one stage"], tmp_path / "top"), KINDS["one stage"]
    git(root, "worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"))
    outer = build(KINDS["an empty project"], tmp_path / "outer")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(root), "inner")

    for place in (tmp_path / "tree", outer / "inner"):
        assert [output.path for output in Revision(place, "HEAD").outputs] == [*kind.outputs]
        assert Revision(place).metrics == {"accuracy": 0.5}
    assert Revision(outer).outputs == []


def test_a_file_of_metrics_that_is_nowhere_is_left_out_and_named(tmp_path):
    root = build(KINDS["one stage"], tmp_path / "top")
    (root / "dvc.yaml").write_text((root / "dvc.yaml").read_text().replace("[scores.json]", "[scores.json, gone.json]"))
    git(root, "commit", "--quiet", "--all", "--message", "a file too many")

    (mirror,) = collect(root, ["HEAD"])

    assert mirror.scores == json.loads(SCORES)
    assert mirror.lacks == [
        "gone.json is not an output of any stage at " + mirror.name + ": no dvc.lock names it there"
    ]


def test_a_table_that_is_nowhere_is_named_and_the_others_compared(tmp_path):
    root = build(KINDS["pipelines in folders"], tmp_path / "top")
    shutil.rmtree(root / ".dvc/cache")

    report = data_diff(root, ["HEAD~1", "HEAD"])

    assert {table["state"] for table in report["tables"].values()} == {"unknown"}
    assert "not compared: a/table.csv at HEAD\\~1 is in none of: the cache, .dvc/storage" in render_md(report)


def test_hundreds_of_folders_that_are_nowhere_cost_no_process_each(tmp_path, monkeypatch):
    lost = {
        f"{number}.dvc": f"outs:\n- {{path: '{number}', hash: md5, md5: {number:032x}.dir}}\n" for number in range(300)
    }
    root = build(KINDS["one stage"]._replace(files={**KINDS["one stage"].files, **lost}), tmp_path / "top")
    starts = []
    monkeypatch.setattr(
        programs.subprocess,
        "run",
        lambda *args, run=programs.subprocess.run, **options: starts.append(args) or run(*args, **options),
    )

    data_diff(root)

    assert len(starts) < 30
