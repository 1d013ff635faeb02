import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["titanic.modeling.gone", "gone.modeling.train"])
def test_a_missing_module_gives_one_error(module, workdir):
    run = subprocess.run(
        [sys.executable, "-m", "dvckit.stage", module], capture_output=True, text=True, check=False, cwd=workdir
    )

    assert run.returncode == 1
    assert (
        run.stderr == f"error: dvc.yaml calls the module {module}, which is not in this clone; update both together\n"
    )


def test_a_package_that_a_stage_lacks_is_a_bug(workdir):
    (workdir / "mine.py").write_text("import not_installed\n")

    run = subprocess.run(
        [sys.executable, "-m", "dvckit.stage", "mine"], capture_output=True, text=True, check=False, cwd=workdir
    )

    assert "ModuleNotFoundError: No module named 'not_installed'" in run.stderr
