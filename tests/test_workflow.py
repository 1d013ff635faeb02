"""The workflow of GitHub's: the token that may write is on a machine that runs nothing of a pull request."""

import os
import re
import subprocess

import pytest
import yaml

HOSTILE = "| a | b |\n~~~\n```\n@everyone ![x](https://x.example/p.png) <img src=x>\n\x1b[31m\x00\x9b\u202e\u200b é\n"


@pytest.fixture(scope="module")
def workflow(source):
    return yaml.safe_load((source / ".github/workflows/ci.yml").read_text())


def test_only_the_job_that_runs_no_code_may_write(workflow):
    writers = {name for name, job in workflow["jobs"].items() if "write" in job.get("permissions", {}).values()}

    assert workflow["permissions"] == {"contents": "read"}
    assert writers == {"comment"}
    job = workflow["jobs"]["comment"]
    assert job["permissions"] == {"pull-requests": "write"}
    assert [step.get("uses", "").partition("@")[0] for step in job["steps"]] == ["actions/download-artifact", ""]
    assert "head.repo.full_name == github.repository" in job["if"]


def test_no_step_but_the_comment_has_a_token(workflow):
    steps = [(name, step) for name, job in workflow["jobs"].items() for step in job["steps"]]

    assert [name for name, step in steps if "token" in str(step)] == ["comment"]
    checkouts = [step["with"] for _, step in steps if "checkout" in step.get("uses", "")]
    assert all(options["persist-credentials"] is False for options in checkouts)


def test_every_action_is_a_commit_and_no_script_takes_an_expression(workflow):
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert "uses" not in step or re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"])
            assert "${{" not in step.get("run", "")


def comment(workflow, folder, report):
    """Run the step that comments, with a `gh` that keeps what it is given."""
    (folder / "bin").mkdir()
    (folder / "bin/gh").write_text('#!/bin/sh\nprintf "%s\\n" "$@" > arguments\n')
    (folder / "bin/gh").chmod(0o755)
    (folder / "scores").mkdir()
    report(folder / "scores/report.md")
    step = workflow["jobs"]["comment"]["steps"][-1]
    variables = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "PULL_REQUEST": "7", "GITHUB_REPOSITORY": "a/b"}
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    return subprocess.run(shell, cwd=folder, env=variables, capture_output=True, check=False)


def test_a_hostile_report_stays_text(workflow, tmp_path):
    process = comment(workflow, tmp_path, lambda path: path.write_text(HOSTILE * 5000))

    assert process.returncode == 0, process.stderr
    text = (tmp_path / "comment.md").read_text()
    _, inside, after = text.split("~~~")
    assert inside.startswith("text\n| a | b |\n\n```\n@everyone ")
    assert after == "\n"
    assert len(text) < 61_000
    assert set(text) <= {"\n", *map(chr, range(32, 127))}
    assert (tmp_path / "arguments").read_text().split()[:5] == ["pr", "comment", "7", "--repo", "a/b"]


@pytest.mark.parametrize(
    "report", [lambda path: path.symlink_to("/etc/passwd"), lambda path: path.mkdir(), lambda path: path.parent.rmdir()]
)
def test_what_is_no_file_is_no_comment(workflow, tmp_path, report):
    assert comment(workflow, tmp_path, report).returncode != 0
    assert not (tmp_path / "arguments").exists()


def test_an_empty_report_is_a_comment(workflow, tmp_path):
    assert comment(workflow, tmp_path, lambda path: path.touch()).returncode == 0
