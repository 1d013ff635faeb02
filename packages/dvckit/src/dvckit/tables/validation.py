"""Judge the tables of a source: its bad rows, what the others look like, whether the tables belong together."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import pandas as pd
import pyarrow as pa
from pyarrow import parquet
from pydantic import Field

from dvckit.core.errors import UserError
from dvckit.core.files import put, scratch_folder, write_json, write_table
from dvckit.core.layout import DATA_QUALITY, INTERIM, RAW, REJECTED, TEST, TRAIN
from dvckit.core.params import Section
from dvckit.tables.checking import InParts
from dvckit.tables.quality import quality
from dvckit.tables.reading import rows_as_written
from dvckit.tables.rows import Checked, Place, check, check_source
from dvckit.tables.schema import Rules, Schema
from dvckit.tables.summary import print_quality

if TYPE_CHECKING:
    from dvckit.core.pool import Pool
    from dvckit.tasks.base import Task

SHOWN = 20  # bad rows that an error message lists


class Verdict(NamedTuple):
    """The result of checking tables: the rows of each by its name, the problems, and the report of `quality`."""

    checked: dict[str, Checked]
    problems: list[str]
    report: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values, with all rejected rows."""
        files = {
            name: {
                "path": str(checked.path),
                "rows": checked.rows,
                "rejected": [{**_as_json(place), "reasons": reasons} for place, reasons in checked.rejected.items()],
            }
            for name, checked in self.checked.items()
        }
        return {"ok": not self.problems, "problems": self.problems, "files": files, "report": self.report}


def in_words(place: Place) -> str:
    """Return where a row stands, for a message."""
    return f"line {place}" if isinstance(place, int) else f"{place[0]} line {place[1]}"


def _as_json(place: Place) -> dict[str, Any]:
    return {"line": place} if isinstance(place, int) else {"file": place[0], "line": place[1]}


def refusal(checked: Checked, max_rejected_share: float, cure: str = "") -> str:
    """Return an error message if more than that share of the rows is bad, with a line for each of the first 20; else ""."""
    bad = checked.rejected
    if len(bad) <= max_rejected_share * checked.rows:
        return ""
    lines = [f"  {in_words(place)}: {'; '.join(reasons)}" for place, reasons in list(bad.items())[:SHOWN]]
    if len(bad) > SHOWN:
        lines.append(f"  and {len(bad) - SHOWN} more")
    share = f" ({len(bad) / checked.rows:.2%}, at most {max_rejected_share:.2%} may be)" if max_rejected_share else ""
    return "\n".join(
        [
            f"{checked.path}: {len(bad)} of {checked.rows} rows {'is' if len(bad) == 1 else 'are'} bad{share}; fix them{cure}",
            *lines,
        ]
    )


class Validate(Section):
    """The share of bad training rows that does not stop the run: they are rejected."""

    max_rejected_share: float = Field(ge=0, le=0.5)


def validate(rules: Rules, task: "Task", params: Validate, partitions: int) -> None:
    """Do the work of stage validate: data/raw -> data/interim and reports/data_quality.json."""
    files = {name: RAW / f"{name}.csv" for name in rules.names}
    with scratch_folder(INTERIM / ".validate.tmp") as folder:
        if partitions == 1:
            verdict = judge(files, folder, rules, task, params.max_rejected_share, decoded=True)
        else:
            from dvckit.core.pool import pool

            with pool(Path.cwd()) as running:
                verdict = judge_parts(files, folder, rules, task, params.max_rejected_share, running, partitions)
        if verdict.problems:
            raise UserError("\n".join(verdict.problems))
        for name in rules.tables:
            put(folder / f"{name}.parquet", INTERIM / f"{name}.parquet")
    write_table(REJECTED, rejected_rows(verdict.checked[TRAIN]))
    write_json(DATA_QUALITY, verdict.report)
    print_quality(verdict.report)


def judge(
    files: dict[str, Path],
    folder: Path,
    rules: Rules,
    task: "Task",
    max_rejected_share: float | None = None,
    *,
    decoded: bool = False,
) -> Verdict:
    """Check the tables of a source, by name and in their order; the good rows of each go to FOLDER/NAME.parquet.

    They are in the dialect of the source, or `decoded` to plain CSV. Up to `max_rejected_share` of the training rows may be
    bad, by default none. Rows to predict are never rejected.
    """

    def checked_file(name: str) -> Checked | UserError:
        clean = folder / f"{name}.parquet"
        try:
            if decoded:
                return check(files[name], clean, rules.schema, rules.fields(name))
            return check_source(files[name], clean, rules, name)
        except UserError as error:
            return error

    with ThreadPoolExecutor(2) as threads:
        outcomes = dict(zip(files, threads.map(checked_file, files), strict=True))
    about = partial(quality, rules=rules, task=task)
    return _verdict(outcomes, rules, task, max_rejected_share, about, partial(_other_keys, folder, rules))


