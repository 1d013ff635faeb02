"""The fields of a project's records, as code, from what a CSV file was found to be."""

from collections.abc import Iterator
from typing import NamedTuple

from dvckit.new.columns import Column, Examined
from dvckit.new.limits import limits
from dvckit.tables.schema import PLAIN, Dialect

TYPES = {"whole number": "int", "number": "float", "text": "str", "date": "datetime"}
WIDTH = 120
FEW_VALUES = 25  # of a category whose values the schema lists
# The parts of dates: their name, that of the attribute of pandas, and their limits.
PARTS = {
    "year": ("year", "ge=1, le=9999"),
    "month": ("month", "ge=1, le=12"),
    "weekday": ("day_of_week", "ge=0, le=6"),
    "hour": ("hour", "ge=0, le=23"),
}


class Feature(NamedTuple):
    """A feature that is computed from a row: its field, none if it replaces a column, and its values."""

    name: str
    declaration: str
    value: str


def declarations(examined: Examined) -> list[str]:
    """Return a line, or a few, for each column of the file."""
    return [_declaration(column) for column in examined.columns]


def _declaration(column: Column) -> str:
    arguments = [f'"{column.role}"']
    if column.name != column.field:
        arguments.append(f"name={quoted(column.name)}")
    if column.unit:
        arguments.append(f"unit={quoted(column.unit)}")
    if column.format:
        arguments.append(f"written={quoted(column.format)}")
    arguments += _limits(column)
    call = f"column({', '.join(arguments)})"
    annotation = _annotation(column)
    found = _found(column)
    line = f"{column.field}: {annotation} = {call}{found}"
    if len(line) <= WIDTH - 4:
        return line
    whole = "\n".join(["column(", *(f"        {argument}," for argument in arguments), "    )"])
    return (
        f"{column.field}: {_wrapped(annotation, _values(column))} = {whole if len(call) > WIDTH // 2 else call}{found}"
    )


def _annotation(column: Column) -> str:
    values, found = _values(column), column.found
    kind = f"Literal[{', '.join(map(quoted, values))}]" if values else TYPES[column.kind]
    optional = column.role == "target" or found.missing or found.missing_to_predict or not found.distinct
    return f"{kind} | None" if optional else kind


def _wrapped(annotation: str, values: tuple[str | int, ...]) -> str:
    """Return a long list of values with one in a line."""
    if not values or len(annotation) < WIDTH // 2:
        return annotation
    lines = "".join(f"        {quoted(value)},\n" for value in values)
    return f"Literal[\n{lines}    ]{' | None' * annotation.endswith(' | None')}"


def _values(column: Column) -> tuple[str | int, ...]:
    values = column.found.values
    return values if column.role == "target" or len(values) <= FEW_VALUES else ()


def _limits(column: Column) -> Iterator[str]:
    found = column.found
    if _values(column) or column.kind == "date" or column.role == "ignore":
        return
    if column.kind == "text":
        longest = max(map(len, map(str, found.values)), default=found.longest or 1)
        yield f"max_length={max(10, int(limits(0, longest)[1]))}"
        if found.one_line:
            yield "pattern=ONE_LINE"
    elif column.role in ("id", "group", "category"):
        yield f"ge={min(0, int(_number(found.minimum)))}"
    elif found.minimum is not None:
        low, high = limits(_number(found.minimum), _number(found.maximum))
        yield from (f"ge={low!r}", f"le={high!r}")


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return value


def _found(column: Column) -> str:
    """Return a comment of what the limits make room around."""
    found = column.found
    parts = []
    if column.kind in ("whole number", "number") and found.minimum is not None and column.role in ("number", "target"):
        parts.append(f"{found.minimum:.10g} to {found.maximum:.10g}")
    if column.kind == "text" and found.longest and not _values(column):
        parts.append(f"up to {found.longest} characters")
    if found.missing:
        parts.append(f"{found.missing} missing")
    return f"  # found: {', '.join(parts)}" if parts else ""


def quoted(value: str | int) -> str:
    """Return a value as code, text in double quotes."""
    if isinstance(value, int):
        return repr(value)
    inside = repr(f"'{value}")[2:-1]  # with a single quote in it, repr takes double ones
    return f'"{inside}"' if '"' not in value else repr(value)


def computed(examined: Examined) -> list[Feature]:
    """Return the features of a new project: the parts of dates, and texts with "" where they are missing."""
    names = {column.field for column in examined.columns}
    features = []
    for column in examined.of_role("date"):
        missing = bool(column.found.missing or column.found.missing_to_predict)
        for part in ["year", "month", "weekday", *(["hour"] if "%H" in column.format else [])]:
            name = next(one for one in (f"{column.field}_{part}", f"{column.field}_{part}_") if one not in names)
            kind = "float | None" if missing else "int"
            attribute, limit = PARTS[part]
            declared = f'{name}: {kind} = column("number", "{part.capitalize()} of {column.field}", {limit})'
            features.append(Feature(name, declared, f"clean[Clean.{column.field}].dt.{attribute}"))
    return features + [
        Feature(column.field, "", f'clean[Clean.{column.field}].fillna("")')
        for column in examined.of_role("text")
        if column.found.missing or column.found.missing_to_predict
    ]


def imports(examined: Examined, lines: list[str]) -> str:
    """Return the imports that the module of the schema needs."""
    code = "\n".join(lines)
    names = ["Names", "Record", "Rules", "Schema", "column"]
    names += [name for name, text in (("ONE_LINE", "ONE_LINE"), ("Dialect", "")) if text and text in code]
    names += ["Dialect"] if examined.dialect != PLAIN else []
    standard = [
        *(["from datetime import datetime"] if any(column.kind == "date" for column in examined.columns) else []),
        *(["from typing import Literal"] if "Literal[" in code else []),
    ]
    # constants first, then classes, then functions
    ordered = sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))
    ours = f"from dvckit.tables.schema import {', '.join(ordered)}"
    return "\n".join([*standard, *([""] if standard else []), ours]) + "\n"


def rules(examined: Examined) -> str:
    """Return the arguments of Rules, as code."""
    arguments = ["ROWS"]
    if examined.dialect != PLAIN:
        arguments.append(f"dialect={_dialect(examined.dialect)}")
    if not examined.predict:
        arguments.append("predict=False")
    return ", ".join(arguments)


def _dialect(dialect: Dialect) -> str:
    differing = [
        f"{name}={getattr(dialect, name)!r}" for name in vars(PLAIN) if getattr(dialect, name) != getattr(PLAIN, name)
    ]
    return f"Dialect({', '.join(differing)})".replace("'", '"')
