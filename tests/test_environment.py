"""The locked environment is tried, not believed."""

import importlib
import importlib.metadata
import re
import tomllib
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE, LIBRARY = (tomllib.loads((ROOT / name / "pyproject.toml").read_text()) for name in (".", "packages/dvckit"))
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
    # these have tests of their own: the library's sources, sweep, publish
    others = {"kaggle", "dask", "mlflow", "clearml"}
    assert {*REMOTES, *others} == {*EXAMPLE["project"]["optional-dependencies"], "gdrive"}


def test_the_example_offers_the_extras_of_the_library():
    # what the pipeline and the tests need is no choice
    inside = {"project", "search", "gdrive", "testing"}
    extras = LIBRARY["project"]["optional-dependencies"]

    assert {*EXAMPLE["project"]["optional-dependencies"]} == {*extras} - inside
    assert all(value == [f"dvckit[{name}]"] for name, value in EXAMPLE["project"]["optional-dependencies"].items())


def test_every_dependency_has_its_reason():
    reasons = (ROOT / "docs/docs/architecture.md").read_text()
    requirements = (
        EXAMPLE["project"]["dependencies"] + EXAMPLE["dependency-groups"]["dev"] + LIBRARY["project"]["dependencies"]
    )
    requirements += [name for extra in LIBRARY["project"]["optional-dependencies"].values() for name in extra]
    names = {re.match(r"[\w-]+", name).group() for name in requirements} - {"titanic", "dvckit"}

    assert sorted(name for name in names if f"| {name} |" not in reasons) == []


def test_a_user_gets_no_development_tools():
    """`uv run dvc repro` installs what the pipeline needs, and nothing else."""
    assert EXAMPLE["tool"]["uv"]["default-groups"] == []


@pytest.mark.parametrize("name", ["credentials", "secret", "password", "token", "access_key"])
def test_the_shared_config_holds_no_credentials(name):
    assert name not in (ROOT / ".dvc/config").read_text().lower()
