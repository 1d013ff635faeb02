"""`make env` killed at any moment, and environments of which parts are gone: the next `make` repairs them by itself."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from dvckit.doctor.installed import damaged
from dvckit.testing import Repository, copy_of_source

pytestmark = pytest.mark.faults

PACKAGES = Path(".venv/lib/python3.11/site-packages")


@pytest.fixture(scope="module")
def set_up(source, tmp_path_factory):
    """A clone with an environment of its own, from uv's cache; not compiled, which takes most of the time."""
    clone = copy_of_source(source, tmp_path_factory.mktemp("set-up") / "titanic")
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    clone.environment |= {"XDG_CACHE_HOME": cache, "UV_OFFLINE": "1"}
    clone.edit("pyproject.toml", ("compile-bytecode = true", "compile-bytecode = false"))
    clone.ok("make", "env")
    return clone


def is_set_up(clone):
    """Whether `make env` does all, and every package is whole then."""
    result = clone.run("make", "env")
    assert result.code == 0, result.output
    assert damaged(clone.root / PACKAGES) == []
    assert (clone.root / ".venv/bin/dvc").is_file()
    return result.output


def kill_when(clone, process, count):
    """Kill a set-up as soon as it has begun to install so many packages."""
    while process.poll() is None and len([*(clone.root / PACKAGES).glob("*.dist-info")]) < count:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_a_set_up_that_was_killed_is_completed_by_the_next(set_up):
    draw, damages = random.Random(1912), 0
    for _ in range(6):
        shutil.rmtree(set_up.root / ".venv")
        kill_when(set_up, set_up.start("make", "env"), draw.randrange(140))
        damages += bool(damaged(set_up.root / PACKAGES))
        is_set_up(set_up)
    assert damages > 0


def replace(path, content=None):
    """Write another file in the place of one, which may be a link to that in uv's cache; or none."""
    path.unlink()
    if content is not None:
        path.write_bytes(content)


def without_dvckit(root):
    (root / PACKAGES / "dvckit.pth").unlink()


def half_of_packages(root):
    replace(root / PACKAGES / "rich/console.py", b"import")
    replace(root / PACKAGES / "typer/main.py")
    shutil.rmtree(root / PACKAGES / "yaml")
    (root / PACKAGES / "yaml").write_bytes(b"")
    replace(next((root / PACKAGES).glob("numpy-*.dist-info/RECORD")))
    replace(root / ".venv/bin/dvc")


def without_python(root):
    for path in (root / ".venv/bin").glob("python*"):
        path.unlink()


def python_is_gone(root):
    (root / ".venv/pyvenv.cfg").unlink()
    without_python(root)
    (root / ".venv/bin/python").symlink_to("/nowhere/python3.11")


def no_folder(root):
    shutil.rmtree(root / ".venv")
    (root / ".venv").symlink_to("/nowhere")


BREAKS = [
    without_dvckit,
    half_of_packages,
    without_python,
    python_is_gone,
    no_folder,
    lambda root: (root / ".venv/pyvenv.cfg").unlink(),
    lambda root: shutil.rmtree(root / ".venv/lib"),
]


@pytest.mark.parametrize("damage", BREAKS)
def test_an_environment_of_which_parts_are_gone_is_made_whole(set_up, damage):
    damage(set_up.root)

    is_set_up(set_up)


def test_a_uv_of_our_own_that_does_not_run_is_installed_again(set_up, tmp_path):
    program = tmp_path / "bin"
    program.mkdir()
    for name in ("sh", "git", "make", "env", "test", "mkdir", "rm", "mv"):
        (program / name).symlink_to(shutil.which(name))
    (program / "python3.11").write_text(
        '#!/bin/sh\ntest "$1" = -c && exit\nmkdir -p "$3/bin"\n'
        'printf \'#!/bin/sh\\nprintf "#!/bin/sh\\\\necho uv" > "${0%%pip}uv"; chmod +x "${0%%pip}uv"\' > "$3/bin/pip"\n'
        'chmod +x "$3/bin/pip"\n'
    )
    (program / "python3.11").chmod(0o755)
    (program / "chmod").symlink_to(shutil.which("chmod"))
    makefile = (set_up.root / "Makefile").read_text()
    version = makefile.split("UV_VERSION := ")[1].split("\n")[0]
    broken = tmp_path / f"cache/dvckit/uv-{version}/bin/uv"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"\x7fELF\0\0")
    broken.chmod(0o755)

    clone = Repository(set_up.root)
    clone.ok("make", "uv", PATH=str(program), XDG_CACHE_HOME=str(tmp_path / "cache"))

    assert broken.read_text() == "#!/bin/sh\necho uv"
    assert [path.name for path in broken.parents[1].iterdir()] == ["bin"]
