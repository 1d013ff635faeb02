import pytest

from dvckit.doctor.clone import Clone
from dvckit.doctor.tracking import outputs

FEATURES = "data/features/train.parquet"
METRICS = "reports/metrics.json"


def lines(project):
    return [str(finding) for finding in outputs(Clone(project.root))]


def do(project, line):
    """Run the command at the end of a line."""
    project.ok("sh", "-c", line.rpartition("; run `")[2].removesuffix("`"))


@pytest.fixture
def added(toy):
    """A project with data of its own under DVC: a file, and a folder whose name a shell and git would take apart."""
    (toy.root / "data/my [1] folder").mkdir()
    for name in ("data/mine.csv", "data/my [1] folder/a.csv"):
        (toy.root / name).write_text("1\n")
    toy.ok("dvc", "add", "data/mine.csv", "data/my [1] folder")
    toy.commit("added")
    return toy


def test_each_file_of_the_example_has_one_keeper(added):
    assert lines(added) == []


def test_outputs_that_git_tracks_too_keep_dvc_from_running(toy):
    toy.ok("git", "add", "--force", FEATURES)
    toy.commit("a file of DVC's")
    assert f"output '{FEATURES}' is already tracked by SCM" in toy.run("dvc", "repro", "--force").output

    (line,) = lines(toy)

    assert line == (
        f"WRONG   git tracks {FEATURES}, which DVC keeps: `dvc repro` and `dvc add` refuse that; "
        f"run `git rm -r --cached {FEATURES}`"
    )
    do(toy, line)
    toy.ok("dvc", "repro", "--force")
    assert toy.ok("git", "status", "--porcelain") == f"D  {FEATURES}\n"
    assert lines(toy) == []


def test_git_is_told_to_ignore_what_it_tracked(added):
    (added.root / "data/.gitignore").write_text("# of mine")
    added.commit("data")
    assert "already tracked by SCM" in added.run("dvc", "add", "data/mine.csv").output

    (line,) = lines(added)

    assert line.startswith("WRONG   git tracks data/mine.csv, data/my [1] folder, which DVC keeps")
    do(added, line)
    assert (added.root / "data/.gitignore").read_text() == "# of mine\n/mine.csv\n/my \\[1\\] folder\n"
    added.ok("dvc", "add", "data/mine.csv", "data/my [1] folder")
    assert added.ok("git", "status", "--porcelain", "--untracked-files").count("??") == 0
    assert lines(added) == []


def test_outputs_that_git_does_not_ignore_would_be_committed(added):
    for name in ("data/.gitignore", "data/features/.gitignore"):
        (added.root / name).unlink()

    (line,) = lines(added)

    assert line == (
        f"advice  git does not ignore {FEATURES}, data/mine.csv, data/my [1] folder, which DVC keeps: "
        "`git add --all` would add data to git; run `printf '%s\\n' /train.parquet >> data/features/.gitignore && "
        "printf '%s\\n' /mine.csv '/my \\[1\\] folder' >> data/.gitignore`"
    )
    do(added, line)
    assert lines(added) == []
    added.ok("git", "add", "--all")
    assert added.ok("git", "status", "--porcelain") == ""  # the lines are those that DVC had written


def test_a_metric_that_git_ignores_is_kept_by_nobody(toy):
    toy.ok("git", "rm", "--quiet", "--cached", METRICS)
    (toy.root / "reports/.gitignore").write_text("/report.html\n*.json\n")
    toy.commit("ignored")
    assert METRICS not in toy.ok("dvc", "metrics", "diff", "--all", "HEAD", "workspace")

    (line,) = lines(toy)

    assert line == (
        f"advice  neither git nor DVC keeps {METRICS} (`*.json` in reports/.gitignore): "
        f"no commit has it to compare or restore; run `git add --force {METRICS}`"
    )
    do(toy, line)
    assert lines(toy) == []


def test_plots_of_no_stage_are_looked_at_too(toy):
    toy.edit("dvc.yaml", ("metrics:\n", "plots: [curves, gone.csv, data/features/train.parquet]\nmetrics:\n"))
    (toy.root / "curves/deep").mkdir(parents=True)
    (toy.root / "curves/deep/loss.tsv").write_text("1\n")
    assert lines(toy) == []
    (toy.root / ".gitignore").write_text("curves/\n")

    (line,) = lines(toy)

    assert line.startswith("advice  neither git nor DVC keeps curves (`curves/` in .gitignore): ")
    do(toy, line)
    assert lines(toy) == []


def test_without_git_nothing_is_said(toy):
    toy.ok("dvc", "config", "core.no_scm", "true")
    (toy.root / "data/features/.gitignore").unlink()

    assert lines(toy) == []
