"""The locked environment is tried, not believed."""

import importlib
import importlib.metadata
import re
import tomllib
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# a remote's own library, beyond the DVC plugin: what a plugin loads only when it is used
REMOTES = {
    "gdrive": ["dvc_gdrive", "pydrive2.auth", "pydrive2.fs", "OpenSSL", "OpenSSL.crypto", "oauth2client.client"],
    "s3": ["dvc_s3", "s3fs", "aiobotocore.session", "botocore"],
    "ssh": ["dvc_ssh", "sshfs", "asyncssh"],
    "webdav": ["dvc_webdav", "webdav4.fsspec"],
    "gs": ["dvc_gs", "gcsfs", "google.cloud.storage"],
    "azure": ["dvc_azure", "adlfs", "azure.identity", "azure.storage.blob"],
}


@pytest.mark.parametrize("remote", REMOTES)
def test_the_library_of_every_remote_can_be_loaded(remote):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs
        for module in REMOTES[remote]:
            importlib.import_module(module)


def test_every_extra_is_tried():
    # these have tests of their own: tests/dataset/test_kaggle.py, tests/experiments
    others = {"kaggle", "dask", "mlflow", "clearml"}
    assert {*REMOTES, *others} == {*PROJECT["optional-dependencies"], "gdrive"}


def test_every_dependency_has_its_reason():
    reasons = (ROOT / "docs/docs/architecture.md").read_text()
    wanted = PROJECT["dependencies"] + tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["dev"]
    names = [re.match(r"[\w-]+", name).group() for name in wanted]

    assert [name for name in names if f"| {name} |" not in reasons and name != "titanic"] == []


def test_the_tools_of_one_name_have_one_version():
    uv = {
        re.search(r"uv==([\d.]+)|UV_VERSION := ([\d.]+)", (ROOT / name).read_text())
        for name in ("Makefile", "Dockerfile")
    }

    assert len({match.group(1) or match.group(2) for match in uv}) == 1


@pytest.mark.parametrize("name", ["credentials", "secret", "password", "token", "access_key"])
def test_the_shared_config_holds_no_credentials(name):
    assert name not in (ROOT / ".dvc/config").read_text().lower()
