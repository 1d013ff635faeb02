import json
import re
import shutil
import subprocess
import sys

import pytest
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update
from hypothesis import given
from hypothesis import strategies as st

from dvckit.core.errors import UserError
from dvckit.merge import install_driver, merge_files, merge_stages
from dvckit.repository.revision import Revision
from dvckit.testing import Repository

# Three stages that take no time; blank lines keep git's own merge of a file from a conflict.
PIPELINE = """stages:
  clean: {cmd: sh clean.sh, deps: [clean.sh], params: [clean], outs: [clean.txt: {persist: true}]}

  train: {cmd: sh train.sh, deps: [train.sh, clean.txt], params: [train], outs: [model.txt: {persist: true}]}

"""
SCORE = "  score: {cmd: cp model.txt score.txt, deps: [model.txt], outs: [score.txt: {cache: false, persist: true}]}\n"
EXTRA = "  extra: {cmd: cp model.txt extra.txt, deps: [model.txt], outs: [extra.txt: {persist: true}]}\n"
FILES = {
    "dvc.yaml": PIPELINE + SCORE,
    "params.yaml": "clean:\n  rows: 2\n\n\n  unused: 1\n\n\ntrain:\n  trees: 1\n\n\n  depth: 1\n",
    "clean.sh": "grep rows params.yaml > clean.txt\n\n\n# the end\n",
    "train.sh": "grep -E 'trees|depth' params.yaml | cat clean.txt - > model.txt\n\n\n# the end\n",
    ".gitattributes": "dvc.lock merge=dvc-lock\nscore.txt -merge\n",
}

ROWS = ("params.yaml", ("rows: 2", "rows: 3"))
UNUSED = ("params.yaml", ("unused: 1", "unused: 2"))
TREES = ("params.yaml", ("trees: 1", "trees: 2"))
DEPTH = ("params.yaml", ("depth: 1", "depth: 2"))
COMMENT = ("train.sh", ("# the end", "# the very end"))
OTHER_COMMENT = ("train.sh", (" > model.txt\n", " > model.txt  # all\n"))
ADDED = ("dvc.yaml", ("stages:\n", f"stages:\n{EXTRA}"))
REMOVED = ("dvc.yaml", (SCORE, ""))
DEPENDENCY = ("dvc.yaml", ("cp model.txt score.txt, deps: [", "cp model.txt score.txt, deps: [train.sh, "))

# what each branch edits, and the stages that are left to `dvc repro`
BRANCHES = {
    "different stages, the first with the same result": ([UNUSED], [TREES], []),
    "different stages": ([ROWS], [TREES], ["train", "score"]),
    "the same change and another": ([TREES], [TREES, UNUSED], []),
    "other parameters of a stage": ([TREES], [DEPTH], ["train", "score"]),
    "code and parameters of a stage": ([COMMENT], [TREES], ["train"]),
    "code of a stage at two places": ([COMMENT], [OTHER_COMMENT], ["train"]),
    "a stage added": ([ADDED], [UNUSED], []),
    "a stage added below a change": ([ADDED], [TREES], ["extra"]),
    "a stage removed": ([REMOVED], [TREES], []),
    "a dependency added and a change above": ([DEPENDENCY], [TREES], ["score"]),
}


@pytest.fixture(scope="module")
def _toy(tmp_path_factory):
    project = Repository(tmp_path_factory.mktemp("toy"))
    for name, text in FILES.items():
        (project.root / name).write_text(text)
    project.ok("git", "init", "--quiet", "--initial-branch", "main")
    project.ok("dvc", "init", "--quiet")
    project.ok("dvc", "repro")
    install_driver(project.root)
    project.commit("toy")
    return project


@pytest.fixture
def toy(_toy, tmp_path):
    """A reproduced and committed project of three stages, whose git has the driver."""
    shutil.copytree(_toy.root, tmp_path / "toy")
    return Repository(tmp_path / "toy")


def branch(project, name, edits):
    """Commit a reproduced branch of main on which files are edited."""
    project.ok("git", "checkout", "--quiet", "-b", name, "main")
    for path, replacement in edits:
        project.edit(path, replacement)
    project.ok("dvc", "repro", "--all-pipelines")
    project.commit(name)


