"""Files of a project, rendered from a folder of templates."""

import re
from pathlib import Path
from typing import Any

from dvckit.reports.templates import render

TEMPLATES = Path(__file__).with_name("templates")


def render_folder(folder: str, /, **values: Any) -> dict[str, bytes]:
    """Render each NAME.jinja in a folder of `templates`; return the files by their path in the project.

    In the name of a template, `dot_` at the start of a part stands for a dot: the folder `dot_dvc` is no DVC repository.
    """
    files = {}
    for template in (TEMPLATES / folder).rglob("*.jinja"):
        name = template.relative_to(TEMPLATES / folder).as_posix().removesuffix(".jinja")
        text = render(f"new/templates/{template.relative_to(TEMPLATES).as_posix()}", **values)
        files[re.sub(r"(^|/)dot_", r"\1.", name)] = f"{text}\n".encode()
    return dict(sorted(files.items()))
