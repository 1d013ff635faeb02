"""Every name of DVC, and of what DVC brings, that is not public; each is loaded when it is first used.

Tried on the versions in TRIED_ON, to which pyproject.toml holds DVC. What a new version moves is repaired here.
"""

import importlib
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dvckit.core.errors import UserError, one_line

TRIED_ON = ("3.67.1",)

_NAMES = {
    "dvc.cli": ["main"],
    "dvc.config": ["Config", "ConfigError"],
    "dvc.dependency": ["ParamsDependency"],
    "dvc.exceptions": ["DvcException", "InvalidArgumentError"],
    "dvc.fs": ["LocalFileSystem"],
    "dvc.lock": ["LockError"],
    "dvc.parsing": ["DataResolver"],
    "dvc.repo": ["Repo"],
    "dvc.repo.fetch": ["_collect_indexes"],
    "dvc.repo.experiments.cache": ["ExpCache"],
    "dvc.repo.experiments.refs": ["ExpRefInfo"],
    "dvc.repo.experiments.serialize": ["SerializableExp"],
    "dvc.repo.reproduce": ["get_active_graph", "plan_repro"],
    "dvc.repo.metrics.show": ["_collect_metrics"],
    "dvc.rwlock": ["SCHEMA"],
    "dvc.schema": ["COMPILED_LOCKFILE_SCHEMA"],
    "dvc.stage.exceptions": ["StageCmdFailedError"],
    "dvc.stage.loader": ["StageLoader"],
    "dvc.stage.serialize": ["to_single_stage_lockfile"],
    "dvc.utils": ["dict_sha256"],
    "dvc.utils.cli_parse": ["to_path_overrides"],
    "dvc.utils.hydra": ["apply_overrides", "to_hydra_overrides"],
    "dvc.utils.serialize": [
        "LOADERS",
        "PARSERS",
        "ParseError",
        "dumps_yaml",
        "load_yaml",
        "parse_yaml",
        "parse_yaml_for_update",
    ],
    "dvc_data.hashfile.hash": ["fobj_md5"],
    "dvc_data.hashfile.hash_info": ["HashInfo"],
    "dvc_data.hashfile.istextfile": ["istextblock"],
    "dvc_data.hashfile.transfer": ["transfer"],
    "dvc_data.index.collect": ["collect"],
    "dvc_gdrive": ["GDriveFileSystem"],
    "configobj": ["ConfigObj"],
    "dulwich.config": ["StackedConfig"],
    "dulwich.repo": ["get_user_identity"],
    "hydra.core.override_parser.types": ["IntervalSweep", "ValueType"],
    "hydra.errors": ["HydraException"],
    "voluptuous": ["Invalid"],
}
MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(MODULES[name]), name)


# What reads a configuration, a lock and `${…}`, and what opening a repository loads.
_READERS = (
    *("configobj", "dulwich.ignore", "dulwich.worktree", "dvc.cachemgr", "dvc.config", "dvc.data_cloud", "dvc.dirs"),
    *("dvc.fs", "dvc.lock", "dvc.parsing", "dvc.repo.artifacts", "dvc.repo.brancher", "dvc.repo.datasets"),
    *("dvc.repo.fetch", "dvc.repo.graph", "fsspec.implementations.memory", "dvc_data.index.collect"),
    *("dvc.repo.index", "dvc.repo.metrics", "dvc.repo.params", "dvc.repo.plots", "dvc.repo.stage", "dvc.repo.trie"),
    *(
        "dvc.rwlock",
        "dvc.schema",
        "dvc.scm",
        "dvc.utils.serialize",
        "dvc.utils.strictyaml",
        "dvc_data.hashfile.db.local",
    ),
    *("networkx", "pyparsing"),
)
# What commands load when they run.
_COMMANDS = (
    *("dvc.cli.parser", "dvc.daemon", "dvc.repo.experiments.queue.celery", "dvc.repo.experiments.queue.workspace"),
    *("dvc.repo.experiments.run", "dvc.repo.open_repo", "dvc.repo.worktree", "dvc_data.index.checkout"),
    *("dvc_data.index.collect", "dvc_data.index.fetch", "dvc_data.index.push", "pygit2", "rich.status"),
)


def load() -> None:
    """Import what reads a configuration, a lock and a repository; to be called before several threads do.

    DVC's modules import each other in circles, and two threads that start at different ends can deadlock.
    """
    for module in _READERS:
        importlib.import_module(module)


