"""A web server on loopback that answers as the test says: with errors, garbage, too much, too slowly, or not at all.

Each answer is a function of the connection and of the object that is asked for; what it returns is sent, and then the
connection is closed. `STORE` is what an honest server would have.
"""

import gzip
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

HOST = "127.0.0.1"
Answer = Callable[[StreamRequestHandler, bytes | None], bytes]


def head(status: str, length: int | None = 0, *lines: str) -> bytes:
    """Return the head of an answer; without a length, the body ends with the connection."""
    size = [] if length is None else [f"Content-Length: {length}"]
    return "\r\n".join([f"HTTP/1.1 {status}", *size, *lines, "Connection: close", "", ""]).encode()


def status(line: str, *lines: str) -> Answer:
    """Answer everything with a status and no content."""
    return lambda _, __: head(line, 0, *lines)


def honest(_: StreamRequestHandler, content: bytes | None) -> bytes:
    return head("404 Not Found") if content is None else head("200 OK", len(content)) + content


def silent(handler: StreamRequestHandler, _: bytes | None) -> bytes:
    """Say nothing until the other side leaves."""
    handler.rfile.read()
    return b""


def deaf_after(answers: int) -> Answer:
    """Answer honestly a few times, and then take requests and say nothing."""
    number = count()

    def answer(handler: StreamRequestHandler, content: bytes | None) -> bytes:
        return (honest if next(number) < answers else silent)(handler, content)

    return answer


def only_found(answer: Answer) -> Answer:
    """Say honestly what is not there, and give what is there as another answer does."""
    return lambda handler, content: (honest if content is None else answer)(handler, content)


def dripping(handler: StreamRequestHandler, content: bytes | None, seconds: float = 1.0, part: int = 1) -> bytes:
    """Send an honest answer, the content byte by byte."""
    content = content or b""
    handler.wfile.write(head("200 OK", len(content)))
    for start in range(0, len(content), part):
        handler.wfile.write(content[start : start + part])
        time.sleep(seconds)
    return b""


def dripping_head(handler: StreamRequestHandler, _: bytes | None) -> bytes:
    """Send the head of an answer byte by byte, without an end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.2)


def half(_: StreamRequestHandler, content: bytes | None) -> bytes:
    """Close the connection in the middle of the content."""
    content = content or b""
    return head("200 OK", len(content)) + content[: len(content) // 2]


def too_short(_: StreamRequestHandler, content: bytes | None) -> bytes:
    """Name a length that is half of the content's."""
    content = content or b""
    return head("200 OK", len(content) // 2) + content


def other(_: StreamRequestHandler, content: bytes | None) -> bytes:
    """Send other bytes of the same length."""
    return head("200 OK", len(content or b"")) + bytes(len(content or b""))


def endless(handler: StreamRequestHandler, _: bytes | None) -> bytes:
    """Send zeros for as long as they are read."""
    handler.wfile.write(head("200 OK", None))
    while True:
        handler.wfile.write(bytes(1 << 20))


def bomb(_: StreamRequestHandler, __: bytes | None) -> bytes:
    """Send half a megabyte that unpacks to half a gigabyte."""
    packed = gzip.compress(bytes(1 << 24), 9) * 32
    return head("200 OK", len(packed), "Content-Encoding: gzip") + packed


def page(_: StreamRequestHandler, __: bytes | None) -> bytes:
    """Answer everything with a page to log in at."""
    content = b"<html><body>Please log in</body></html>"
    return head("200 OK", len(content), "Content-Type: text/html") + content


def around(handler: StreamRequestHandler, _: bytes | None) -> bytes:
    """Send everybody back to where they came from."""
    return head("302 Found", 0, f"Location: {handler.path}")


def garbage(_: StreamRequestHandler, __: bytes | None) -> bytes:
    return b"\x00\xff\x13 220 not a web server\r\n\x80\x81\r\n\r\n"


def closed(_: StreamRequestHandler, __: bytes | None) -> bytes:
    return b""


class _Handler(StreamRequestHandler):
    """One request of one connection."""

    def handle(self) -> None:
        with suppress(OSError):
            first = self.rfile.read(1)
            if not first.isalpha():  # TLS, which begins with 0x16
                self.wfile.write(head("400 Bad Request"))
                return
            _, path, _ = self.rfile.readline().split()
            self.path = path.decode()
            while self.rfile.readline().strip():
                pass
            name = "".join(self.path.rsplit("/", 2)[-2:])
            self.server.asked.append(self.path)
            self.wfile.write(self.server.answer(self, self.server.store.get(name)))


class _Server(ThreadingTCPServer):
    allow_reuse_address, daemon_threads, block_on_close, request_queue_size = True, True, False, 64

    def handle_error(self, *_: object) -> None:
        """Say nothing: who asks may leave."""


@contextmanager
def serving(answer: Answer, store: Mapping[str, bytes] | None = None, tls: Path | None = None) -> Iterator[_Server]:
    """Serve until the end of the block; `url` is where, `asked` what was asked for; `tls` a folder for a certificate."""
    with _Server((HOST, 0), _Handler) as server:
        server.answer, server.store, server.asked = answer, dict(store or {}), []
        server.url = f"http://{HOST}:{server.server_address[1]}/store"
        if tls:
            server.socket = _with_tls(tls).wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True, args=[0.05]).start()
        yield server
        server.shutdown()


def _with_tls(folder: Path) -> ssl.SSLContext:
    pem = folder / "server.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"]
    subprocess.run([*made, "-keyout", str(pem), "-out", f"{pem}.crt"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{pem}.crt", pem)
    return context
