import os
import re
import shutil
from dataclasses import replace
from itertools import product

import pytest
from dvc.schema import COMPILED_MULTI_STAGE_SCHEMA
from dvc.utils.serialize._yaml import dumps_yaml, parse_yaml_for_update
from ruamel.yaml import YAML

from dvckit.core.errors import UserError
from dvckit.new.shared import Answers, differences, render, write
from dvckit.testing import Repository

WHEEL = Answers("flowers", "iris_flowers", 'Flowers: "iris"', "multiclass", predict=False, library="vendor/d.whl")
LIBRARIES = ("vendor/d.whl", "git+https://example.org/d.git", "packages/d/src/d")
PIPELINES = ("dvc.yaml", "reports/dvc.yaml")
# Written by hand or by uv, beside the shared files
OWN = {"pyproject.toml", "uv.lock", "vendor", "packages/dvckit/pyproject.toml", "."}

KINDS = [
    replace(WHEEL, task=task, predict=predict, library=library)
    for task, predict, library in product(("binary", "multiclass", "regression"), (True, False), LIBRARIES)
]
every_kind = pytest.mark.parametrize("answers", KINDS, ids=lambda a: f"{a.task}-{a.predict}-{a.library.split('/')[0]}")


def stages(answers):
    files = render(answers)
    return {name: stage for path in PIPELINES for name, stage in YAML(typ="safe").load(files[path])["stages"].items()}


def outs(answers):
    return [path for stage in stages(answers).values() for out in stage["outs"] for path in out]


def pyproject(folder, table):
    (folder / "pyproject.toml").write_text(f"[tool.dvckit]\n{table}")
    return folder


ALL = """name = "flowers"
package = "iris_flowers"
title = 'Flowers: "iris"'
task = "multiclass"
predict = false
library = "vendor/d.whl"
"""


def test_answers_are_read(tmp_path):
    assert Answers.read(pyproject(tmp_path, ALL)) == WHEEL


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ('name = "flowers"', "", "the key tool.dvckit.name is missing"),
        ('name = "flowers"', 'name = "data"', "tool.dvckit.name is 'data'; it must"),
        ('name = "flowers"', 'name = "Fl owers"', "tool.dvckit.name is 'Fl owers'; it must"),
        ('"iris_flowers"', '"iris-flowers"', "tool.dvckit.package is 'iris-flowers'; it must"),
        ("'Flowers: \"iris\"'", r'"a\nb"', r"tool.dvckit.title is 'a\nb'; it must"),
        ('"multiclass"', '"many"', "tool.dvckit.task is 'many'; it must be 'binary', 'multiclass' or 'regression'"),
        ("false", '"no"', "tool.dvckit.predict is 'no'; it must be a valid boolean"),
        ('"vendor/d.whl"', "1", "tool.dvckit.library is 1; it must be a valid string"),
        ("predict", "predicts", "the key tool.dvckit.predict is missing; unknown key tool.dvckit.predicts"),
        (ALL, f"{ALL}modules = {{fit = []}}", "tool.dvckit.modules.fit"),
        (ALL, f"{ALL}modules = 1", "tool.dvckit.modules is 1; it must be a valid dictionary"),
        (ALL, "=", "pyproject.toml cannot be read: "),
        (f"[tool.dvckit]\n{ALL}", "tool = 1", "pyproject.toml has no table [tool.dvckit]"),
        (f"[tool.dvckit]\n{ALL}", "", "pyproject.toml has no table [tool.dvckit]"),
    ],
)
def test_wrong_answers_are_one_sentence(tmp_path, right, wrong, sentence):
    file = pyproject(tmp_path, ALL) / "pyproject.toml"
    file.write_text(file.read_text().replace(right, wrong, 1))

    with pytest.raises(UserError, match=rf"^[^\n]*{re.escape(sentence)}[^\n]*$"):
        Answers.read(tmp_path)


def test_missing_answers_are_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"^there is no pyproject\.toml in "):
        Answers.read(tmp_path)