def stages(project, file="dvc.lock"):
    """The entries of a lock in the work tree, which must be as DVC writes it."""
    text = (project.root / file).read_text()
    lock = parse_yaml_for_update(text, file)
    COMPILED_LOCKFILE_SCHEMA(lock)
    assert dumps_yaml(lock) == text
    return lock["stages"]


def reproduce(project):
    """Bring the work tree to what the merged files say, as the docs tell; return the stages that ran."""
    project.ok("dvc", "checkout", "--allow-missing")
    output = project.ok("dvc", "repro", "--all-pipelines")
    assert json.loads(project.ok("dvc", "status", "--json")) == {}
    return re.findall(r"^Running stage '(?:.+:)?(.+)':$", output, flags=re.MULTILINE)


def from_nothing(project):
    """The stages that a run of all of them makes, with their hashes."""
    project.ok("dvc", "repro", "--force", "--no-run-cache")
    return stages(project)


@pytest.mark.parametrize(("ours", "theirs", "left"), BRANCHES.values(), ids=BRANCHES)
def test_entries_that_fit_both_branches_stay_and_the_others_run(toy, ours, theirs, left):
    branch(toy, "theirs", theirs)
    branch(toy, "ours", ours)

    result = toy.run("git", "merge", "theirs", "--message", "both")

    assert ("`dvc repro` has to run " in result.output) == bool(left)
    assert not left or f"dvc.lock: `dvc repro` has to run {', '.join(left)}\n" in result.output
    assert not set(left) & set(stages(toy))
    assert reproduce(toy) == left
    assert stages(toy) == from_nothing(toy)


@pytest.mark.parametrize("command", ["rebase", "cherry-pick"])
def test_rebase_and_cherry_pick_do_as_merge(toy, command):
    branch(toy, "theirs", [TREES])
    branch(toy, "ours", [COMMENT, UNUSED])

    toy.ok("git", command, "theirs")

    assert reproduce(toy) == ["train"]
    assert stages(toy) == from_nothing(toy)


def test_outputs_are_ours_and_in_conflict_until_they_are_reproduced(toy):
    branch(toy, "theirs", [TREES])
    branch(toy, "ours", [DEPTH])
    before = (toy.root / "score.txt").read_text()

    assert toy.run("git", "merge", "theirs").code == 1

    assert (toy.root / "score.txt").read_text() == before
    assert toy.ok("git", "diff", "--name-only", "--diff-filter=U") == "score.txt\n"
    assert reproduce(toy) == ["train", "score"]
    toy.commit("both")
    assert (toy.root / "score.txt").read_text() == "  rows: 2\n  trees: 2\n  depth: 2\n"


def test_an_entry_whose_file_is_from_the_other_branch_runs_again(toy):
    """Git's own merge took the one file, the driver the other's entry: DVC sees that they do not belong together."""
    branch(toy, "theirs", [TREES])
    toy.ok("git", "checkout", "--quiet", "main")
    lock = toy.ok("git", "show", "theirs:dvc.lock")
    toy.ok("git", "checkout", "theirs", "--", "params.yaml")
    (toy.root / "dvc.lock").write_text(lock)

    assert reproduce(toy) == ["score"]


def test_the_driver_runs_in_a_worktree_and_without_the_environment_on_the_path(toy, tmp_path):
    branch(toy, "theirs", [TREES])
    branch(toy, "ours", [COMMENT])
    worktree = Repository(tmp_path / "work tree")
    toy.ok("git", "worktree", "add", "--quiet", "--detach", str(worktree.root), "ours")

    output = worktree.ok("git", "merge", "theirs", PATH="/usr/bin:/bin")

    assert "dvc.lock: `dvc repro` has to run train\n" in output
    assert list(stages(worktree)) == ["clean", "score"]


def test_the_environment_of_the_worktree_comes_first(toy):
    branch(toy, "theirs", [TREES])
    branch(toy, "ours", [COMMENT])
    (toy.root / ".venv/bin").mkdir(parents=True)
    own = toy.root / ".venv/bin/dvckit"
    own.write_text("#!/bin/sh\necho it was I\nexit 1\n")
    own.chmod(0o755)

    assert "it was I\n" in toy.run("git", "merge", "theirs").output


def test_without_the_driver_git_merges_line_by_line(toy):
    toy.ok("git", "config", "--remove-section", "merge.dvc-lock")
    branch(toy, "theirs", [TREES])
    branch(toy, "ours", [DEPTH])

    output = toy.run("git", "merge", "theirs").output

    assert "CONFLICT (content): Merge conflict in dvc.lock" in output


