"""Figures of the answers, and what their charts and pictures hold."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from pinlake.show import figures
from pinlake.show.figure import Figure
from tests.show.rows import ROWS, Rows

PLACES = [(51.0, 1.0, 4), (-33.0, -71.0, 1)]
MONTHS = [("2018-11", 3), ("2018-12", 5), ("2019-01", 4)]


def drawn(name: str, rows: Rows | None = None) -> Figure:
    return figures.answer(name, ROWS[name] if rows is None else rows)


def layers(figure: Figure) -> list[Any]:
    """The layers, or where there is only one, it."""
    return list(figure.spec["layer"])


def values(figure: Figure) -> list[dict[str, Any]]:
    """The rows of the chart's only data set."""
    (found,) = figure.spec["datasets"].values()
    return list(found)


def column(figure: Figure, name: str) -> list[Any]:
    return [row[name] for row in values(figure)]


def pixels(figure: Figure) -> Image.Image:
    return Image.open(io.BytesIO(figure.png())).convert("L")


def ink(picture: Image.Image) -> float:
    """The share of the pixels that are not nearly white."""
    histogram = picture.histogram()
    return sum(histogram[:230]) / sum(histogram)