def judge_parts(  # noqa: PLR0917
    files: dict[str, Path],
    folder: Path,
    rules: Rules,
    task: "Task",
    max_rejected_share: float | None,
    pool: "Pool",
    partitions: int,
    brought: Mapping[Path, Path] | None = None,
) -> Verdict:
    """Do the same for tables in parts, folders of plain CSV files, by tasks; the good rows go to folders of Parquet files.

    `brought` says which file each part is from; faults are then told of these, and no part is remembered.
    """
    parts = InParts(folder, rules, pool, partitions, *([] if brought is None else [folder / "memory"]))
    try:
        outcomes = {name: _told(outcome, brought or {}) for name, outcome in parts.check(files).items()}
    except UserError as error:
        raise _told(error, brought or {}) from None
    about = partial(quality, rules=rules, task=task, questions=parts)
    return _verdict(outcomes, rules, task, max_rejected_share, about, partial(parts.other_keys, TEST))


_Outcome = TypeVar("_Outcome", Checked, UserError, Checked | UserError)


def _told(outcome: _Outcome, brought: Mapping[Path, Path]) -> _Outcome:
    """Return an outcome with the files that parts were brought from in place of the parts."""
    if isinstance(outcome, UserError):
        sentence = str(outcome)
        for part, file in brought.items():
            sentence = sentence.replace(str(part), str(file))
        return UserError(sentence)
    own = {part.name: file for part, file in brought.items() if part.parent == outcome.path}
    if not own:
        return outcome
    file = next(iter(own.values()))
    whole = len(own) == 1 and file.name == outcome.path.name  # the table is one file

    def told(place: Place) -> Place:
        part, line = ("", place) if isinstance(place, int) else place
        return line if whole else (own[part].name, line)

    rejected = {told(place): why for place, why in outcome.rejected.items()}
    return outcome._replace(path=file if whole else file.parent, rejected=rejected)


def _verdict(  # noqa: PLR0917
    outcomes: Mapping[str, Checked | UserError],
    rules: Rules,
    task: "Task",
    max_rejected_share: float | None,
    about: Callable[[Mapping[str, Checked]], dict[str, Any]],
    other_keys: Callable[[str], bool],
) -> Verdict:
    """Return what follows from the checked tables of a source; `about` is their report, `other_keys` that of a submission's."""
    raise_share = "" if max_rejected_share is None else ", or raise validate.max_rejected_share"
    cures = {TRAIN: raise_share, TEST: ": each must get its prediction"}
    checked: dict[str, Checked] = {}
    problems: list[str] = []
    bad: set[str] = set()  # what is found in the good rows of these may follow from the others
    for name, outcome in outcomes.items():
        if name == rules.submission and problems:
            continue  # it may have been derived from what is bad
        if isinstance(outcome, UserError):
            problems.append(str(outcome))
            continue
        checked[name] = outcome
        share = max_rejected_share or 0 if name == TRAIN else 0
        if refused := refusal(outcome, share, cures.get(name, "")):
            problems.append(refused)
            bad.add(name)
    tables = {name: checked[name] for name in rules.tables if name in checked}
    report = about(tables) if tables else {}
    files = {name: one.path for name, one in checked.items()}
    causes = _found(report, "mixed_scale", files, bad)
    problems = [*causes, *problems, *_found(report, task.target_check, files, set(checked) - bad)]
    submission = rules.submission or ""
    if {TEST, submission} <= set(checked) - bad and other_keys(submission):
        mismatch = f"{files[submission]}: the {rules.schema.key}s are not those of {files[TEST]}"
        problems.append(f"{mismatch}; use files of one source")
    return Verdict(checked, problems, report)


def _found(report: dict[str, Any], check: str, files: dict[str, Path], names: set[str]) -> Iterator[str]:
    """Yield what a check found in these tables, with the file."""
    for finding in report["checks"][check]["found"] if report else []:
        name, _, sentence = finding.partition(": ")
        if name in names:
            yield f"{files[name]}: {sentence}"


def _other_keys(folder: Path, rules: Rules, submission: str) -> bool:
    tested, submitted = (_keys(folder, name, rules.schema) for name in (TEST, submission))
    return not tested.equals(submitted)


def _keys(folder: Path, name: str, schema: Schema) -> pa.ChunkedArray:
    return parquet.read_table(folder / f"{name}.parquet", columns=[schema.key])[schema.key].combine_chunks().sort()


def rejected_rows(checked: Checked) -> pd.DataFrame:
    """Return a table with the file, the line, every reason and the text of each rejected row."""
    places = [(_file(checked, place), place if isinstance(place, int) else place[1]) for place in checked.rejected]
    files = dict.fromkeys(file for file, _ in places)
    written = {file: rows_as_written(file, {line for one, line in places if one == file}) for file in files}
    rows = [
        (file.name, line, "; ".join(why), written[file][line])
        for (file, line), why in zip(places, checked.rejected.values(), strict=True)
    ]
    return pd.DataFrame(rows, columns=["file", "line", "reasons", "content"])


def _file(checked: Checked, place: Place) -> Path:
    return checked.path if isinstance(place, int) else checked.path / place[0]
