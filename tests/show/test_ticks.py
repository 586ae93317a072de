"""Ticks of axes of numbers."""

from __future__ import annotations

import pytest

from pinlake.show.ticks import scale, short, ticks


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [([1, 9], "linear"), ([1, 10], "log"), ([0, 1000], "linear"), ([5], "linear"), ([12.5, 40_000.0], "log")],
)
def test_numbers_that_are_far_apart_need_a_logarithmic_axis(numbers: list[float], kind: str) -> None:
    assert scale(numbers) == kind


@pytest.mark.parametrize(
    ("low", "high", "kind", "texts"),
    [
        (0, 4, "linear", ["0", "1", "2", "3", "4"]),
        (0, 13, "linear", ["0", "5", "10"]),
        (0, 15_000_000, "linear", ["0", "5M", "10M", "15M"]),
        (0, 0.5, "linear", ["0"]),
        (90_000, 1_200_000, "log", ["100k", "200k", "500k", "1M"]),
        (7, 20_000_000, "log", ["10", "100", "1k", "10k", "100k", "1M", "10M"]),
    ],
)
def test_ticks_are_round_and_few(low: float, high: float, kind: str, texts: list[str]) -> None:
    assert ticks(low, high, kind)["ticktext"] == texts


@pytest.mark.parametrize("power", range(12))
def test_a_logarithmic_axis_always_has_ticks_and_never_too_many(power: int) -> None:
    for digit in (1, 3.3, 7.9):
        for ratio in (10, 50, 199, 201, 10_000_000):
            low = digit * 10.0**power
            found = ticks(low, low * ratio, "log")
            assert 2 <= len(found["tickvals"]) <= 8
            assert [low <= float(value) <= low * ratio for value in found["tickvals"]].count(False) == 0


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.5, "0.5"), (999, "999"), (1000, "1k"), (2500, "2.5k"), (2_000_000, "2M"), (3e9, "3G")],
)
def test_large_numbers_are_written_short(number: float, text: str) -> None:
    assert short(number) == text
