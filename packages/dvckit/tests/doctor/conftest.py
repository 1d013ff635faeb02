"""`dvckit doctor` as functions, for tests of what it says and fixes."""

from collections.abc import Callable

import pytest

from dvckit.core.embedded import ensure_located
from dvckit.doctor.doctor import doctor, fix
from dvckit.testing import Repository


@pytest.fixture(scope="session")
def fixed() -> Callable[[Repository], str]:
    """Fix a project; return the lines of what was fixed. Nothing is left to fix."""

    def fixed(project: Repository) -> str:
        lines: list[str] = []
        ensure_located(project.root)  # as any command before has done
        fix(project.root, lines.append)
        assert [line for line in lines if not line.startswith("fixed")] == []
        return "\n".join(lines)

    return fixed


@pytest.fixture(scope="session")
def examined() -> Callable[..., tuple[bool, str]]:
    """Examine a project; return whether nothing is wrong, and the lines that say it."""

    def examined(project: Repository, *, fix_first: bool = False) -> tuple[bool, str]:
        lines: list[str] = []
        return doctor(project.root, lines.append, fix_first=fix_first), "\n".join(lines)

    return examined
