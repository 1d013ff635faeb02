import hashlib
import os
import shutil
import subprocess
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from dvckit.doctor import environment, installed
from dvckit.doctor.clone import Clone
from dvckit.doctor.installed import damaged, name_of, report, uninstall

INFO = "my_package-1.0.dist-info"
FILES = {
    "my_package/__init__.py": "one = 1\n",
    "my_package/part/two.py": "two = 2\n",
    "../../bin/two": "#!python\n",
    f"{INFO}/METADATA": "Name: my-package\nVersion: 1.0\n",
    f"{INFO}/INSTALLER": "uv",
}


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """The packages of an environment in which one is installed."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    packages = tmp_path / "lib/site-packages"
    rows = [f"{INFO}/RECORD,,", "my_package/__pycache__/two.cpython-311.pyc,,"]
    for name, text in FILES.items():
        path = Path(os.path.normpath(packages / name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        digest = urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(text)}")
    (packages / INFO / "RECORD").write_text("".join(f"{row}\n" for row in rows))
    monkeypatch.setattr(installed, "site", lambda: packages)
    return packages


def test_what_is_as_its_record_says_is_whole(packages):
    later = (packages / INFO / "RECORD").stat().st_mtime + 10
    os.utime(packages / "my_package/__init__.py", (later, later))

    assert damaged(packages) == []
    assert report() == ""


def gone(name):
    return lambda packages: (packages / name).unlink()


def write(name, text):
    return lambda packages: (packages / name).write_text(text)


def of_another_kind(packages):
    shutil.rmtree(packages / "my_package")
    (packages / "my_package").write_text("")


def rewritten(packages):
    later = (packages / INFO / "RECORD").stat().st_mtime + 10
    (packages / "my_package/part/two.py").write_text("\0" * 8)
    os.utime(packages / "my_package/part/two.py", (later, later))


def cut(packages):
    record = packages / INFO / "RECORD"
    record.write_bytes(record.read_bytes()[:-10])


def without(row):
    def change(packages):
        record = packages / INFO / "RECORD"
        record.write_text("".join(line for line in record.read_text().splitlines(keepends=True) if row not in line))

    return change


def emptied(packages):
    shutil.rmtree(packages / INFO)
    (packages / INFO).mkdir()


DAMAGES = {
    "a file that is missing": gone("my_package/part/two.py"),
    "a script that is missing": gone("../../bin/two"),
    "a file that is cut": write("my_package/__init__.py", "one"),
    "zeros of the same length": rewritten,
    "a file where a folder is due": of_another_kind,
    "no RECORD": gone(f"{INFO}/RECORD"),
    "no METADATA": gone(f"{INFO}/METADATA"),
    "a RECORD that is cut": cut,
    "a RECORD of nothing": write(f"{INFO}/RECORD", ""),
    "a RECORD that is no table": write(f"{INFO}/RECORD", "a\n"),
    "an installer that did not end": without("INSTALLER"),
    "empty metadata": emptied,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_package_is_named_with_the_cure_and_can_be_installed_again(packages, damage):
    damage(packages)

    assert [name_of(folder) for folder in damaged(packages)] == ["my-package"]
    assert report().endswith("changed: my-package; run `uv sync --inexact --reinstall-package my-package`")

    uninstall(packages / INFO)
    assert not (packages / INFO).exists()
    assert not (packages / "my_package").is_file()
    assert damaged(packages) == []


def test_a_record_removes_nothing_outside_of_the_environment(packages, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "lib"))
    gone("my_package/part/two.py")(packages)

    uninstall(packages / INFO)

    assert (tmp_path / "bin/two").exists()


def test_doctor_names_damaged_packages_and_does_not_call_them_missing(fresh, packages, monkeypatch):
    (packages / INFO).rename(packages / "numpy-1.0.dist-info")
    monkeypatch.setattr(environment, "site", lambda: packages)

    lines = [str(finding) for finding in environment.python(Clone(fresh.root))]

    assert "numpy; run `uv sync --inexact --reinstall-package numpy`" in lines[-1]
    assert lines[-1].startswith("WRONG   files of packages are missing or changed, as after a killed `uv sync`: ")


def test_packages_without_metadata_are_no_error(monkeypatch, tmp_path):
    (tmp_path / "nothing-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)

    assert "nothing" not in environment.installed()


def test_the_command_says_which_package_is_damaged(tmp_path):
    (tmp_path / "typer.py").write_text("raise ImportError('half a package')\n")
    code = (
        "import dvckit.doctor.installed as i, pathlib; i.damaged = lambda _: [pathlib.Path('typer-1.dist-info')]\n"
        "from dvckit.start import main; main()"
    )

    process = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert process.returncode == 1
    assert process.stderr == (
        "error: files of packages are missing or changed: typer; run `uv sync --inexact --reinstall-package typer`\n"
    )
