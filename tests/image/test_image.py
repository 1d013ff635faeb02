"""The image, through the command lines that a user types; `make image` builds it and runs them all."""

import hashlib
import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from dvckit.repository.revision import Revision

pytestmark = pytest.mark.image

README = Path(__file__).parents[2] / "README.md"
USERS = pytest.mark.parametrize("user", ["", "--user 4711:4711 "], ids=["its own user", "another user"])


def outputs(root):
    locked = Revision(root).md5s
    return locked or pytest.skip("HEAD has no dvc.lock to compare with")


def test_the_default_command_reproduces_and_prints_the_scores(shell):
    result = shell("docker run --rm titanic")

    assert result.returncode == 0, result.stdout
    assert "Running stage 'evaluate'" in result.stdout
    assert re.search(r"accuracy .* 0\.\d{3} .* 0\.\d{3} ± 0\.\d{3}", result.stdout), result.stdout


def test_results_are_those_of_dvc_lock_to_the_byte_and_owned_by_the_caller(shell, built, out):
    locked = outputs(built.root)

    result = shell('docker run --rm --user 4711:4711 -v "$PWD/out:/out" titanic')

    assert result.returncode == 0, result.stdout
    assert {path: hashlib.md5((out / path).read_bytes()).hexdigest() for path in locked} == locked
    assert {(file.stat().st_uid, file.stat().st_gid) for file in out.rglob("*")} == {(4711, 4711)}


def test_results_are_left_by_the_own_user_too(shell, out):
    result = shell('docker run --rm -v "$PWD/out:/out" titanic')

    assert result.returncode == 0, result.stdout
    assert (out / "reports" / "report.html").is_file()


@pytest.mark.parametrize(("mode", "option"), [(0o755, ""), (0o777, ":ro")], ids=["another's folder", "read-only mount"])
def test_an_unwritable_out_gives_one_error(shell, out, mode, option):
    out.chmod(mode)

    result = shell(f'docker run --rm --user 4711:4711 -v "$PWD/out:/out{option}" titanic')

    assert result.returncode != 0
    assert len(re.findall(r"^error: user id 4711 may not write to /out;", result.stdout, flags=re.MULTILINE)) == 1
    assert "Running stage" not in result.stdout
    assert "Traceback" not in result.stdout


@USERS
def test_an_experiment_runs_in_the_image(shell, user):
    result = shell(f"docker run --rm {user}titanic dvc exp run -S train.n_estimators=200")

    assert result.returncode == 0, result.stdout
    assert "Ran experiment(s)" in result.stdout


@USERS
def test_any_command_runs_and_gives_back_its_status(shell, user):
    result = shell(f"""docker run --rm {user}titanic sh -c 'echo "$0 in $PWD"; exit 7' here""")

    assert result.returncode == 7
    assert "here in /project/titanic" in result.stdout


def test_nothing_runs_as_root(shell):
    result = shell("docker run --rm titanic id -u")

    assert result.returncode == 0
    assert int(result.stdout.split()[-1]) > 0


def test_git_knows_one_commit_and_nothing_else(shell, secret):
    result = shell(f"""docker run --rm titanic sh -c '
        echo commits: $(git rev-list --all --reflog --count)
        echo remotes: $(git remote)
        echo secrets: $(git -C /opt/titanic.git cat-file --batch-all-objects --batch | grep --text --count {secret})'""")

    assert "commits: 1\nremotes:\nsecrets: 0\n" in result.stdout


def test_no_secret_of_the_developer_is_in_a_file_of_the_image(shell, secret):
    run = shell(f"docker run --rm --user 0:0 titanic grep -rl {secret} /etc /home /opt /project /root /tmp /usr /var")

    assert run.returncode == 1, run.stdout


def test_the_packages_are_those_of_the_lock_without_the_development_ones(shell, built):
    uv = os.environ.get("UV") or shutil.which("uv") or pytest.skip("uv, which reads uv.lock, is not on PATH")
    command = "export --frozen --no-dev --no-emit-workspace --no-hashes --no-annotate --no-header --quiet"
    lines = built.ok(uv, *command.split()).splitlines()
    locked = {line.partition(" ;")[0] for line in lines if marker_holds(line)}

    listing = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()), sep='\\n')"
    result = shell(f'docker run --rm titanic python -c "{listing}"')

    installed = {normal(line) for line in result.stdout.splitlines() if "==" in line}
    assert {line for line in installed if not line.startswith(("titanic==", "dvckit=="))} == locked


def marker_holds(line):
    from packaging.requirements import Requirement

    marker = Requirement(line).marker
    return marker is None or marker.evaluate()


def normal(pin):
    name, _, version = pin.partition("==")
    return f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}"


@pytest.mark.parametrize(
    ("command", "begun"),
    [("", "Running stage 'train'"), ("sh -c 'echo begun; exec sleep 100'", "begun")],
    ids=["in a stage", "in a command"],
)
def test_sigterm_ends_it_within_ten_seconds(start, command, begun):
    process = start(f"exec docker run --rm titanic {command}")
    while begun not in process.stdout.readline():
        assert process.poll() is None, "it ended before it was asked to"
    time.sleep(1)  # a stage is under way by now

    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)

    assert time.monotonic() - asked < 10
    assert process.returncode == 128 + signal.SIGTERM


def test_the_docker_commands_of_the_readme_run_in_a_fresh_clone(clone):
    blocks = re.findall(r"^```.*?\n(.*?)^```", README.read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("docker ")]
    if not lines:
        pytest.skip("README.md has no docker command yet")

    for line in lines:
        result = clone(line)
        assert result.returncode == 0, f"{line}\n{result.stdout}"
