"""Where an axis of numbers has its ticks, and what stands there: the same in plotly and in the static pictures."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, floor, log10

# Over less than a power of ten, a logarithmic axis shows nothing that a linear one doesn't.
_LEAST_RATIO = 10
# Steps of 1, 2, 5 up to here; over more powers of ten, these alone.
_MOST_RATIO = 200
_MOST_TICKS = 6


def scale(numbers: Iterable[float]) -> str:
    """`log` for numbers that are far apart, as followers are; such an axis has no place for zero."""
    found = list(numbers)
    return "log" if min(found) > 0 and max(found) / min(found) >= _LEAST_RATIO else "linear"


def ticks(low: float, high: float, kind: str) -> dict[str, list[float] | list[str]]:
    """The ticks of an axis from `low` to `high`, as plotly takes them; a linear one starts at zero."""
    if kind == "log":
        steps = (1, 2, 5) if high / low < _MOST_RATIO else (1,)
        powers = range(floor(log10(low)), ceil(log10(high)) + 1)
        found = [step * 10.0**power for power in powers for step in steps]
    else:
        step = _step(high)
        found = [number * step for number in range(floor(high / step) + 1)]
        low = 0
    values = [float(f"{value:.12g}") for value in found if low <= value <= high]
    return {"tickvals": values, "ticktext": [short(value) for value in values]}


def short(number: float) -> str:
    """2,000,000 as 2M: whole numbers would run into each other."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:g}{unit}"
    return f"{number:g}"


def _step(high: float) -> float:
    """The least of 1, 2, 5, 10, … that gives no more ticks than can be read. What is counted is whole."""
    power = 1
    while True:
        for digit in (1, 2, 5):
            if high / (digit * power) <= _MOST_TICKS:
                return digit * power
        power *= 10
