import json
import subprocess

import numpy as np
import pytest

from dvckit.core.errors import UserError
from dvckit.core.stage import check_libraries
from dvckit.repository.libraries import locked, write
from dvckit.repository.revision import Revision

PIPELINE = """stages:
  train:
    cmd: "true"
    params: [seed, {libraries.json: [numpy, own]}]
"""
LOCK = """
[[package]]
name = "numpy"
version = "2.4.6"
source = { registry = "https://example.org/simple" }

[[package]]
name = "own"
version = "0.1.0"
source = { git = "https://example.org/own.git#abc" }

[[package]]
name = "ruff"
version = "0.14.0"
source = { registry = "https://example.org/simple" }
"""


@pytest.fixture
def project(tmp_path):
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "uv.lock").write_text(LOCK)
    return tmp_path


def versions(project):
    return json.loads((project / "libraries.json").read_text())


def test_the_packages_that_stages_name_are_recorded(project):
    write(project)

    assert versions(project) == {"numpy": "2.4.6", "own": "0.1.0 https://example.org/own.git#abc"}


def test_a_new_version_is_recorded(project):
    write(project)
    (project / "uv.lock").write_text(LOCK.replace("2.4.6", "2.5.0"))

    write(project)

    assert versions(project)["numpy"] == "2.5.0"


def test_a_file_that_is_right_is_not_written_again(project):
    write(project)
    before = (project / "libraries.json").stat()

    write(project)

    assert (project / "libraries.json").stat() == before


def test_a_broken_file_is_written_again(project):
    (project / "libraries.json").write_text("{")

    write(project)

    assert versions(project)["numpy"] == "2.4.6"


def test_a_project_that_names_none_has_no_such_file(project):
    (project / "dvc.yaml").write_text("stages: {}")

    write(project)

    assert not (project / "libraries.json").exists()


def test_a_package_that_is_not_locked_is_one_sentence(project):
    (project / "dvc.yaml").write_text(PIPELINE.replace("numpy", "nunpy"))

    with pytest.raises(UserError, match=r"names nunpy of libraries\.json, which uv\.lock lacks; run `uv lock`"):
        locked(Revision(project))


def test_a_stage_refuses_other_versions_than_the_lock_would_name(tmp_path):
    (tmp_path / "libraries.json").write_text('{"numpy": "0.1"}')

    with pytest.raises(UserError, match=r"numpy \S+ is installed and libraries\.json has 0\.1; run `make env`"):
        check_libraries(tmp_path)


def test_a_package_from_git_is_checked_by_its_version(tmp_path):
    (tmp_path / "libraries.json").write_text(json.dumps({"numpy": f"{np.__version__} https://example.org#abc"}))

    check_libraries(tmp_path)