@every_kind
def test_pipelines_are_what_dvc_expects(answers):
    files = render(answers)

    for path in PIPELINES:
        COMPILED_MULTI_STAGE_SCHEMA(YAML(typ="safe").load(files[path]))


@every_kind
def test_dvc_would_write_pipelines_so(answers):
    """`dvc freeze` changes no other line."""
    for path in PIPELINES:
        text = render(answers)[path].decode()
        assert dumps_yaml(parse_yaml_for_update(text, path)) == text


@every_kind
def test_a_stage_reads_what_an_earlier_one_writes(answers):
    written = set()
    for stage in stages(answers).values():
        read = {dep for dep in stage["deps"] if dep.startswith(("data/", "reports/"))}
        assert read <= written
        written |= {path for out in stage["outs"] for path in out}
    assert len(written) == len(outs(answers))


@every_kind
def test_plots_are_outputs(answers):
    plots = YAML(typ="safe").load(render(answers)["dvc.yaml"])["plots"]

    assert {path for plot in plots for path in plot} == {path for path in outs(answers) if "/plots/" in path}


@pytest.mark.parametrize("label", ["x", "y"])
def test_the_name_of_a_column_is_text(label):
    """A column `true` would be a value of YAML's."""
    plots = YAML(typ="safe").load(render(replace(WHEEL, task="regression"))["dvc.yaml"])["plots"]

    assert all(isinstance(settings[label], str) for plot in plots for settings in plot.values())


@pytest.mark.parametrize("title", ["a: b", "no # comment", "- x", "1", "null", "[x", "Blumen, zweite Öffnung", '"q"'])
def test_any_title_is_text(title):
    artifacts = YAML(typ="safe").load(render(replace(WHEEL, title=title))["dvc.yaml"])["artifacts"]

    assert artifacts["data"]["desc"] == f"{title}: rows with the target"


@pytest.mark.parametrize("predict", [True, False])
def test_tables_to_predict_are_there_if_they_are_asked_for(predict):
    paths = outs(replace(WHEEL, predict=predict))

    assert any("test." in path for path in paths) == any("submission" in path for path in paths) == predict


def test_an_example_of_predictions_is_a_table_of_the_source():
    answers = replace(WHEEL, predict=True, submission="sample_submission")

    assert "data/raw/sample_submission.csv" in outs(answers)
    assert "data/raw/sample_submission.csv" in stages(answers)["validate"]["deps"]


@pytest.mark.parametrize(
    ("library", "dep"),
    [
        ("vendor/d.whl", "vendor/d.whl"),
        ("packages/d/src/d", "packages/d/src/d/core"),
    ],
)
def test_each_stage_depends_on_the_library(library, dep):
    answers = replace(WHEEL, library=library)

    assert all(dep in stage["deps"] for stage in stages(answers).values())


def test_a_library_of_an_index_is_one_of_the_versions():
    answers = replace(WHEEL, library="git+https://example.org/d.git")

    params = [entry for stage in stages(answers).values() for entry in stage["params"] if isinstance(entry, dict)]

    assert all("dvckit" in entry["libraries.json"] for entry in params)
    assert not any("example.org" in dep for stage in stages(answers).values() for dep in stage["deps"])


def test_a_stage_depends_on_further_modules():
    deps = stages(replace(WHEEL, modules={"train": ["modeling/extra.py"]}))["train"]["deps"]

    assert [dep for dep in deps if dep.endswith(".py")] == [
        "iris_flowers/features.py",
        "iris_flowers/modeling/extra.py",
        "iris_flowers/modeling/pipelines.py",
        "iris_flowers/modeling/train.py",
        "iris_flowers/schema.py",
    ]


def test_artifacts_are_named_and_described():
    model, data = YAML(typ="safe").load(render(WHEEL)["dvc.yaml"])["artifacts"].items()

    assert (model[0], data[0]) == ("flowers", "data")
    assert model[1]["desc"].startswith('Flowers: "iris": ')
    assert model[1]["labels"][0] == "classification"


