import sys

import pytest

from dvckit.repository.extras import install


@pytest.mark.parametrize(("project", "command"), [(True, "uv sync --extra s3"), (False, "pip install dvc-s3")])
def test_uv_is_named_only_in_a_project_of_uvs(project, command, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    if project:
        (tmp_path / "uv.lock").touch()

    assert install("s3", "dvc-s3") == command
