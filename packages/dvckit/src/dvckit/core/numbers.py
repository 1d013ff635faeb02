"""Numbers for people, of any size."""

from math import floor, log10

MOST = 9  # digits after the point


def places(value: float) -> int:
    """Return after how many digits behind the point a number has three significant ones."""
    return min(MOST, max(0, 2 - floor(log10(abs(value))))) if value else 0


def digits(value: float, sign: str = "") -> str:
    """Return a number with at least three significant digits and no exponent; `sign` "+" also marks positive ones."""
    return f"{value:{sign}.{places(value)}f}"
