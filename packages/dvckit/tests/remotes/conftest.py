"""Real servers on loopback, one of each kind that the page on remotes describes, and the commands of that page."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from getpass import getuser
from pathlib import Path
from xml.etree import ElementTree as ET

import psutil
import pytest

from dvckit.testing import Repository

SOURCE = Path(__file__).parents[4]
PAGE = SOURCE / "docs/docs/remotes.md"
SSHD = "/usr/sbin/sshd"
BIN = Path(sys.executable).parent
HOST = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def section(heading: str) -> str:
    """Return the bash blocks under a heading of the page, as one script."""
    text = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL).group(1)
    return "".join(re.findall(r"^```bash\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))


class Remote:
    """A place for objects in a folder of the test's own; `heading` and `name` are what the page calls it.

    `words` are the page's words, with what stands for them here. What has a server is a subclass.
    """

    heading = "A folder"
    name = "disk"

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "objects"
        self.folder.mkdir(parents=True)
        self.words = {"$HOME/dvc-store": str(self.folder)}
        self.written_as = self.name

    def set_up(self) -> str:
        """Return the commands of the page, with this remote's words in it."""
        script = section(self.heading)
        for word, meant in self.words.items():
            assert word in script, f"the page has no {word!r} under {self.heading!r}"
            script = script.replace(word, meant)
        return script

    def objects(self) -> dict[str, bytes]:
        """Return every object that is there, by the md5 that is its name."""
        files = self.folder.rglob("files/md5/??/*")
        return {f"{file.parent.name}{file.name}": file.read_bytes() for file in files if len(file.stem) == 30}

    def write(self, md5: str, content: bytes) -> None:
        """Replace an object behind DVC's back."""
        (file,) = self.folder.rglob(f"files/md5/{md5[:2]}/{md5[2:]}")
        file.chmod(0o644)
        file.write_bytes(content)

    def delete(self, md5: str) -> None:
        """Remove an object behind DVC's back."""
        (file,) = self.folder.rglob(f"files/md5/{md5[:2]}/{md5[2:]}")
        file.unlink()


class Server(Remote):
    """A remote with a server of its own process."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.port = free_port()

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        """Start the server; return when its port answers."""
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "HOME": str(self.home)},
            )
        patience = time.monotonic() + 60
        while not self._answers():
            assert self.process.poll() is None, (self.home / "log").read_text()
            assert time.monotonic() < patience, (self.home / "log").read_text()
            time.sleep(0.05)

    def _answers(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex((HOST, self.port)) == 0

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and to all that it has started."""
        server = psutil.Process(self.process.pid)
        for process in [*server.children(recursive=True), server]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def stop(self) -> None:
        """Kill the server, as a power cut would."""
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
        self.process.wait()


class Ssh(Server):
    """OpenSSH's server, run by and for the current user, with keys and a configuration of its own."""

    heading = "SSH"
    name = "lab"

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / key)], check=True)
        (home / "sshd_config").write_text(
            f"ListenAddress {HOST}\nPort {self.port}\nHostKey {home}/host\nAuthorizedKeysFile {home}/user.pub\n"
            "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "Subsystem sftp internal-sftp\n"
        )
        self.words = {
            "ada@data.example.org:22": f"{getuser()}@{HOST}:{self.port}",
            "/srv/dvc/titanic": str(self.folder),
            "~/.ssh/id_ed25519": str(home / "user"),
        }

    def command(self) -> list[str]:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # Debian's start script makes it, and root's sshd wants it
        return [SSHD, "-D", "-e", "-f", str(self.home / "sshd_config")]


