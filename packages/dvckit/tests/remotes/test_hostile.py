"""What a hostile or a broken server makes of a question and of a download: one sentence each, and no waiting."""

import gc
import hashlib
import subprocess
import time
from contextlib import contextmanager
from functools import partial
from io import StringIO

import pytest

from dvckit.core.errors import UserError
from dvckit.repository import courier, patience
from dvckit.repository.meanings import plain_words
from dvckit.repository.remotes import ask, download, read_config
from packages.dvckit.tests.remotes import hostile
from packages.dvckit.tests.remotes.hostile import serving, status

CONTENTS = [b"number %d\n" % number * 400 for number in range(8)]
STORE = {hashlib.md5(content).hexdigest(): content for content in CONTENTS}
MD5 = next(iter(STORE))
pytestmark = pytest.mark.filterwarnings("ignore:[Uu]nclosed .*(session|connect|transport|socket):ResourceWarning")
FAULTS = pytest.mark.faults
SHORT = 1.5  # seconds that stand for the ten of PATIENCE


@pytest.fixture(autouse=True)
def _collected():
    """Let sessions that DVC leaves open end with their test."""
    yield
    gc.collect()


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


def getting(clone, remote):
    download(clone, "far", MD5, 4000)


def here(*words):
    """Do a courier's task in this process, which takes no time to start; raise what is said of its failure."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sys.stdin", StringIO("\n".join(STORE)))
        with pytest.raises(SystemExit) as end:
            courier.do(*words)
    raise UserError(f"remote far (http): {plain_words(str(end.value))}")


def asking_here(clone, remote):
    here("ask", str(clone), "far")


def getting_here(clone, remote):
    here("get", str(clone), "far", MD5, str(clone / "object"))


def test_an_honest_server_gives_what_it_has(clone):
    with serving(hostile.honest, STORE) as server, remote_at(clone, server.url) as remote:
        assert ask(clone, "far", remote, [*STORE, "1" * 32]) == set(STORE)
        assert download(clone, "far", MD5, 10_000) == STORE[MD5]


@pytest.mark.parametrize(
    "action",
    [asking_here, getting_here, pytest.param(asking, marks=FAULTS), pytest.param(getting, marks=FAULTS)],
)
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


@pytest.mark.parametrize(
    "answer",
    [
        hostile.page,
        *(pytest.param(answer, marks=FAULTS) for answer in (status("200 OK"), hostile.endless, hostile.bomb)),
    ],
)
def test_a_server_that_has_everything_is_none_of_dvcs(clone, answer):
    assert said(clone, answer, asking) == "what answers is no remote of DVC's: it has every object, whatever its name"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (hostile.endless, "what answers is no remote of DVC's: it sends more than the 4000 bytes"),
        pytest.param(status("404 Not Found"), "it does not have the object", marks=FAULTS),
        pytest.param(hostile.half, "it closed the connection before", marks=FAULTS),
        pytest.param(hostile.too_short, "what answers is no remote of DVC's: its answers are longer", marks=FAULTS),
        pytest.param(hostile.other, "what it has is damaged", marks=FAULTS),
        pytest.param(hostile.page, "what it has is damaged", marks=FAULTS),
        pytest.param(status("200 OK"), "what it has is damaged", marks=FAULTS),
        pytest.param(hostile.bomb, "what answers is no remote of DVC's: it sends more than the 4000", marks=FAULTS),
    ],
)
def test_what_a_download_brings_is_said(clone, answer, sentence):
    assert said(clone, answer, getting).startswith(sentence)


@pytest.mark.parametrize(
    ("answer", "action"),
    [
        (hostile.silent, asking),
        pytest.param(hostile.silent, getting, marks=FAULTS),
        pytest.param(hostile.deaf_after(4), asking, marks=FAULTS),
        pytest.param(hostile.only_found(hostile.silent), asking, marks=FAULTS),
        (partial(hostile.dripping, seconds=0.2), getting),
        pytest.param(partial(hostile.dripping, seconds=0.2, part=10), getting, marks=FAULTS),
        pytest.param(hostile.dripping_head, asking, marks=FAULTS),
    ],
)
def test_a_server_that_does_not_get_on_is_left(clone, short, answer, action):
    assert said(clone, answer, action) == "no answer within 2 s"


def test_a_slow_download_that_gets_on_is_waited_for(clone, short):
    slow = partial(hostile.dripping, seconds=0.3, part=400)  # 10 parts, and twice SHORT
    with serving(slow, STORE) as server, remote_at(clone, server.url):
        assert download(clone, "far", MD5, 4000) == STORE[MD5]


def test_tls_where_the_address_says_none_and_none_where_it_says_tls(clone, tmp_path):
    with serving(hostile.honest, STORE) as server:
        url = server.url.replace("http:", "https:")
        assert (
            said(clone, hostile.honest, getting_here, url=url)
            == "what answers is no remote of DVC's: it does not speak TLS, as its url says"
        )
    with serving(hostile.honest, STORE, tmp_path) as server:
        assert "it closed the connection" in said(clone, hostile.honest, getting_here, url=server.url)
        url = server.url.replace("http:", "https:")
        assert "its certificate is not trusted" in said(clone, hostile.honest, getting_here, url=url)
