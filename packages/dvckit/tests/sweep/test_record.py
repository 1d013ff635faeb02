import stat

import pytest

from dvckit.repository.objects import md5_of, object_path
from dvckit.sweep.base import Base, private_folder
from dvckit.sweep.record import Recorder


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
