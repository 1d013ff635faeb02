"""What a hostile or a broken server makes of a question and of a download: one sentence each, and no waiting."""

import hashlib
import subprocess
import time
from contextlib import contextmanager
from functools import partial

import pytest

from dvckit.core.errors import UserError
from dvckit.repository import patience
from dvckit.repository.remotes import ask, download, read_config
from packages.dvckit.tests.remotes import hostile
from packages.dvckit.tests.remotes.hostile import serving, status

CONTENTS = [b"number %d\n" % number * 400 for number in range(8)]
STORE = {hashlib.md5(content).hexdigest(): content for content in CONTENTS}
MD5 = next(iter(STORE))
SHORT = 1.5  # seconds that stand for the ten of PATIENCE


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A DVC repository without a remote."""
    root = tmp_path_factory.mktemp("hostile")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    subprocess.run(["dvc", "init", "--quiet"], cwd=root, check=True)
    return root


@pytest.fixture
def short(monkeypatch):
    """Let PATIENCE be short."""
    monkeypatch.setattr(patience, "PATIENCE", SHORT)


@contextmanager
def remote_at(clone, url, **options):
    """Give the options of a remote `far`."""
    lines = "".join(f"    {key} = {value}\n" for key, value in {"url": url, **options}.items())
    (clone / ".dvc/config.local").write_text(f"[core]\n    remote = far\n['remote \"far\"']\n{lines}")
    yield read_config(clone)["remote"]["far"]
    (clone / ".dvc/config.local").unlink()


def said(clone, answer, action, tls=None, **options):
    """Return what is said of a server without its name, which must be there, and that is done in time."""
    with serving(answer, STORE, tls) as server, remote_at(clone, options.pop("url", server.url), **options) as remote:
        started = time.monotonic()
        with pytest.raises(UserError) as caught:
            action(clone, remote)
        assert time.monotonic() - started < 10
    name, _, rest = str(caught.value).partition("): ")
    assert name.startswith("remote far (http")
    return rest


def asking(clone, remote):
    ask(clone, "far", remote, STORE)


def getting(clone, remote, most=float("inf")):
    download(clone, "far", MD5, most)


def test_an_honest_server_gives_what_it_has(clone):
    with serving(hostile.honest, STORE) as server, remote_at(clone, server.url) as remote:
        assert ask(clone, "far", remote, [*STORE, "1" * 32]) == set(STORE)
        assert download(clone, "far", MD5, 10_000) == STORE[MD5]


@pytest.mark.parametrize("action", [asking, getting])
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (status("500 Internal Server Error"), "its server has an error (HTTP 500); try again later"),
        (status("503 Service Unavailable"), "its server has an error (HTTP 503); try again later"),
        (status("401 Unauthorized"), "the credentials are refused"),
        (status("403 Forbidden"), "the credentials are refused"),
        (status("407 Proxy Authentication Required"), "a proxy on the way refuses (HTTP 407)"),
        (status("429 Too Many Requests"), "it takes no more requests for now"),
        (status("418 I'm a teapot"), "what answers is no remote of DVC's (HTTP 418)"),
        (hostile.around, "what answers is no remote of DVC's: it redirects in a circle"),
        (hostile.garbage, "what answers is no remote of DVC's: it does not speak HTTP"),
        (hostile.closed, "it closed the connection before its answer was complete"),
    ],
)
def test_what_a_server_answers_is_said(clone, answer, sentence, action):
    assert said(clone, answer, action).startswith(sentence)


@pytest.mark.parametrize("answer", [status("200 OK"), hostile.page, hostile.endless, hostile.bomb])
def test_a_server_that_has_everything_is_none_of_dvcs(clone, answer):
    assert said(clone, answer, asking) == "what answers is no remote of DVC's: it has every object, whatever its name"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (status("404 Not Found"), "it does not have the object"),
        (hostile.half, "it closed the connection before"),
        (hostile.too_short, "what it has is damaged"),
        (hostile.other, "what it has is damaged"),
        (hostile.page, "what it has is damaged"),
        (status("200 OK"), "what it has is damaged"),
        (hostile.endless, "what answers is no remote of DVC's: it sends more than the 4000 bytes"),
        (hostile.bomb, "what answers is no remote of DVC's: it sends more than the 4000 bytes"),
    ],
)
def test_what_a_download_brings_is_said(clone, answer, sentence):
    assert said(clone, answer, partial(getting, most=4000)).startswith(sentence)


@pytest.mark.parametrize("action", [asking, getting])
@pytest.mark.parametrize(
    "answer",
    [hostile.silent, hostile.deaf_after(0), partial(hostile.dripping, seconds=0.5), hostile.only_found(hostile.silent)],
)
def test_a_server_that_does_not_get_on_is_left(clone, short, answer, action):
    if isinstance(answer, partial) and action is asking:
        pytest.skip("the head of the answer is all that is asked for")
    assert said(clone, answer, action) == "no answer within 2 s"
