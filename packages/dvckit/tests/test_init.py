"""`dvckit init` names model and predictions in the dvc.yaml of a repository that has none of this."""

import re

import pytest

from dvckit.core.errors import UserError
from dvckit.init import init, write
from dvckit.repository.revision import Revision
from dvckit.testing import Repository
from packages.dvckit.tests.kinds.builder import HEAD, KINDS, Kind, build, git, out

ROWS = "".join(f"h{number},{number},fold 1,{number % 2},0.5,0.5\n" for number in range(40))
PREDICTIONS = f"row,key,part,truth,probability_0,probability_1\n{ROWS}"
DVC_YAML = """# how we do it
stages:
  fit:      # slow
    cmd: >
      python fit.py
      --fast
    outs:
      - model.pkl

      - oof.csv
      - table.csv
"""
LOCK = f"{HEAD}  fit:\n    cmd: x\n    outs:\n{out('model.pkl')}{out('oof.csv')}{out('table.csv')}"
OUTS = {"model.pkl": "4.5", "oof.csv": PREDICTIONS, "table.csv": "id\n1\n"}
ENTRY = "artifacts:\n  model:\n    path: model.pkl\n    type: model\n    meta:\n      predictions: oof.csv\n"


def kind(dvc_yaml=DVC_YAML, lock=LOCK, outs=OUTS, **files):
    return Kind({"dvc.yaml": dvc_yaml, "dvc.lock": lock, **files}, outs, ())


@pytest.fixture
def make(tmp_path):
    """Make a repository of a kind."""
    return lambda kind: build(kind, tmp_path / "top")


def test_the_model_and_its_predictions_are_named_and_no_other_line_changes(make):
    root = make(kind())

    edit = init(root, None, None)
    write(root, edit)

    assert edit.after == DVC_YAML + ENTRY
    assert Revision(root).model[:4] == ("model", "model.pkl", "", "oof.csv")
    assert init(root, None, None) is None


def test_models_can_be_compared_after_it_and_git_undoes_it(make):
    project = Repository(make(kind()))
    assert "add `artifacts" in project.run("dvckit", "compare").output

    output = project.ok("dvckit", "init", "--yes")

    assert "+      predictions: oof.csv\n" in output
    project.commit("named")
    assert "indistinguishable" in project.ok("dvckit", "compare")
    project.ok("git", "revert", "--no-edit", "HEAD")
    assert (project.root / "dvc.yaml").read_text() == DVC_YAML


def test_nothing_is_written_without_consent(make):
    project = Repository(make(kind()))

    result = project.run("dvckit", "init")

    assert result.code == 1
    assert result.output.endswith("error: nothing was written; pass --yes to write it\n")
    assert project.ok("git", "status", "--porcelain") == ""


def test_a_model_that_is_named_gets_its_predictions(make):
    artifacts = "artifacts:\n  net: {path: model.pkl, type: model, meta: {owner: us}}\n"
    root = make(kind(DVC_YAML + artifacts))

    assert init(root, None, None).after == DVC_YAML + artifacts.replace("owner: us", "owner: us, predictions: oof.csv")


def test_a_pipeline_in_a_folder_names_its_model_from_there(make):
    stage = "stages:\n  fit: {cmd: x, wdir: ../run, outs: [Best Net.pt, ../oof.csv]}\n"
    lock = f"{HEAD}  fit:\n    cmd: x\n    outs:\n{out('Best Net.pt', 'run/Best Net.pt')}{out('../oof.csv', 'oof.csv')}"
    outs = {"run/Best Net.pt": "4.5", "oof.csv": PREDICTIONS}
    root = make(Kind({"low/dvc.yaml": stage, "low/dvc.lock": lock}, outs, ()))

    edit = init(root, None, None)
    write(root, edit)

    assert edit.path == "low/dvc.yaml"
    assert Revision(root).model[:4] == ("low:best-net", "run/Best Net.pt", "", "oof.csv")


