"""dvc.yaml tells the truth: what a stage declares is what it imports, reads and writes, and nothing else."""

import ast
import re
import shutil
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from titanic.config import Params

ROOT = Path(__file__).parents[2]
PIPELINES = ("dvc.yaml", "reports/dvc.yaml")
SECTIONS = [field.alias or name for name, field in Params.model_fields.items()]


def load_yaml(path):
    return YAML(typ="safe").load(ROOT / path)


STAGES = {name: stage for pipeline in PIPELINES for name, stage in load_yaml(pipeline)["stages"].items()}


def path_of(module):
    """The file of a dotted module name, or None where it is none of ours."""
    base = ROOT / module.replace(".", "/")
    return next((file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()), None)


@cache
def imports(file):
    """The files of ours that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        found |= {path for name in names if name.startswith("titanic") and (path := path_of(name))}
    return found


def closure(file):
    """The file and all that it imports, one through another."""
    seen, todo = set(), {file}
    while todo:
        seen |= todo
        todo = {other for file in todo for other in imports(file)} - seen
    return seen


def main_module(stage):
    return path_of(f"titanic.{stage['cmd'].split()[-1]}")


def has_code(file):
    """Whether there is more in a file than a docstring."""
    return len(ast.parse(file.read_text()).body) > 1


def output_paths(stage):
    return [path for out in stage["outs"] for path in out]


def params_read(file):
    """What main() reads of params.yaml: the sections that it takes from load_params(), and their keys that it names."""
    main = next(n for n in ast.parse(file.read_text()).body if isinstance(n, ast.FunctionDef) and n.name == "main")
    code = ast.unparse(main)
    taken = re.findall(r"load_params\(\)(?:\.(\w+?)_?\b)?", code)
    if whole := re.search(r"(\w+) = load_params\(\)\n", code):
        taken = re.findall(rf"\b{whole[1]}\.(\w+?)_?\b", code)
    sections = [section for name in taken for section in ([name] if name else SECTIONS)]
    return sections, [f"{sections[0]}.{key}" for key in re.findall(r"\bparams\.(\w+)", code)]


@pytest.mark.parametrize("name", STAGES)
def test_deps_name_every_module_that_the_stage_imports(name):
    stage = STAGES[name]
    imported = closure(main_module(stage)) | closure(ROOT / "titanic/stage.py") | {ROOT / "titanic/__init__.py"}

    declared = {ROOT / dep for dep in stage["deps"] if dep.endswith(".py")}

    assert declared == {file for file in imported if file.name != "__init__.py" or has_code(file)}


@pytest.mark.parametrize("name", STAGES)
def test_params_name_what_the_stage_reads(name):
    sections, keys = params_read(main_module(STAGES[name]))

    assert sorted(STAGES[name]["params"]) in (sorted(sections), sorted(keys))


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_runs_with_what_it_declares_alone(name, small, tmp_path):
    """Only the deps, params.yaml and the docstrings of packages are there; just the outs come of it."""
    stage, bare = STAGES[name], tmp_path / "bare"
    deps = [dep.replace("${dataset.path}", "data/external/titanic") for dep in stage["deps"]]
    packages = [f"{file.parent.relative_to(ROOT)}/__init__.py" for file in (ROOT / "titanic").rglob("__init__.py")]
    for path in [*deps, *packages, "params.yaml"]:
        (bare / path).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (small.root / path).is_dir() else shutil.copy2
        copy(small.root / path, bare / path)
    before = {path for path in bare.rglob("*") if path.is_file()}

    type(small)(bare).ok(*stage["cmd"].split(), PYTHONDONTWRITEBYTECODE="1")

    made = {str(path.relative_to(bare)) for path in bare.rglob("*") if path.is_file()} - {
        str(path.relative_to(bare)) for path in before
    }
    assert made == set(output_paths(stage))
    assert all((bare / path).read_bytes() == (small.root / path).read_bytes() for path in made)


@pytest.mark.parametrize("name", STAGES)
def test_outs_persist_so_that_a_refusal_leaves_the_old_ones(name):
    assert all(out["persist"] for outs in STAGES[name]["outs"] for out in outs.values())


def test_one_stage_has_one_module_and_one_section():
    assert len({stage["cmd"] for stage in STAGES.values()}) == len(STAGES)
    assert list(load_yaml("params.yaml")) == SECTIONS
