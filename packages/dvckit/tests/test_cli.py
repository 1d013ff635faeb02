import pytest


def test_help_names_every_command(fresh):
    output = fresh.ok("dvckit", "--help")

    for command in ("check", "summary", "verify", "doctor"):
        assert command in output


def test_check_finds_the_key_that_no_stage_reads(fresh, write_params):
    """DVC itself never looks at a top-level key that no stage names."""
    write_params(fresh.root, ("dataset:  ", "sede: 1\ndataset:  "))

    result = fresh.run("dvckit", "check")

    assert (result.code, result.output.count("\n")) == (1, 1)
    assert "unknown key sede" in result.output


def test_check_works_in_a_folder_of_the_project(fresh):
    output = type(fresh)(fresh.root / "reports").ok("dvckit", "check")

    assert output == "params.yaml: every key, type and range is right\n"


@pytest.mark.parametrize("command", ["checks", "--verison"])
def test_a_wrong_command_gives_an_error(fresh, command):
    result = fresh.run("dvckit", command)

    assert result.code == 2
    assert "No such" in result.output


def test_summary_speaks_of_the_last_run(small):
    output = small.ok("dvckit", "summary")

    assert "women and girls" in output
    assert f"report: {small.root}/reports/report.html" in output
