"""dvc.yaml tells the truth: what a stage declares is what it imports, reads and writes, and nothing else."""

import ast
import importlib
import importlib.metadata
import inspect
import shutil
from functools import cache
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from dvckit.core.params import Section
from titanic.project import PROJECT

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "packages/dvckit/src/dvckit"
PACKAGES = {"titanic": ROOT / "titanic", "dvckit": LIBRARY}
# What stages may be built of; the rest of the library are commands, and what these need.
OF_STAGES = {"core", "stage.py", "tables", "tasks", "models", "reports"}
PIPELINES = ("dvc.yaml", "reports/dvc.yaml")
# They read parameters, write to the terminal, copy files as they are, or bring tasks to where they run.
WITHOUT_EFFECT = {
    "distributed",
    "fsspec",
    "omegaconf",
    "pooch",
    "pydantic",
    "pyyaml",
    "requests",
    "rich",
    "ruamel-yaml",
    "tqdm",
}
BY_MODULE = importlib.metadata.packages_distributions()
SECTIONS = list(PROJECT.sections)


def load_yaml(path):
    return YAML(typ="safe").load(ROOT / path)


STAGES = {name: stage for pipeline in PIPELINES for name, stage in load_yaml(pipeline)["stages"].items()}


def path_of(module):
    """The file of a dotted module name, or None where it is none of ours."""
    package, _, rest = module.partition(".")
    if package not in PACKAGES:
        return None
    base = PACKAGES[package] / rest.replace(".", "/") if rest else PACKAGES[package]
    return next((file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()), None)


class Imports(ast.NodeVisitor):
    """The modules that a file imports, also inside functions, but for those that only types need."""

    def __init__(self):
        self.names = set()

    def visit_If(self, node):
        for child in node.orelse if ast.unparse(node.test) == "TYPE_CHECKING" else [*node.body, *node.orelse]:
            self.visit(child)

    def visit_Import(self, node):
        self.names |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node):
        self.names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}


@cache
def imports(file):
    """The files of ours that a file imports, with the packages that they are in."""
    visitor = Imports()
    visitor.visit(ast.parse(file.read_text()))
    parents = {name.rpartition(".")[0] for name in visitor.names}
    return {path for name in visitor.names | parents if (path := path_of(name))}


def closure(file):
    """The file and all that it imports, one through another."""
    seen, todo = set(), {file}
    while todo:
        seen |= todo
        todo = {other for file in todo for other in imports(file)} - seen
    return seen


def module_of(stage):
    return stage["cmd"].split()[-1]


def has_code(file):
    """Whether there is more in a file than a docstring."""
    return len(ast.parse(file.read_text()).body) > 1


def imported(stage):
    """What a stage's deps must name: modules of the example one by one, the library's folders."""
    files = closure(path_of(module_of(stage))) | closure(LIBRARY / "stage.py")
    own = {str(file.relative_to(ROOT)) for file in files if file.is_relative_to(ROOT / "titanic") and has_code(file)}
    library = {file.relative_to(LIBRARY).parts[0] for file in files if file.is_relative_to(LIBRARY)}
    return own, library - {"__init__.py"}


def imported_packages(stage):
    """The installed packages that a stage's code imports, as uv.lock names them."""
    modules = set()
    for file in closure(path_of(module_of(stage))) | closure(LIBRARY / "stage.py"):
        visitor = Imports()
        visitor.visit(ast.parse(file.read_text()))
        modules |= {name.partition(".")[0] for name in visitor.names}
    packages = {package for module in modules - PACKAGES.keys() for package in BY_MODULE.get(module, ())}
    return {canonicalize_name(package) for package in packages}


def output_paths(stage):
    return [path for out in stage["outs"] for path in out]


def params_read(module):
    """The sections of params.yaml that main() reads, or their keys where it ignores others."""
    loaded = importlib.import_module(module)
    names = []
    for call in ast.walk(ast.parse(inspect.getsource(loaded.main))):
        name = getattr(getattr(call, "func", None), "id", "")
        if name == "read_values":
            names += SECTIONS
        if name == "read":
            key, section = call.args[0].value, getattr(loaded, call.args[1].id)
            assert issubclass(section, Section)
            keys = section.model_config["extra"] == "ignore"
            names += [f"{key}.{name}" for name in section.model_fields] if keys else [key]
    return names


@pytest.mark.parametrize("name", STAGES)
def test_deps_name_every_module_that_the_stage_imports(name):
    deps = STAGES[name]["deps"]
    own, library = imported(STAGES[name])
    folder = str(LIBRARY.relative_to(ROOT))

    assert {dep for dep in deps if dep.startswith("titanic/") and dep.endswith(".py")} == own
    assert {Path(dep).relative_to(folder).as_posix() for dep in deps if dep.startswith(folder)} == library


@pytest.mark.parametrize("name", STAGES)
def test_params_name_the_libraries_that_decide_the_bytes(name):
    (named,) = (entry["libraries.json"] for entry in STAGES[name]["params"] if isinstance(entry, dict))

    assert set(named) == imported_packages(STAGES[name]) - WITHOUT_EFFECT


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_imports_nothing_of_a_command(name):
    """So work on a command reruns no stage."""
    _, library = imported(STAGES[name])

    assert library <= OF_STAGES


@pytest.mark.parametrize("name", STAGES)
def test_params_name_what_the_stage_reads(name):
    keys = [entry for entry in STAGES[name]["params"] if isinstance(entry, str)]

    assert sorted(keys) == sorted(params_read(module_of(STAGES[name])))


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_runs_with_what_it_declares_alone(name, small, tmp_path):
    """Only the deps, params.yaml and the docstrings of packages are there; just the outs come of it."""
    stage, bare = STAGES[name], tmp_path / "bare"
    deps = [dep.replace("${dataset.path}", "data/external/titanic") for dep in stage["deps"]]
    packages = [f"{file.parent.relative_to(ROOT)}/__init__.py" for file in (ROOT / "titanic").rglob("__init__.py")]
    for path in [*deps, *packages, "params.yaml", "libraries.json"]:
        (bare / path).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (small.root / path).is_dir() else shutil.copy2
        copy(small.root / path, bare / path)
    before = {path for path in bare.rglob("*") if path.is_file()}

    type(small)(bare).ok(*stage["cmd"].split(), PYTHONDONTWRITEBYTECODE="1")

    files = {str(path.relative_to(bare)) for path in bare.rglob("*") if path.is_file()} - {
        str(path.relative_to(bare)) for path in before
    }
    assert files == set(output_paths(stage))
    assert all((bare / path).read_bytes() == (small.root / path).read_bytes() for path in files)


@pytest.mark.parametrize("name", STAGES)
def test_outs_persist_so_that_a_refusal_leaves_the_old_ones(name):
    assert all(out["persist"] for outs in STAGES[name]["outs"] for out in outs.values())


def test_one_stage_has_one_module_and_one_section():
    assert len({stage["cmd"] for stage in STAGES.values()}) == len(STAGES)
    assert list(load_yaml("params.yaml")) == SECTIONS