def load_commands() -> None:
    """Import what DVC's commands need, which takes longer than most of them."""
    load()
    for module in _COMMANDS:
        importlib.import_module(module)
    importlib.import_module("dvc.cli.parser").get_main_parser()  # imports each command's own


def run_stages_by(run: Callable[[str, str, Mapping[str, str]], int | None]) -> None:
    """Let `run(command, folder, environment)` run a stage's command; where it returns None, and no exit code, DVC does."""
    module: Any = importlib.import_module("dvc.stage.run")
    own = module._run  # noqa: SLF001

    def run_stage(executable: str, command: str, **options: Any) -> None:
        code = run(command, options["cwd"], options["env"])
        if code is None:
            own(executable, command, **options)
        elif code:
            raise module.StageCmdFailedError(command, code)

    module._run = run_stage  # noqa: SLF001


def broken_config(dvc_dir: Path) -> Path:
    """Return the first file of DVC's configuration that cannot be read by itself; by default, that of the project."""
    config = __getattr__("Config")
    levels = [Path(config.get_dir(level), "config") for level in ("system", "global")]
    for path in (*levels, dvc_dir / "config", dvc_dir / "config.local"):
        try:
            if path.exists():
                config.validate(config.load_file(str(path)))
        except (__getattr__("ConfigError"), OSError, ValueError):
            return path
    return dvc_dir / "config"


def site_cache(root: Path, config: Mapping[str, Any]) -> Path:
    """Return the folder outside of a project in which DVC remembers the hashes of its files; no database is opened."""
    repo = __getattr__("Repo")
    unopened = repo.__new__(repo)
    parts = {"_fs": __getattr__("LocalFileSystem")(), "root_dir": str(root), "tmp_dir": str(root / ".dvc/tmp")}
    vars(unopened).update(parts, config=config)
    return Path(unopened.site_cache_dir)


def open_project(root: Path) -> None:
    """Let DVC read all stages and see whether they fit together; UserError with its words where it cannot."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of DVC's libraries about each other
            repo = __getattr__("Repo")(str(root))
            try:
                repo.index.check_graph()
            finally:
                repo.close()
    except Exception as error:  # noqa: BLE001 - a broken repository breaks DVC in any way
        raise UserError(f"{type(error).__name__}: {one_line(error)}"[:300]) from None


def is_cut(root: Path, kind: str) -> bool:
    """Tell whether DVC's list of what to "push" or to "fetch" for the files as they are now is shorter than it should be.

    DVC keeps the list, and a kill while it is made leaves the first part: until it is dropped, DVC goes by that.
    """
    from fsspec.utils import tokenize

    repo = __getattr__("Repo")(str(root))
    try:
        indexes = __getattr__("_collect_indexes")(repo, push=kind == "push")
        key = (kind, tokenize(sorted(index.data_tree.hash_info.value for index in indexes.values())))
        if not repo.data_index.has_node(key):
            return False
        known = sum(1 for _ in repo.data_index.iteritems(key))
        lists = __getattr__("collect")(
            [index.data["repo"] for index in indexes.values()], "remote", push=kind == "push"
        )
        return bool(known < sum(1 for one in lists for _ in one.iteritems()))
    finally:
        repo.close()


def drop_lists(root: Path) -> None:
    """Let DVC make its lists of what to push and to fetch anew."""
    repo = __getattr__("Repo")(str(root))
    try:
        repo.drop_data_index()
    finally:
        repo.close()


def write_local_config(dvc_dir: Path, sections: Mapping[str, Mapping[str, Any]]) -> None:
    """Set options in .dvc/config.local: DVC's own writer cuts the file where a path is not ASCII."""
    config = __getattr__("ConfigObj")(str(dvc_dir / "config.local"), encoding="utf-8", write_empty_values=True)
    config.merge({name: dict(options) for name, options in sections.items()})
    config.write()


def check_lock(text: str, lock: str) -> None:
    """Refuse (UserError) the text of a dvc.lock that DVC would refuse, or that a kill has cut off.

    DVC 3 no longer reads the locks of DVC 1, whose stages are not under a key of their own.
    """
    parse, schema = __getattr__("parse_yaml"), __getattr__("COMPILED_LOCKFILE_SCHEMA")
    try:
        schema(parse(text, lock))
    except (__getattr__("ParseError"), __getattr__("Invalid")) as error:
        raise UserError(f"DVC refuses it: {one_line(error)}") from None
    if not text.endswith("\n"):
        raise UserError("it is cut off")
