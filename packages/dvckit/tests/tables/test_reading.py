from pathlib import Path

import pytest

from dvckit.core.errors import UserError
from dvckit.tables.reading import check_bytes


def test_a_refused_file_is_closed(tmp_path, monkeypatch):
    """A suspended generator would hold it open until the garbage collector comes, which warns of it then."""
    (tmp_path / "train.csv").write_bytes(b'a,b\n1,2\n"x"y,2\n1,2\n')
    files, open_path = [], Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, *how, **options: files.append(open_path(path, *how, **options)) or files[-1]
    )

    with pytest.raises(UserError, match="line 3 has a quote") as error:
        check_bytes(tmp_path / "train.csv")

    assert error.tb is not None  # the frames are alive
    assert len(files) == 3
    assert all(file.closed for file in files)
