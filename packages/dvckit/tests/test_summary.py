import json

import pytest

from dvckit.core.errors import UserError
from dvckit.summary import print_summary

METRICS = {
    "holdout": {"accuracy": 0.8041, "log_loss": 0.46},
    "cv": {"accuracy": 0.79, "accuracy_sd": 0.044},
    "baseline": {"majority": 0.631, "gender": 0.799},
}
PROJECT = "artifacts: {survival: {path: m.skops, type: model, meta: {project: 'titanic.project:PROJECT'}}}"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/metrics.json").write_text(json.dumps(METRICS))
    (tmp_path / "reports/report.html").touch()
    return tmp_path


def test_the_scores_are_beside_the_baselines(project, capsys):
    print_summary(project)

    header, accuracy, log_loss, *report = capsys.readouterr().out.splitlines()
    assert header.split() == ["score", "hold-out", "cross-validation", "majority", "class", "gender"]
    assert accuracy.split() == ["accuracy", "0.804", "0.790", "±", "0.044", "0.631", "0.799"]
    assert log_loss.split() == ["log_loss", "0.460"]
    assert report == [f"report: {project}/reports/report.html"]


def test_values_are_scored_in_the_unit_of_the_target(project, capsys):
    metrics = {
        "holdout": {"rmse": 45993.91, "r2": 0.8193},
        "cv": {"rmse": 53001.19, "rmse_sd": 8073.7, "r2": 0.8},
        "baseline": {"mean": 108197.0, "median": 0.00123},
    }
    (project / "reports/metrics.json").write_text(json.dumps(metrics))

    print_summary(project)

    header, rmse, r2, _ = capsys.readouterr().out.splitlines()
    assert header.split() == ["score", "hold-out", "cross-validation", "mean", "median"]
    assert rmse.split() == ["rmse", "45994", "53001", "±", "8074", "108197", "0.00123"]
    assert r2.split() == ["r2", "0.819", "0.800"]


def test_baselines_have_the_titles_that_the_project_gives_them(project, capsys):
    (project / "dvc.yaml").write_text(PROJECT)

    print_summary(project)

    *table, _ = capsys.readouterr().out.splitlines()
    assert "rule “women and girls" in table[0]
    assert max(map(len, table)) <= 80


def test_a_report_that_is_not_there_is_not_named_as_if_it_were(project, capsys):
    (project / "reports/report.html").unlink()

    print_summary(project)

    report = capsys.readouterr().out.splitlines()[-1]
    assert report == "report: not in this clone yet; run `dvc pull reports/report.html`, or `dvc repro -P` to make it"


def test_without_a_run_there_is_an_error(tmp_path):
    with pytest.raises(UserError, match="run `dvc repro -P`"):
        print_summary(tmp_path)


@pytest.mark.parametrize("text", ['{"holdout": {', "{}"])
def test_truncated_metrics_give_an_error(project, text):
    (project / "reports/metrics.json").write_text(text)

    with pytest.raises(UserError, match="run `dvc repro -P`"):
        print_summary(project)
