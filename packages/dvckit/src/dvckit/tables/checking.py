"""Validate tables in parts: a task for each part, then tasks for what has to be known of all rows at once.

The task of a part leaves beside its good rows two small files that divide by a hash what is compared over all parts: the
keys of all rows, and, where rows are about people or things, a hash of what identifies them. Nothing else moves between
parts.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from dvckit.core.errors import UserError
from dvckit.core.memo import FOLDER, Memo
from dvckit.core.pool import Pool
from dvckit.tables.partitions import in_partitions, partitioned
from dvckit.tables.parts import files_of, first_row
from dvckit.tables.quality import Column, Profile
from dvckit.tables.reading import check_form
from dvckit.tables.rows import ARROW, Checked, arrow_schema, by_line, check_rows, no_keys, repeated
from dvckit.tables.schema import Entity, Rules

GOOD, HASH = "good", "hash"  # columns of the small files, beside the key


class Part(NamedTuple):
    """A part of a table, and where its task writes."""

    table: str
    path: Path  # plain CSV
    name: str  # of what is written
    clean: Path  # Parquet, the good rows
    keys: Path
    entities: Path

    @property
    def files(self) -> list[Path]:
        """What its task writes."""
        return [self.clean, self.keys, self.entities]


class Sides(NamedTuple):
    """What two tables have in common in the keys of a partition."""

    shared: int
    examples: list[Any]
    differ: bool


class InParts:
    """Checks tables in parts by tasks, and answers the questions of `quality` about them."""

    def __init__(self, folder: Path, rules: Rules, pool: Pool, partitions: int, memory: Path = FOLDER) -> None:
        """All is written to `folder`: the good rows to folders NAME.parquet there; `memory` is what tells of unchanged parts."""
        self._folder, self._rules, self._pool, self._partitions = folder, rules, pool, partitions
        self._key = rules.schema.key
        self._memo = Memo("validate", rules.schema.record.__module__.partition(".")[0], partitions, folder=memory)

    def check(self, sources: Mapping[str, Path]) -> dict[str, Checked | UserError]:
        """Check the tables of a source, each in one or several plain CSV files."""
        parts = {name: self._parts(name, path) for name, path in sources.items()}
        results = self._check(parts, {name: no_keys(self._rules.schema) for name in parts})
        tables = [name for name, of in results.items() if all(isinstance(one, Checked) for one in of)]
        twice = {name: pa.concat_arrays(self._of_partitions(_repeated, [name])) for name in tables}
        results |= self._check({name: parts[name] for name, keys in twice.items() if len(keys)}, twice)
        self._memo.forget_others()
        return {name: _together(sources[name], self._folder / f"{name}.parquet", of) for name, of in results.items()}

    def _parts(self, table: str, source: Path) -> list[Part]:
        """Return the parts of a table; what is written of each is named by its content, whatever the source calls it."""
        folders = [self._folder / f"{table}.parquet", *(self._folder / kind / table for kind in ("keys", "entities"))]
        for folder in folders:
            folder.mkdir(parents=True)
        named: dict[str, Path] = {}
        for file, content in zip(files := files_of(source), self._memo.hashes(files, self._pool), strict=True):
            name = content if first_row(file) == 1 else f"{content}-{first_row(file)}"
            if name in named:
                raise UserError(f"{named[name]} and {file} are the same; remove one")
            named[name] = file
        return [
            Part(table, file, name, *(folder / f"{name}.parquet" for folder in folders)) for name, file in named.items()
        ]

    def _check(self, parts: Mapping[str, list[Part]], twice: Mapping[str, pa.Array]) -> dict[str, list[Checked | str]]:
        """Check all parts of several tables at once."""
        tasks = [part for of_table in parts.values() for part in of_table]
        known = {part: self._known(part, twice[part.table]) for part in tasks}
        work = partial(check_part, rules=self._rules, partitions=self._partitions, twice=twice)
        new = [part for part in tasks if known[part] is None]
        for file in [file for part in new for file in part.files]:
            file.unlink(missing_ok=True)  # what is known of it may be linked
        found = dict(zip(new, self._pool.map(work, new, "validate", "parts"), strict=True))
        results: dict[str, list[Checked | str]] = {name: [] for name in parts}
        for part in tasks:
            results[part.table].append(known[part] or found[part])
        for part in new:
            self._keep(part, found[part])
        return results

    def _known(self, part: Part, twice: pa.Array) -> Checked | None:
        """Return what was found in a part when it was last checked; None where it has to be checked."""
        accepted = None if len(twice) else self._memo.restore(f"{part.table} {part.name}", part.files)
        return None if accepted is None else Checked(part.path, part.clean, accepted, {})

    def _keep(self, part: Part, found: Checked | str) -> None:
        """Remember a part without bad rows."""
        if isinstance(found, Checked) and not found.rejected:
            self._memo.keep(f"{part.table} {part.name}", part.files, found.accepted)

    def _of_partitions(self, work: Callable[..., Any], tables: Iterable[str], kind: str = "keys") -> list[Any]:
        """Return the result of a task for each partition of the small files of some tables."""
        folders = [self._folder / kind / name for name in tables]
        return self._pool.map(partial(work, folders, key=self._key), range(self._partitions), f"compare {kind}")

    def profiles(self, work: Callable[[Column], Profile], columns: Sequence[Column]) -> list[Profile]:
        """Return `work(column)` for each column."""
        return self._pool.map(work, columns, "profile", "columns")

    def entity_twice(self, tables: Mapping[str, Checked], entity: Entity) -> list[Any]:  # noqa: ARG002
        """Return a key for each entity that has several rows."""
        return [key for of_partition in self._of_partitions(_twice, tables, "entities") for key in of_partition]

    def shared_keys(self, tables: Mapping[str, Checked]) -> tuple[int, list[Any]]:
        """Return how many keys are in both tables, and some of them."""
        found: list[Sides] = self._of_partitions(_sides, tables)
        return sum(sides.shared for sides in found), sorted(key for sides in found for key in sides.examples)[:3]

    def other_keys(self, table: str, submission: str) -> bool:
        """Tell whether the keys of a submission are not those of the table to predict."""
        return any(sides.differ for sides in self._of_partitions(_sides, (table, submission)))


def check_part(part: Part, rules: Rules, partitions: int, twice: Mapping[str, pa.Array]) -> Checked | str:
    """Write the good rows of a part, and report the bad ones; return a sentence where it is no such table."""
    schema, names = rules.schema, rules.fields(part.table)
    divide_by = schema.group if schema.group in names else schema.key
    keys_schema = pa.schema([(schema.key, ARROW[schema.kind(schema.key)]), (GOOD, pa.bool_())])
    try:
        check_form(part.path, names)
        with (
            in_partitions(part.clean, arrow_schema(schema, names), divide_by, schema.key, partitions) as rows,
            in_partitions(part.keys, keys_schema, schema.key, schema.key, partitions) as keys,
            _entities(part, rules, partitions) as note_entities,
        ):

            def write(batch: pa.RecordBatch) -> None:
                rows.write_batch(batch)
                note_entities(batch)

            def note(all_keys: pa.Array, good: pa.Array) -> None:
                keys.write_batch(pa.record_batch([all_keys, good], schema=keys_schema).filter(all_keys.is_valid()))

            found = check_rows(part.path, schema, names, twice[part.table], write, note, first_row(part.path))
        return by_line(found, part.clean, part.path, schema, header=True)
    except UserError as error:
        return str(error)


@contextmanager
def _entities(part: Part, rules: Rules, partitions: int) -> Iterator[Callable[[pa.RecordBatch], object]]:
    """Give what notes for each row a hash of what identifies its entity, with its key; where rows have none, nothing."""
    key, who = rules.schema.key, [*(rules.entity.columns if rules.entity else ())]
    if not who or not set(who) <= set(rules.fields(part.table)):
        part.entities.touch()
        yield lambda _: None
        return
    schema = pa.schema([(HASH, pa.uint64()), (key, ARROW[rules.schema.kind(key)])])
    with in_partitions(part.entities, schema, HASH, key, partitions) as writer:

        def note(batch: pa.RecordBatch) -> None:
            hashes = pd.util.hash_pandas_object(batch.select(who).to_pandas(), index=False, categorize=False)
            writer.write_batch(pa.record_batch([pa.array(hashes.to_numpy()), batch[key]], schema=schema))

        yield note


def _together(source: Path, clean: Path, results: Sequence[Checked | str]) -> Checked | UserError:
    """Return what the parts of a table are together; or the sentences about those that are no table."""
    if sentences := [result for result in results if isinstance(result, str)]:
        return UserError("\n".join(sentences))
    parts = [result for result in results if isinstance(result, Checked)]
    rejected = {(part.path.name, place): why for part in parts for place, why in part.rejected.items()}
    return Checked(source, clean, sum(part.accepted for part in parts), rejected)  # type: ignore[arg-type]


def _repeated(folders: list[Path], place: int, key: str) -> pa.Array:
    """Return the keys of a partition that stand in several rows of a table."""
    found = repeated(partitioned(folders[0]).read(place, [key])[key].chunks)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _sides(folders: list[Path], place: int, key: str) -> Sides:
    """Compare the keys of the good rows of two tables."""
    rows = [partitioned(folder).read(place) for folder in folders]
    one, other = (table.filter(table[GOOD])[key].to_numpy() for table in rows)
    shared = np.intersect1d(one, other)
    return Sides(len(shared), shared[:3].tolist(), not np.array_equal(np.sort(one), np.sort(other)))


def _twice(folders: list[Path], place: int, key: str) -> list[Any]:
    """Return the smallest key of each entity that has several rows."""
    rows = pa.concat_tables(partitioned(folder).read(place) for folder in folders)
    counts = rows.group_by(HASH).aggregate([([], "count_all"), (key, "min")])
    smallest: list[Any] = counts.filter(pc.greater(counts["count_all"], 1))[f"{key}_min"].to_pylist()
    return smallest
