"""Names of columns: as fields of a record, and as a person gives them on the command line."""

import keyword
import re
import unicodedata
from collections import Counter
from difflib import get_close_matches
from typing import NamedTuple

from dvckit.core.errors import UserError
from dvckit.core.grid import first
from dvckit.tables.dialect import named
from dvckit.tables.reading import shown
from dvckit.tables.schema import Record

# Letters that Unicode does not split into a Latin letter and a mark.
LETTERS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "Ae"}
    | {"œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "å": "a", "Å": "A", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d"}
    | {"Ð": "D", "þ": "th", "Þ": "Th", "\u0131": "i", "µ": "u", "μ": "u", "%": " percent ", "#": " number "}
)
# Names that a record or its module needs for itself, and those of columns that the library adds to a table.
RESERVED = {
    *dir(Record),
    *keyword.kwlist,
    "int",
    "float",
    "str",
    "bool",
    "column",
    "datetime",
    "row_number",
    "prediction",
}
RESERVED |= {"Literal", "ONE_LINE", "Record", "Schema", "FeatureSchema", "Rules", "Dialect"}
UNIT = re.compile(r"^(.*\w.*?)[\s_]*[(\[]([^()\[\]]{1,12})[)\]]$", re.DOTALL)


class Name(NamedTuple):
    """The name of a column as a field, and the unit in its name, such as cm."""

    field: str
    unit: str


def as_fields(names: list[str]) -> list[Name]:
    """Return for each column the name of a field: an ASCII identifier, unique, that means nothing else in a record.

    A unit in brackets at the end is left out where that makes no two names equal.
    """
    found = [UNIT.match(name) for name in names]
    units = [match[2] if match and not match[2].isdigit() else "" for match in found]
    short = [
        _identifier(match[1] if match and unit else name) for name, match, unit in zip(names, found, units, strict=True)
    ]
    counts = Counter(short)
    wanted = [one if counts[one] == 1 else _identifier(name) for one, name in zip(short, names, strict=True)]
    return [Name(field, unit) for field, unit in zip(named(wanted), units, strict=True)]


def _identifier(name: str) -> str:
    """Return a name as an ASCII identifier; empty if nothing of it is left."""
    latin = unicodedata.normalize("NFKD", unicodedata.normalize("NFC", name).translate(LETTERS))
    word = re.sub(r"[^A-Za-z0-9]+", "_", "".join(sign for sign in latin if not unicodedata.combining(sign))).strip("_")
    if word[:1].isdigit() or word.startswith(("model_dump", "model_validate")):  # pydantic keeps these names for itself
        word = f"column_{word}"
    return f"{word}_" if word in RESERVED else word


def place_of(names: list[str], wanted: str, flag: str) -> int:
    """Return the place, from 0, of a column given by name or by position from 1; UserError if there is none."""
    if wanted in names:
        return names.index(wanted)
    if wanted.isdecimal() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    near = get_close_matches(wanted, names, 1) or [
        name for name in names if name.casefold() == wanted.strip().casefold()
    ]
    hint = f"did you mean {shown(near[0])}?" if near else f"there are {first(map(shown, names), 8)}"
    raise UserError(f"{flag}: there is no column {shown(wanted)}; {hint}")


def is_id_like(name: str) -> bool:
    """Return whether a name says that its column identifies something, as OrderId, customer_no or uuid do."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+|#", name)]
    if not words:
        return False
    return words[-1] in ID_WORDS or words[0] == "id" or bool(ENDS_IN_ID.search(words[-1]))


ID_WORDS = {
    "id",
    "ids",
    "uid",
    "uuid",
    "guid",
    "key",
    "index",
    "idx",
    "no",
    "nr",
    "number",
    "code",
    "ref",
    "rowid",
    "#",
}
# customerid, but not paid or grid
ENDS_IN_ID = re.compile(
    r"(?<!pa)(?<!gr)(?<!ac)(?<!val)(?<!sol)(?<!hum)(?<!flu)(?<!cov)(?<!ap)(?<!thyro)(?<!stero)(?<!hybr)(?<=\w{4})id$"
)