@every_kind
def test_a_new_project_is_told_of_nothing_that_it_lacks(answers):
    text = b"\n".join(render(answers).values()).decode()

    lacking = ["packages/", "mypy", "mkdocs", "chromium"] if not answers.workspace else []
    assert [word for word in [*lacking, "passenger", "Survived"] if word in text.replace(".mypy_cache", "")] == []


@every_kind
def test_the_image_is_built_from_files_that_are_there(answers):
    files = render(answers)

    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", files["Dockerfile"].decode(), flags=re.MULTILINE)

    assert {name for names in copied for name in names.split()} <= OWN | set(files)


@pytest.mark.parametrize("library", LIBRARIES)
def test_ci_makes_targets_that_there_are(tmp_path, library):
    write(tmp_path, replace(WHEEL, library=library))
    text = (tmp_path / ".ci/run").read_text()
    targets = re.search(r"^for target in (.+?); do", text, flags=re.MULTILINE)[1].split()
    targets += re.findall(r"\bstep (\w+)$", text, flags=re.MULTILINE)

    shown = Repository(tmp_path).ok("make", "help")

    assert set(targets) <= set(re.findall(r"^make (\w+)", shown, flags=re.MULTILINE))


@pytest.mark.parametrize("library", LIBRARIES)
def test_scripts_are_executable_and_have_no_fault_of_syntax(tmp_path, library):
    write(tmp_path, replace(WHEEL, library=library))

    for script in (".ci/run", ".ci/container"):
        assert os.access(tmp_path / script, os.X_OK)
        Repository(tmp_path).ok("bash", "-n", script)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_dvc_lists_the_stages(toy, task):
    write(toy.root, replace(WHEEL, task=task))
    (toy.root / "params.yaml").write_text("dataset: {path: data/external/flowers}\n")

    listed = toy.ok("dvc", "stage", "list", "--all", "--name-only").split()

    assert [name.rpartition(":")[2] for name in listed] == list(stages(WHEEL))


def test_make_reproduce_gets_data_that_are_under_dvc(toy, tmp_path):
    """In a clone, where `dvc repro` alone stops at data that are not there."""
    (toy.root / "Makefile").write_bytes(render(WHEEL)["Makefile"])
    (toy.root / "my rows.csv").write_text("1\n")
    toy.ok("dvc", "add", "--quiet", "my rows.csv")
    toy.ok("dvc", "push", "--quiet")
    toy.commit("rows under DVC")
    clone = toy.clone(tmp_path / "clone")
    (tmp_path / "bin").mkdir()
    program = shutil.which("dvckit", path=toy.environment["PATH"])
    (tmp_path / "bin/dvckit").write_text(f'#!/bin/sh\ntest "$1" != data || exec "{program}" "$@"\n')
    (tmp_path / "bin/dvckit").chmod(0o755)

    clone.ok("make", "reproduce", "UV=true", "RUN=", PATH=f"{tmp_path}/bin:{toy.environment['PATH']}")

    assert (clone.root / "my rows.csv").read_text() == "1\n"


def test_differences_are_found(tmp_path):
    write(tmp_path, WHEEL)
    (tmp_path / "Makefile").write_text("all:\n")
    (tmp_path / "Dockerfile").unlink()

    states = differences(tmp_path, WHEEL)

    assert {path: state for path, state in states.items() if state != "same"} == {
        "Makefile": "changed",
        "Dockerfile": "missing",
    }
    assert set(states) == set(render(WHEEL))


def test_named_files_alone_are_written(tmp_path):
    write(tmp_path, WHEEL, ["Makefile"])

    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]


def test_a_file_that_is_not_shared_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"^README\.md: not shared by all projects; shared are \.ci/container, "):
        write(tmp_path, WHEEL, ["Makefile", "README.md"])

    assert list(tmp_path.iterdir()) == []
