"""The cells of a CSV file, and of one with rows to predict: decoded, missing values found, the target known."""

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from dvckit.core.errors import UserError
from dvckit.new.cells import Cells, Lines, encoded
from dvckit.new.decimals import decide
from dvckit.new.grammar import numbers
from dvckit.new.missing import about_markers, found_markers, label_question, unseen_in
from dvckit.new.names import place_of
from dvckit.new.options import Choice, Options, Question
from dvckit.new.sniffing import Form, sniff
from dvckit.tables.dialect import named
from dvckit.tables.reading import check_header, first_line, read_header, shown
from dvckit.tables.schema import Dialect


@dataclass(frozen=True)
class Source:
    """The columns of a source; with questions about the form of the file or the target there are none yet."""

    dialect: Dialect
    header: list[str] | None
    questions: tuple[Question, ...] = ()
    cells: list[Cells] = field(default_factory=list)
    place: int = 0  # of the target
    markers: list[str] = field(default_factory=list)  # what is done with the missing markers of each column, in words


def load(path: Path, options: Options, predict: Path | None) -> Source:
    """Read the files as a person's answers and the files themselves say; UserError for what no answer can change."""
    form = sniff(path, options)
    header = form.names if form.header else None
    asked = form.questions or ([] if options.target else [_which_target(form.names)])
    if asked or not options.target:
        return Source(Dialect(form.separator, encoding=form.encoding, header=form.header), header, tuple(asked))
    place = place_of(form.names, options.target, "--target")
    other = _to_predict(predict, path, form, place) if predict else []
    cells = _cells(form, other, path, predict)
    missing = found_markers(cells) if options.missing is None else dict.fromkeys(filter(None, options.missing), "")
    missing |= {text: "" for one in cells for text in unseen_in(one)}
    of_labels = label_question(cells[place], missing) if options.missing is None else None
    markers = [about_markers(one, missing) for one in cells]
    cells = [one.without(tuple(missing)) for one in cells]
    decimal, question = (options.decimal, None) if options.decimal else decide(cells)
    if decimal not in (".", ","):
        raise UserError(f"--decimal must be a point or a comma; it is {shown(decimal)}")
    thousands = any(numbers(one, decimal).thousands for one in cells)
    dialect = Dialect(
        form.separator, decimal, form.encoding, form.header, tuple(sorted(missing)), thousands, form.trimmed
    )
    if questions := tuple(one for one in (question, of_labels) if one):
        return Source(dialect, header, questions)
    return Source(dialect, header, (), cells, place, markers)


def _which_target(names: list[str]) -> Question:
    choices = tuple(Choice(name, f"--target {position}", {"target": name}) for position, name in enumerate(names, 1))
    return Question("target", "Which column is to be predicted?", "no --target was given", choices)


def _to_predict(predict: Path, path: Path, form: Form, target: int) -> list[pa.ChunkedArray | None]:
    """Return the columns of the file to predict, None for a target that it lacks; UserError where they are others."""
    first_line(predict)
    names, separator = form.names, form.separator
    without = [name for place, name in enumerate(names) if place != target]
    cells = read_header(predict, separator, "latin-1")
    if len(cells) == 1 and len(without) > 1:
        raise UserError(f"{predict}: the cells are not separated by {separator!r}, as those of {path} are")
    other = sniff(
        predict, Options(separator=separator, encoding=form.encoding, header=form.header), without_blanks=form.trimmed
    )
    if form.header and named(other.line) not in (names, without):
        check_header(predict, without, separator, other.encoding)
    if len(other.columns) not in (len(names), len(without)):
        raise UserError(f"{predict} has {len(other.columns)} columns; {path} has {len(without)} without the target")
    if len(other.columns) == len(names):
        raise UserError(
            f"{predict} has the column {names[target]}, which is to be predicted; save it without that column"
        )
    columns: list[pa.ChunkedArray | None] = list(other.rows)
    columns.insert(target, None)
    return columns


def _cells(form: Form, other: list[pa.ChunkedArray | None], path: Path, predict: Path | None) -> list[Cells]:
    if form.header and not other:
        return form.below
    own = form.rows
    length = next((len(column) for column in other if column is not None), 0)
    nulls = pa.chunked_array([pa.nulls(length, pa.string())])
    both = [
        [one, *([nulls if two is None else two] if other else [])] for one, two in zip(own, other or own, strict=True)
    ]
    files = [(path.name, Lines(path, header=form.header))]
    files += [(predict.name, Lines(predict, header=form.header))] if predict else []
    return [encoded(column, parts, files) for column, parts in zip(form.names, both, strict=True)]