def test_an_entry_stays_in_its_dvc_yaml(make):
    top = "artifacts:\n  net: {path: low/model.pkl, type: model}\n"
    low = "stages:\n  fit: {cmd: x, outs: [model.pkl, oof.csv]}\n"
    lock = f"{HEAD}  fit:\n    cmd: x\n    outs:\n{out('model.pkl', 'low/model.pkl')}{out('oof.csv', 'low/oof.csv')}"
    files = {"dvc.yaml": top, "low/dvc.yaml": low, "low/dvc.lock": lock}
    root = make(Kind(files, {"low/model.pkl": "4.5", "low/oof.csv": PREDICTIONS}, ()))

    edit = init(root, None, None)

    assert (edit.path, edit.after) == ("dvc.yaml", top.replace("model}", "model, meta: {predictions: low/oof.csv}}"))


def test_data_of_dvc_add_have_a_dvc_yaml_from_now_on(make):
    files = {f"{name}.dvc": f"outs:\n- {{path: {name}, hash: md5, md5: MD5({name})}}\n" for name in ("m.h5", "oof.csv")}
    root = make(Kind(files, {"m.h5": "4.5", "oof.csv": PREDICTIONS}, ()))

    edit = init(root, None, None)
    write(root, edit)

    assert edit.undo == "rm dvc.yaml"
    assert Revision(root).model[:4] == ("m", "m.h5", "", "oof.csv")


@pytest.mark.parametrize(
    ("changed", "arguments", "message"),
    [
        (kind(DVC_YAML.replace("table.csv", "old.pkl")), (None, None), "which output is the model? Name it with --model PATH: model.pkl, old.pkl"),
        (kind(), ("modle.pkl", None), "no stage and no .dvc file has the output modle.pkl; did you mean model.pkl?"),
        (kind(), ("zzz", None), "no stage and no .dvc file has the output zzz; there are model.pkl, oof.csv, table.csv"),
        (kind(), (None, "table.csv"), "table.csv is not a table of predictions: it has no column row, key, part, truth"),
        (kind(outs=OUTS | {"oof.csv": "id\n1\n"}), (None, None), "no output is a table of predictions; let the stage that evaluates write one.*columns row, key"),
        (kind(lock=LOCK.replace("table.csv", "oof2.csv"), dvc_yaml=DVC_YAML.replace("table", "oof2"), outs={**OUTS, "oof2.csv": PREDICTIONS}), (None, None), "which output is the table of predictions? Name it with --predictions PATH: oof.csv, oof2.csv"),
        (kind(f"{DVC_YAML}artifacts: {{net: {{path: model.pkl, type: model, meta: mine}}}}\n"), (None, None), "`meta` of net in dvc.yaml is no mapping; make it one"),
        (kind(f"{DVC_YAML}artifacts: {{net: {{path: model.pkl, type: model}}}}\n"), ("table.csv", None), "dvc.yaml names the model model.pkl; `compare` and `models` use the first one"),
        (KINDS["no run yet"], ("model.txt", None), "no output is a table of predictions; let the stage"),
        (KINDS["an empty project"], (None, None), "no output is a table of predictions"),
        (kind(DVC_YAML.replace("model.pkl", "net.txt")), (None, None), "which output is the model? Name it with --model PATH: net.txt, oof.csv, table.csv"),
    ],
)  # fmt: skip
def test_what_cannot_be_named_is_one_sentence(make, changed, arguments, message):
    root = make(changed)

    with pytest.raises(UserError, match=re.escape(message).replace(r"\.\*", ".*")):
        init(root, *arguments)

    assert git(root, "status", "--porcelain") == ""


def test_an_edited_dvc_yaml_is_not_touched(make):
    root = make(kind())
    (root / "dvc.yaml").write_text(f"{DVC_YAML}# a thought\n")

    with pytest.raises(UserError, match=r"^dvc.yaml has changes that are not committed; commit it first, so that git"):
        init(root, None, None)
