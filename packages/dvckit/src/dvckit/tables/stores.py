"""Files of this machine, or of any store that fsspec knows, such as `s3://BUCKET/FOLDER`.

An address is a path or a URL. Each task reads and writes its own files, so that data pass through no other process.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from dvckit.core.errors import UserError, one_line
from dvckit.core.files import replacing

SUFFIXES = (".csv", ".parquet")  # of the parts of a table
# Seconds without an answer, after which a store is given up.
OPTIONS = {"s3": {"config_kwargs": {"connect_timeout": 5, "read_timeout": 10, "retries": {"max_attempts": 1}}}}


def is_url(address: str) -> bool:
    """Tell whether an address is that of a store elsewhere."""
    return "://" in address


def is_folder(address: str) -> bool:
    """Tell whether there is a folder at an address; UserError where its store does not answer."""
    if not is_url(address):
        return Path(address).is_dir()
    with _explained(address):
        store, path = _store(address)
        return bool(store.isdir(path))


def is_file(address: str) -> bool:
    """Tell whether there is a file at an address; UserError where its store does not answer."""
    if not is_url(address):
        return Path(address).is_file()
    with _explained(address):
        store, path = _store(address)
        return bool(store.isfile(path))


def inside(address: str, name: str) -> str:
    """Return the address of what has that name in a folder."""
    return f"{address.rstrip('/')}/{name}"


def parts_in(address: str) -> list[str]:
    """Return the files in a folder, which are parts of a table; UserError where one is no such file."""
    if is_url(address):
        with _explained(address):
            store, path = _store(address)
            found = [str(one) for one in store.ls(path, detail=False)]
        names = [PurePosixPath(one).name for one in found if PurePosixPath(one) != PurePosixPath(path)]
    else:
        names = [one.name for one in Path(address).iterdir()]
    parts = sorted(name for name in names if name[:1] not in (".", "_"))
    if strange := [name for name in parts if PurePosixPath(name).suffix not in SUFFIXES]:
        raise UserError(f"{inside(address, strange[0])} is no part of a table: parts are .csv or .parquet files")
    return [inside(address, name) for name in parts]


def fetched(address: str, folder: Path) -> Path:
    """Return the path of a file, which a store elsewhere brings to `folder`."""
    if not is_url(address):
        return Path(address)
    target = folder / PurePosixPath(address).name
    with _explained(address):
        store, path = _store(address)
        store.get_file(path, str(target))
    return target


@contextmanager
def written(address: str, folder: Path) -> Iterator[Path]:
    """Give a path to write to; the file is at its address when the block ends well, whole or not at all."""
    if not is_url(address):
        with replacing(Path(address)) as temporary:
            yield temporary
        return
    yield (temporary := folder / PurePosixPath(address).name)
    with _explained(address):
        store, path = _store(address)
        store.put_file(str(temporary), path)


def _store(address: str) -> tuple[Any, str]:
    import fsspec

    store, path = fsspec.core.url_to_fs(address, **OPTIONS.get(address.partition("://")[0], {}))
    return store, str(path)


@contextmanager
def _explained(address: str) -> Iterator[None]:
    """Say of a store that cannot be used which it is, in one sentence."""
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{address} is not there") from None
    except Exception as error:  # noqa: BLE001 - each store has errors of its own
        raise UserError(f"{address} cannot be used: {type(error).__name__}: {one_line(error)[:200]}") from None
