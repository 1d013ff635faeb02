"""The name of a new project, which is also that of its package."""

import keyword
import re
import site
import sys
import unicodedata
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from packaging.utils import canonicalize_name

from dvckit.core.errors import UserError
from dvckit.new.names import LETTERS

# Folders of every project, and a module that would hide Python's or pytest's.
_FOLDERS = {"data", "docs", "reports", "test", "tests", "vendor"}
_VALID = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)  # PyPI's rule, PEP 508


def check_name(name: str) -> None:
    """UserError, with a name that would do, where PyPI's rules or Python refuse a name, or where it is in use."""
    if fault := _fault(name):
        raise UserError(f"{name!r} cannot be the name of a project: {fault}; try {_suggestion(name)}")


def package_of(name: str) -> str:
    """Return the package of a project: my_project of My-Project."""
    return canonicalize_name(name).replace("-", "_")


def _fault(name: str) -> str:
    """Return what is wrong with a name; nothing where it will do."""
    package = package_of(name)
    faults = {
        "letters a to z, digits, and - _ . between them are allowed": not _VALID.fullmatch(name),
        "a package of Python cannot begin with a digit": package[:1].isdigit(),
        f"{package} is a word of Python's": keyword.iskeyword(package) or keyword.iskeyword(package.title()),
        f"Python has a module {package}": package in sys.stdlib_module_names,
        f"every project has a folder or module {package}": package in _FOLDERS,
        f"the project could not import the package {package}, which is installed": bool(package)
        and _is_installed(package),
    }
    return next((fault for fault, holds in faults.items() if holds), "")


def _is_installed(package: str) -> bool:
    """Return whether a new project has such a package beside it; one that is developed in this environment it has not."""
    spec = find_spec(package)
    sites = [Path(folder) for folder in site.getsitepackages()]
    if package == "dvckit" or (spec and spec.origin and any(Path(spec.origin).is_relative_to(one) for one in sites)):
        return True
    try:
        return distribution(package).read_text("direct_url.json") is None  # sklearn is of scikit-learn
    except PackageNotFoundError:
        return False


def _suggestion(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.translate(LETTERS)).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    options = (words, f"{words}-project", f"project-{words}", "my-project")
    return next(option for option in options if not _fault(option))
