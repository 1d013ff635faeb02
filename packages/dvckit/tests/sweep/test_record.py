import json
import stat
import subprocess
import sys

import pytest

from dvckit.core.errors import UserError
from dvckit.repository.objects import md5_of, object_path
from dvckit.sweep.base import Base, alone, private_folder
from dvckit.sweep.record import Recorder, Unrecorded, _read


@pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # of DVC
def test_a_cache_that_a_group_shares_stays_theirs(toy):
    toy.ok("dvc", "config", "cache.shared", "group")
    toy.ok("git", "config", "user.name", "me")
    toy.ok("git", "config", "user.email", "me@localhost")
    content = b"of a trial"
    with private_folder(toy.root) as folder:
        base = Base(toy.root, folder)
        Recorder(base)._put(content)

    path = object_path(base.cache, md5_of(content))
    assert path.read_bytes() == content
    assert [stat.S_IMODE(place.stat().st_mode) for place in (path, path.parent)] == [0o444, 0o2775]


WHOLE = ["sweep-1", "ab", "cd", "ef", ["a1", "b2.dir"]]
DAMAGED = [
    b"", b"\xff\xfe", bytes(200), b"null", b"5", b"{}", b"[]", b"[" * 100_000, b"9" * 6000, json.dumps(WHOLE).encode()[:-9],
    *(
        json.dumps([*WHOLE[:place], other, *WHOLE[place + 1 :]]).encode()
        for place in range(5)
        for other in (None, 7, {}, ["../../x"], "a\nb")
        if (place, other) != (0, "a\nb")
    ),
]  # fmt: skip


@pytest.mark.parametrize("line", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_line_of_the_journal_is_skipped(line):
    assert _read(line) is None
    assert _read(json.dumps(WHOLE).encode()) == Unrecorded(*WHOLE)


@pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # of DVC
def test_what_stands_around_a_damaged_line_is_used(toy):
    with private_folder(toy.root) as folder:
        recorder = Recorder(Base(toy.root, folder))
        result = Unrecorded("sweep-1", recorder.head, recorder.base.tree, "ef", [])
        for line in DAMAGED:
            recorder.remember(result)
            with recorder.journal.open("ab") as journal:
                journal.write(line)

        assert recorder.finished() == {"sweep-1": result}


@pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # of DVC
def test_of_two_equal_sweeps_one_is_told(toy):
    code = "import sys; from pathlib import Path; from dvckit.sweep.base import alone\n"
    code += "with alone(Path(), ['a', 1]): print(flush=True); sys.stdin.read()"
    with (
        private_folder(toy.root),
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=toy.root, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as other,
    ):
        other.stdout.readline()

        with pytest.raises(UserError, match="the same sweep is already running here"), alone(toy.root, ["a", 1]):
            pass
        with alone(toy.root, ["a", 2]):
            other.kill()
            other.wait()
        with alone(toy.root, ["a", 1]):
            pass
