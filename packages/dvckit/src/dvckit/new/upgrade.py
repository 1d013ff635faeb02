"""`dvckit upgrade`: another library in a project that `dvckit new` made, and the shared files that come with it."""

import difflib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from dvckit.core.errors import UserError
from dvckit.core.files import write_bytes
from dvckit.core.layout import LIBRARIES
from dvckit.new.interrupts import end_children, interrupts
from dvckit.new.library import VENDOR, Library, add_library
from dvckit.new.pyproject import with_library
from dvckit.new.shared import PYPROJECT, Answers, render
from dvckit.new.uv import environment_of, lock, sync
from dvckit.repository.packages import UV_LOCK
from dvckit.repository.programs import git, names_in
from dvckit.repository.revision import Revision

Say = Callable[[str], None]
Files = Mapping[str, bytes]

_BACK = "`git stash --include-untracked`, `make env` and `dvc checkout` go back"


def upgrade(root: Path, source: str, say: Say) -> None:
    """Replace the library by `source`, renew the shared files, run the pipelines and say which outputs changed.

    A shared file that the person changed stays, and the difference between the old and the new one is said. Up to the run,
    a failure or a signal leaves all as it was. UserError outside of such a project, and with uncommitted changes.
    """
    answers = Answers.read(root)
    _check(root, answers)
    outputs = Revision(root).md5s
    with interrupts() as signals:
        changes = Changes(root)
        try:
            signals.release()
            name = _change(changes, answers, source, say)
            signals.check()
        except BaseException:
            signals.hold()
            end_children()
            changes.undo(say)
            raise
    say(f"upgraded from {answers.library} to {name}")
    _run(root)
    _report(outputs, Revision(root).md5s, say)
    say(f'Commit it with: dvc push && git add --all && git commit -m "Upgrade to {Path(name).name}"')


def _check(root: Path, answers: Answers) -> None:
    if answers.workspace:
        raise UserError(
            f"the library is developed in this repository, in {answers.library}; there is nothing to upgrade"
        )
    if Path(sys.prefix).resolve() != (root / ".venv").resolve():
        raise UserError("this is not the dvckit of the project; run `uv run dvckit upgrade`")
    if changed := names_in(git(root, "status", "--porcelain", "-z", "--untracked-files=no")):
        raise UserError(f"there are uncommitted changes, of {changed[0][3:]} for one; commit or stash them first")


