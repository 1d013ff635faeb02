"""What every stage does before its own work: pin the arithmetic, check libraries and memory, load its module."""

import gc
import importlib
import importlib.metadata
from pathlib import Path
from types import ModuleType

from dvckit.core.arithmetic import pin_arithmetic
from dvckit.core.embedded import ensure_located
from dvckit.core.errors import UserError, answered
from dvckit.core.formats import read_json
from dvckit.core.layout import LIBRARIES
from dvckit.core.memory import check_memory


def check_libraries(root: Path) -> None:
    """Raise a UserError if other versions are installed than those that dvc.lock will name."""
    if not (root / LIBRARIES).is_file():
        return
    libraries = read_json((root / LIBRARIES).read_bytes())
    if not isinstance(libraries, dict) or not all(isinstance(version, str) for version in libraries.values()):
        raise UserError(f"{LIBRARIES} does not name versions of packages; run `dvckit libraries`")
    for name, version in libraries.items():
        installed = importlib.metadata.version(name)
        if installed != version.partition(" ")[0]:
            raise UserError(f"{name} {installed} is installed and {LIBRARIES} has {version}; run `make env`")


def _imported(name: str) -> ModuleType:
    """Import a stage's module; UserError where dvc.yaml calls one that this clone does not have."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise UserError(f"dvc.yaml calls the module {name}, which is not in this clone; update both together") from None


def run(name: str) -> None:
    """Run `main()` of a stage's module."""
    pin_arithmetic()
    with answered():
        check_memory()
        # nothing that loading makes is garbage, and looking for some takes a fifth of a stage's start
        gc.disable()
        check_libraries(Path())
        stage = _imported(name)
        gc.freeze()
        gc.enable()
        ensure_located(Path.cwd())
        stage.main()
