import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from dvckit.core.errors import UserError, answered
from dvckit.core.files import replacing, write_json, write_table


def test_a_user_error_ends_with_its_message():
    with pytest.raises(SystemExit) as ended, answered():
        raise UserError("the key is wrong")

    assert ended.value.code == "error: the key is wrong"


def test_ctrl_c_leaves_nothing_unfinished(workdir):
    code = """
import os, signal, time
from pathlib import Path
from dvckit.core.files import replacing, scratch_folder
from dvckit.core.interrupts import ended_by_ctrl_c
with ended_by_ctrl_c(), scratch_folder(Path("data/.folder.tmp")) as folder, replacing(Path("data/table")) as file:
    (folder / "half").touch()
    file.touch()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(9)
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert process.returncode == 130
    assert process.stderr == "interrupted: files already written are whole, the others are as they were\n"
    assert list((workdir / "data").iterdir()) == []


def test_a_full_disk_ends_with_an_error():
    with pytest.raises(SystemExit, match=r"error: data/raw/train\.csv: No space left on device"), answered():
        raise OSError(28, "No space left on device", "data/raw/train.csv")


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError), answered():
        _ = 1 / 0


def test_a_failed_write_leaves_the_old_file(tmp_path):
    file = tmp_path / "file"
    file.write_text("old")

    with pytest.raises(ZeroDivisionError), replacing(file) as temporary:
        _ = temporary.write_text("half") / 0

    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_write_does_not_touch_what_a_link_points_to(tmp_path):
    cached, file = tmp_path / "cached", tmp_path / "file"
    cached.write_text("old")
    file.hardlink_to(cached)

    write_json(file, {})

    assert cached.read_text() == "old"


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "file", {"score": float("nan")})


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_a_table_is_the_same_bytes_each_time(tmp_path, name):
    table = pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=[7, 9])

    write_table(tmp_path / name, table)
    first = (tmp_path / name).read_bytes()
    write_table(tmp_path / name, table.reset_index(drop=True))

    assert (tmp_path / name).read_bytes() == first


@pytest.mark.parametrize("module", ["titanic", "dvckit.cli", "titanic.schema", "titanic.dataset.ingest"])
def test_what_must_start_fast_loads_no_pandas(module):
    code = f"import sys, {module}; print('pandas' in sys.modules)"

    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert process.stdout == "False\n"


def test_only_the_stages_that_model_load_scikit_learn():
    light = ["dataset.ingest", "dataset.validate", "features", "modeling.split", "reporting.report"]
    code = f"import sys, {', '.join(f'titanic.{name}' for name in light)}; print('sklearn' in sys.modules)"

    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert process.stdout == "False\n"


def test_a_named_pipe_gets_the_content_and_remains(workdir):
    os.mkfifo("pipe")
    with ThreadPoolExecutor(1) as thread:
        reader = thread.submit(Path("pipe").read_bytes)
        write_table(Path("pipe"), pd.DataFrame({"a": [1]}))
        assert reader.result() == b"a\n1\n"

    assert Path("pipe").is_fifo()
    assert [*Path().iterdir()] == [Path("pipe")]


def test_a_device_is_written_through_and_remains():
    code = "import pandas as pd\nfrom dvckit.core.files import *\nprint('before', flush=True)\n"
    code += "write_table(Path('/dev/stdout'), pd.DataFrame({'a': [1]}))\nprint('after')"

    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert process.stdout == "before\na\n1\nafter\n"
    assert Path("/dev/stdout").is_symlink()


def test_what_a_link_leads_to_stays(workdir):
    """An output may be a link into DVC's cache, whose objects nobody writes to."""
    Path("object").write_bytes(b"cached")
    Path("table.csv").symlink_to("object")

    write_table(Path("table.csv"), pd.DataFrame({"a": [1]}))

    assert Path("object").read_bytes() == b"cached"
    assert Path("table.csv").read_bytes() == b"a\n1\n"


def test_a_failure_writes_nothing_to_a_device(workdir):
    os.mkfifo("pipe")
    with pytest.raises(ZeroDivisionError), replacing(Path("pipe")) as temporary:
        temporary.write_bytes(b"half" * (1 // 0))

    assert Path("pipe").is_fifo()