class Changes:
    """Files of a project that are changed, and how they were."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.before: dict[str, bytes | None] = {}
        self.synced = False

    def keep(self, name: str) -> bytes | None:
        """Remember the content of a file that is about to change, and return it; None where there is none."""
        path = self.root / name
        content = path.read_bytes() if path.is_file() else None
        self.before.setdefault(name, content)
        return content

    def write(self, name: str, content: bytes | None) -> None:
        """Replace a file, and where there is no content, remove it."""
        self.keep(name)
        self._write(name, content)

    def _write(self, name: str, content: bytes | None) -> None:
        path = self.root / name
        if content is None:
            path.unlink(missing_ok=True)
            return
        mode = path.stat().st_mode if path.exists() else 0o755 if content.startswith(b"#!") else 0o644
        write_bytes(path, content)
        path.chmod(mode)

    def sync(self) -> None:
        """Install what uv.lock names; the library anew, as two builds of it can have the same version."""
        self.synced = True
        sync(self.root, "--inexact", "--reinstall-package", "dvckit")

    def undo(self, say: Say) -> None:
        """Put every file back, and what was installed."""
        for name, content in self.before.items():
            self._write(name, content)
        if self.synced:
            try:
                self.sync()
            except UserError as error:
                say(f"all files are as they were, and the packages are not: {error}; run `make env`")


def _change(changes: Changes, answers: Answers, source: str, say: Say) -> str:
    """Change the library and the shared files; return where the library is from now on."""
    old = render(answers)
    library = _replace(changes, answers, source)
    changes.keep(UV_LOCK)
    lock(changes.root, "--upgrade-package", "dvckit")
    changes.sync()
    libraries = answers.library, library.name if library.name.startswith(f"{VENDOR}/") else UV_LOCK
    for diff in _renew(changes, old, _rendered(changes.root), libraries):
        for line in diff.split("\n"):
            say(line)
    changes.keep(LIBRARIES.name)
    _program(changes.root, "-m", "dvckit.cli", "libraries", why="the new library cannot write libraries.json")
    return library.name


def _replace(changes: Changes, answers: Answers, source: str) -> Library:
    """Put the wheel of another library in the place of the old one, and name it in pyproject.toml."""
    with tempfile.TemporaryDirectory() as folder:
        library = add_library(Path(folder), source)
        added = Path(folder, library.name)
        content = added.read_bytes() if added.is_file() else None
    if library.name == answers.library and content == changes.keep(library.name):
        raise UserError(f"this project already has {library.name}")
    if answers.wheel:
        changes.write(answers.library, None)
    if content:
        changes.write(library.name, content)
    text = (changes.keep(PYPROJECT) or b"").decode()
    changes.write(PYPROJECT, with_library(text, library).encode())
    return library


def _rendered(root: Path) -> dict[str, bytes]:
    """Return the shared files as the library renders them that is installed now, which is not the one that runs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".dvc").mkdir()  # the root of a project
        (folder / PYPROJECT).write_bytes((root / PYPROJECT).read_bytes())
        why = "the new library cannot write the shared files of this project"
        _program(root, "-m", "dvckit.new.shared", folder=folder, why=why)
        paths = [path for path in folder.rglob("*") if path.is_file() and path != folder / PYPROJECT]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _program(root: Path, *arguments: str, why: str, folder: Path | None = None) -> None:
    """Run the Python of the project, in its root or another folder; UserError with `why` and its reason where it fails."""
    command = [str(root / ".venv/bin/python"), *arguments]
    environment = environment_of(root)
    process = subprocess.run(command, cwd=folder or root, env=environment, capture_output=True, text=True, check=False)
    if process.returncode:
        reason = (process.stderr.strip().splitlines() or ["no output"])[-1].removeprefix("error: ")
        raise UserError(f"{why}: {reason}")


def _renew(changes: Changes, old: Files, new: Files, libraries: tuple[str, str]) -> list[str]:
    """Replace the shared files that are as the old library wrote them; return what the new one changes in the others."""
    diffs = []
    for name in sorted({*old, *new}):
        own, before, after = changes.keep(name), old.get(name), new.get(name)
        if own == before:
            changes.write(name, after)
            continue
        # the wheel's name follows in any case, or the pipeline looks for the old one
        own, before = (_renamed(content, *libraries) for content in (own, before))
        changes.write(name, own)
        if after not in {own, before}:
            diffs.append(_diff(name, before, after))
    return diffs


def _renamed(content: bytes | None, old: str, new: str) -> bytes | None:
    return content.replace(old.encode(), new.encode()) if content else content


def _diff(name: str, before: bytes | None, after: bytes | None) -> str:
    """Return how the new library's file differs from that of the old one."""
    first, second = ((content or b"").decode().splitlines() for content in (before, after))
    lines = difflib.unified_diff(first, second, f"old {name}", f"new {name}", lineterm="")
    return "\n".join([f"{name} stays, as you changed it; the library changes it so:", *lines])


def _run(root: Path) -> None:
    command = [str(root / ".venv/bin/python"), "-m", "dvc", "repro", "--all-pipelines"]
    if subprocess.run(command, cwd=root, env=environment_of(root), check=False).returncode:
        raise UserError(f"the library is upgraded and the pipeline failed, see above; {_BACK}")


def _report(before: Mapping[str, str], after: Mapping[str, str], say: Say) -> None:
    changed = [path for path in sorted({*before, *after}) if before.get(path) != after.get(path)]
    if changed:
        say(f"{len(changed)} of {len(after)} outputs changed: {', '.join(changed)}; {_BACK}")
    else:
        say(f"all {len(after)} outputs are identical, to the byte")
