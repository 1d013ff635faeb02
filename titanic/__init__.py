"""A machine-learning project that really reproduces; what it offers is loaded on first use."""

import importlib
from typing import Any

_OFFERED = {"load": "titanic.versions.tables", "Passenger": "titanic.schema", "UserError": "titanic.stage"}
__all__ = list(_OFFERED)


def __dir__() -> list[str]:
    return [*globals(), *_OFFERED]


def __getattr__(name: str) -> Any:
    if name not in _OFFERED:
        raise AttributeError(f"module 'titanic' has no attribute {name!r}")
    return getattr(importlib.import_module(_OFFERED[name]), name)
