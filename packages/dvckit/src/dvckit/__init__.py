"""What DVC lacks, for any DVC project; what is public here is loaded on first use."""

import importlib
from typing import Any

_PUBLIC = {
    "Project": "dvckit.project",
    "Revision": "dvckit.repository.revision",
    "UserError": "dvckit.core.errors",
    "load": "dvckit.tables.load",
}
__all__ = list(_PUBLIC)


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'dvckit' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
