"""Axes, tooltips and texts of the figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import altair as alt

from pinlake.errors import printable

_MOST_LETTERS = 200


def text(given: str) -> str:
    """Text of a record in one line, without control characters, at which vl-convert ends the process."""
    known = re.sub(r"[\ud800-\udfff\ufffe\uffff]", "\ufffd", printable(" ".join(given.split())))
    return known if len(known) <= _MOST_LETTERS else known[: _MOST_LETTERS - 1] + "…"


def number(axis: Any, title: str, numbers: Sequence[float], grid: bool = True) -> Any:
    """The axis of the field `number`, from 0 on. Ticks are whole numbers, because what is counted is."""
    label = "datum.value == 0 ? '0' : datum.value % 1 ? '' : datum.label"
    ticks = alt.Axis(format="~s", labelExpr=label, tickCount=6, grid=grid)
    scale = alt.Scale(zero=True) if max(numbers) >= 1 else alt.Scale(domain=[0, 1])
    return axis("number:Q", title=title, scale=scale, axis=ticks)


def followers(axis: Any, title: str, numbers: Sequence[float]) -> Any:
    """The same, logarithmic where numbers are far apart, as followers are. Such an axis has no place for zero."""
    ratio = max(numbers) / min(numbers) if min(numbers) >= 1 else 1
    if ratio < 10:
        return number(axis, title, numbers)
    steps = (1, 2, 5) if ratio < 200 else (1,)
    ticks = alt.Axis(format="~s", values=[step * 10**power for power in range(16) for step in steps])
    return axis("number:Q", title=title, scale=alt.Scale(type="log", nice=False, padding=20), axis=ticks)


def degrees(axis: Any, name: str, most: int, step: int) -> Any:
    """The axis of a latitude or longitude from -`most` to `most`, with a mark every `step` degrees."""
    marked = alt.Axis(values=list(range(-most, most + 1, step)), labelExpr="datum.label + '°'")
    return axis(f"{name}:Q", title=name, scale=alt.Scale(domain=[-most, most]), axis=marked)


def tooltip(number: str, *names: str) -> list[alt.Tooltip]:
    """What is shown at a mark: these fields, and the field `number` under the title `number`."""
    return [*(alt.Tooltip(f"{name}:N") for name in names), alt.Tooltip("number:Q", title=number, format=",")]
