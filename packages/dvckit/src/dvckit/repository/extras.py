"""What to run where a package that is only an extra is not installed."""

import sys
from pathlib import Path


def install(extra: str, package: str) -> str:
    """Return the command that installs a package: an extra of a project of uv's, whose environment is in its folder."""
    is_uvs = (Path(sys.prefix).parent / "uv.lock").is_file()
    return f"uv sync --extra {extra}" if is_uvs else f"pip install {package}"
