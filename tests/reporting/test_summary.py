import json

import pytest

from titanic.reporting.summary import print_summary
from titanic.stage import UserError

METRICS = {
    "holdout": {"accuracy": 0.8041, "log_loss": 0.46},
    "cv": {"accuracy": 0.79, "accuracy_sd": 0.044},
    "baseline": {"majority": 0.631, "gender": 0.799},
}


def test_the_scores_stand_beside_the_baselines(tmp_path, capsys):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/metrics.json").write_text(json.dumps(METRICS))

    print_summary(tmp_path)

    said = capsys.readouterr().out
    for figure in ("0.804", "0.790 ± 0.044", "0.631", "0.799", "0.460"):
        assert figure in said
    assert "reports/report.html" in said


def test_without_a_run_there_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="run `dvc repro -P`"):
        print_summary(tmp_path)


def test_metrics_that_are_cut_are_answered(tmp_path):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/metrics.json").write_text('{"holdout": {')

    with pytest.raises(UserError, match="run `dvc repro -P`"):
        print_summary(tmp_path)
