"""The source `web` against real HTTP servers on this machine."""

import gzip
import hashlib
import re
import socket
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dvckit.core.errors import UserError
from dvckit.tables.sources import web as module

HEAD = b"PassengerId,Survived,Pclass,Name,Sex,Age\n"
FILES = {
    "train.csv": HEAD + b"".join(b"%d,0,3,Passenger %d,male,22\n" % (n, n) for n in range(800)),
    "test.csv": HEAD + b"".join(b"%d,,3,Passenger %d,female,30\n" % (n, n) for n in range(200)),
}
TRAIN = FILES["train.csv"]
HALF = len(TRAIN) // 2


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class Mirror(ThreadingHTTPServer):
    """Serves FILES; `faults` are taken one for each request, and name what goes wrong with it."""

    daemon_threads = True

    def __init__(self, *faults, files=FILES, ranges=True):
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults, self.files, self.ranges = list(faults), files, ranges
        self.asked = []  # (name, Range) of each request
        self.released = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/data"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        mirror = self.server
        name, asked = self.path.removeprefix("/data/"), self.headers["Range"]
        mirror.asked.append((name, asked))
        fault = mirror.faults.pop(0) if mirror.faults else None
        content = mirror.files.get(name)
        if isinstance(fault, int) or content is None:
            self.answer(fault or 404, b"sorry")
            return
        if fault == "stall":
            mirror.released.wait(20)
            self.close_connection = True
            return
        if "gzip" in self.headers["Accept-Encoding"]:
            content = gzip.compress(content)
        start = int(asked[6:-1]) if asked and mirror.ranges else 0
        if start >= len(content):
            self.answer(416, b"sorry")
            return
        self.answer(206 if start else 200, content[start:], fault)

    def answer(self, status, content, fault=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if "gzip" in self.headers["Accept-Encoding"]:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        half = len(content) // 2
        if fault in ("drop", "stall halfway"):
            self.wfile.write(content[:half])
            self.wfile.flush()
            if fault == "stall halfway":
                self.server.released.wait(20)
            self.close_connection = True
        elif fault == "slow":
            for at in range(0, len(content), len(content) // 5):
                self.wfile.write(content[at : at + len(content) // 5])
                time.sleep(0.3)
        else:
            self.wfile.write(content)


@pytest.fixture
def serve():
    mirrors = []

    def start(*faults, **how):
        mirror = Mirror(*faults, **how)
        threading.Thread(target=mirror.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        mirrors.append(mirror)
        return mirror

    yield start
    for mirror in mirrors:
        mirror.released.set()
        mirror.shutdown()
        mirror.server_close()


@pytest.fixture
def closed():
    """The address of a port where nothing listens."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(module, "PAUSE", 0)
    monkeypatch.setattr(module, "TIMEOUT", 1)
    return tmp_path / "cache" / "titanic"


@pytest.fixture
def ingest(cache, tmp_path):
    """Run the source with the URLs as mirrors; return what it wrote."""

    def run(*urls):
        folder = tmp_path / "out"
        folder.mkdir(exist_ok=True)
        hashes = {"train": sha256(TRAIN), "test": sha256(FILES["test.csv"])}
        module.download(hashes, urls, folder, cache="titanic")
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    return run


def test_a_healthy_mirror_gives_the_two_files_in_silence(serve, ingest, capfd):
    mirror = serve()

    assert ingest(mirror.url + "/") == FILES
    assert mirror.asked == [("train.csv", None), ("test.csv", None)]
    assert capfd.readouterr() == ("", "")


def test_a_second_run_needs_no_network(serve, ingest):
    mirror = serve()
    ingest(mirror.url)
    mirror.asked.clear()

    assert ingest(mirror.url) == FILES
    assert mirror.asked == []


def test_a_damaged_file_in_the_cache_is_downloaded_again(serve, ingest, cache):
    mirror = serve()
    ingest(mirror.url)
    mirror.asked.clear()
    (cache / sha256(TRAIN)).write_bytes(TRAIN[:-1] + b"?")

    assert ingest(mirror.url) == FILES
    assert mirror.asked == [("train.csv", None)]


def test_the_next_mirror_is_used_when_the_first_refuses_or_lacks_the_file(serve, ingest, closed):
    assert ingest(closed, serve(files={}).url, serve().url) == FILES


def test_a_download_that_drops_is_continued(serve, ingest):
    mirror = serve("drop")

    assert ingest(mirror.url) == FILES
    again = int(re.fullmatch(r"bytes=(\d+)-", mirror.asked[1][1])[1])
    assert HALF - 1024 <= again <= HALF
    assert len(mirror.asked) == 3


def test_another_mirror_continues_what_the_first_began(serve, ingest, monkeypatch):
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    second = serve()

    assert ingest(serve("drop").url, second.url) == FILES
    assert second.asked[0][1]


def test_a_mirror_without_ranges_starts_again(serve, ingest):
    mirror = serve("drop", ranges=False)

    assert ingest(mirror.url) == FILES
    assert mirror.asked[1][1]


def test_what_a_killed_process_left_is_continued(serve, ingest, cache):
    mirror = serve()
    cache.mkdir(parents=True)
    (cache / f"{sha256(TRAIN)}.part").write_bytes(TRAIN[:1000])

    assert ingest(mirror.url) == FILES
    assert mirror.asked[0] == ("train.csv", "bytes=1000-")


@pytest.mark.parametrize("left", [TRAIN, TRAIN + b"more", b"x" * 1000], ids=["whole", "too long", "of another file"])
def test_a_useless_partial_file_is_dropped(serve, ingest, cache, left):
    mirror = serve()
    cache.mkdir(parents=True)
    (cache / f"{sha256(TRAIN)}.part").write_bytes(left)

    assert ingest(mirror.url) == FILES
    assert mirror.asked[:2] == [("train.csv", f"bytes={len(left)}-"), ("train.csv", None)]


def test_wrong_bytes_send_to_the_next_mirror_once_and_leave_nothing_behind(serve, ingest, cache):
    wrong = serve(files={"train.csv": b"<html>", "test.csv": b"<html>"})

    assert ingest(wrong.url, serve().url) == FILES
    assert [name for name, _ in wrong.asked] == ["train.csv", "test.csv"]
    assert {path.name for path in cache.iterdir()} == {"lock", *map(sha256, FILES.values())}


def test_a_good_mirror_is_not_blamed_for_the_wrong_half_of_another(serve, ingest, monkeypatch):
    monkeypatch.setattr(module, "ATTEMPTS", 2)
    wrong = serve("drop", "drop", files={"train.csv": b"<html>" * 2000})

    assert ingest(wrong.url, serve().url) == FILES


def test_a_slow_mirror_is_waited_for(serve, ingest):
    mirror = serve("slow")  # the whole takes longer than TIMEOUT, a piece does not

    assert ingest(mirror.url) == FILES
    assert len(mirror.asked) == 2


@pytest.mark.parametrize("how", ["stall", "stall halfway"])
def test_a_stalled_mirror_is_abandoned(serve, ingest, how):
    mirror = serve(how, how)

    assert ingest(mirror.url, serve().url) == FILES
    assert [name for name, _ in mirror.asked] == ["train.csv", "test.csv"]


def test_a_server_error_is_retried(serve, ingest):
    assert ingest(serve(503, 503).url) == FILES


def test_attempts_are_limited(serve, ingest):
    mirror = serve(*[503] * 99)

    with pytest.raises(UserError, match="503"):
        ingest(mirror.url)
    assert len(mirror.asked) == module.ATTEMPTS


def test_when_all_fail_the_error_names_each_mirror_and_its_reason(serve, ingest, closed, monkeypatch):
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    wrong = b"<html>"
    faulty = {
        closed: "no connection",
        "http://:80": "no connection (InvalidURL)",
        serve(403).url: "403",
        serve("drop").url: f"connection dropped after {HALF} of {len(TRAIN)} bytes",
        serve("drop", ranges=False).url: f"connection dropped after {HALF} of {len(TRAIN)} bytes",
        serve("stall").url: "no answer within 1 s",
        serve("stall halfway").url: "no answer within 1 s",
        serve(files={"train.csv": wrong}, ranges=False).url: f"other bytes (sha256 {sha256(wrong)[:12]}…)",
    }

    with pytest.raises(UserError) as raised:
        ingest(*faulty)

    reasons = "; ".join(f"{url}: {reason}" for url, reason in faulty.items())
    assert str(raised.value) == (
        f"no mirror gave train.csv ({reasons}); check the network, name another one in dataset.mirrors, "
        "or use another dataset.source"
    )


def test_a_connection_that_ends_before_the_answer_is_dropped_too(ingest):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up():
            for _ in range(module.ATTEMPTS):
                connection, _ = server.accept()
                connection.recv(4096)
                connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(UserError, match=r": connection dropped\)"):
            ingest(f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join()


def test_two_at_a_time_download_once(serve, ingest):
    mirror = serve("slow")
    threads = [threading.Thread(target=ingest, args=(mirror.url,)) for _ in range(2)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(mirror.asked) == 2
