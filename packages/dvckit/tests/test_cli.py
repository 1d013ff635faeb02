import pytest


def test_help_names_every_command(fresh):
    said = fresh.ok("dvckit", "--help")

    for command in ("check", "summary", "verify", "doctor"):
        assert command in said


def test_check_finds_the_key_that_no_stage_looks_at(fresh):
    """DVC itself never looks at a top-level key that no stage names."""
    fresh.edit("params.yaml", ("dataset:  ", "sede: 1\ndataset:  "))

    done = fresh.run("dvckit", "check")

    assert (done.code, done.said.count("\n")) == (1, 1)
    assert "unknown key sede" in done.said


def test_check_works_in_a_folder_of_the_project(fresh):
    said = type(fresh)(fresh.root / "reports").ok("dvckit", "check")

    assert said == "params.yaml: every key, type and range is right\n"


@pytest.mark.parametrize("command", ["checks", "--verison"])
def test_a_wrong_command_is_answered(fresh, command):
    done = fresh.run("dvckit", command)

    assert done.code == 2
    assert "No such" in done.said


def test_summary_speaks_of_the_last_run(small):
    said = small.ok("dvckit", "summary")

    assert "women and girls" in said
    assert f"report: {small.root}/reports/report.html" in said
