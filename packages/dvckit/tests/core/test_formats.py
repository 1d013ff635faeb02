"""Files that were made to do harm: each is refused with its reason, before it costs time or memory."""

import time

import pytest

from dvckit.core.errors import UserError
from dvckit.core.formats import read_json, read_texts, read_toml, read_yaml
from dvckit.repository.values import parsed

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} {{<<: [{', '.join(['*' + chr(97 + n)] * 9)}]}}\n" for n in range(9)
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}]\n" for n in range(100))
DEEP, MANY = "nested deeper than 64 levels", "more than 100,000 values"


def read_python(content):
    return parsed("params.py", content)


@pytest.mark.parametrize(
    ("read", "text", "reason"),
    [
        (read_yaml, BOMB, MANY),
        (read_yaml, MERGES, MANY),
        (read_texts, BOMB, MANY),
        (read_yaml, "[" + "x, " * 120_000, MANY),
        (read_texts, "[" + "x, " * 120_000, MANY),
        (read_yaml, CHAIN, DEEP),
        (read_texts, CHAIN, DEEP),
        (read_yaml, "[" * 100_000, DEEP),
        (read_texts, "[" * 100_000, DEEP),
        (read_yaml, "- " * 50_000, DEEP),
        (read_texts, "? " * 50_000, DEEP),
        (read_yaml, "a: &a [*a]", "contains itself"),
        (read_yaml, "a: &a {b: *a}", "contains itself"),
        (read_texts, "a: &a [*a]", "contains itself"),
        (read_yaml, "a: " + "1" * 5000, "digits"),
        (read_yaml, "a: " + "1" * 400, "more than 300 digits"),
        (read_yaml, "a: 0x" + "f" * 5000, "more than 300 digits"),
        (read_yaml, "a: \0", "special characters are not allowed"),
        (read_yaml, "a: !!bool x", "x"),
        (read_yaml, "a: 2001-99-99", "month must be in 1"),
        (read_yaml, "a: !" + "x" * 100_000 + " b", "a tag of more than 100 characters"),
        (read_yaml, "? {a: b}\n: c", "while constructing a mapping"),
        (read_texts, "? [a]\n: c", "while constructing a mapping"),
        (read_yaml, "#" * (5 << 20), "larger than the 4 MiB"),
        (read_json, "[" * 100_000, DEEP),
        (read_json, "[" + "1, " * 200_000 + "1]", MANY),
        (read_json, "1" * 5000, "digits"),
        (read_json, "1" * 400, "more than 300 digits"),
        (read_json, '{"a": \0}', "it is not JSON"),
        (read_toml, "a = " + "[" * 5000, DEEP),
        (read_toml, "a = " + "{a = " * 5000, DEEP),
        (read_toml, "[a" + ".a" * 50_000 + "]\n", DEEP),
        (read_toml, '"a" . "b"' + ' . "c"' * 50_000 + " = 1", DEEP),
        (read_toml, "[[a]]\n" * 101_000, MANY),
        (read_toml, "a = " + "1" * 5000, "digits"),
        (read_toml, "a = 0x" + "f" * 5000, "more than 300 digits"),
        (read_toml, "a = 1\0", "Expected newline"),
        (read_python, "A = " + "[" * 1000, "it is not Python"),
        (read_python, "A = " + "-" * 100_000 + "1", "nested too deeply"),
        (read_python, "A = 1" + " + 1" * 50_000, "nested too deeply"),
        (read_python, "A = 1\0", "it is not Python"),
        (read_python, "A = " + "1" * 5000, "it is not Python"),
        (read_python, "A = 0x" + "f" * 5000, "more than 300 digits"),
        (read_python, "A = {[]: 1}", "it is not Python"),
    ],
)
def test_a_hostile_file_is_refused_at_once(read, text, reason):
    before = time.process_time()

    with pytest.raises(UserError, match=reason) as error:
        read(text.encode())

    assert len(str(error.value)) < 300
    assert time.process_time() - before < 8


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a: &a {b: 1}\nc: *a\nd: {<<: *a, e: 2}", {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}}),
        ("a: " + "[" * 60 + "]" * 60, None),
        ("a: 1" + "0" * 290, {"a": 10**290}),
        ("a: 0o17\nb: 1_0\nc: yes", {"a": 15, "b": 10, "c": "yes"}),
        ("", None),
    ],
)
def test_what_people_write_is_read(text, values):
    assert read_yaml(text.encode()) == values or values is None