def test_without_the_driver_git_may_mix_an_entry_that_no_run_wrote(toy):
    toy.ok("git", "config", "--remove-section", "merge.dvc-lock")
    branch(toy, "theirs", [TREES])
    branch(toy, "ours", [COMMENT])

    toy.ok("git", "merge", "theirs")

    assert reproduce(toy) == []


def test_every_result_that_git_keeps_is_marked_and_both_locks_have_the_driver(fresh):
    files = [path for path in Revision(fresh.root).md5s if (fresh.root / path).is_file()]

    output = fresh.ok("git", "check-attr", "merge", *files, "dvc.lock", "reports/dvc.lock").splitlines()

    assert "data/models/model.json: merge: unset" in output
    assert {line.split(": ")[2] for line in output[:-2]} == {"unset"}
    assert output[-2:] == ["dvc.lock: merge: dvc-lock", "reports/dvc.lock: merge: dvc-lock"]


def test_a_lock_that_cannot_be_read_is_left_to_git_as_a_conflict(toy):
    branch(toy, "theirs", [TREES])
    toy.edit("dvc.lock", ("schema: '2.0'", "<<<<<<< HEAD\nschema: '2.0'"))
    toy.commit("a merge gone wrong")
    branch(toy, "ours", [DEPTH])
    lock = (toy.root / "dvc.lock").read_bytes()

    result = toy.run("git", "merge", "theirs")

    assert result.code == 1
    assert result.output.count("error: dvc.lock: their version cannot be read: ") == 1
    assert "CONFLICT (content): Merge conflict in dvc.lock" in result.output
    assert (toy.root / "dvc.lock").read_bytes() == lock


@pytest.mark.faults
def test_the_real_pipelines_are_merged(small):
    install_driver(small.root)
    branch(small, "theirs", [("params.yaml", ("max_depth: 10", "max_depth: 9"))])
    share = ("max_rejected_share: 0.0", "max_rejected_share: 0.1")
    branch(small, "ours", [("params.yaml", share), ("params.yaml", ("n_estimators: 5", "n_estimators: 6"))])

    assert small.run("git", "merge", "theirs").code == 1
    small.ok("git", "checkout", "--ours", "params.yaml")  # the two lines stand side by side: the user's to merge
    small.edit("params.yaml", ("max_depth: 10", "max_depth: 9"))

    assert list(stages(small)) == ["ingest", "validate", "featurize", "split"]
    assert list(stages(small, "reports/dvc.lock")) == []
    assert reproduce(small) == ["train", "evaluate", "diagnose", "report"]
    small.ok("dvc", "push")
    small.commit("both")
    assert small.ok("git", "diff", "--name-only", "--diff-filter=U") == ""


def entry(trees=1, code="1", data="1", out="1", **more):
    """The entry of a stage that makes a model of data."""
    deps = [{"path": "data", "md5": data}, {"path": "code", "md5": code}]
    outs = [{"path": "model", "md5": out}]
    return {"cmd": "fit", "deps": deps, "params": {"params.yaml": {"trees": trees}}, "outs": outs} | more


def cleaning(out, code="1"):
    """The entry of a stage that makes the data."""
    deps = [{"path": "clean", "md5": code}]
    return {"cmd": "clean", "deps": deps, "outs": [{"path": "data", "md5": out}]}


def test_an_entry_that_has_both_changes_is_chosen():
    both = entry(trees=2, code="2", out="3")

    assert merge_stages({"fit": entry()}, {"fit": entry(trees=2, out="2")}, {"fit": both}) == {"fit": both}


def test_equal_runs_with_other_results_are_run_again():
    assert merge_stages({}, {"fit": entry(out="1")}, {"fit": entry(out="2")}) == {}


def test_an_entry_that_read_other_outputs_of_the_upstream_stage_is_dropped():
    """Neither branch ran all of its stages; what each left stale does not become a version."""
    base = {"clean": cleaning("1"), "fit": entry()}
    ours = {"clean": cleaning("2", code="2"), "fit": entry()}
    theirs = {"clean": cleaning("1"), "fit": entry(trees=2)}

    assert merge_stages(base, ours, theirs) == {"clean": ours["clean"]}


