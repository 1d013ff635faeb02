import shutil

import pytest

from packages.dvckit.tests.hostile.project import make, write


@pytest.fixture(scope="session")
def _hostile(tmp_path_factory):
    return make(tmp_path_factory.mktemp("made") / "project")


@pytest.fixture
def project(_hostile, tmp_path, monkeypatch):
    """A copy of the project, and a folder beside it that nothing may touch."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    for kind in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{kind}_NAME", "tester")
        monkeypatch.setenv(f"GIT_{kind}_EMAIL", "tester@localhost")
    shutil.copytree(_hostile, tmp_path / "project", symlinks=True)
    write(tmp_path / "outside", "sentinel", b"theirs")
    write(tmp_path / "outside", "sentinel.json", b"{}")
    return tmp_path / "project"