class S3(Server):
    """moto's server, which keeps what it has in its memory."""

    heading = "S3"
    name = "bucket"

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.url = f"http://{HOST}:{self.port}"
        self.words = {"https://s3.example.org": self.url}

    def command(self) -> list[str]:
        return [str(BIN / "moto_server"), "-H", HOST, "-p", str(self.port)]

    def start(self) -> None:
        super().start()
        self._call("PUT", "/my-bucket")

    def _call(self, method: str, path: str, data: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("Authorization", "AWS4-HMAC-SHA256 Credential=me/20260101/us-east-1/s3/aws4_request")
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def _keys(self) -> dict[str, str]:
        tree = ET.fromstring(self._call("GET", "/my-bucket?list-type=2"))
        keys = [key.text for key in tree.iter() if key.tag.endswith("}Key")]
        return {"".join(key.split("/")[-2:]): key for key in keys}

    def objects(self) -> dict[str, bytes]:
        return {md5: self._call("GET", f"/my-bucket/{key}") for md5, key in self._keys().items()}

    def write(self, md5: str, content: bytes) -> None:
        self._call("PUT", f"/my-bucket/{self._keys()[md5]}", content)

    def delete(self, md5: str) -> None:
        self._call("DELETE", f"/my-bucket/{self._keys()[md5]}")


class WebDav(Server):
    """wsgidav, with one user and a password."""

    heading = "WebDAV"
    name = "cloud"

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        (home / "wsgidav.yaml").write_text(
            f"host: {HOST}\nport: {self.port}\nserver: cheroot\nprovider_mapping: {{'/dav': '{self.folder}'}}\n"
            "http_authenticator: {domain_controller: null, accept_basic: true, accept_digest: false}\n"
            "simple_dc: {user_mapping: {'*': {ada: {password: not-a-secret}}}}\n"
        )
        self.words = {"webdavs://cloud.example.org/dav": f"webdav://{HOST}:{self.port}/dav"}

    def command(self) -> list[str]:
        return [str(BIN / "wsgidav"), "--config", str(self.home / "wsgidav.yaml")]


class Http(Server):
    """Python's own web server, which only gives; its folder is written to as another remote."""

    heading = "HTTP"
    name = "mirror"

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.words = {"https://data.example.org": f"http://{HOST}:{self.port}"}
        self.written_as = "behind"

    def set_up(self) -> str:
        return super().set_up() + f"dvc remote add behind {self.folder}/titanic\n"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "http.server", str(self.port), "--bind", HOST, "--directory", str(self.folder)]


@pytest.fixture(scope="session")
def page() -> str:
    """The text of the page."""
    return PAGE.read_text()


@pytest.fixture(scope="session")
def commands() -> Callable[[str], str]:
    """Return the bash blocks under a heading of the page, as one script."""
    return section


KINDS = {kind.name: kind for kind in (Remote, Ssh, S3, WebDav, Http)}


@pytest.fixture
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Remote]:
    """A remote of the kind that the test names; its server runs, and ends with the test."""
    remote = KINDS[request.param](tmp_path / "remote")
    if not isinstance(remote, Server):
        yield remote
        return
    try:
        remote.start()
        yield remote
    finally:
        remote.stop()


@pytest.fixture(scope="session")
def _project(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    root = tmp_path_factory.mktemp("remotes") / "project"
    (root / "texts").mkdir(parents=True)
    (root / "numbers.csv").write_text("a,b\n1,2\n")
    for name in "abc":
        (root / "texts" / name).write_text(name * 1000)
    project = Repository(root)
    project.ok("git", "init", "--quiet", "--initial-branch", "main")
    project.ok("dvc", "init", "--quiet")
    project.ok("dvc", "config", "core.analytics", "false")
    project.ok("dvc", "config", "core.check_update", "false")
    project.ok("dvc", "add", "--quiet", "numbers.csv", "texts")
    project.commit("numbers and texts")
    return project


@pytest.fixture
def project(_project: Repository, tmp_path: Path) -> Repository:
    """A small git and DVC repository, with a file and a folder under `dvc add`."""
    shutil.copytree(_project.root, tmp_path / "project", symlinks=True)
    project = Repository(tmp_path / "project")
    # the address where Amazon's machines find their credentials is not on loopback
    project.environment["AWS_EC2_METADATA_DISABLED"] = "true"
    return project
