"""The one way to read an output of any stage at any revision, wherever its bytes are.

DVC resolves a relative remote URL against `/` whenever it reads another revision, so it cannot read the embedded remote
of an old commit, and a file with `cache: false` is git's alone. So the places are looked through here, one by one, and
what is found must have the md5 that the revision's dvc.lock names: DVC itself trusts a truncated cache object.
"""

import difflib
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from titanic.config import FEATURES, INTERIM, PROCESSED, RAW, REJECTED, SUBMISSION
from titanic.stage import UserError
from titanic.versions.remote import STORAGE, check_remote, default_remote
from titanic.versions.repository import dvc, find_root, git, git_file, locked_outputs

if TYPE_CHECKING:
    import pandas as pd

STEPS = {"raw": RAW, "clean": INTERIM, "features": FEATURES, "processed": PROCESSED}
TABLES = {
    name + ("" if part == "train" else f"/{part}"): folder / f"{part}.{'csv' if folder == RAW else 'parquet'}"
    for name, folder in STEPS.items()
    for part in ("train", "test", *(["holdout"] if folder == PROCESSED else []))
} | {"submission": SUBMISSION, "rejected": REJECTED}
# What these hold is not typed yet: a guess would lose leading zeros and turn "NA" into nothing.
AS_TEXT = ("raw", "raw/test", "rejected")

# An experiment: refs/exps/ab/cdef…/NAME, where abcdef… is the commit that it was run on.
NAMED = ("refs/heads", "refs/tags", "refs/remotes", "refs/exps/*/*/*")
REMOTE_TIMEOUT = 300.0  # seconds for an object


def load(table: str, rev: str | None = None) -> "pd.DataFrame":
    """Return a table of the project that holds the current folder, at a revision or, without one, as it is now.

    `table` is a step ("raw", "clean", "features", "processed": its training rows), a step and a part ("clean/test",
    "processed/holdout"), "submission" or "rejected". Raw and rejected cells are text, an empty one missing. UserError
    for an unknown table or revision, and where the table is not to be had.
    """
    if table not in TABLES:
        raise UserError(f"there is no table {table!r}; there are {', '.join(TABLES)}")
    return parse(table, read_output(find_root(), TABLES[table].as_posix(), rev))


def parse(table: str, content: bytes) -> "pd.DataFrame":
    """Make a frame of the bytes of a table in TABLES; UserError where they are no such table."""
    import pandas as pd

    try:
        if TABLES[table].suffix == ".parquet":
            return pd.read_parquet(BytesIO(content))
        if table in AS_TEXT:
            return _text_table(content)
        return pd.read_csv(BytesIO(content))
    except ValueError as error:  # pyarrow's and pandas' own errors are ValueErrors
        raise UserError(f"{TABLES[table]} is not a table: {' '.join(str(error).split())}") from None


def _text_table(content: bytes) -> "pd.DataFrame":
    """Read CSV with every cell as text; a row with more or fewer cells than the header is an error, as pandas has it not."""
    import pyarrow as pa
    from pyarrow import csv

    names = csv.open_csv(BytesIO(content)).schema.names
    table: pd.DataFrame = csv.read_csv(
        BytesIO(content),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
        ),
    ).to_pandas()
    return table


def read_output(root: Path, path: str, rev: str | None) -> bytes:
    """Return the bytes of an output, `path` relative to `root`, at a revision; None for the workspace.

    In the workspace the file on disk counts as it is; where it is not there, what the workspace's dvc.lock names.
    UserError where no dvc.lock of the revision names the path, or its object is in no place.
    """
    if rev is None and (root / path).is_file():
        return (root / path).read_bytes()
    where = "in the workspace" if rev is None else f"at {rev}"
    commit = "HEAD" if rev is None else resolve(root, rev)
    outputs = {output.path: output.md5 for output in locked_outputs(root, None if rev is None else commit)}
    if path not in outputs:
        raise UserError(f"{path} is no output of any stage {where}: no dvc.lock names it there")
    if (content := git_file(root, commit, path)) is None:
        return _object(root, commit, outputs[path], f"{path} {where}")
    if not _intact(content, outputs[path]):
        raise UserError(f"{path} {where} is not the file that dvc.lock names; run `dvc repro -P` and commit both")
    return content


def _object(root: Path, commit: str, md5: str, said: str) -> bytes:
    """Return the object with this md5 from the first place that has it undamaged; `said` names it in the error."""
    from dvc.config import Config

    name = f"files/md5/{md5[:2]}/{md5[2:]}"
    config = Config(dvc_dir=str(root / ".dvc"))
    for content in _near(root, Path(config["cache"].get("dir") or root / ".dvc/cache"), commit, name):
        if _intact(content, md5):
            return content
    places = f"the cache, {STORAGE}"
    remote, about = default_remote(root)
    if about and about["url"] != str(root / STORAGE):
        try:
            check_remote(root)
        except UserError as error:
            raise UserError(f"{said} is in none of: {places}; {error}") from None
        try:
            content = _download(root, f"remote://{remote}/{name}")
        except UserError as error:
            places += f", the remote {remote} ({error})"
        else:
            if _intact(content, md5):
                return content
            places += f", the remote {remote} (what it has is damaged)"
    raise UserError(f"{said} is in none of: {places}; run `dvc push` where it was made")


def _near(root: Path, cache: Path, commit: str, name: str) -> Iterator[bytes]:
    """Give an object as each place on this machine has it."""
    for file in (cache / name, root / STORAGE / name):
        if file.is_file():
            yield file.read_bytes()
    if (committed := git_file(root, commit, f"{STORAGE}/{name}")) is not None:
        yield committed


def _download(root: Path, url: str) -> bytes:
    """Fetch a file of a remote; UserError with DVC's words. In a process of its own, which can be ended if it hangs."""
    with tempfile.TemporaryDirectory(prefix="titanic-object-") as folder:
        target = Path(folder) / "object"
        dvc(root, "get-url", url, str(target), timeout=REMOTE_TIMEOUT)
        return target.read_bytes()


def _intact(content: bytes, md5: str) -> bool:
    return hashlib.md5(content).hexdigest() == md5  # noqa: S324 - DVC's


def resolve(root: Path, rev: str) -> str:
    """Return the full commit hash of a revision, tag, branch or DVC experiment.

    Of several experiments with one name, the one that was run on HEAD is meant, as with DVC. UserError for an unknown
    revision, with the near names, and where it remains open which experiment is meant.
    """
    with suppress(UserError):
        return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}").strip()
    listed = git(root, "for-each-ref", "--format=%(refname) %(objectname)", *NAMED)
    refs = dict(line.split(" ") for line in listed.splitlines())
    meant = {ref: commit for ref, commit in refs.items() if ref.startswith("refs/exps/") and ref.endswith(f"/{rev}")}
    if len(meant) > 1:
        head = resolve(root, "HEAD")
        meant = {ref: commit for ref, commit in meant.items() if head in ref.replace("/", "")} or meant
    if len(meant) > 1:
        raise UserError(f"there are several experiments {rev}; name one in full: {', '.join(meant)}")
    if meant:
        return meant.popitem()[1]
    names = {ref.split("/", 4 if ref.startswith("refs/exps/") else 2)[-1] for ref in refs}
    near = difflib.get_close_matches(rev, sorted(names | {"HEAD"}), cutoff=0.5)
    raise UserError(f"there is no revision {rev!r}" + (f"; near names: {', '.join(near)}" if near else ""))
