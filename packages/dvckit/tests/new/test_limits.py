import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvckit.new.limits import limits

numbers = st.one_of(st.integers(-(10**18) + 1, 10**18 - 1), st.floats(allow_nan=False, allow_infinity=False))


@given(numbers, numbers)
def test_limits_hold_what_was_found_and_cross_no_zero(one, other):
    lowest, highest = sorted((one, other))

    lower, upper = limits(lowest, highest)

    assert lower <= lowest <= highest <= upper
    assert lower < upper
    assert lowest < 0 or lower >= 0
    assert highest > 0 or upper <= 0 or lowest == 0
    assert isinstance(lower, int) == (isinstance(one, int) and isinstance(other, int))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((0.42, 80), (0, 160)),
        ((4.3, 7.9), (0.7, 12)),
        ((-5, 10), (-20, 25)),
        ((-9, -4), (-14, 0)),
        ((1, 3), (0, 5)),
        ((7, 7), (0, 14)),
        ((0, 0), (0, 1)),
        ((1234, 5678), (0, 11000)),
    ],
)
def test_limits_have_room_for_new_data(found, expected):
    assert limits(*found) == expected