def test_a_clash_about_data_is_settled_by_the_upstream_stage():
    base = {"clean": cleaning("1"), "fit": entry()}
    ours = {"clean": cleaning("2", code="2"), "fit": entry(data="2", out="2")}
    theirs = {"clean": cleaning("3", code="2") | {"cmd": "tidy"}, "fit": entry(data="3", out="3")}

    assert merge_stages(base, ours, theirs) == {"clean": theirs["clean"], "fit": theirs["fit"]}


def test_a_dependency_that_a_branch_removed_is_no_longer_asked_for():
    base = {"clean": cleaning("1"), "fit": entry()}
    ours = {"clean": cleaning("1"), "fit": entry() | {"deps": []}}
    theirs = {"clean": cleaning("2", code="2"), "fit": entry(data="1")}

    assert merge_stages(base, ours, theirs) == {"clean": theirs["clean"], "fit": ours["fit"]}


def test_a_parameter_that_is_null_is_not_one_that_is_missing():
    base, null = ({"fit": entry() | {"params": {"params.yaml": params}}} for params in ({}, {"trees": None}))
    ours = {"fit": base["fit"] | {"outs": []}}

    assert merge_stages(base, ours, null) == {}


def test_stages_that_a_branch_turned_round_are_merged():
    turned = {"clean": cleaning("1") | {"deps": [{"path": "model", "md5": "1"}]}, "fit": entry() | {"deps": []}}
    ours = {"clean": cleaning("1"), "fit": entry(trees=2)}

    assert merge_stages({"clean": cleaning("1"), "fit": entry()}, ours, turned) == {"clean": turned["clean"]}


IN_CIRCLES = """
from dvckit.merge import merge_stages

def entry(deps, out, md5):
    return {"cmd": "run", "deps": [{"path": dep, "md5": "1"} for dep in deps], "outs": [{"path": out, "md5": md5}]}

ours = {"a": entry("ab", "a", "1")}
theirs = {"a": entry("a", "a", "1"), "b": entry("b", "a", "1"), "c": entry("a", "b", "2")}
print(list(merge_stages({}, ours, theirs)), list(merge_stages({}, theirs, ours)))
"""


@pytest.mark.parametrize("seed", ["0", "4", "5"])
def test_stages_in_circles_are_merged_alike_in_every_process(seed):
    command = [sys.executable, "-c", IN_CIRCLES]

    output = subprocess.run(command, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout

    assert output == "['c'] ['c']\n"


ENTRIES = st.builds(
    lambda name, deps, trees, md5, out: {
        "cmd": "run",
        "deps": [{"path": dep, "md5": md5} for dep in deps],
        "params": {"params.yaml": {"trees": trees}},
        "outs": [{"path": name, "md5": out}],
    },
    st.sampled_from("abc"),
    st.lists(st.sampled_from("abcd"), unique=True),
    st.none() | st.integers(1, 2),
    st.sampled_from("12"),
    st.sampled_from("12"),
)
LOCKS = st.dictionaries(st.sampled_from("abc"), ENTRIES)


@given(LOCKS, LOCKS, LOCKS)
def test_the_merge_is_symmetric_and_makes_nothing_up(base, ours, theirs):
    merged = merge_stages(base, ours, theirs)

    assert merged == merge_stages(base, theirs, ours)
    assert all(entry in (ours.get(name), theirs.get(name)) for name, entry in merged.items())


@given(LOCKS, LOCKS)
def test_the_changes_of_one_branch_alone_are_used_unchanged(base, lock):
    assert merge_stages(base, lock, base) == merge_stages(base, base, lock) == merge_stages(base, lock, lock) == lock


def test_both_branches_may_have_added_the_lock(tmp_path):
    base, ours, theirs = (tmp_path / name for name in ("base", "ours", "theirs"))
    base.write_text("")
    for file in (ours, theirs):
        file.write_text(dumps_yaml({"schema": "2.0", "stages": {"fit": {"cmd": "fit"}}}))
    before = ours.read_bytes()

    assert merge_files(base, ours, theirs, "dvc.lock") == []
    assert ours.read_bytes() == before


def test_a_clash_outside_of_the_stages_is_reported(tmp_path):
    files = [tmp_path / name for name in ("base", "ours", "theirs")]
    for file in files:
        file.write_text(dumps_yaml({"schema": "2.0", "datasets": [file.name], "stages": {}}))

    with pytest.raises(UserError, match="more than its stages"):
        merge_files(*files, "dvc.lock")
