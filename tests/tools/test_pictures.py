"""The picture in README."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from tests.show.rows import ROWS
from tools.pictures import picture

STORED = Path(__file__).parents[2] / "docs" / "pictures" / "answers.png"


def test_two_figures_are_side_by_side_in_one_small_picture() -> None:
    drawn = picture(ROWS)
    width, height = Image.open(io.BytesIO(drawn)).size
    assert width > 2 * height
    assert len(drawn) < 150_000


def test_the_stored_picture_is_readable_on_a_page() -> None:
    """GitHub shows it 880 pixels wide: of a picture twice as wide, letters would be half as large."""
    assert STORED.stat().st_size < 150_000
    assert 880 <= Image.open(STORED).width < 1500
