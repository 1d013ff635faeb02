"""DVC's internals are there, in the versions that they were tried on, and used through one module alone."""

import ast
import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest

from dvckit.core.errors import UserError
from dvckit.repository import dvc_internals

PACKAGE = Path(__file__).parents[2]
SOURCE = PACKAGE / "src/dvckit"
PRIVATE = ("dvc", "dvc_data", "dvc_gdrive", "dulwich", "hydra")


@pytest.mark.parametrize("name", dvc_internals.MODULES)
def test_every_name_is_there(name):
    assert getattr(dvc_internals, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Repository'"):
        _ = dvc_internals.Repository


def test_the_locked_dvc_was_tried_and_pyproject_holds_it():
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    upper = re.search(r"dvc>=.*,<([\d.]+)", "\n".join(project["dependencies"])).group(1)

    assert importlib.metadata.version("dvc") in dvc_internals.TRIED_ON
    assert all(
        tuple(map(int, version.split(".")[:2])) < tuple(map(int, upper.split(".")))
        for version in dvc_internals.TRIED_ON
    )


def test_every_package_behind_them_is_declared():
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    declared = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    names = {re.match(r"[\w-]+", name).group().replace("-", "_") for name in declared}
    packages = {module.partition(".")[0] for module in dvc_internals.MODULES.values()}

    assert packages - names - {"hydra"} == set()
    assert "hydra_core" in names


def test_no_other_module_imports_them():
    importers = set()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            importers |= {str(file.relative_to(SOURCE)) for name in modules if name.partition(".")[0] in PRIVATE}

    assert importers <= {"repository/dvc_internals.py"}


@pytest.mark.parametrize(
    ("text", "message"),
    [("schema: '2.0'\nstages:\n  a:\n    cmd: x\n    made: y\n", "made"), ("schema: '2.0'\nstages: [", "corrupted")],
)
def test_a_lock_that_dvc_would_refuse_is_refused(text, message):
    with pytest.raises(UserError, match=message):
        dvc_internals.check_lock(text, "dvc.lock")
