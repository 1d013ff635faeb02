from dvckit.doctor.clone import Clone
from dvckit.doctor.order import stages


def reproduced(toy):
    toy.ok("dvc", "repro", "--all-pipelines")
    return toy


def findings(toy):
    return [str(finding) for finding in stages(Clone(toy.root))]


def test_stages_that_ran_in_order_are_fine(toy):
    assert findings(reproduced(toy)) == []


def test_scores_of_an_earlier_run_are_named(toy):
    """As after `dvc exp run featurize -S features.bands=…`."""
    reproduced(toy).edit("params.yaml", ("18, 35", "20, 35"))

    toy.ok("dvc", "repro", "featurize")

    assert findings(toy) == [
        (
            "advice  evaluate, reports/dvc.yaml:report ran before what they read was made; of an earlier run: "
            "reports/metrics.json, reports/report.html; run `dvc repro --all-pipelines`"
        )
    ]


def test_the_report_of_an_earlier_run_is_named(toy):
    reproduced(toy).edit("source.csv", ("2", "2\n3"))

    toy.ok("dvc", "repro")

    (line,) = findings(toy)
    assert line.startswith("advice  reports/dvc.yaml:report ran before what it reads was made")
