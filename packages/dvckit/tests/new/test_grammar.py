import math
import re

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from dvckit.new.cells import encoded
from dvckit.new.grammar import NUMBER, typed
from dvckit.tables.schema import GRAMMAR

whole = st.integers(-(10**18) + 1, 10**18 - 1).map(str)
decimal = st.floats(allow_nan=False, allow_infinity=False).map(repr)
broken = st.text("0123456789.,-+eE %xA", min_size=1, max_size=8).filter(lambda text: not re.fullmatch(NUMBER, text))


def kind(texts, sign="."):
    return typed(encoded("x", [pa.chunked_array([texts], pa.string())], [("x.csv", range(2, 1000))]), sign).kind


@given(st.lists(st.one_of(whole, decimal), min_size=1), broken, st.data())
def test_one_cell_that_is_no_number_makes_no_column_of_numbers(texts, cell, data):
    place = data.draw(st.integers(0, len(texts)))

    assert kind([*texts[:place], cell, *texts[place:]]) in ("text", "date")


@given(st.lists(whole, min_size=1))
def test_whole_numbers(texts):
    assert kind(texts) == "whole number"


@given(st.lists(decimal, min_size=1))
def test_numbers_of_any_size(texts):
    assert kind(texts) == "number"
    assert kind([text.replace(".", ",") for text in texts], ",") == "number"


@given(st.from_regex(NUMBER, fullmatch=True))
def test_the_strict_grammar_is_part_of_the_schemas(text):
    assert re.fullmatch(GRAMMAR[float], text)
    assert not math.isnan(float(text))
