"""YAML, JSON and TOML of a repository as values: one reader for each format, with limits.

A file may have been made to do harm: a few lines of YAML can stand for millions of values, and a number of thousands of
digits stops a program that prints it. Each reader raises UserError with the reason alone; who calls it names the file.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer

from dvckit.core.errors import UserError, one_line

LARGEST = {
    "YAML": 4 << 20,
    "TOML": 4 << 20,
    "Python": 1 << 20,
    "JSON": 16 << 20,
    "list of files": 128 << 20,
}  # bytes that are read in seconds
DEEPEST = 64  # lists and mappings in each other
MOST = 100_000  # values of a file, each alias counted as all that it stands for
LONGEST_TAG = 100
LONGEST = 200  # characters of a reason
BITS = 996  # of a whole number: about 300 digits, as many as a float has

# Every value as text, which suffices for a path and a hash: a list of thousands of files takes no seconds.
_Texts = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
# tomllib takes a time that grows with the square of such a key
_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){64}""")

_DEEP = f"it is nested deeper than {DEEPEST} levels"

_Node = Any  # ruamel's or PyYAML's: the two are alike


class _Composer(Composer):
    """Stops where a file has too many nodes or too deep ones, before all are in memory; refuses aliases that multiply."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self.nodes = self.level = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.nodes, self.level = self.nodes + 1, self.level + 1
        _refuse(self.nodes, self.level)
        tag = getattr(self.parser.peek_event(), "ctag", None)
        if tag is not None and len(tag.suffix or "") > LONGEST_TAG:  # ruamel takes minutes for a long one
            raise UserError(f"it has a tag of more than {LONGEST_TAG} characters")
        node = super().compose_node(parent, index)
        self.level -= 1
        return node

    def get_single_node(self) -> Any:
        node = super().get_single_node()
        _measure(node, {})
        return node


def _refuse(count: int, level: int) -> None:
    if count > MOST:
        raise UserError(f"it has more than {MOST:,} values")
    if level > DEEPEST:
        raise UserError(_DEEP)


def read_yaml(content: bytes) -> Any:
    """Return what a YAML file has, by YAML 1.2 as DVC reads it."""
    check_size("YAML", content)
    loader = YAML(typ="safe", pure=True)
    loader.Composer = _Composer
    with suppress(yaml.YAMLError):  # libyaml is faster to refuse, and does not know YAML 1.2
        _scan(content)
    try:
        return checked(loader.load(content))
    except (UserError, KeyboardInterrupt):
        raise
    except RecursionError:
        raise UserError(_DEEP) from None
    except Exception as error:  # noqa: BLE001 - beside its own errors, ruamel raises others for a wrong tag or date
        raise _reason(error) from None


def read_texts(content: bytes) -> Any:
    """Return what a YAML file has, every value as text."""
    check_size("YAML", content)
    try:
        _scan(content)
        loader = _Texts(content)
        node = loader.get_single_node()
        _measure(node, {})
        return None if node is None else loader.construct_document(node)
    except RecursionError:
        raise UserError(_DEEP) from None
    except (yaml.YAMLError, ValueError, TypeError) as error:  # a TypeError: a list as a key
        raise _reason(error) from None


def _scan(content: bytes) -> None:
    """Refuse what has too many or too deep values while it is being read: libyaml alone would go on for minutes."""
    level = count = 0
    for event in yaml.parse(content, _Texts):
        count += isinstance(event, yaml.NodeEvent)
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        _refuse(count, level)


def read_json(content: bytes) -> Any:
    """Return what a JSON file has."""
    check_size("JSON", content)
    return checked(parse_json(content))


def parse_json(content: bytes) -> Any:
    """Return what a JSON file has, of any size and with any number of values."""
    try:
        return json.loads(content)
    except ValueError as error:
        raise UserError(f"it is not JSON: {_reason(error)}") from None
    except RecursionError:
        raise UserError(_DEEP) from None


def read_toml(content: bytes) -> dict[str, Any]:
    """Return what a TOML file has."""
    check_size("TOML", content)
    try:
        text = content.decode()
        if _LONG_KEY.search(text):
            raise UserError(_DEEP)
        return dict(checked(tomllib.loads(text)))
    except (ValueError, IndexError, TypeError) as error:  # tomllib's own error is a ValueError
        raise _reason(error) from None
    except RecursionError:
        raise UserError(_DEEP) from None


def _reason(error: Exception) -> UserError:
    """Return an error of a parser for the user, who need not read all of what may be a long value."""
    text = one_line(error) or type(error).__name__
    return UserError(text if len(text) <= LONGEST else f"{text[:LONGEST]} …")


def check_size(kind: str, content: bytes) -> None:
    """Refuse (UserError) a file that is too large to be read as YAML, JSON, TOML or Python."""
    if len(content) > LARGEST[kind]:
        raise UserError(f"it is larger than the {LARGEST[kind] >> 20} MiB that are read as {kind}")


def checked(content: Any) -> Any:
    """Return values as they are; UserError where they are too many, too deep in each other, or a number is too long."""
    if any(isinstance(value, int) and value.bit_length() > BITS for value in every(content)):
        raise UserError("it has a whole number of more than 300 digits")
    return content


def every(content: Any) -> Iterator[Any]:
    """Yield each value in a content, lists, mappings and their keys included; UserError for too many or too deep ones."""
    level, count, depth = [content], 0, 0
    while level:
        count, depth = count + len(level), depth + 1
        _refuse(count, depth)
        yield from level
        level = [child for value in level for child in _children(value)]


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        yield from value


def _measure(node: _Node, known: dict[int, tuple[int, int] | None]) -> tuple[int, int]:
    """Return how many values a node of YAML has, itself included, and how deep they are; UserError for more than is read.

    `known` are the nodes that were measured, None for those that are being measured: who meets such a one is in a circle.
    """
    if id(node) in known:
        if (size := known[id(node)]) is None:
            raise UserError("a value in it contains itself")
        return size
    known[id(node)] = None
    children = node.value if isinstance(getattr(node, "value", None), list) else []
    pairs = [child if isinstance(child, tuple) else (child,) for child in children]
    sizes = [_measure(one, known) for pair in pairs for one in pair]
    count, depth = 1 + sum(size for size, _ in sizes), 1 + max((depth for _, depth in sizes), default=0)
    _refuse(count, depth)
    known[id(node)] = count, depth
    return count, depth
