import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from dvckit.core.errors import UserError
from dvckit.new import library
from dvckit.new.library import Library, add_library, wheel
from dvckit.new.uv import uv_program


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The wheel of the library that runs the tests."""
    return wheel(tmp_path_factory.mktemp("built"))


@pytest.fixture
def installed(built, tmp_path) -> Distribution:
    """That wheel, installed into a folder."""
    command = [
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--offline",
        "--compile-bytecode",
        "--target",
        str(tmp_path / "site"),
    ]
    subprocess.run([*uv_program(), *command, "--python", sys.executable, str(built)], check=True)
    (found,) = Distribution.discover(name="dvckit", path=[str(tmp_path / "site")])
    return found


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_has_the_package_and_its_templates(built):
    files = contents(built)

    assert re.fullmatch(r"dvckit-[\d.]+-py3-none-any\.whl", built.name)
    assert {"dvckit/cli.py", "dvckit/py.typed", "dvckit/new/templates/pyproject.toml.jinja"} <= set(files)
    assert {name.split("/")[0] for name in files} == {"dvckit", f"{built.name.split('-py3')[0]}.dist-info"}
    assert not [name for name in files if "__pycache__" in name]


def test_equal_sources_give_equal_bytes_and_nothing_is_left_there(built, tmp_path):
    source = shutil.copytree(library._editable(library.distribution("dvckit")), tmp_path / "source")
    before = sorted(source.rglob("*"))

    files = library._built(source)

    assert library._packed(files) == built.read_bytes()
    assert sorted(source.rglob("*")) == before


def test_an_installed_wheel_gives_itself_again(built, installed):
    """Bytecode, scripts and the installer's notes are no part of it."""
    bytecode = "dvckit/__pycache__/cli.cpython-311.pyc"
    assert Path(installed.locate_file(bytecode)).exists()
    record = Path(installed.locate_file(f"{built.name.split('-py3')[0]}.dist-info/RECORD"))
    record.write_text(f"{record.read_text()}{bytecode},,\n../../bin/dvckit,,\n")  # as pip does
    assert {"INSTALLER", "direct_url.json", "cli.cpython-311.pyc"} <= {path.name for path in installed.files}
    assert library._editable(installed) is None

    assert library._packed(library._installed(installed)) == built.read_bytes()


def test_a_wheel_packed_again_is_installed_as_the_same_files(built, installed, tmp_path):
    packed = tmp_path / built.name
    packed.write_bytes(library._packed(library._installed(installed)))
    command = ["pip", "install", "--quiet", "--no-deps", "--offline", "--target", str(tmp_path / "again"), "--python"]
    subprocess.run([*uv_program(), *command, sys.executable, str(packed)], check=True)
    (again,) = Distribution.discover(name="dvckit", path=[str(tmp_path / "again")])

    assert library._packed(library._installed(again)) == packed.read_bytes()
    assert again.requires == installed.requires
    assert {script.value for script in again.entry_points} == {"dvckit.start:main"}


def test_an_install_that_lacks_a_file_is_reported(installed):
    Path(installed.locate_file("dvckit/verify.py")).unlink()

    with pytest.raises(UserError, match=r"not installed as a whole: .*dvckit/verify\.py is missing; install it again"):
        library._installed(installed)


def test_by_default_the_library_that_runs_is_added(built, tmp_path):
    added = add_library(tmp_path)

    assert added == Library(f"vendor/{built.name}", source={"path": f"vendor/{built.name}"})
    assert (tmp_path / added.name).read_bytes() == built.read_bytes()


def test_a_wheel_is_copied_under_the_name_that_it_gives_itself(built, tmp_path):
    given = tmp_path / "downloaded (1).whl"
    shutil.copyfile(built, given)

    added = add_library(tmp_path, str(given))

    assert added.name == f"vendor/{built.name}"
    assert (tmp_path / added.name).read_bytes() == built.read_bytes()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("0.2.0", Library("dvckit==0.2.0", "==0.2.0")),
        ("dvckit == 0.2.0", Library("dvckit==0.2.0", "==0.2.0")),
        ("dvckit>=0.2,<1", Library("dvckit<1,>=0.2", "<1,>=0.2")),
        (
            "git+https://example.org/a/dvckit.git@v0.2.0",
            {"git": "https://example.org/a/dvckit.git", "rev": "v0.2.0"},
        ),
        (
            "git+ssh://git@example.org/a/dvckit@feature/x#subdirectory=packages/dvckit",
            {"git": "ssh://git@example.org/a/dvckit", "rev": "feature/x", "subdirectory": "packages/dvckit"},
        ),
        ("git+file:///srv/dvckit", {"git": "file:///srv/dvckit"}),
    ],
)
def test_the_library_comes_from_an_index_or_from_git(tmp_path, source, expected):
    expected = expected if isinstance(expected, Library) else Library(source, source=expected)

    assert add_library(tmp_path, source) == expected
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("numpy==2", "numpy==2 is no source of the library; give the path of a wheel, a version such as 0.2.0, or git"),
        ("dvckit @ https://example.org/d.whl ", "is no source of the library"),
        ("dvckit[dask]==0.2.0", "is no source of the library"),
        ("some/folder", "is no source of the library"),
        ("", "is no source of the library"),
        ("git+example.org", "is no address of a git repository; write git"),
    ],
)
def test_another_source_is_refused(tmp_path, source, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        add_library(tmp_path, source)


def test_a_file_that_is_no_wheel_of_the_library_is_refused(tmp_path):
    (tmp_path / "text.whl").write_text("text")
    with zipfile.ZipFile(tmp_path / "empty.whl", "w"):
        pass
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as archive:
        archive.writestr("other-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")

    for name, sentence in {
        "text": "is not a wheel, or not a whole one",
        "empty": "is not a wheel, or not a whole one",
        "other": "is not a wheel of dvckit: it is other-1.0-py3-none-any.whl",
        "none": "there is no file",
    }.items():
        with pytest.raises(UserError, match=f"{name}.whl.*{re.escape(sentence)}|{sentence}.*{name}.whl"):
            add_library(tmp_path / "project", str(tmp_path / f"{name}.whl"))

    assert not (tmp_path / "project").exists()
